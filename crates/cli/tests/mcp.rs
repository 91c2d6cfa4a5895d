//! The MCP server as programs of others meet it: the official inspector lists and calls every tool, over standard input
//! and output and over HTTP; and how the server over HTTP begins and ends.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
mod mcp_parts;

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use common::{SOON, Side, pair};
use mcp_parts::Endpoint;
use parlor_testkit::cache::claude_code;
use parlor_testkit::mcp::McpPrograms;
use parlor_testkit::run::Run;
use serde_json::Value;

/// What a tool is called with here, and what is in its answer. A tool that is not named fails the test.
fn example(tool: &str, alice: &Side, question: &str) -> (Vec<String>, &'static str) {
    let file = format!("path={}", alice.project.join("plan.txt").display());
    let (arguments, answer): (&[&str], _) = match tool {
        "answer" => (&[&format!("id={question}"), "text=postgres"], "stored · reached 1 of 1"),
        "ask" => (&["to=bob", "text=which one?", "timeout_s=1"], ""),
        "check_messages" => (&[], "postgres, we have it"),
        "drop_file" => (&[&file], "plan.txt dropped · reached 1 of 1"),
        "get_file" => (&["file=notes.txt"], "notes.txt"),
        "list_peers" => (&[], "bob (member) · linked"),
        "search" => (&["query=postgres"], "we have it"),
        "send_message" => (&["text=from the inspector", "priority=low"], "stored · reached 1 of 1"),
        "set_summary" => (&["summary=being inspected"], "Summary set."),
        "wait_for_message" => (&["timeout_s=1"], ""),
        other => panic!("no example for the tool {other}"),
    };
    (arguments.iter().map(|one| (*one).to_owned()).collect(), answer)
}

/// The id of a question, once it has come.
fn alice_is_asked(alice: &Side, question: &str) -> String {
    let needle = serde_json::to_string(question).unwrap();
    let said = alice.follow().wait_for_stdout(|out| out.contains(&needle), SOON).unwrap();
    let line = said.lines().find(|line| line.contains(&needle)).unwrap();
    let message: Value = serde_json::from_str(line).unwrap();
    message["id"].as_str().unwrap().to_owned()
}

