//! Real nodes in throw-away homes, and what is asked of them as the command line and the hook ask.
#![allow(dead_code)] // each test file uses its own part

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parlor_api::paths::Home;
use parlor_api::{API_VERSION, Client, Hello, Hook, Message, Reply, Request, Sent, Started};
use parlor_node::{RunOptions, StartError};

pub const PATIENCE: Duration = Duration::from_secs(20);
pub const VERSION: &str = "0.1.0";

/// A node in this process.
pub struct TestNode {
    pub home: Home,
    dir: tempfile::TempDir,
    thread: Option<JoinHandle<Result<(), StartError>>>,
}

struct Ready(Sender<Vec<u8>>);

impl Write for Ready {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let sent = self.0.send(bytes.to_vec());
        sent.map(|()| bytes.len()).map_err(|_| std::io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Options that tell when the node is ready.
pub fn options() -> (RunOptions, Receiver<Vec<u8>>) {
    let (ready, told) = channel();
    let options = RunOptions {
        version: VERSION,
        background: true,
        ready: Some(Box::new(Ready(ready))),
        restart_args: Vec::new(),
    };
    (options, told)
}

/// A home whose node does not look around on the LAN.
pub fn quiet_home() -> (tempfile::TempDir, Home) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("config.toml"), "lan = false\nnick = \"alice\"\n").unwrap();
    let home = Home::at(dir.path());
    (dir, home)
}

impl TestNode {
    pub fn start() -> Self {
        let (dir, home) = quiet_home();
        let mut node = Self { home, dir, thread: None };
        node.run();
        node
    }

    pub fn named(nick: &str) -> Self {
        let (dir, home) = quiet_home();
        std::fs::write(home.config(), format!("lan = false\nnick = \"{nick}\"\n")).unwrap();
        let mut node = Self { home, dir, thread: None };
        node.run();
        node
    }

    /// Runs it (again) and returns when it is ready.
    pub fn run(&mut self) {
        let (options, told) = options();
        let home = self.home.clone();
        let thread = std::thread::spawn(move || parlor_node::run(home, options));
        match told.recv_timeout(PATIENCE) {
            Ok(line) => assert_eq!(line, b"ready\n"),
            Err(_) => panic!("the node did not start: {:?}", thread.join().unwrap()),
        }
        self.thread = Some(thread);
    }

    /// Ends it, and returns when it has ended.
    pub fn stop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        assert_eq!(self.client("cli").call(&Request::Stop).unwrap(), Reply::Done);
        thread.join().unwrap().unwrap();
    }

    /// Waits until it has ended by itself; how it ended.
    pub fn ended(&mut self) -> Result<(), StartError> {
        self.thread.take().expect("it was running").join().unwrap()
    }

    pub fn client(&self, surface: &str) -> Client {
        client(&self.home, hello(surface, None))
    }

    /// A person at a terminal in a directory.
    pub fn person(&self, cwd: &Path) -> Client {
        client(&self.home, Hello { terminal: true, ..hello("cli", Some(cwd)) })
    }

    pub fn start_room(&self, name: &str, dir: Option<&Path>) -> Started {
        let request = Request::Start {
            name: Some(name.into()),
            dir: dir.map(PathBuf::from),
            force: false,
            local: false,
            lan: false,
        };
        match self.client("cli").call(&request).unwrap() {
            Reply::Started(started) => started,
            other => panic!("{other:?}"),
        }
    }
}

impl Drop for TestNode {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.stop();
        }
    }
}

/// An invitation that says at most how long it lasts.
pub fn invite(expires_s: Option<u64>) -> Request {
    Request::Invite { room: None, expires_s, uses: None, role: None, approve: false }
}

pub fn hello(surface: &str, cwd: Option<&Path>) -> Hello {
    Hello {
        api: API_VERSION,
        version: VERSION.into(),
        surface: surface.into(),
        cwd: cwd.map(PathBuf::from),
        ..Hello::default()
    }
}

pub fn client(home: &Home, hello: Hello) -> Client {
    Client::new(home, hello).unwrap().with_timeout(PATIENCE)
}

pub fn send(client: &mut Client, room: Option<&str>, text: &str, request_id: &str) -> Sent {
    let request = Request::Send {
        to: None,
        room: room.map(str::to_owned),
        text: text.into(),
        request_id: request_id.into(),
        priority: parlor_api::Priority::Normal,
        form: None,
        wait_ms: 0,
    };
    match client.call(&request).unwrap() {
        Reply::Sent(sent) => sent,
        other => panic!("{other:?}"),
    }
}

pub fn log_of(client: &mut Client, room: Option<&str>) -> Vec<Message> {
    let request = Request::Log { room: room.map(str::to_owned), limit: None, since_ms: None, follow: false };
    let mut messages = Vec::new();
    let reply = client.stream(&request, &parlor_api::Cancel::default(), |event| {
        let parlor_api::Event::Message(message) = event else { panic!("{event:?}") };
        messages.push(message);
    });
    assert_eq!(reply.unwrap(), Reply::Done);
    messages
}

pub fn texts(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.text.as_str()).collect()
}

