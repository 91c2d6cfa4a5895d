//! `parlor demo`: a short tour with nothing but this binary. Two people in throw-away homes on this machine,
//! with the real nodes and the real commands; what an agent is given is what the real hook writes. Must leave
//! nothing behind, and touch nothing of whoever runs it.

mod processes;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use backon::{BlockingRetryable, ConstantBuilder};
use parlor_api::paths::Home;
use serde_json::json;

use self::processes::Processes;
use super::Context;
use crate::autostart::{await_ready, own_executable};
use crate::errors::{Failure, Outcome};
use crate::hook_pipe::node_in_background;
use crate::interrupt::Interrupt;

const ROOM: &str = "payments";
const LINE: &str = "postgres, we have it";
const ANSWER: &str = "thanks, then we write the migration for postgres";
/// How the text of every ticket begins.
const TICKET_HEAD: &str = "parlor1";
const SESSION: &str = "demo-session";
/// How often, and how many times, the hook is run until the line has come over.
const PROMPT_STEP: Duration = Duration::from_millis(100);
const PROMPT_TRIES: usize = 50;

pub fn run(context: &Context, interrupt: &Interrupt) -> Outcome {
    let remains = Remains { dir: throw_away_dir().map_err(no_home)?, processes: Processes::default() };
    let left = remains.clone();
    interrupt.on_interrupt(move || left.clear());
    let played = Stage::set(context, &remains).and_then(|stage| play(&stage));
    remains.clear();
    played
}

fn no_home(error: std::io::Error) -> Failure {
    Failure::machine(format!("no throw-away home could be made: {error}"), "free some space, or set TMPDIR")
}

fn play(stage: &Stage) -> Outcome {
    let (alice, bob) = (&stage.alice, &stage.bob);
    stage.starts_node(alice)?;
    stage.starts_node(bob)?;
    stage.tell("Alice and Bob each have a machine, a project and an agent. Both machines are this one, for a short tour.");
    stage.tell("Alice opens a room in her project, and sends Bob the line it prints:");
    let join = stage.types(alice, &["start", ROOM])?;
    stage.tell("Bob pastes it in his project:");
    let ticket = join.split_whitespace().find(|word| word.starts_with(TICKET_HEAD)).unwrap_or_default();
    if !stage.types(bob, &["join", ticket])?.contains("joined") {
        return Err(Failure::machine("the two nodes did not reach each other", "run `parlor doctor`"));
    }
    stage.tell("Alice starts her agent. It says so to Parlor's hook, which has nothing to tell yet:");
    stage.prompts(alice, &session_start(alice))?;
    stage.tell("Bob says something, from his shell:");
    stage.types(bob, &["send", LINE])?;
    stage.tell("Alice types her next prompt, about something else. Before the model sees it, the hook adds, word for word:");
    let step = ConstantBuilder::new().with_delay(PROMPT_STEP).with_max_times(PROMPT_TRIES);
    let given = (|| stage.hook(alice, &prompt(alice))?.ok_or_else(not_given))
        .retry(step)
        .when(|end| *end == not_given())
        .call()?;
    stage.show_given(alice, &given)?;
    stage.tell("Alice's agent can answer. Who wrote it is signed, and is no matter of names:");
    stage.types(alice, &["send", ANSWER])?;
    stage.types(bob, &["log"])?;
    stage.tell(
        "Signed, sealed, from one node to the other; nobody in between. Both are gone now, without a trace.",
    );
    stage.tell("Next, in a project of yours: `parlor install claude`, then `parlor start`.");
    Ok(())
}

fn not_given() -> Failure {
    Failure::machine("the line did not come over in time", "run `parlor doctor`")
}

/// One of the two, with a home and a project of their own.
struct Person {
    name: &'static str,
    dir: PathBuf,
    home: Home,
    project: PathBuf,
}

impl Person {
    fn at(dir: &Path, name: &'static str) -> std::io::Result<Self> {
        let dir = dir.join(name);
        let home = Home::at(dir.join("parlor"));
        let project = dir.join("shop");
        std::fs::create_dir_all(&project)?;
        make_private(home.dir())?;
        // They know each other's address from the ticket; nobody else on the network is to hear of them.
        std::fs::write(home.config(), format!("nick = \"{name}\"\nlan = false\nrelay = \"off\"\n"))?;
        Ok(Self { name, dir, home, project })
    }

    /// A program in this person's project, with nothing of this process's environment.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("HOME", &self.dir).env("LANG", "C.UTF-8").current_dir(&self.project);
        command.arg("--home").arg(self.home.dir());
        command
    }
}

/// A home as a node makes it: nobody else may look in.
fn make_private(dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().mode(0o700).create(dir)
}

