//! `parlor service`: one file that systemd takes, that leads to a running node, and that goes without a trace.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::path::{Path, PathBuf};

use common::{SOON, Side};

/// All that may stand in a path, and that means something to systemd.
const HARD: &str = "a b%h\"c'$HOME\\d;#";

fn all_below(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> = entries
        .flat_map(|path| {
            let below = if path.is_dir() && !path.is_symlink() { all_below(&path) } else { Vec::new() };
            std::iter::once(path).chain(below).collect::<Vec<_>>()
        })
        .collect();
    found.sort();
    found
}

#[test]
fn without_a_manager_the_file_is_written_and_what_to_type_is_said() {
    let alice = Side::new("alice");
    let before = all_below(&alice.person.home());
    let installed = alice.parlor.run(["service", "install"]).ok().unwrap();
    let file = PathBuf::from(installed.out().trim().strip_prefix("installed: ").unwrap());
    assert!(file.starts_with(alice.person.home().join(".config/systemd/user")), "{}", file.display());
    let name = file.file_name().unwrap().to_str().unwrap();
    assert!(
        installed.err().contains(&format!("systemctl --user enable --now {name}")),
        "{}",
        installed.err()
    );
    let stop = format!("type: parlor --home {} node stop && ", alice.parlor.dir().display());
    assert!(installed.err().contains(&stop), "not another home's node: {}", installed.err());
    let text = std::fs::read_to_string(&file).unwrap();
    let run = format!("--home {} node run", alice.parlor.dir().display());
    assert!(text.lines().any(|line| line.starts_with("ExecStart=/") && line.ends_with(&run)), "{text}");
    alice.parlor.run(["service", "install"]).ok().unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text, "a second time changes nothing");
    assert_eq!(alice.parlor.node_pid(), None, "nothing was started");
    alice.parlor.run(["service", "uninstall"]).ok().unwrap();
    assert_eq!(all_below(&alice.person.home()), before, "it leaves what it found");
    assert_eq!(alice.parlor.cmd(["service", "status"]).unwrap().code(), 3);
    alice.parlor.run(["service", "uninstall"]).ok().unwrap();
}

#[test]
fn what_others_wrote_stays_and_a_dry_run_writes_nothing() {
    let alice = Side::new("alice");
    let before = all_below(&alice.person.home());
    let shown = alice.parlor.json(["service", "install", "--dry-run"]).unwrap();
    assert!(shown["text"].as_str().unwrap().contains("[Service]"), "{shown}");
    assert_eq!(all_below(&alice.person.home()), before);
    let file = PathBuf::from(shown["file"].as_str().unwrap());
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "[Service]\nExecStart=/bin/true\n").unwrap();
    for command in ["install", "uninstall"] {
        let refused = alice.parlor.cmd(["service", command]).unwrap();
        assert_eq!(refused.code(), 4, "{}", refused.err());
        assert!(refused.err().contains("left as it is"), "{}", refused.err());
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "[Service]\nExecStart=/bin/true\n");
    std::fs::remove_file(&file).unwrap();
    let agent = alice.parlor.run(["service", "install"]).env("CLAUDECODE", "1").output().unwrap();
    assert_eq!(agent.code(), 4, "{}", agent.err());
    assert!(!file.exists());
    // A directory that was there, and one that somebody else uses by now, stay.
    let beside = file.with_file_name("other.service");
    alice.parlor.run(["service", "install"]).ok().unwrap();
    std::fs::write(&beside, "").unwrap();
    alice.parlor.run(["service", "uninstall"]).ok().unwrap();
    assert!(beside.exists() && !file.exists());
}

#[test]
fn systemd_finds_nothing_to_complain_of_whatever_the_home_is_called() {
    let alice = Side::new("alice");
    for home in ["plain", HARD] {
        let home = alice.person.root().join(home);
        let args = ["--home", home.to_str().unwrap(), "service", "install"];
        let out = alice.parlor.run(args).ok().unwrap().out();
        let file = out.trim().strip_prefix("installed: ").unwrap();
        let run = alice.person.run("systemd-analyze").args(["verify", "--user", "--man=no", file]);
        let verified = run.env("XDG_RUNTIME_DIR", alice.person.tmp()).output().unwrap();
        assert_eq!((verified.code(), verified.err().as_str()), (0, ""), "{file}");
    }
}

