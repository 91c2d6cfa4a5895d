//! What every manifest of the workspace must say: the lints, and dependencies that are named once, with a reason.
//! Reads TOML; knows nothing of the graph behind it.

use toml::{Table, Value};

use super::{Finding, line_of};

const TABLES: &[&str] = &["dependencies", "dev-dependencies", "build-dependencies"];

/// Whether this is the manifest of a member of the workspace.
pub fn is_member(path: &str) -> bool {
    let crates = path.strip_prefix("crates/").is_some_and(|rest| rest.matches('/').count() == 1);
    path.ends_with("/Cargo.toml") && (crates || path == "xtask/Cargo.toml")
}

/// The root: `unsafe` is forbidden for all, every dependency has its reason.
pub fn root(path: &str, text: &str) -> Vec<Finding> {
    let table = match parse(path, text) {
        Ok(table) => table,
        Err(finding) => return vec![finding],
    };
    let mut findings = reasons(path, text);
    if lookup(&table, &["workspace", "lints", "rust", "unsafe_code"]) != Some(&Value::from("forbid")) {
        findings.push(Finding::new(
            path,
            line_of(text, "unsafe_code"),
            "`unsafe_code` is not forbidden in [workspace.lints.rust]",
            "write `unsafe_code = \"forbid\"`; a library does what needs unsafe code",
        ));
    }
    findings
}

/// A member: it takes the lints and every dependency from the workspace.
pub fn member(path: &str, text: &str) -> Vec<Finding> {
    let table = match parse(path, text) {
        Ok(table) => table,
        Err(finding) => return vec![finding],
    };
    let mut findings = Vec::new();
    if lookup(&table, &["lints", "workspace"]) != Some(&Value::from(true)) {
        findings.push(Finding::new(
            path,
            line_of(text, "[lints]"),
            "the crate does not take the lints of the workspace",
            "write `[lints]` and `workspace = true`",
        ));
    }
    for (name, value) in dependencies(&table) {
        if lookup_in(value, "workspace") != Some(&Value::from(true)) {
            findings.push(Finding::new(
                path,
                line_of(text, name),
                format!("`{name}` is not taken from the workspace"),
                "name it once in the root's [workspace.dependencies], with its reason, and write `workspace = true` here",
            ));
        }
    }
    findings
}

fn parse(path: &str, text: &str) -> Result<Table, Finding> {
    toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start].lines().count().max(1));
        Finding::new(path, line, error.message().to_owned(), "make it TOML")
    })
}

fn lookup<'a>(table: &'a Table, keys: &[&str]) -> Option<&'a Value> {
    let (first, rest) = keys.split_first()?;
    rest.iter().try_fold(table.get(*first)?, |value, key| lookup_in(value, key))
}

fn lookup_in<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    value.as_table()?.get(key)
}

/// All dependencies of a member, those for one kind of target as well.
fn dependencies(table: &Table) -> Vec<(&str, &Value)> {
    let targets = table.get("target").and_then(Value::as_table);
    let for_targets = targets.into_iter().flat_map(|t| t.values()).filter_map(Value::as_table);
    std::iter::once(table)
        .chain(for_targets)
        .flat_map(|owner| TABLES.iter().filter_map(|name| owner.get(*name)?.as_table()))
        .flat_map(|listed| listed.iter().map(|(name, value)| (name.as_str(), value)))
        .collect()
}

/// Entries of `[workspace.dependencies]` without a comment at their end. Our own crates need none.
fn reasons(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut inside = false;
    let mut entry: Option<(usize, String)> = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if entry.is_none() {
            if line.starts_with('[') {
                inside = line == "[workspace.dependencies]";
            }
            if !inside || line.is_empty() || line.starts_with(['#', '[']) {
                continue;
            }
        }
        let (start, so_far) = entry.take().unwrap_or((index + 1, String::new()));
        let entry_text = format!("{so_far}{line}");
        if opens_more_than_it_closes(&entry_text) {
            entry = Some((start, entry_text));
        } else if !has_reason(&entry_text) {
            let name = entry_text.split(['=', '.', ' ']).next().unwrap_or_default();
            findings.push(Finding::new(
                path,
                start,
                format!("`{name}` has no reason"),
                "end the line with `# why it is needed`",
            ));
        }
    }
    findings
}

fn opens_more_than_it_closes(entry: &str) -> bool {
    let count = |open: char, close: char| entry.matches(open).count() > entry.matches(close).count();
    count('[', ']') || count('{', '}')
}

fn has_reason(entry: &str) -> bool {
    let own = entry.starts_with("parlor-") && entry.contains("path = ");
    own || comment(entry).is_some_and(|reason| !reason.trim().is_empty())
}

/// What stands after the first `#` that is in no string.
fn comment(entry: &str) -> Option<&str> {
    let mut in_string = false;
    for (at, c) in entry.char_indices() {
        match c {
            '"' => in_string = !in_string,
            '#' if !in_string => return Some(&entry[at + 1..]),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn only_manifests_of_members_are_members() {
        assert!(is_member("crates/wire/Cargo.toml") && is_member("xtask/Cargo.toml"));
        assert!(!is_member("Cargo.toml") && !is_member("fuzz/Cargo.toml"));
        assert!(!is_member("crates/a/tests/project/Cargo.toml"));
    }

    #[test]
    fn a_member_without_the_lints_is_found() {
        assert!(member("a", "[lints]\nworkspace = true\n").is_empty());
        assert_eq!(member("a", "[package]\nname = \"a\"\n").len(), 1);
        assert_eq!(member("a", "[lints]\nworkspace = false\n")[0].line, 1);
    }

    #[test]
    fn a_dependency_past_the_workspace_is_found_wherever_it_stands() {
        let lints = "[lints]\nworkspace = true\n";
        let good = format!(
            "{lints}[dependencies]\na.workspace = true\nb = {{ workspace = true, optional = true }}\n"
        );
        assert!(member("a", &good).is_empty());
        for table in
            ["dependencies", "dev-dependencies", "build-dependencies", "target.'cfg(unix)'.dependencies"]
        {
            let findings = member("a", &format!("{lints}[{table}]\nzeta = \"1\"\n"));
            assert_eq!(findings.len(), 1, "{table}");
            assert_eq!(findings[0].line, 4, "{table}");
        }
    }

    #[test]
    fn a_workspace_dependency_without_its_reason_is_found() {
        let lint = "[workspace.lints.rust]\nunsafe_code = \"forbid\"\n";
        let good = "[workspace.dependencies]\nparlor-wire = { path = \"crates/wire\" }\n# -- bytes\nserde = \"1\" # for \"people\"\n\
                    toml = { version = \"1\", features = [\n\"a\",\n] } # config\n";
        assert_eq!(root("Cargo.toml", &format!("{good}{lint}")), []);
        for entry in ["serde = \"1\"", "serde = \"1\" #", "serde = { version = \"#1 of all\" }"] {
            let findings = root("Cargo.toml", &format!("[workspace.dependencies]\n{entry}\n{lint}"));
            assert_eq!(findings.len(), 1, "{entry}");
            assert_eq!(findings[0].line, 2, "{entry}");
        }
    }

    #[test]
    fn a_workspace_that_does_not_forbid_unsafe_code_is_found() {
        assert_eq!(root("Cargo.toml", "[workspace.lints.rust]\nunsafe_code = \"deny\"\n").len(), 1);
        assert_eq!(root("Cargo.toml", "[workspace]\n").len(), 1);
    }

    #[test]
    fn a_manifest_that_is_no_toml_is_a_finding_and_no_panic() {
        assert_eq!(member("a", "[lints\n").len(), 1);
    }
}
