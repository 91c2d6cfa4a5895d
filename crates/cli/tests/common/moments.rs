//! One scenario for every agent program in a terminal, to see at which moments it hears. What a program cannot is seen
//! by waiting for it in vain; nothing here knows which that will be.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use parlor_testkit::cache;
use parlor_testkit::claude::ClaudeHome;
use parlor_testkit::codex::{CodexHome, TRUST_HOOKS};
use parlor_testkit::gemini::GeminiHome;
use parlor_testkit::opencode::OpenCodeHome;
use parlor_testkit::run::Run;
use parlor_testkit::session::Session;
use parlor_testkit::stub_model::{Reply, Request, StubModel};
use parlor_testkit::tmux::Tmux;

use crate::common::{SOON, Side, pair};

/// The columns of the table.
pub const MOMENTS: [&str; 7] = ["prompt", "between tools", "at stop", "start", "wake", "ask", "files"];
/// After this long in vain it is not heard. Codex looks into its queue every ten seconds.
const IN_VAIN: Duration = Duration::from_secs(25);

/// What was seen of one moment.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    pub heard: bool,
    pub took: Vec<Duration>,
}

/// One agent program.
pub struct Driver {
    pub name: &'static str,
    pub version: &'static str,
    install: &'static str,
    open: fn(&Side, &StubModel) -> Open,
}

/// A terminal in which the program runs.
enum Open {
    Session(Session),
    Bare(Tmux),
}

pub fn drivers() -> [Driver; 4] {
    [
        Driver {
            name: "Claude Code",
            version: cache::CLAUDE_CODE_VERSION,
            install: "claude",
            open: |side, model| {
                let home = ClaudeHome::of(&side.person, model).unwrap();
                side.parlor.run(["install", "claude"]).ok().unwrap();
                Open::Session(home.interactive_with(&["--allowedTools", "Bash"]).unwrap())
            },
        },
        Driver {
            name: "Codex",
            version: cache::CODEX_VERSION,
            install: "codex",
            open: |side, model| {
                let home = CodexHome::of(&side.person, model).unwrap();
                let free = "--dangerously-bypass-approvals-and-sandbox";
                Open::Session(home.interactive(&[TRUST_HOOKS, free]).unwrap())
            },
        },
        Driver {
            name: "Gemini CLI",
            version: cache::GEMINI_CLI_VERSION,
            install: "gemini",
            open: |side, model| {
                let home = GeminiHome::of(&side.person, model).unwrap();
                side.parlor.run(["install", "gemini"]).ok().unwrap();
                Open::Session(home.interactive(&["--allowed-tools", "run_shell_command"]).unwrap())
            },
        },
        Driver {
            name: "OpenCode",
            version: cache::OPENCODE_VERSION,
            install: "opencode",
            open: |side, model| {
                let home = OpenCodeHome::of(&side.person, model).unwrap();
                Open::Bare(home.start(&[]).unwrap())
            },
        },
    ]
}

impl Open {
    /// Types one prompt and sends it off.
    fn prompt(&self, text: &str) {
        match self {
            Self::Session(session) => session.type_line(text).unwrap(),
            Self::Bare(tmux) => {
                tmux.wait_for_screen("the input box", |screen| screen.contains("Build"), SOON).unwrap();
                tmux.type_text(text).unwrap();
                tmux.wait_for_screen("the prompt", |screen| screen.contains(text), SOON).unwrap();
                tmux.send_keys(&["Enter"]).unwrap();
            }
        }
    }
}

type Step = Box<dyn FnOnce(&Request) -> Reply + Send>;

/// What the model does in the turn that runs: each step once, in this order, at the requests of the conversation.
#[derive(Default)]
struct Script {
    steps: Vec<Step>,
}

struct Scene {
    bob: Side,
    model: StubModel,
    script: Arc<Mutex<Script>>,
    seen: BTreeMap<&'static str, Seen>,
    log: Run,
    answer: String,
}

/// Measures one program in one terminal.
pub fn measure(driver: &Driver, rounds: usize) -> BTreeMap<&'static str, Seen> {
    let (alice, bob) = pair();
    let model = StubModel::start().unwrap();
    let script = Arc::new(Mutex::new(Script::default()));
    let steps = Arc::clone(&script);
    model.reply_with(move |request| {
        let mut script = steps.lock().unwrap();
        let step = (!script.steps.is_empty()).then(|| script.steps.remove(0));
        drop(script);
        step.map_or_else(|| Reply::text("done"), |step| step(request))
    });
    if matches!(driver.install, "codex" | "opencode") {
        alice.parlor.run(["install", driver.install]).ok().unwrap();
    }
    let terminal = (driver.open)(&alice, &model);
    let log = alice.parlor.run(["log", "-f", "-n", "1000", "--json"]).timeout(SOON);
    let answer = alice.person.bin().join("parlor").display().to_string();
    let seen = MOMENTS.iter().map(|moment| (*moment, Seen::default())).collect();
    let mut scene = Scene { bob, model, script, seen, log, answer };
    scene.first(&terminal);
    alice.parlor.run(["allow", "wake", "payments"]).ok().unwrap();
    for round in 0..rounds {
        scene.turn(&terminal, round);
        if round == 0 {
            // Once: a node waits a minute before it wakes a session of Codex again.
            scene.wake(round);
        }
    }
    scene.ask(&terminal);
    scene.seen
}

