//! The programs of the Model Context Protocol are those that were pinned.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use parlor_testkit::mcp::{CONFORMANCE_VERSION, INSPECTOR_VERSION, MCP, McpPrograms, NODE_VERSION};
use parlor_testkit::run::Run;
use serde_json::Value;

#[test]
fn the_pinned_versions_are_there() {
    let programs = McpPrograms::open().unwrap();
    let version = |run: Run| run.arg("--version").ok().unwrap().out().trim().to_owned();
    assert_eq!(version(Run::new(programs.node())), format!("v{NODE_VERSION}"));
    assert_eq!(version(programs.conformance()), CONFORMANCE_VERSION);
    assert_eq!(version(programs.inspector()), INSPECTOR_VERSION);
}

#[test]
fn the_committed_lock_pins_every_package_by_hash_and_names_no_registry() {
    let lock: Value = serde_json::from_str(MCP.lock).unwrap();
    let packages = lock["packages"].as_object().unwrap();
    for (path, package) in packages.iter().filter(|(path, _)| !path.is_empty()) {
        assert!(package["integrity"].as_str().unwrap().starts_with("sha512-"), "{path}");
        assert!(package.get("resolved").is_none(), "{path}");
    }
    for (name, version) in [("conformance", CONFORMANCE_VERSION), ("inspector", INSPECTOR_VERSION)] {
        let path = format!("node_modules/@modelcontextprotocol/{name}");
        assert_eq!(packages[&path]["version"], version, "{name}");
    }
}
