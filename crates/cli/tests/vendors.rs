//! Two agents of different vendors, each the real program on a machine of its own: one asks, the other answers in the
//! middle of its work, and the first is given the answer as the result of its own command.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;

use common::{SOON, Side, pair};
use parlor_testkit::claude::ClaudeHome;
use parlor_testkit::codex::{CodexHome, TRUST_HOOKS};
use parlor_testkit::stub_model::{Reply, StubModel};

const QUESTION: &str = "where is the schema?";
const ANSWER: &str = "in db/schema.sql";

/// A shell command that runs this side's `parlor`.
fn parlor(side: &Side, words: &str) -> Reply {
    Reply::shell(&format!("{} {words}", side.person.bin().join("parlor").display()))
}

/// The id of the question in what an agent was given.
fn id_in(text: &str) -> String {
    let line = text.lines().find(|line| line.contains(QUESTION)).unwrap();
    line.split(']').next().unwrap().rsplit(' ').next().unwrap().to_owned()
}

#[test]
fn an_agent_of_one_vendor_asks_and_one_of_another_answers_between_its_tools() {
    let (alice, bob) = pair();
    let (at_alice, at_bob) = (StubModel::start().unwrap(), StubModel::start().unwrap());
    let claude = ClaudeHome::of(&alice.person, &at_alice).unwrap();
    let codex = CodexHome::of(&bob.person, &at_bob).unwrap();
    alice.parlor.run(["install", "claude"]).ok().unwrap();
    bob.parlor.run(["install", "codex"]).ok().unwrap();

    // Alice's model holds its first answer back until the question has reached her node.
    let (begin, begun) = channel::<()>();
    let begin = Mutex::new(Some(begin));
    let log = alice.parlor.run(["log", "-f", "-n", "1000", "--json"]).timeout(SOON);
    let answer = alice.person.bin().join("parlor").display().to_string();
    let answered = AtomicBool::new(false);
    at_alice.reply_with(move |request| {
        if let Some(begin) = begin.lock().unwrap().take() {
            begin.send(()).unwrap();
            log.clone().spawn().unwrap().wait_for_stdout(|out| out.contains(QUESTION), SOON).unwrap();
            return Reply::shell("true");
        }
        let asked = request.texts().into_iter().rev().find(|(_, text)| text.contains(QUESTION));
        match asked {
            Some((_, text)) if !answered.swap(true, Ordering::Relaxed) => {
                Reply::shell(&format!("{answer} answer {} '{ANSWER}'", id_in(&text)))
            }
            _ => Reply::text("done"),
        }
    });
    at_bob.push([
        parlor(&bob, &format!("ask alice --room payments '{QUESTION}' --timeout 60s")),
        Reply::text("understood"),
    ]);
    std::thread::scope(|scope| {
        let working = scope.spawn(|| claude.run_print("work on the database", &["--allowedTools", "Bash"]));
        begun.recv_timeout(SOON).unwrap();
        let free = "--dangerously-bypass-approvals-and-sandbox";
        codex.run_print("find out where the schema is", &[free, TRUST_HOOKS]).unwrap();
        working.join().unwrap().unwrap();
    });
    let heard = at_bob.conversations().pop().unwrap().new_tool_results();
    assert!(heard.iter().any(|(_, text)| text.contains(ANSWER)), "{heard:?}");
    let between = at_alice.conversations().into_iter().find(|request| request.contains(QUESTION)).unwrap();
    assert!(between.contains("asks you)"), "who asks, and that it is an agent: {}", between.summary());
    let log = alice.log();
    assert!(log.iter().any(|message| message["text"] == ANSWER && message["author"] == "agent"), "{log:?}");
}
