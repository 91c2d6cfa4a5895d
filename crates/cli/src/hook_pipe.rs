//! The hook: hands what an agent program says to the node, writes what it is answered, and says so. It knows
//! nothing of agent programs, reads no setting, logs nothing, and fails silently: the prompt of a human goes on
//! whatever happens here. It is compiled into both binaries, so it must stay with std and the blocking client.

use std::ffi::OsString;
use std::io::{IsTerminal, Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use parlor_api::caller::{forwarded, parent_pid};
use parlor_api::paths::Home;
use parlor_api::{API_VERSION, Cancel, Client, ClientError, ErrorKind, HOOK_WAIT_MS, Hello, Reply, Request};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// The most the agent program may say. What is longer is not understood anyway, and the prompt goes on without us.
const STDIN_LIMIT_BYTES: usize = 1024 * 1024;
const DEFAULT_PROGRAM: &str = "claude";
/// What a node started in the background keeps of the environment: where it is and how it speaks, no credentials.
const NODE_ENV: [&str; 7] = ["HOME", "PATH", "LANG", "TZ", "PARLOR_HOME", "USER", "LOGNAME"];

/// What the hook ends with to wake a session. At a prompt it would block the human, so only a hook that waits does.
const WAKE_EXIT: u8 = 2;
/// How often a hook that waits looks whether its session still runs.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Between two attempts to reach a node that is gone.
const RETRY_EVERY: Duration = Duration::from_secs(5);

/// What the arguments say: `[--home DIR] [PROGRAM] [--idle]`.
#[derive(Debug, PartialEq, Eq)]
struct Args {
    home: Option<PathBuf>,
    program: String,
    /// It waits beside an idle session.
    idle: bool,
}

/// Runs the hook with its arguments.
pub fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    let args = read_args(args);
    if args.idle {
        return if wait(args) == Some(true) { ExitCode::from(WAKE_EXIT) } else { ExitCode::SUCCESS };
    }
    // Whatever went wrong, the agent program must not hear of it.
    _ = attempt(args, Instant::now() + Duration::from_millis(HOOK_WAIT_MS));
    ExitCode::SUCCESS
}

fn attempt(args: Args, deadline: Instant) -> Option<()> {
    let home = Home::find(args.home.as_deref()).ok()?;
    let request = request(args, deadline)?;
    let given = give(&home, &request, deadline, &mut Patient { deadline });
    if matches!(given, Err(ClientError::NotRunning(_))) && home.identity().exists() {
        let parlor = std::env::current_exe().ok()?.with_file_name("parlor");
        // Whoever waits for it is the next prompt, not this one.
        node_in_background(&parlor, &home).stdout(Stdio::null()).spawn().ok()?;
    }
    Some(())
}

fn request(args: Args, deadline: Instant) -> Option<Request> {
    let stdin = read_stdin(deadline)?;
    Some(Request::Hook {
        program: args.program,
        stdin: String::from_utf8_lossy(&stdin).into_owned(),
        env: forwarded(parlor_agents::HOOK_ENV),
        parent_pid: parent_pid(),
        idle: args.idle,
    })
}

/// Waits until there is something to wake the session for, for as long as the session runs; whether it was written.
fn wait(args: Args) -> Option<bool> {
    let home = Home::find(args.home.as_deref()).ok()?;
    let request = request(args, Instant::now() + Duration::from_millis(HOOK_WAIT_MS))?;
    let session = SessionProcess::find();
    let watched = session.clone();
    std::thread::spawn(move || {
        while watched.lives() {
            std::thread::sleep(LOOK_EVERY);
        }
        // Nobody is there to be woken: what was not written is not committed, and waits.
        std::process::exit(0);
    });
    loop {
        match give_waking(&home, &request, &mut std::io::stderr()) {
            Ok(woken) => return Some(woken),
            Err(error) if is_passing(&error) && session.lives() => std::thread::sleep(RETRY_EVERY),
            Err(_) => return None,
        }
    }
}

/// Whether a node may be there again: also one that says that it is stopping.
fn is_passing(error: &ClientError) -> bool {
    let refused = matches!(error, ClientError::Refused(refused) if refused.kind == ErrorKind::Machine);
    refused || error.is_passing()
}

/// The process whose session waits: the one its agent program names, else the hook's parent.
#[derive(Clone)]
struct SessionProcess {
    named: Option<rustix::process::Pid>,
    parent: Option<u32>,
}

impl SessionProcess {
    fn find() -> Self {
        let of =
            |name: &&str| std::env::var(name).ok()?.parse().ok().and_then(rustix::process::Pid::from_raw);
        Self { named: ["CLAUDE_PID", "OPENCODE_PID"].iter().find_map(of), parent: parent_pid() }
    }

