//! The unit of systemd that runs a node for its user. A template: nothing of systemd's files is read here.

/// The unit's text. A node that was told to stop stays stopped; one that broke is started again. What starting again
/// cannot put right (a configuration without sense, a command line) is not tried again.
pub fn unit(mark: &str, parlor: &str, home: &str) -> String {
    let run = exec(parlor, &["--home", home, "node", "run"]);
    let shown = home.replace('%', "%%");
    format!(
        "# {mark}; `parlor service uninstall` removes it.\n\
         [Unit]\n\
         Description=Parlor: the node of {shown}\n\
         \n\
         [Service]\n\
         Type=exec\n\
         ExecStart={run}\n\
         Restart=on-failure\n\
         RestartSec=5\n\
         RestartPreventExitStatus=2 5\n\
         UMask=0077\n\
         \n\
         [Install]\n\
         WantedBy=default.target\n"
    )
}

/// The line systemd makes these arguments of again.
fn exec(program: &str, args: &[&str]) -> String {
    let words: Vec<String> = std::iter::once(&program).chain(args).map(|word| quoted(word)).collect();
    // Variables are not looked for behind a colon; a doubled dollar sign would stay one in the program's path.
    let verbatim = if words.iter().any(|word| word.contains('$')) { ":" } else { "" };
    format!("{verbatim}{}", words.join(" "))
}

/// One word: quotes and backslashes are escaped as in C, and `%` begins a specifier.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_as_systemd_reads_it() {
        for (word, quoted) in [
            ("/usr/bin/parlor", "/usr/bin/parlor"),
            ("", "\"\""),
            ("/a b", "\"/a b\""),
            ("/a\"b", "\"/a\\\"b\""),
            ("/a'b", "\"/a'b\""),
            ("/a\\b", "\"/a\\\\b\""),
            ("/50%h", "\"/50%%h\""),
            ("/é", "\"/é\""),
            (";", "\";\""),
        ] {
            assert_eq!(self::quoted(word), quoted);
        }
        assert_eq!(exec("/p", &["/$HOME"]), ":/p \"/$HOME\"");
    }

    #[test]
    fn the_unit_says_what_is_to_run_and_when_again() {
        let unit = unit("mark", "/opt/my parlor/parlor", "/h/50%");
        assert!(unit.starts_with("# mark;"));
        for line in [
            "Description=Parlor: the node of /h/50%%",
            "ExecStart=\"/opt/my parlor/parlor\" --home \"/h/50%%\" node run",
            "Restart=on-failure",
            "WantedBy=default.target",
        ] {
            assert!(unit.lines().any(|is| is == line), "{line} in {unit}");
        }
    }
}
