//! Words that do not belong into this tree: a second word for what has one, and names of machines outside it.
//! A small list on purpose: it catches slips, it does not replace reading.

use super::Finding;

/// The word that is not used, and the one that is.
const GLOSSARY: &[(&str, &str)] = &[("daemon", "node"), ("broker", "hub"), ("watermark", "cursor")];

/// Where a word of the list is somebody else's and has to stand: the start of the path, and the word.
const ALLOWED: &[(&str, &str)] = &[
    // A configuration key of Codex.
    ("crates/agents/", "daemon"),
    ("crates/testkit/", "daemon"),
    // A command of systemd.
    ("crates/cli/src/commands/service.rs", "daemon"),
];

/// Where people read and write: the glossary holds in code and in documents.
fn is_prose_or_code(path: &str) -> bool {
    let code = path.starts_with("crates/") && path.ends_with(".rs");
    let root_document = path.ends_with(".md") && !path.contains('/');
    code || root_document || (path.starts_with("docs/") && path.ends_with(".md"))
}

/// Words that the glossary replaces by another.
pub fn glossary(path: &str, text: &str) -> Vec<Finding> {
    if !is_prose_or_code(path) {
        return Vec::new();
    }
    let words = GLOSSARY.iter().filter(|(word, _)| {
        !ALLOWED.iter().any(|(prefix, allowed)| path.starts_with(prefix) && allowed == word)
    });
    words.flat_map(|(word, instead)| find_word(path, text, word, instead)).collect()
}

fn find_word(path: &str, text: &str, word: &str, instead: &str) -> Vec<Finding> {
    let lines = text.lines().enumerate().filter(|(_, line)| line.to_lowercase().contains(word));
    lines
        .map(|(index, _)| {
            Finding::new(
                path,
                index + 1,
                format!("`{word}` has another word here: {instead}"),
                "one word per concept; where it is somebody else's word, allow it in xtask/src/tidy/words.rs",
            )
        })
        .collect()
}

/// Paths and hosts that mean something on one machine only. Written in parts, so that this file passes itself.
const MACHINE_PATHS: &[&str] = &[concat!("/wo", "rk/"), concat!("/ro", "ot/")];
const HOMES: &[&str] = &[concat!("/ho", "me/"), concat!("/Us", "ers/")];
const PEOPLE: &[&str] = &["alice", "bob", "carol"];
const HOSTS: &[&str] = &[
    concat!("registry.npm", "js.org"),
    concat!("index.crates", ".io"),
    concat!("static.crates", ".io"),
    concat!("proxy.golang", ".org"),
    concat!("py", "pi.org"),
    concat!("deb.debian", ".org"),
    concat!("arti", "factory"),
];
/// Rules of others about secrets of products, which have names.
const RULES: &str = "crates/node/src/files/secrets/rules.toml";
const OUTSIDE: &[&str] = &[concat!("../sh", "ared")];

/// Machine paths, registry hosts and paths out of the tree.
pub fn foreign(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if let Some(place) = machine_path(line) {
            findings.push(Finding::new(
                path,
                index + 1,
                format!("an absolute path of one machine: {place}"),
                "use a path relative to the tree, or a temporary directory; examples belong to alice, bob and carol",
            ));
        }
        for host in HOSTS.iter().filter(|host| path != RULES && line.contains(**host)) {
            findings.push(Finding::new(
                path,
                index + 1,
                format!("the host name of a registry: {host}"),
                "leave it to the package manager's own configuration; a lock file is written with resolved URLs omitted",
            ));
        }
        for outside in OUTSIDE.iter().filter(|outside| line.contains(**outside)) {
            findings.push(Finding::new(
                path,
                index + 1,
                format!("a path out of the tree: {outside}"),
                "the project stands alone: say it here instead of pointing there",
            ));
        }
    }
    findings
}

fn machine_path(line: &str) -> Option<String> {
    let starts_a_path = |at: usize| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "_-.~*}/".contains(c))
    };
    for place in MACHINE_PATHS {
        if line.match_indices(place).any(|(at, _)| starts_a_path(at)) {
            return Some((*place).to_owned());
        }
    }
    for home in HOMES {
        for (at, _) in line.match_indices(home).filter(|(at, _)| starts_a_path(*at)) {
            let rest = &line[at + home.len()..];
            let name: String =
                rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_' || *c == '-').collect();
            if !name.is_empty() && !PEOPLE.contains(&name.as_str()) {
                return Some(format!("{home}{name}"));
            }
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_has_another_is_found_in_identifiers_and_prose() {
        assert_eq!(glossary("crates/node/src/a.rs", "struct NodeDaemon;\n").len(), 1);
        assert_eq!(glossary("docs/guide/a.md", "fine\nthe Broker forwards\n")[0].line, 2);
        assert_eq!(glossary("README.md", "high watermark\n").len(), 1);
        assert!(glossary("crates/node/src/a.rs", "struct Node;\n").is_empty());
    }

    #[test]
    fn a_word_may_stand_where_it_is_somebody_elses() {
        assert!(glossary("crates/agents/src/codex.rs", "features.daemon_auto_start\n").is_empty());
        assert_eq!(glossary("crates/agents/src/codex.rs", "the broker\n").len(), 1);
        assert!(glossary("packaging/parlor.service", "daemon\n").is_empty());
    }

    #[test]
    fn paths_of_one_machine_are_found() {
        for place in MACHINE_PATHS {
            assert_eq!(foreign("a.rs", &format!("let p = \"{place}x\";")).len(), 1, "{place}");
            assert!(foreign("a.rs", &format!("crates/net{place}x")).is_empty(), "{place}");
        }
        for home in HOMES {
            assert_eq!(foreign("a.md", &format!("cd {home}somebody/x")).len(), 1, "{home}");
            assert_eq!(foreign("a.md", &format!("cd {home}alice/x {home}somebody")).len(), 1, "{home}");
            assert!(foreign("a.md", &format!("cd {home}alice/x")).is_empty(), "{home}");
            assert!(foreign("a.md", &format!("below {home}.")).is_empty(), "{home}");
        }
    }

    #[test]
    fn registries_and_ways_out_of_the_tree_are_found() {
        for host in HOSTS.iter().chain(OUTSIDE) {
            let findings = foreign("a.json", &format!("\n\"resolved\": \"https://{host}/x\""));
            assert_eq!(findings.len(), 1, "{host}");
            assert_eq!(findings[0].line, 2);
        }
        assert!(foreign("Cargo.lock", "registry+https://github.com/rust-lang/crates.io-index").is_empty());
    }
}
