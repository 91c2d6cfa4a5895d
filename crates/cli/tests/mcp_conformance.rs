//! The official conformance suite of MCP against `parlor mcp --http`, both generations of the protocol. Most of the suite
//! is about a server made for it, with prompts, resources and tools of its own; which scenarios are about a server like
//! ours, and why the others are not, stands here, and a scenario in neither list fails the test.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
mod mcp_parts;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use common::Side;
use mcp_parts::{Endpoint, with_token};
use parlor_testkit::mcp::McpPrograms;
use serde_json::Value;

const GENERATIONS: [&str; 2] = ["2025-11-25", "2026-07-28"];
const PATIENCE: Duration = Duration::from_secs(300);

/// The scenarios of a server like ours, with the checks in them that need something of the suite's own.
const OURS: &[(&str, &[&str])] = &[
    ("server-initialize", &[]),
    ("server-session-lifecycle", &[]),
    ("ping", &[]),
    ("tools-list", &[]),
    ("server-sse-multiple-streams", &[]),
    ("dns-rebinding-protection", &[]),
    ("http-header-validation", &[]),
    ("input-required-result-unsupported-methods", &[]),
    // Needs the tool `test_reconnection`.
    ("server-sse-polling", &["server-sse-disconnect-resume"]),
    (
        "server-stateless",
        &[
            // Need the tools `test_missing_capability`, `test_streaming_elicitation`, `test_logging_tool`.
            "sep-2575-server-rejects-undeclared-capability",
            "sep-2575-missing-capability-http-400",
            "sep-2575-http-server-no-independent-requests-on-stream",
            "sep-2575-server-no-log-without-loglevel",
            // For servers whose lists change while they run.
            "sep-2575-server-sends-subscription-ack",
            "sep-2575-server-tags-subscription-id",
            "sep-2575-server-honors-notification-filter",
            "sep-2575-server-sends-prompts-list-changed-on-subscription",
            "sep-2575-server-sends-tools-list-changed-on-subscription",
        ],
    ),
    (
        "caching",
        &[
            // For servers with prompts and resources.
            "sep-2549-prompts-list-caching-hints",
            "sep-2549-resources-list-caching-hints",
            "sep-2549-resources-templates-list-caching-hints",
            "sep-2549-resources-read-caching-hints",
        ],
    ),
];

/// The others, by what they are about.
const NOT_OURS: &[(&str, &[&str])] = &[
    (
        "they call tools of the suite's own",
        &[
            "tools-call-simple-text",
            "tools-call-image",
            "tools-call-audio",
            "tools-call-embedded-resource",
            "tools-call-mixed-content",
            "tools-call-with-logging",
            "tools-call-error",
            "tools-call-with-progress",
            "json-schema-2020-12",
            "http-custom-header-server-validation",
        ],
    ),
    (
        "tools of the suite's own that ask the user or the model for something; ours ask nobody",
        &[
            "tools-call-sampling",
            "tools-call-elicitation",
            "elicitation-sep1034-defaults",
            "elicitation-sep1330-enums",
            "input-required-result-basic-elicitation",
            "input-required-result-basic-sampling",
            "input-required-result-basic-list-roots",
            "input-required-result-request-state",
            "input-required-result-multiple-input-requests",
            "input-required-result-multi-round",
            "input-required-result-missing-input-response",
            "input-required-result-non-tool-request",
            "input-required-result-result-type",
            "input-required-result-tampered-state",
            "input-required-result-capability-check",
            "input-required-result-ignore-extra-params",
            "input-required-result-validate-input",
        ],
    ),
    (
        "we offer no resources",
        &[
            "resources-list",
            "resources-read-text",
            "resources-read-binary",
            "resources-templates-read",
            "resources-subscribe",
            "resources-unsubscribe",
            "sep-2164-resource-not-found",
        ],
    ),
    (
        "we offer no prompts",
        &[
            "prompts-list",
            "prompts-get-simple",
            "prompts-get-with-args",
            "prompts-get-embedded-resource",
            "prompts-get-with-image",
        ],
    ),
    ("we write no log to agent programs", &["logging-set-level"]),
    ("we complete nothing", &["completion-complete"]),
    (
        "extensions of the protocol that we do not claim",
        &[
            "sep-2640-skills-directory",
            "sep-2640-skills-enumeration",
            "sep-2640-skills-manifest",
            "tasks-lifecycle",
            "tasks-capability-negotiation",
            "tasks-wire-fields",
            "tasks-request-state-removal",
            "tasks-mrtr-input",
            "tasks-request-headers",
            "tasks-dispatch-and-envelope",
            "tasks-status-notifications",
            "tasks-required-task-error",
            "tasks-mrtr-composition",
        ],
    ),
];

