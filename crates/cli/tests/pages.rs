//! What shells and `man` make of what they are told: the real bash completes, the real groff sets the pages.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::Side;

/// What bash offers for the words of a line, the last of them unfinished, by the script `parlor completions bash`.
fn offered(side: &Side, line: &str) -> Vec<String> {
    let script = r#"
        source <(parlor completions bash) || exit 1
        handler=$(complete -p parlor) || exit 1
        [[ $handler =~ -F\ ([^ ]+) ]] || exit 1
        read -ra COMP_WORDS <<<"$LINE"
        [[ $LINE == *' ' ]] && COMP_WORDS+=('')
        COMP_LINE=$LINE COMP_POINT=${#LINE} COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        "${BASH_REMATCH[1]}" parlor "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let output = side.person.run("bash").env("LINE", line).args(["-c", script]).ok().unwrap();
    output.out().lines().filter(|word| !word.is_empty()).map(String::from).collect()
}

#[test]
fn bash_completes_commands_and_options_and_nothing_is_started_for_it() {
    let alice = Side::homeless("alice");
    assert_eq!(offered(&alice, "parlor ro"), ["room"]);
    assert_eq!(offered(&alice, "parlor room b"), ["bind"]);
    assert!(offered(&alice, "parlor room bind --").contains(&"--dir".to_owned()));
    assert!(offered(&alice, "parlor send --priority ").contains(&"now".to_owned()));
    assert!(!alice.parlor.dir().exists(), "completing makes no home");
}

#[test]
fn the_man_pages_are_set_without_a_complaint() {
    let alice = Side::homeless("alice");
    let dir = alice.person.tmp().join("man1");
    let written = alice.parlor.run(["man", "--dir", dir.to_str().unwrap()]).ok().unwrap().out();
    let pages: Vec<&str> = written.lines().collect();
    for name in ["parlor.1", "parlor-room.1", "parlor-room-bind.1", "parlor-config-set.1"] {
        assert!(pages.contains(&dir.join(name).to_str().unwrap()), "{name} in {written}");
    }
    for page in pages {
        let set = alice.person.run("groff").args(["-man", "-Tutf8", "-ww", "-P-cbou", page]).ok().unwrap();
        assert_eq!(set.err(), "", "{page}");
        assert!(set.out().contains("SYNOPSIS"), "{page}");
    }
    let one = alice.parlor.run(["man", "room", "bind"]).ok().unwrap().out();
    assert_eq!(one, std::fs::read_to_string(dir.join("parlor-room-bind.1")).unwrap());
    assert_eq!(alice.parlor.cmd(["man", "rome"]).unwrap().code(), 2);
    assert!(!alice.parlor.dir().exists());
}
