//! What goes wrong around real agent programs: killed in mid-turn, cleared, resumed, two at once, hundreds of messages, hundreds
//! of questions, a message too long. Nothing is lost, nothing comes twice, and no hook holds anybody up.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use common::agent::{asked, say};
use common::agents::Agent;
use common::{SOON, Side, pair};
use parlor_testkit::claude::ClaudeHome;
use parlor_testkit::codex::{CodexHome, TRUST_HOOKS};
use parlor_testkit::gemini::GeminiHome;
use parlor_testkit::opencode::OpenCodeHome;
use parlor_testkit::stub_model::{Reply, StubModel};
use rustix::process::Signal;
use serde_json::json;

const LINE: &str = "postgres, we have it";
const FREE: &str = "--dangerously-bypass-approvals-and-sandbox";
/// An agent program waits so long for a hook at a prompt before it goes on without.
const HOOK_LIMIT: Duration = Duration::from_secs(10);

/// Looks again until there is something: another process brings it about.
fn until<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let deadline = Instant::now() + SOON;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(20)); // sleep: another process is looked at again and again
    }
}

fn with_claude(side: &Side, model: &StubModel) -> ClaudeHome {
    let mut claude = ClaudeHome::of(&side.person, model).unwrap();
    claude.set_project(&side.project).unwrap();
    side.parlor.run(["install", "claude"]).ok().unwrap();
    claude
}

/// The id of a question in the line that reminds of it.
fn id_in(text: &str, question: &str) -> String {
    let line = text.lines().find(|line| line.contains(question)).unwrap_or_else(|| panic!("unasked: {text}"));
    let (_, behind) =
        line.split_once("No answer yet to question ").unwrap_or_else(|| panic!("told as: {line}"));
    behind.split(' ').next().unwrap().to_owned()
}

#[test]
fn an_agent_killed_between_a_question_and_its_answer_is_reminded_of_it_and_answers_once() {
    const QUESTION: &str = "where is the schema?";
    let (alice, bob) = pair();
    let model = StubModel::start().unwrap();
    let claude = with_claude(&alice, &model);
    let log = alice.parlor.run(["log", "-f", "-n", "1000", "--json"]).timeout(SOON);
    let (began, begun) = std::sync::mpsc::channel();
    let parlor = alice.person.bin().join("parlor").display().to_string();
    let answered = AtomicBool::new(false);
    model.reply_with(move |request| {
        let texts = request.texts().into_iter().chain(request.tool_results());
        let told = texts.map(|(_, text)| text).rfind(|text| text.contains(QUESTION));
        match told {
            _ if !request.is_conversation() || answered.load(Relaxed) => Reply::text("done"),
            Some(told) if request.contains("once more, please") => {
                answered.store(true, Relaxed);
                Reply::shell(&format!("{parlor} answer {} 'in db/schema.sql'", id_in(&told, QUESTION)))
            }
            None => {
                _ = began.send(());
                log.clone().spawn().unwrap().wait_for_stdout(|out| out.contains(QUESTION), SOON).unwrap();
                Reply::shell("true")
            }
            // Asked, it is at work on something that takes long.
            Some(_) => Reply::shell("sleep 60"),
        }
    });
    let id = "5f0c1c86-7d3c-4c4e-9d38-8f0d9d0a1b2c";
    let args = ["-p", "work on it", "--session-id", id, "--allowedTools", "Bash"];
    let running = claude.run(&args).timeout(SOON * 3).spawn().unwrap();
    begun.recv_timeout(SOON).unwrap();
    let ask = ["ask", "alice", "--room", "payments", QUESTION, "--timeout", "5m"];
    let waits = bob.parlor.run(ask).timeout(SOON * 5).spawn().unwrap();
    model.wait_for_request(|request| request.contains(QUESTION), SOON).unwrap();
    running.kill();
    running.finish(SOON).unwrap();
    assert!(waits.is_running(), "nobody has answered");

    claude.run_print("once more, please", &["--resume", id, "--allowedTools", "Bash"]).unwrap();
    let answered = waits.finish(SOON).unwrap();
    assert_eq!(answered.code(), 0, "{}", answered.err());
    assert!(answered.out().contains("in db/schema.sql"), "{}", answered.out());
    assert_eq!(bob.texts(), [QUESTION, "in db/schema.sql"], "asked once, answered once");
}