/// What has to go, however it ends.
#[derive(Clone)]
struct Remains {
    dir: PathBuf,
    processes: Processes,
}

impl Remains {
    fn clear(&self) {
        self.processes.end_all();
        _ = std::fs::remove_dir_all(&self.dir);
    }
}

struct Stage<'a> {
    context: &'a Context<'a>,
    processes: &'a Processes,
    parlor: PathBuf,
    alice: Person,
    bob: Person,
}

impl<'a> Stage<'a> {
    fn set(context: &'a Context<'a>, remains: &'a Remains) -> Outcome<Self> {
        let person = |name| Person::at(&remains.dir, name).map_err(no_home);
        let parlor = own_executable().map_err(no_home)?;
        let (alice, bob) = (person("alice")?, person("bob")?);
        Ok(Self { context, processes: &remains.processes, parlor, alice, bob })
    }

    /// Starts somebody's node and waits until it serves. The demo is its parent, so that no command starts another.
    fn starts_node(&self, person: &Person) -> Outcome {
        let node = self.processes.start(&mut node_in_background(&self.parlor, &person.home))?;
        Ok(await_ready(node.said)?)
    }

    fn tell(&self, text: &str) {
        self.context.out.talk(&format!("\n{text}"));
    }

    /// One of them types a command; what it says, to people as they would see it.
    fn types(&self, person: &Person, args: &[&str]) -> Outcome<String> {
        let typed = format!("parlor {}", args.iter().map(|arg| quoted(arg)).collect::<Vec<_>>().join(" "));
        self.context.out.talk(&format!("{}$ {typed}", person.name));
        let mut command = person.command(&self.parlor);
        command.args(args).stdin(Stdio::null());
        let process = if self.context.out.is_json() {
            self.processes.start(command.stderr(Stdio::null()))?
        } else {
            self.processes.start_talking(&mut command)?
        };
        let text = self.processes.finish(process, &typed)?;
        let step = json!({ "who": person.name, "typed": typed, "stdout": text });
        self.context.out.answer(&step, || vec![text.clone()])?;
        Ok(text)
    }

    /// Runs the hook as the agent program does, and shows what it was answered.
    fn prompts(&self, person: &Person, call: &str) -> Outcome {
        match self.hook(person, call)? {
            Some(text) => self.show_given(person, &text),
            None => {
                self.context.out.talk("(nothing)");
                Ok(())
            }
        }
    }

    fn show_given(&self, person: &Person, text: &str) -> Outcome {
        let step = json!({ "who": format!("{}'s agent", person.name), "given": text });
        self.context.out.answer(&step, || text.lines().map(str::to_owned).collect())
    }

    /// What the agent is given at one call of its hook.
    fn hook(&self, person: &Person, call: &str) -> Outcome<Option<String>> {
        let small = self.parlor.with_file_name("parlor-hook");
        let mut command = person.command(if small.is_file() { &small } else { &self.parlor });
        if !small.is_file() {
            command.arg("hook");
        }
        command.env("CLAUDE_PROJECT_DIR", &person.project).env("CLAUDE_PID", std::process::id().to_string());
        let mut hook = self.processes.start(command.stdin(Stdio::piped()).stderr(Stdio::null()))?;
        // A hook that has had enough is as content as one that has not.
        hook.stdin.iter_mut().for_each(|stdin| _ = stdin.write_all(call.as_bytes()));
        let said = self.processes.finish(hook, "parlor-hook")?;
        let answer: serde_json::Value = serde_json::from_str(&said).unwrap_or_default();
        let text = answer["hookSpecificOutput"]["additionalContext"].as_str();
        Ok(text.filter(|text| !text.is_empty()).map(str::to_owned))
    }
}

/// A directory whose path leaves room for a socket's.
fn throw_away_dir() -> std::io::Result<PathBuf> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("parlor-demo-");
    let usual = builder.tempdir()?;
    let fits = Home::at(usual.path().join("alice/parlor")).socket().is_ok();
    let dir = if fits { usual } else { builder.tempdir_in("/tmp")? };
    Ok(dir.keep())
}

fn session_start(person: &Person) -> String {
    json!({
        "session_id": SESSION,
        "cwd": person.project,
        "hook_event_name": "SessionStart",
        "source": "startup",
    })
    .to_string()
}

fn prompt(person: &Person) -> String {
    json!({
        "session_id": SESSION,
        "cwd": person.project,
        "hook_event_name": "UserPromptSubmit",
        "prompt": "add a table for refunds",
    })
    .to_string()
}

/// A word as one would type it.
fn quoted(word: &str) -> String {
    if word.contains(' ') { format!("\"{word}\"") } else { word.into() }
}