impl Scene {
    /// The first prompt of a session: what it is told as it starts, and of a file that was dropped before.
    fn first(&mut self, terminal: &Open) {
        std::fs::write(self.bob.project.join("schema.sql"), "create table payments").unwrap();
        self.bob.parlor.run(["drop", "schema.sql"]).ok().unwrap();
        terminal.prompt("good morning");
        let request = self.model.wait_for_request(of_turn("good morning"), SOON).unwrap();
        self.seen("start").heard = request.contains("In payments: @bob");
        self.seen("files").heard = request.contains("schema.sql");
        self.calm();
    }

    /// One turn: said before its prompt, between its tools, and as it would end.
    fn turn(&mut self, terminal: &Open, round: usize) {
        let words = |what: &str| format!("{what}-word-{round}");
        let urgent = |what: &str| self.bob.parlor.run(["send", "--priority", "now", &words(what)]);
        let times = Arc::new(Mutex::new(Vec::new()));
        let say = |run: Run, then: Reply| {
            let times = Arc::clone(&times);
            move |_: &Request| {
                times.lock().unwrap().push(Instant::now());
                run.ok().unwrap();
                then
            }
        };
        let tools = say(urgent("tools"), Reply::shell("true"));
        let stop = say(urgent("stop"), Reply::text("done"));
        self.script.lock().unwrap().steps = vec![Box::new(tools), Box::new(stop)];
        let said = Instant::now();
        self.bob.send(&words("prompt"));
        terminal.prompt(&format!("round number {round}"));
        self.note("prompt", &words("prompt"), said, SOON);
        for (number, moment, what) in [(0, "between tools", "tools"), (1, "at stop", "stop")] {
            let at = || times.lock().unwrap().get(number).copied();
            self.model.wait_for_request(|_| at().is_some(), SOON).unwrap();
            self.note(moment, &words(what), at().unwrap(), IN_VAIN);
        }
        self.calm();
    }

    /// Said to an idle session.
    fn wake(&mut self, round: usize) {
        let (said, words) = (Instant::now(), format!("wake-word-{round}"));
        self.bob.parlor.run(["send", "--priority", "now", &words]).ok().unwrap();
        self.note("wake", &words, said, IN_VAIN);
        self.calm();
    }

    /// A question between two tools, answered from the shell.
    fn ask(&mut self, terminal: &Open) {
        const QUESTION: &str = "where does it lie?";
        let (run, log) = (
            self.bob.parlor.run(["ask", "alice", "--room", "payments", QUESTION, "--timeout", "60s"]),
            self.log.clone(),
        );
        let (hand, taken) = std::sync::mpsc::channel();
        let asks = move |_: &Request| {
            hand.send(run.spawn().unwrap()).unwrap();
            log.spawn().unwrap().wait_for_stdout(|out| out.contains(QUESTION), SOON).unwrap();
            Reply::shell("true")
        };
        let answer = self.answer.clone();
        let answers = move |request: &Request| {
            let texts = request.texts().into_iter().chain(request.tool_results());
            let mut line = texts.flat_map(|(_, text)| text.lines().map(str::to_owned).collect::<Vec<_>>());
            match line.rfind(|line| line.contains(QUESTION)) {
                None => Reply::text("nobody asked"),
                Some(line) => {
                    let id = line.split(']').next().unwrap().rsplit(' ').next().unwrap().to_owned();
                    Reply::shell(&format!("{answer} answer {id} 'under db'"))
                }
            }
        };
        self.script.lock().unwrap().steps = vec![Box::new(asks), Box::new(answers)];
        terminal.prompt("one more thing");
        let output = taken.recv_timeout(SOON).unwrap().finish(SOON * 2).unwrap();
        self.seen("ask").heard = output.code() == 0 && output.out().contains("under db");
        self.calm();
    }

    fn seen(&mut self, moment: &'static str) -> &mut Seen {
        self.seen.get_mut(moment).unwrap()
    }

    /// Notes whether and when a request held these words. Once in vain is in vain.
    fn note(&mut self, moment: &'static str, words: &str, since: Instant, patience: Duration) {
        let wanted = |request: &Request| request.is_conversation() && request.contains(words);
        match self.model.wait_for_request(wanted, patience) {
            Ok(request) => {
                let took = request.arrived.saturating_duration_since(since);
                let seen = self.seen(moment);
                seen.heard = true;
                seen.took.push(took);
            }
            Err(_) => assert!(!self.seen(moment).heard, "{moment}: heard before, not now: {words}"),
        }
    }

    /// Waits until the turn is over as far as the model sees: nothing more is asked for a while.
    fn calm(&self) {
        let mut newest = self.model.mark();
        loop {
            let later = |request: &Request| request.number > newest;
            match self.model.wait_for_request(later, Duration::from_secs(3)) {
                Ok(request) => newest = request.number,
                Err(_) => return,
            }
        }
    }
}

fn of_turn(prompt: &'static str) -> impl Fn(&Request) -> bool {
    move |request| request.is_conversation() && request.contains(prompt)
}