#[test]
fn a_tool_that_waits_hears_though_the_node_is_killed_meanwhile() {
    let (alice, bob) = pair();
    let model = StubModel::start().unwrap();
    let claude = with_claude(&alice, &model);
    model.push([
        Reply::mcp("parlor", "wait_for_message", json!({ "timeout_s": 120 })),
        Reply::text("that is what I waited for"),
    ]);
    std::thread::scope(|scope| {
        let tools = "mcp__parlor__wait_for_message,ToolSearch";
        let waits = scope.spawn(|| claude.run_print("wait for bob", &["--allowedTools", tools]).unwrap());
        asked(&model, "wait for bob");
        // Whether it waits already or is about to: killed again and again, the tool has a node started.
        for _ in 0..3 {
            until("a node to kill", || alice.parlor.kill_node().then_some(()));
            alice.parlor.run(["who"]).ok().unwrap();
        }
        bob.send(LINE);
        assert_eq!(waits.join().unwrap().result, "that is what I waited for");
    });
    let heard = model.conversations().pop().unwrap().new_tool_results();
    assert!(heard.iter().any(|(_, text)| text.matches(LINE).count() == 1), "{heard:?}");
}

#[test]
fn what_stands_in_what_the_program_keeps_is_told_as_shown_and_before_that_as_handed() {
    let (alice, bob) = pair();
    let model = StubModel::start().unwrap();
    let claude = with_claude(&alice, &model);
    let sent = bob.send(LINE)["id"].as_str().unwrap().to_owned();
    let state = || {
        let line = bob.parlor.json(["log", "--receipts", &sent]).unwrap();
        let far = line["far"].as_array().unwrap().clone();
        far.iter().find(|far| far["name"] == "alice").unwrap()["state"].as_str().unwrap().to_owned()
    };
    until("alice's machine to have it", || (state() == "at_peer").then_some(()));
    let first = claude.run_print("which database", &[]).unwrap();
    assert_eq!(asked(&model, "which database").count(LINE), 1);
    until("its handing over to be told", || ["handed", "shown"].contains(&state().as_str()).then_some(()));
    claude.run_print("go on", &["--resume", &first.session_id]).unwrap();
    until("its showing to be told", || (state() == "shown").then_some(()));
}

#[test]
fn a_conversation_that_was_cleared_and_one_that_is_resumed_are_told_once_each() {
    let (alice, bob) = pair();
    let model = StubModel::start().unwrap();
    let claude = with_claude(&alice, &model);
    let first = claude.run_print("good morning", &[]).unwrap().session_id;
    say(&bob, LINE);
    let session = claude.interactive_with(&["--resume", &first]).unwrap();
    session.type_line("back again").unwrap();
    assert_eq!(asked(&model, "back again").count(LINE), 1, "what was said meanwhile");
    session.type_line("/clear").unwrap();
    session.wait_for_screen("an emptied screen", |screen| !screen.contains("back again"), SOON).unwrap();
    session.type_line("a new start").unwrap();
    assert_eq!(asked(&model, "a new start").count(LINE), 1, "told as earlier");
    say(&bob, "version 15");
    session.type_line("and now").unwrap();
    assert_eq!(asked(&model, "and now").count("version 15"), 1);
    session.exit().unwrap();
    claude.run_print("the old one", &["--resume", &first]).unwrap();
    let resumed = asked(&model, "the old one");
    assert_eq!((resumed.count("version 15"), resumed.count(LINE)), (1, 1), "{}", resumed.summary());
}

