//! Which crate may depend on which, and where no async runtime may be reached.
//! Works on what `cargo metadata` and `cargo tree` print; runs nothing itself.

use std::path::Path;

use serde_json::Value;

use super::{Finding, line_of};
use crate::workspace;

/// The normal dependencies each crate may have among the crates of this tree.
const ALLOWED: &[(&str, &[&str])] = &[
    ("parlor-wire", &[]),
    ("parlor-core", &["parlor-wire"]),
    ("parlor-store", &["parlor-core", "parlor-wire"]),
    ("parlor-api", &["parlor-wire"]),
    ("parlor-agents", &["parlor-api", "parlor-wire"]),
    (
        "parlor-node",
        &[
            "parlor-core",
            "parlor-store",
            "parlor-api",
            "parlor-wire",
            "parlor-agents",
            "parlor-context",
            "parlor-handoff",
        ],
    ),
    ("parlor-hub", &["parlor-wire"]),
    ("parlor-mcp", &["parlor-api", "parlor-wire"]),
    ("parlor-tui", &["parlor-api", "parlor-wire"]),
    ("parlor-web", &["parlor-api", "parlor-wire"]),
    (
        "parlor",
        &[
            "parlor-wire",
            "parlor-core",
            "parlor-store",
            "parlor-api",
            "parlor-agents",
            "parlor-node",
            "parlor-hub",
            "parlor-context",
            "parlor-handoff",
            "parlor-mcp",
            "parlor-tui",
            "parlor-web",
        ],
    ),
    ("parlor-sim", &["parlor-wire", "parlor-core", "parlor-store"]),
    ("parlor-testkit", &["parlor-wire", "parlor-api"]),
    ("xtask", &["parlor-wire", "parlor-api", "parlor-testkit"]),
];

/// Edges refused even to tests: that the hub is blind must be visible in the whole graph.
const NEVER: &[(&str, &str)] = &[("parlor-hub", "parlor-core"), ("parlor-hub", "parlor-store")];

/// Crates from which no async runtime may be reachable with their default features.
pub const PURE: &[&str] = &["parlor-wire", "parlor-core", "parlor-store", "parlor-agents", "parlor-api"];

/// What counts as an async runtime, or brings one.
const RUNTIMES: &[&str] =
    &["tokio", "iroh", "async-std", "smol", "async-executor", "async-io", "monoio", "compio", "glommio"];

/// A crate of this tree and its dependencies on other crates of this tree.
#[derive(Debug)]
pub struct Package {
    pub name: String,
    pub manifest: String,
    edges: Vec<Edge>,
}

#[derive(Debug)]
struct Edge {
    to: String,
    dev: bool,
}

/// The packages of `cargo metadata --no-deps`.
pub fn packages(metadata: &Value) -> Vec<Package> {
    let listed = metadata["packages"].as_array().map_or(&[][..], Vec::as_slice);
    let names: Vec<&str> = listed.iter().filter_map(|p| p["name"].as_str()).collect();
    listed
        .iter()
        .map(|package| Package {
            name: package["name"].as_str().unwrap_or_default().to_owned(),
            manifest: relative(package["manifest_path"].as_str().unwrap_or_default()),
            edges: edges(package, &names),
        })
        .collect()
}

fn edges(package: &Value, names: &[&str]) -> Vec<Edge> {
    let dependencies = package["dependencies"].as_array().map_or(&[][..], Vec::as_slice);
    dependencies
        .iter()
        .filter_map(|d| Some((d["name"].as_str()?, d["kind"].as_str() == Some("dev"))))
        .filter(|(name, _)| names.contains(name) || name.starts_with("parlor-"))
        .map(|(name, dev)| Edge { to: name.to_owned(), dev })
        .collect()
}

fn relative(manifest: &str) -> String {
    let path = Path::new(manifest);
    path.strip_prefix(workspace::root()).unwrap_or(path).display().to_string()
}