/// One call of Claude Code's hook.
pub fn hook_request(event: &str, session: &str, cwd: &Path, env: &[(&str, &str)]) -> Request {
    let stdin = serde_json::json!({
        "session_id": session, "cwd": cwd, "hook_event_name": event, "source": "startup", "reason": "other",
        "prompt": "never kept",
    });
    let env = env.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect::<BTreeMap<_, _>>();
    Request::Hook { program: "claude".into(), stdin: stdin.to_string(), env, parent_pid: None, idle: false }
}

/// Asks as the hook asks; what it is given is committed only if asked for.
pub fn hook(client: &mut Client, event: &str, session: &str, cwd: &Path) -> Hook {
    hook_in(client, event, session, cwd, &[])
}

pub fn hook_in(client: &mut Client, event: &str, session: &str, cwd: &Path, env: &[(&str, &str)]) -> Hook {
    match client.call(&hook_request(event, session, cwd, env)).unwrap() {
        Reply::Hook(hook) => hook,
        other => panic!("{other:?}"),
    }
}

/// What a hook's answer puts before the model.
pub fn injected(hook: &Hook) -> String {
    if hook.stdout.is_empty() {
        return String::new();
    }
    let value: serde_json::Value = serde_json::from_str(&hook.stdout).unwrap();
    value["hookSpecificOutput"]["additionalContext"].as_str().unwrap().to_owned()
}

pub fn commit(client: &mut Client, hook: &Hook) {
    let reply = client.call(&Request::Commit { token: hook.token.expect("something was given") });
    assert_eq!(reply.unwrap(), Reply::Done);
}

/// A whole hook: asks, is answered, says so. What the model is given.
pub fn whole_hook(node: &TestNode, event: &str, session: &str, cwd: &Path) -> String {
    let mut client = node.client("hook");
    let hook = hook(&mut client, event, session, cwd);
    if hook.token.is_some() {
        commit(&mut client, &hook);
    }
    injected(&hook)
}

/// Asks again and again until the answer is what is waited for: for what other processes bring about.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(10)); // sleep: the other process is looked at again and again
    }
}

/// The node as a process of its own; killed if it is not gone by itself.
pub struct NodeProcess {
    pub child: std::process::Child,
}

/// The example program beside the test programs.
pub fn bare_node() -> PathBuf {
    example("bare_node")
}

fn example(name: &str) -> PathBuf {
    let this = std::env::current_exe().unwrap();
    let found = this.ancestors().map(|dir| dir.join("examples").join(name)).find(|path| path.is_file());
    found.expect("cargo builds the examples with the tests")
}

/// An agent program: a process of its own that asks the node. Killed at the end.
pub struct Agent {
    child: std::process::Child,
    answers: std::io::Lines<std::io::BufReader<std::process::ChildStdout>>,
}

impl Agent {
    pub fn start(home: &Home, dir: &Path) -> Self {
        use std::io::BufRead;
        let mut command = std::process::Command::new(example("bare_agent"));
        command.arg(home.dir()).arg(dir);
        let piped = std::process::Stdio::piped;
        let mut child = command.stdin(piped()).stdout(piped()).spawn().unwrap();
        let answers = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, answers }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks on one of its surfaces; `env` is told when that surface connects.
    pub fn ask_in(
        &mut self,
        surface: &str,
        env: &[(&str, &str)],
        request: &Request,
    ) -> Result<Reply, parlor_api::ApiError> {
        let env: BTreeMap<_, _> = env.iter().copied().collect();
        let line = serde_json::json!({ "surface": surface, "env": env, "request": request });
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
        let answer = self.answers.next().expect("the agent answers").unwrap();
        let mut answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        match answer.get_mut("ok") {
            Some(ok) => Ok(serde_json::from_value(ok.take()).unwrap()),
            None => Err(serde_json::from_value(answer["error"].take()).unwrap()),
        }
    }

    pub fn ask(&mut self, surface: &str, request: &Request) -> Result<Reply, parlor_api::ApiError> {
        self.ask_in(surface, &[], request)
    }

    /// Runs its hook, as Claude Code does: what it is given is committed and returned.
    pub fn hook(&mut self, event: &str, session: &str, dir: &Path) -> String {
        let pid = self.pid().to_string();
        self.hook_of(event, session, dir, &pid)
    }

    /// The same, saying that this process runs the session.
    pub fn hook_of(&mut self, event: &str, session: &str, dir: &Path, pid: &str) -> String {
        let request = hook_request(event, session, dir, &[("CLAUDE_PID", pid)]);
        let Ok(Reply::Hook(hook)) = self.ask("hook", &request) else { panic!("the hook was refused") };
        if let Some(token) = hook.token {
            assert_eq!(self.ask("hook", &Request::Commit { token }), Ok(Reply::Done));
        }
        injected(&hook)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

impl NodeProcess {
    pub fn spawn(exe: &Path, home: &Home) -> Self {
        use std::io::BufRead;
        let mut command = std::process::Command::new(exe);
        let mut child = command.arg(home.dir()).stdout(std::process::Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        std::io::BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Self { child }
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