#[test]
fn a_new_conversation_in_codex_is_told_once_what_was_before() {
    let (alice, bob) = pair();
    let model = StubModel::start().unwrap();
    let codex = CodexHome::of(&alice.person, &model).unwrap();
    alice.parlor.run(["install", "codex"]).ok().unwrap();
    say(&bob, LINE);
    let session = codex.interactive(&[TRUST_HOOKS, FREE]).unwrap();
    session.type_line("good morning").unwrap();
    assert_eq!(asked(&model, "good morning").count(LINE), 1);
    session.wait_for_screen("the end of the turn", |screen| screen.contains("Worked for"), SOON).unwrap();
    session.type_line("/new").unwrap();
    session.accept("Where should the new conversation run?", SOON).unwrap();
    let session = session.ready().unwrap();
    session.type_line("a fresh start").unwrap();
    let fresh = asked(&model, "a fresh start");
    assert!(fresh.count(LINE) == 1 && !fresh.contains("good morning"), "{}", fresh.summary());
    session.exit().unwrap();
}

/// Two sessions of a program at the same time, in the same directory.
fn both_hear(alice: &Side, bob: &Side, model: &StubModel, run: impl Fn(&str) + Sync) {
    // Two first runs at once of some programs fall over their own databases.
    run("good morning");
    say(bob, LINE);
    std::thread::scope(|scope| {
        for prompt in ["the one asks", "another asks"] {
            let run = &run;
            scope.spawn(move || run(prompt));
        }
    });
    for prompt in ["the one asks", "another asks"] {
        assert_eq!(asked(model, prompt).count(LINE), 1, "{prompt}");
    }
    assert_eq!(alice.texts(), [LINE]);
}

#[test]
fn wound_13_two_sessions_of_codex_at_once_are_both_told() {
    let (alice, bob) = pair();
    let model = StubModel::start().unwrap();
    let codex = CodexHome::of(&alice.person, &model).unwrap();
    alice.parlor.run(["install", "codex"]).ok().unwrap();
    both_hear(&alice, &bob, &model, |prompt| drop(codex.run_print(prompt, &[FREE, TRUST_HOOKS]).unwrap()));
}

#[test]
fn wound_13_two_sessions_of_gemini_at_once_are_both_told() {
    let (alice, bob) = pair();
    let model = StubModel::start().unwrap();
    let gemini = GeminiHome::of(&alice.person, &model).unwrap();
    alice.parlor.run(["install", "gemini"]).ok().unwrap();
    both_hear(&alice, &bob, &model, |prompt| drop(gemini.run_print(prompt, &["--yolo"]).unwrap()));
}

#[test]
fn wound_13_two_sessions_of_opencode_at_once_are_both_told() {
    let (alice, bob) = pair();
    let model = StubModel::start().unwrap();
    let opencode = OpenCodeHome::of(&alice.person, &model).unwrap();
    alice.parlor.run(["install", "opencode"]).ok().unwrap();
    both_hear(&alice, &bob, &model, |prompt| drop(opencode.run_print(prompt, &[]).unwrap()));
}