/// Edges that the table above does not allow, and crates it does not know.
pub fn forbidden<'a>(packages: &[Package], manifest: &dyn Fn(&str) -> &'a str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in packages {
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == package.name) else {
            findings.push(Finding::new(
                &package.manifest,
                1,
                format!("{} is not in the table of crates", package.name),
                "decide what it may depend on and add it to xtask/src/tidy/edges.rs and ARCHITECTURE.md",
            ));
            continue;
        };
        for edge in &package.edges {
            let never = NEVER.contains(&(package.name.as_str(), edge.to.as_str()));
            if never || (!edge.dev && !allowed.contains(&edge.to.as_str())) {
                findings.push(Finding::new(
                    &package.manifest,
                    line_of(manifest(&package.manifest), &edge.to),
                    format!("{} must not depend on {}", package.name, edge.to),
                    "move what is shared down to a crate both may use; the allowed edges stand in xtask/src/tidy/edges.rs",
                ));
            }
        }
    }
    findings
}

/// Async runtimes in the output of `cargo tree --prefix none --format {p}` for a pure crate.
pub fn runtimes(package: &Package, tree: &str, manifest: &str) -> Vec<Finding> {
    let mut reached: Vec<&str> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .filter(|name| RUNTIMES.contains(name))
        .collect();
    reached.sort_unstable();
    reached.dedup();
    reached
        .into_iter()
        .map(|name| {
            Finding::new(
                &package.manifest,
                line_of(manifest, name),
                format!("{} reaches {name} with its default features", package.name),
                "put it behind a feature that is off by default; `cargo tree -e normal -p CRATE -i NAME` shows the way there",
            )
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tree_of(name: &str, dependencies: &[(&str, Option<&str>)]) -> Vec<Package> {
        let dependencies: Vec<Value> =
            dependencies.iter().map(|(to, kind)| json!({"name": to, "kind": kind})).collect();
        packages(&json!({"packages": [
            {"name": name, "manifest_path": "crates/x/Cargo.toml", "dependencies": dependencies},
        ]}))
    }

    fn found(name: &str, dependencies: &[(&str, Option<&str>)]) -> Vec<Finding> {
        forbidden(&tree_of(name, dependencies), &|_| "[package]\n\nparlor-core.workspace = true\n")
    }

    #[test]
    fn an_edge_of_the_table_passes_and_any_other_is_found_with_its_line() {
        assert_eq!(found("parlor-store", &[("parlor-core", None), ("serde", None)]), []);
        let findings = found("parlor-mcp", &[("parlor-core", None)]);
        assert_eq!(findings.len(), 1);
        assert_eq!((findings[0].path.as_str(), findings[0].line), ("crates/x/Cargo.toml", 3));
    }

    #[test]
    fn tests_may_use_what_they_like_except_that_the_hub_stays_blind() {
        assert_eq!(found("parlor-mcp", &[("parlor-core", Some("dev"))]), []);
        assert_eq!(found("parlor-hub", &[("parlor-core", Some("dev"))]).len(), 1);
        assert_eq!(found("parlor-mcp", &[("parlor-core", Some("build"))]).len(), 1);
    }

    #[test]
    fn a_crate_the_table_does_not_know_is_found() {
        assert_eq!(found("parlor-extra", &[]).len(), 1);
    }

    #[test]
    fn nothing_that_ships_may_use_the_simulator_or_the_test_kit() {
        for (name, allowed) in ALLOWED.iter().filter(|(name, _)| *name != "xtask") {
            assert!(!allowed.contains(&"parlor-sim") && !allowed.contains(&"parlor-testkit"), "{name}");
        }
    }

    #[test]
    fn a_runtime_behind_a_pure_crate_is_found_once_by_its_exact_name() {
        let package = &tree_of("parlor-api", &[])[0];
        let clean = "parlor-api v0.1.0 (…)\ntokio-macros v2.0.0 (proc-macro)\nserde v1.0.0\n";
        assert_eq!(runtimes(package, clean, ""), []);
        let reached = runtimes(package, "serde v1\ntokio v1.54.0\ntokio v1.54.0 (*)\n", "a\ntokio = 1\n");
        assert_eq!(reached.len(), 1);
        assert_eq!(reached[0].line, 2);
    }
}