    fn lives(&self) -> bool {
        match self.named {
            Some(pid) => rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH),
            // Whoever has lost its parent is given another.
            None => self.parent.is_some() && parent_pid() == self.parent,
        }
    }
}

/// Asks without an end, writes the answer if it is to wake, and only then says that it was written.
fn give_waking(home: &Home, request: &Request, out: &mut impl Write) -> Result<bool, ClientError> {
    let mut client = Client::new(home, hello())?;
    let Reply::Hook(answer) = client.stream(request, &Cancel::default(), |_| ())? else { return Ok(false) };
    if !answer.wake || out.write_all(answer.stdout.as_bytes()).and_then(|()| out.flush()).is_err() {
        return Ok(false);
    }
    // It is written, whatever becomes of the commit: to ask again would write it twice.
    _ = answer.token.map(|token| client.post(&Request::Commit { token }));
    Ok(true)
}

/// Asks, writes the answer, and only then says that it was written.
fn give(home: &Home, request: &Request, deadline: Instant, out: &mut impl Write) -> Result<(), ClientError> {
    let left = deadline.saturating_duration_since(Instant::now());
    let mut client = Client::new(home, hello())?.with_timeout(left);
    let Reply::Hook(answer) = client.call_once(request, deadline)? else { return Ok(()) };
    if answer.wake || out.write_all(answer.stdout.as_bytes()).and_then(|()| out.flush()).is_err() {
        return Ok(());
    }
    answer.token.map_or(Ok(()), |token| client.post(&Request::Commit { token }))
}

/// Stdout, written to while there is time. What reads the other end may have stopped reading; the prompt goes on
/// all the same, and what was not written is not committed.
struct Patient {
    deadline: Instant,
}

impl Write for Patient {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if is_nowhere() {
            return Err(std::io::ErrorKind::BrokenPipe.into());
        }
        let (text, written) = (bytes.to_vec(), std::sync::mpsc::sync_channel(1));
        std::thread::spawn(move || {
            let mut out = std::io::stdout().lock();
            _ = written.0.send(out.write_all(&text).and_then(|()| out.flush()));
        });
        let left = self.deadline.saturating_duration_since(Instant::now());
        let outcome = written.1.recv_timeout(left).map_err(|_| std::io::ErrorKind::TimedOut)?;
        outcome.map(|()| bytes.len())
    }

    /// Every write is flushed.
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Whether stdout is the null device: also what a closed stdout is opened as at start. Nobody reads there.
fn is_nowhere() -> bool {
    use std::os::unix::fs::MetadataExt;
    let out = std::io::stdout().as_fd().try_clone_to_owned().map(std::fs::File::from);
    let device =
        |metadata: std::io::Result<std::fs::Metadata>| metadata.map(|of| (of.rdev(), of.mode())).ok();
    let null = device(std::fs::metadata("/dev/null"));
    null.is_some() && out.ok().and_then(|out| device(out.metadata())).map(|of| of.0) == null.map(|of| of.0)
}

fn hello() -> Hello {
    // A hook makes nobody start again, sits at no terminal, and its variables are in the request.
    Hello {
        api: API_VERSION,
        version: env!("CARGO_PKG_VERSION").into(),
        surface: "hook".into(),
        cwd: std::env::current_dir().ok(),
        parent_pid: parent_pid(),
        ..Hello::default()
    }
}

/// The command that starts a node of `home` in the background. The caller says where its stdout goes.
pub fn node_in_background(parlor: &Path, home: &Home) -> Command {
    let mut command = Command::new(parlor);
    command.arg("--home").arg(home.dir()).args(["node", "run", "--background"]);
    command.env_clear().envs(NODE_ENV.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    command.current_dir("/").stdin(Stdio::null()).stderr(Stdio::null());
    command
}

fn read_args(mut args: impl Iterator<Item = OsString>) -> Args {
    let mut read = Args { home: None, program: DEFAULT_PROGRAM.to_owned(), idle: false };
    while let Some(arg) = args.next() {
        let Some(text) = arg.to_str() else { continue };
        if text == "--home" {
            read.home = args.next().map(PathBuf::from);
        } else if let Some(dir) = text.strip_prefix("--home=") {
            read.home = Some(dir.into());
        } else if text == "--idle" {
            read.idle = true;
        } else if !text.starts_with('-') {
            read.program = text.to_owned();
        }
    }
    read
}

/// All of stdin; none when it is a terminal, does not end in time, or holds too much.
fn read_stdin(deadline: Instant) -> Option<Vec<u8>> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return None;
    }
    read_all(stdin.lock(), deadline)
}