#[test]
fn of_five_hundred_unread_each_is_given_once_to_an_agent_that_reads_them() {
    const UNREAD: usize = 500;
    let (alice, bob) = pair();
    let model = StubModel::start().unwrap();
    let claude = with_claude(&alice, &model);
    let session = claude.run_print("good morning", &[]).unwrap().session_id;
    (1..=UNREAD).for_each(|n| drop(bob.parlor.run(["send", &format!("numbered word {n}.")]).ok().unwrap()));
    alice.await_text(&format!("numbered word {UNREAD}."));
    // It reads until there is nothing more.
    model.reply_with(|request| match request.new_tool_results().pop() {
        Some((_, text)) if text.contains("numbered word") => {
            Reply::mcp("parlor", "check_messages", json!({}))
        }
        None if request.prompt().as_deref() == Some("what did I miss") => {
            Reply::mcp("parlor", "check_messages", json!({}))
        }
        _ => Reply::text("that is all"),
    });
    let tools = "mcp__parlor__check_messages,ToolSearch";
    let read = claude.run_print("what did I miss", &["--resume", &session, "--allowedTools", tools]).unwrap();
    assert_eq!(read.result, "that is all");
    let first = asked(&model, "what did I miss");
    assert!(
        first.contains("only counted: 500 (500 of @bob)"),
        "how many there are: {}",
        first.text_of("system")
    );
    assert_eq!(first.count("numbered word"), 0, "and none of a flood: {}", first.text_of("system"));
    let last = model.conversations().pop().unwrap();
    for n in 1..=UNREAD {
        assert_eq!(last.count(&format!("numbered word {n}.")), 1, "{n}");
    }
}

#[test]
fn five_hundred_questions_at_once_disturb_within_bounds_and_each_is_given_once() {
    const QUESTIONS: usize = 500;
    let (alice, bob) = pair();
    let agent = Agent::begin(&alice, "a1", &alice.project);
    agent.prompt();
    let ask = |n: usize| {
        let question = format!("numbered question {n}.");
        let run = bob.parlor.run(["ask", "alice", "--room", "payments", &question, "--timeout", "1h"]);
        let waits = run.timeout(SOON * 3).spawn().unwrap();
        waits.wait_for_stderr(|said| said.contains("open until"), SOON * 2).unwrap();
        // Nobody waits any longer; the question is open all the same.
        waits.signal(Signal::INT);
        assert_eq!(waits.finish(SOON).unwrap().code(), 130);
    };
    std::thread::scope(|scope| {
        for part in 0..20 {
            let ask = &ask;
            scope.spawn(move || (0..QUESTIONS).filter(|n| n % 20 == part).for_each(ask));
        }
    });
    until("all questions", || (alice.log().len() == QUESTIONS).then_some(()));
    let given: RefCell<BTreeMap<String, usize>> = RefCell::default();
    let note = |text: &str| {
        let words = text.split("numbered question ").skip(1);
        for number in words.filter_map(|rest| rest.split_once('.')).map(|(number, _)| number) {
            *given.borrow_mut().entry(number.to_owned()).or_default() += 1;
        }
        text.contains("numbered question")
    };
    let timed = |event: &str| {
        let begun = Instant::now();
        let text = agent.hook(event);
        assert!(begun.elapsed() < HOOK_LIMIT, "{event} took {:?}", begun.elapsed());
        text
    };
    while note(&timed("PostToolUse")) {}
    let between = given.borrow().len();
    while note(&timed("UserPromptSubmit")) {}
    assert!(between < QUESTIONS / 4, "one who asks without end interrupts within bounds: {between}");
    let given = given.into_inner();
    assert_eq!(given.len(), QUESTIONS, "none is lost");
    assert_eq!(given.values().copied().max(), Some(1), "none comes twice: {given:?}");
}

#[test]
fn a_message_of_a_megabyte_is_refused_with_the_way_to_share_it_and_goes_as_a_file() {
    let (alice, bob) = pair();
    let text = "postgres ".repeat(120_000);
    let refused = bob.parlor.run(["send", "-"]).stdin(text.clone()).output().unwrap();
    assert_eq!(refused.code(), 5, "{}", refused.err());
    assert!(refused.err().contains("parlor drop"), "{}", refused.err());
    assert_eq!(bob.texts().len(), 0);
    std::fs::write(bob.project.join("long.txt"), &text).unwrap();
    bob.parlor.run(["drop", "long.txt"]).ok().unwrap();
    let got = until("the file", || {
        let output = alice.parlor.cmd(["get", "long.txt"]).unwrap();
        (output.code() == 0).then(|| output.out())
    });
    assert_eq!(std::fs::read_to_string(got.trim()).unwrap(), text);
}