fn tools(run: Run) -> Vec<String> {
    let listed = run.args(["--method", "tools/list"]).timeout(SOON).ok().unwrap();
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let tools = listed["tools"].as_array().unwrap();
    tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

fn call(run: Run, tool: &str, arguments: &[String]) -> Value {
    let pairs = arguments.iter().flat_map(|pair| ["--tool-arg", pair]);
    let run = run.args(["--method", "tools/call", "--tool-name", tool]).args(pairs);
    let called = run.timeout(SOON).ok().unwrap();
    serde_json::from_slice(&called.stdout).unwrap()
}

#[test]
fn the_inspector_lists_and_calls_every_tool_both_ways() {
    let programs = McpPrograms::open().unwrap();
    let (alice, bob) = pair();
    bob.send("postgres, we have it");
    alice.await_text("postgres, we have it");
    let endpoint = Endpoint::of(&alice, &[]);
    let parlor = alice.person.bin().join("parlor");
    let stdio = || {
        // It gives a server few variables and not the one that names the home, as most such programs do.
        let run = programs.inspector().envs(alice.person.env()).cwd(&alice.project);
        run.arg(&parlor).arg("mcp").arg("--home").arg(alice.parlor.dir())
    };
    let http = || {
        let run = programs.inspector().envs(alice.person.env());
        run.args(["--server-url", &endpoint.url, "--transport", "http", "--header", &endpoint.header()])
    };
    let listed = tools(stdio());
    assert_eq!(listed, tools(http()));
    assert_eq!(listed, tools(stdio()), "the list is the same every time");
    std::fs::write(alice.project.join("plan.txt"), "first this").unwrap();
    let notes = bob.project.join("notes.txt");
    std::fs::write(&notes, "then that").unwrap();
    bob.parlor.run(["drop", notes.to_str().unwrap()]).ok().unwrap();
    // Two who wait for an answer; each is answered another way.
    let _asking = ["which one?", "and when?"].map(|question| {
        let ask = ["ask", "alice", question, "--room", "payments", "--timeout", "5m"];
        bob.parlor.run(ask).timeout(SOON * 5).spawn().unwrap()
    });
    let questions = ["which one?", "and when?"].map(|question| alice_is_asked(&alice, question));
    for tool in &listed {
        for (way, run, question) in [("stdio", stdio(), &questions[0]), ("http", http(), &questions[1])] {
            let (arguments, wanted) = example(tool, &alice, question);
            let answer = call(run, tool, &arguments);
            let text = answer["content"][0]["text"].as_str().unwrap();
            assert_ne!(answer["isError"], true, "{tool} over {way}: {text}");
            assert!(text.contains(wanted), "{tool} over {way}: {text}");
        }
    }
    bob.await_text("from the inspector");
    let said = bob.texts().into_iter().filter(|text| text == "from the inspector");
    assert_eq!(said.count(), 2);
}

#[test]
fn the_server_over_http_says_where_it_is_keeps_its_token_and_ends_by_ctrl_c() {
    let alice = Side::new("alice");
    alice.start("payments");
    let first = Endpoint::of(&alice, &[]);
    let kept = alice.parlor.dir().join("mcp.token");
    assert_eq!(std::fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_to_string(&kept).unwrap().trim(), first.token);
    assert!(first.url.starts_with("http://127.0.0.1:"), "{}", first.url);
    // It is taken: whose fault, and what to do.
    let port = first.authority().rsplit(':').next().unwrap().to_owned();
    let taken = alice.parlor.cmd(["mcp", "--http", "--port", &port]).unwrap();
    assert_eq!(taken.code(), 7, "{}", taken.err());
    assert!(taken.err().contains("--port"), "{}", taken.err());
    let begun = Instant::now();
    first.running.signal(rustix::process::Signal::INT);
    let Endpoint { running, token, .. } = first;
    let ended = running.finish(SOON).unwrap();
    assert_eq!((ended.code(), ended.err().as_str()), (130, ""));
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    assert_eq!(ended.out().lines().count(), 1);
    let second = Endpoint::of(&alice, &[]);
    assert_eq!(second.token, token, "clients need not be told again");
    drop(second);
    let third = Endpoint::of(&alice, &["--new-token"]);
    assert_ne!(third.token, token);
}

#[test]
fn the_real_claude_code_connects_over_http_and_shows_what_is_wrong_with_a_token() {
    let alice = Side::new("alice");
    alice.start("payments");
    let endpoint = Endpoint::of(&alice, &[]);
    let claude = claude_code().unwrap();
    let run = || alice.person.run(&claude).env("DISABLE_AUTOUPDATER", "1").cwd(&alice.project).timeout(SOON);
    let listed = |header: &str| {
        let server = ["parlor", endpoint.url.as_str(), "--header", header];
        run().args(["mcp", "add", "--scope", "user", "--transport", "http"]).args(server).ok().unwrap();
        let listed = run().args(["mcp", "list"]).ok().unwrap().out();
        run().args(["mcp", "remove", "parlor", "--scope", "user"]).ok().unwrap();
        listed
    };
    let good = listed(&endpoint.header());
    assert!(good.contains("Connected") && !good.contains("Failed"), "{good}");
    let bad = listed("Authorization: Bearer other");
    assert!(bad.contains("show the token that `parlor mcp --http` printed"), "{bad}");
}

#[test]
fn people_are_told_in_lines_and_a_port_alone_means_nothing() {
    let alice = Side::new("alice");
    alice.start("payments");
    let running = alice.parlor.run(["mcp", "--http", "--port", "0"]).timeout(SOON * 5).spawn().unwrap();
    let said = running.wait_for_stdout(|out| out.lines().count() == 2, SOON).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("http://127.0.0.1:") && lines[0].ends_with("/mcp"), "{said}");
    assert!(lines[1].starts_with("Authorization: Bearer ") && lines[1].len() == 22 + 64, "{said}");
    for args in [["mcp", "--port", "7"], ["mcp", "--new-token", "--json"]] {
        assert_eq!(alice.parlor.cmd(args).unwrap().code(), 2, "{args:?}");
    }
}