fn read_all(mut input: impl Read + AsFd, deadline: Instant) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut part = [0; 16 * 1024];
    loop {
        let left = deadline.checked_duration_since(Instant::now())?;
        let left = Timespec::try_from(left).ok()?;
        let ready = poll(&mut [PollFd::new(&input, PollFlags::IN)], Some(&left));
        if ready.ok()? == 0 {
            return None;
        }
        match input.read(&mut part).ok()? {
            0 => return Some(bytes),
            read if bytes.len() + read > STDIN_LIMIT_BYTES => return None,
            read => bytes.extend_from_slice(&part[..read]),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::thread::JoinHandle;

    use super::*;

    const HELLO: &str = r#"{"hello":{"api":1,"version":"0","pid":7}}"#;

    /// A node that reads hello and request, says `answer`, and returns all it was told.
    fn node(answer: &'static str) -> (tempfile::TempDir, Home, JoinHandle<Vec<String>>) {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path());
        let listener = UnixListener::bind(home.socket().unwrap()).unwrap();
        let thread = std::thread::spawn(move || {
            let mut stream = BufReader::new(listener.accept().unwrap().0);
            let mut heard = vec![String::new(), String::new()];
            heard.iter_mut().for_each(|line| _ = stream.read_line(line).unwrap());
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
            heard.extend(stream.lines().map_while(Result::ok));
            heard
        });
        (dir, home, thread)
    }

    fn answer(text: &str) -> &'static str {
        format!("{HELLO}\n{{\"id\":1,\"ok\":{{\"hook\":{{\"stdout\":{text:?},\"token\":5}}}}}}\n").leak()
    }

    fn request() -> Request {
        Request::Hook {
            program: "claude".into(),
            stdin: "{}".into(),
            env: Default::default(),
            parent_pid: None,
            idle: false,
        }
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(HOOK_WAIT_MS)
    }

    /// Somebody who has hung up, or whose disk is full.
    struct Deaf;

    impl Write for Deaf {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// Somebody who takes all of it and then fails to pass it on.
    struct Forgetful;

    impl Write for Forgetful {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
    }

    #[test]
    fn what_was_written_out_is_committed() {
        let (_dir, home, node) = node(answer("bob said hello"));
        let mut out = Vec::new();
        give(&home, &request(), soon(), &mut out).unwrap();
        assert_eq!(out, b"bob said hello");
        assert_eq!(node.join().unwrap()[2..], [r#"{"id":2,"do":"commit","token":5}"#]);
    }

    #[test]
    fn wound_01_marked_delivered_before_it_was_written_out() {
        for lost in [&mut Deaf as &mut dyn FailingWrite, &mut Forgetful] {
            let (_dir, home, node) = node(answer("bob said hello"));
            lost.give(&home);
            assert_eq!(node.join().unwrap().len(), 2, "only hello and request, no commit");
        }
    }

    trait FailingWrite {
        fn give(&mut self, home: &Home);
    }

    impl<W: Write> FailingWrite for W {
        fn give(&mut self, home: &Home) {
            give(home, &request(), soon(), self).unwrap();
        }
    }

    #[test]
    fn wound_01_half_an_answer_is_neither_written_nor_committed() {
        let whole = answer("bob said hello");
        for cut in [0, HELLO.len(), HELLO.len() + 1, whole.len() - 1] {
            let dir = tempfile::tempdir().unwrap();
            let home = Home::at(dir.path());
            let listener = UnixListener::bind(home.socket().unwrap()).unwrap();
            let node = std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                stream.write_all(&whole.as_bytes()[..cut]).unwrap();
                stream.shutdown(std::net::Shutdown::Write).unwrap();
                BufReader::new(stream).lines().map_while(Result::ok).count()
            });
            let mut out = Vec::new();
            assert!(give(&home, &request(), soon(), &mut out).is_err());
            assert!(out.is_empty());
            assert_eq!(node.join().unwrap(), 2);
        }
    }

    #[test]
    fn a_node_that_is_slow_or_absent_costs_the_prompt_no_more_than_its_budget() {
        let (_dir, home, node) = node("");
        let begun = Instant::now();
        let deadline = begun + Duration::from_millis(50);
        let given = give(&home, &request(), deadline, &mut Vec::new());
        assert!(matches!(given, Err(ClientError::TimedOut { .. })));
        assert!(begun.elapsed() >= Duration::from_millis(50));
        node.join().unwrap();
        std::fs::remove_file(home.socket().unwrap()).unwrap();
        let given = give(&home, &request(), soon(), &mut Vec::new());
        assert!(matches!(given, Err(ClientError::NotRunning(_))));
    }

    #[test]
    fn stdin_is_read_whole_within_its_limit_and_its_time() {
        let feed = |bytes: usize, end: bool| {
            let (near, mut far) = UnixStream::pair().unwrap();
            let writer = std::thread::spawn(move || {
                // Nobody may be there to take the rest.
                _ = far.write_all(&vec![b'x'; bytes]);
                (!end).then_some(far)
            });
            let read = read_all(&near, Instant::now() + Duration::from_millis(500));
            drop(near);
            drop(writer.join().unwrap());
            read.map(|bytes| bytes.len())
        };
        assert_eq!(feed(0, true), Some(0));
        assert_eq!(feed(STDIN_LIMIT_BYTES, true), Some(STDIN_LIMIT_BYTES));
        assert_eq!(feed(STDIN_LIMIT_BYTES + 1, true), None);
        assert_eq!(feed(10, false), None);
    }

    #[test]
    fn arguments_name_home_and_program_in_any_order() {
        let read = |args: &[&str]| {
            let read = read_args(args.iter().map(OsString::from));
            (read.home, read.program, read.idle)
        };
        assert_eq!(read(&[]), (None, "claude".into(), false));
        assert_eq!(read(&["--home", "/h", "codex"]), (Some("/h".into()), "codex".into(), false));
        assert_eq!(read(&["codex", "--home=/h"]), (Some("/h".into()), "codex".into(), false));
        assert_eq!(read(&["--json", "--home"]), (None, "claude".into(), false));
        assert_eq!(read(&["claude", "--idle", "--home", "/h"]), (Some("/h".into()), "claude".into(), true));
    }

    fn waking() -> &'static str {
        let hook = r#"{"hook":{"stdout":"bob asks","token":5,"wake":true}}"#;
        format!("{HELLO}\n{{\"id\":1,\"ok\":{hook}}}\n").leak()
    }

    #[test]
    fn what_wakes_is_committed_once_written() {
        let (_dir, home, node) = node(waking());
        let mut out = Vec::new();
        assert!(give_waking(&home, &request(), &mut out).unwrap());
        assert_eq!(out, b"bob asks");
        assert_eq!(node.join().unwrap()[2..], [r#"{"id":2,"do":"commit","token":5}"#]);
        let (_dir, home, node) = self::node(waking());
        assert!(!give_waking(&home, &request(), &mut Deaf).unwrap(), "wound 1");
        assert_eq!(node.join().unwrap().len(), 2, "only hello and request, no commit");
    }

    #[test]
    fn what_wakes_and_was_written_is_not_asked_for_again_though_its_commit_fails() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path());
        let listener = UnixListener::bind(home.socket().unwrap()).unwrap();
        let node = std::thread::spawn(move || {
            let mut stream = BufReader::new(listener.accept().unwrap().0);
            (0..2).for_each(|_| _ = stream.read_line(&mut String::new()).unwrap());
            // It dies once it has answered: nobody takes the commit.
            stream.get_mut().write_all(waking().as_bytes()).unwrap();
        });
        let mut out = Dying { node: Some(node), written: Vec::new() };
        assert!(give_waking(&home, &request(), &mut out).unwrap());
        assert_eq!(out.written, b"bob asks");
    }

    /// Somebody who takes the text, and is slower with it than the node with its end.
    struct Dying {
        node: Option<JoinHandle<()>>,
        written: Vec<u8>,
    }

    impl Write for Dying {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            if let Some(node) = self.node.take() {
                node.join().unwrap();
            }
            self.written.write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_hook_that_waits_wakes_for_nothing_else_and_one_at_a_prompt_never_does() {
        let (_dir, home, node) = node(answer("bob said hello"));
        let mut out = Vec::new();
        assert!(!give_waking(&home, &request(), &mut out).unwrap());
        assert_eq!(node.join().unwrap().len(), 2);
        let (_dir, home, node) = self::node(waking());
        give(&home, &request(), soon(), &mut out).unwrap();
        assert_eq!(node.join().unwrap().len(), 2, "it would have blocked the prompt");
        assert!(out.is_empty());
    }

    #[test]
    fn a_hook_that_waits_asks_again_of_a_node_that_is_stopping_and_of_none_that_refuses() {
        let refused = |kind: &str| -> &'static str {
            let error = format!(r#"{{"kind":"{kind}","message":"no"}}"#);
            format!("{HELLO}\n{{\"id\":1,\"error\":{error}}}\n").leak()
        };
        for (kind, passes) in [("machine", true), ("bad_input", false), ("usage", false)] {
            let (_dir, home, node) = node(refused(kind));
            let error = give_waking(&home, &request(), &mut Vec::new()).unwrap_err();
            assert_eq!(is_passing(&error), passes, "{kind}: {error}");
            node.join().unwrap();
        }
    }

    #[test]
    fn wound_31_a_node_in_the_background_gets_no_credentials() {
        let command = node_in_background(Path::new("/opt/parlor"), &Home::at("/h"));
        let args: Vec<_> = command.get_args().map(|arg| arg.to_str().unwrap()).collect();
        assert_eq!(args, ["--home", "/h", "node", "run", "--background"]);
        for (name, _) in command.get_envs() {
            assert!(NODE_ENV.contains(&name.to_str().unwrap()), "{name:?}");
        }
    }
}
