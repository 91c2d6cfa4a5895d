//! The server as a process of its own on real pipes. Without the test harness, which would write to standard
//! output: this program starts itself once more as the server.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use parlor_api::paths::Home;
use parlor_api::{ApiError, ErrorKind};

const SERVE: &str = "PARLOR_TEST_SERVE_MCP";

fn main() {
    match std::env::var_os(SERVE) {
        Some(home) => {
            let no_node = || Err(ApiError::new(ErrorKind::Machine, "no node here"));
            parlor_mcp::run(Home::at(home), BTreeMap::new(), no_node).unwrap();
        }
        None => {
            the_process_speaks_only_protocol_and_ends_with_its_input();
            the_process_ends_although_its_input_stays_open_when_nobody_reads();
        }
    }
}

fn server(home: &std::path::Path) -> std::process::Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(SERVE, home).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;
const CALL: &str =
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_peers","arguments":{}}}"#;

fn the_process_speaks_only_protocol_and_ends_with_its_input() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = server(dir.path());
    let mut input = child.stdin.take().unwrap();
    writeln!(input, "{INITIALIZE}\n{CALL}").unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let lines: Vec<serde_json::Value> =
        output.stdout.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
    assert_eq!(lines.len(), 2, "{output:?}");
    assert_eq!(lines[0]["result"]["serverInfo"]["name"], "parlor");
    assert_eq!(lines[1]["result"]["isError"], true);
    assert!(output.stderr.is_empty(), "{output:?}");
}

fn the_process_ends_although_its_input_stays_open_when_nobody_reads() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = server(dir.path());
    let mut input = child.stdin.take().unwrap();
    writeln!(input, "{INITIALIZE}").unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    drop(output);
    writeln!(input, "{CALL}").unwrap();
    assert!(child.wait().unwrap().success());
}