/// The suite's scenarios for servers, each with what it is for.
fn scenarios(programs: &McpPrograms) -> BTreeMap<String, String> {
    let listed = programs.conformance().args(["list", "--server"]).ok().unwrap().out();
    let lines = listed.lines().filter_map(|line| line.trim().strip_prefix("- "));
    let pairs = lines.map(|line| line.split_once(' ').unwrap());
    pairs.map(|(name, of)| (name.to_owned(), of.trim_matches(['[', ']']).to_owned())).collect()
}

/// The checks of one scenario that are not plainly passed, and how many are.
fn checks(results: &Path, scenario: &str) -> (usize, BTreeMap<String, String>) {
    let begin = format!("server-{scenario}-20");
    let mut places = std::fs::read_dir(results).unwrap().map(|entry| entry.unwrap().path());
    let place = places.find(|path| path.file_name().unwrap().to_string_lossy().starts_with(&begin));
    let place = place.unwrap_or_else(|| panic!("{scenario} was not run"));
    let text = std::fs::read_to_string(place.join("checks.json")).unwrap();
    let checks: Vec<Value> = serde_json::from_str(&text).unwrap();
    let of = |check: &Value, name: &str| check[name].as_str().unwrap_or_default().to_owned();
    let passed = checks.iter().filter(|check| check["status"] == "SUCCESS").count();
    let others = checks.iter().filter(|check| !["SUCCESS", "INFO"].contains(&of(check, "status").as_str()));
    let others = others
        .map(|check| (of(check, "id"), format!("{}: {}", of(check, "status"), of(check, "errorMessage"))));
    (passed, others.collect())
}

#[test]
fn every_scenario_of_the_suite_is_either_ours_or_not_ours_for_a_reason() {
    let programs = McpPrograms::open().unwrap();
    let known: BTreeSet<String> = scenarios(&programs).into_keys().collect();
    let ours = OURS.iter().map(|(name, _)| *name);
    let others = NOT_OURS.iter().flat_map(|(_, names)| names.iter().copied());
    let listed: Vec<&str> = ours.chain(others).collect();
    let set: BTreeSet<String> = listed.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(set.len(), listed.len(), "one of them stands twice");
    assert_eq!(set, known);
}

#[test]
fn the_scenarios_of_a_server_like_ours_pass_in_both_generations() {
    let (programs, alice) = (McpPrograms::open().unwrap(), Side::new("alice"));
    alice.start("payments");
    let endpoint = Endpoint::of(&alice, &[]);
    let url = with_token(&endpoint);
    let scenarios = scenarios(&programs);
    let mut excused = BTreeSet::new();
    for generation in GENERATIONS {
        let results = alice.person.tmp().join(generation);
        let suite = programs.conformance().args(["server", "--url", &url, "--suite", "all"]);
        let suite = suite.args(["--spec-version", generation, "-o", results.to_str().unwrap()]);
        // It fails as a whole for what is not ours; the results say what did.
        suite.timeout(PATIENCE).output().unwrap();
        for (name, excuses) in OURS.iter().filter(|(name, _)| scenarios[*name].contains(generation)) {
            let (passed, others) = checks(&results, name);
            assert!(passed > 0, "{name} in {generation}: {others:?}");
            for (check, why) in others {
                assert!(excuses.contains(&check.as_str()), "{name} in {generation}: {check}: {why}");
                excused.insert(check);
            }
        }
    }
    let excuses = OURS.iter().flat_map(|(_, excuses)| excuses.iter().map(|one| (*one).to_owned()));
    assert_eq!(excused, excuses.collect(), "each excuse is needed");
}