/// A service manager of its own, in a place where `/run` says that systemd runs, and `parlor` under it. The manager and
/// all it started end with the script.
const UNDER_SYSTEMD: &str = r#"
set -eu
mount -t tmpfs none /run
mkdir -p /run/systemd/system /run/user
chmod 700 /run/user
export XDG_RUNTIME_DIR=/run/user
/lib/systemd/systemd --user --unit=default.target >"$TMPDIR/systemd.log" 2>&1 &
until systemctl --user show-environment >/dev/null 2>&1; do kill -0 $!; done
say() { echo "$1=$2"; }
pid_of() { parlor --home "$THE_HOME" node status --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["pid"])'; }
parlor --home "$THE_HOME" identity show >/dev/null
say autostarted "$(pid_of)"
parlor --home "$THE_HOME" service install
unit=$(basename "$(ls "$HOME"/.config/systemd/user/*.service)")
say state "$(parlor --home "$THE_HOME" service status | head -n 1)"
say served "$(pid_of)"
say main "$(systemctl --user show -P MainPID "$unit")"
parlor --home "$THE_HOME" config set lan false
say configured "$(pid_of)"
kill -9 "$(pid_of)"
until [ "$(systemctl --user show -P NRestarts "$unit")" = 1 ] && systemctl --user is-active -q "$unit"; do :; done
until parlor --home "$THE_HOME" node status >/dev/null; do :; done
say again "$(pid_of)"
say main_again "$(systemctl --user show -P MainPID "$unit")"
parlor --home "$THE_HOME" node stop
until [ "$(systemctl --user is-active "$unit")" = inactive ]; do :; done
say stopped "$(parlor --home "$THE_HOME" service status | head -n 1)"
systemctl --user start "$unit"
parlor --home "$THE_HOME" service uninstall
say left "$(ls -A "$HOME/.config" 2>/dev/null || true)"
parlor --home "$THE_HOME" node status && exit 1
say end ok
"#;

#[test]
fn a_real_systemd_runs_the_node_and_starts_it_again_when_it_breaks() {
    let alice = Side::new("alice");
    let home = alice.person.root().join(HARD);
    let alone = ["--mount", "--propagation", "private", "--pid", "--fork", "--mount-proc", "--kill-child"];
    let run = alice.person.run("unshare").args(alone).args(["bash", "-c", UNDER_SYSTEMD]);
    let output = run.env("THE_HOME", &home).env("USER", "root").timeout(SOON * 2).output().unwrap();
    let log = std::fs::read_to_string(alice.person.tmp().join("systemd.log")).unwrap_or_default();
    assert_eq!(output.code(), 0, "{}\n{}\n{log}", output.out(), output.err());
    let out = output.out();
    let said = |name: &str| {
        let line = out.lines().find_map(|line| line.strip_prefix(&format!("{name}="))).map(str::to_owned);
        line.unwrap_or_else(|| panic!("{name} in {out}\n{}", output.err()))
    };
    assert!(said("state").ends_with(".service: active"), "{}", said("state"));
    assert_ne!(said("autostarted"), said("served"), "the one that ran gave way");
    assert_eq!(said("served"), said("main"), "the node is the service's own");
    assert_eq!(said("configured"), said("main"), "and stays it when it starts again");
    assert_ne!(said("again"), said("main"), "a killed one is started again");
    assert_eq!(said("again"), said("main_again"));
    assert!(said("stopped").ends_with(".service: inactive"), "a stopped one is not: {}", said("stopped"));
    assert!(output.err().contains("Its service does not start it again"), "{}", output.err());
    assert_eq!((said("left").as_str(), said("end").as_str()), ("", "ok"));
}
