//! The hook as an agent program runs it: a process that is quiet, quick and always content, whatever the node does.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const HOOK: &str = env!("CARGO_BIN_EXE_parlor-hook");
const PARLOR: &str = env!("CARGO_BIN_EXE_parlor");
const CALL: &[u8] = br#"{"session_id":"s","cwd":"/","hook_event_name":"UserPromptSubmit","prompt":"hi"}"#;
const HELLO: &str = r#"{"hello":{"api":1,"version":"0","pid":7}}"#;
const ANSWER: &str = r#"{"id":1,"ok":{"hook":{"stdout":"{\"given\":1}\n","token":5}}}"#;

/// Both ways an agent program may be told to run the hook.
fn both() -> [Command; 2] {
    let mut whole = Command::new(PARLOR);
    whole.arg("hook");
    [Command::new(HOOK), whole]
}

fn run(mut hook: Command, home: &Path, stdin: &[u8]) -> Output {
    let hook = hook.arg("--home").arg(home).env_remove("PARLOR_HOME");
    let mut child = hook.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It may have had enough before the end.
    _ = child.stdin.take().unwrap().write_all(stdin);
    child.wait_with_output().unwrap()
}

fn assert_content(output: &Output, stdout: &str) {
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(String::from_utf8_lossy(&output.stdout), stdout);
}

#[test]
fn without_a_home_a_node_or_sense_it_is_content_and_silent() {
    let dir = tempfile::tempdir().unwrap();
    let too_long = PathBuf::from(format!("/tmp/{}", "x".repeat(200)));
    for home in [dir.path(), &dir.path().join("none"), &too_long, Path::new(""), Path::new("/dev/null")] {
        for stdin in [CALL, b"", b"\xff\xfe", &[b'x'; (1 << 20) + 1]] {
            for hook in both() {
                assert_content(&run(hook, home, stdin), "");
            }
        }
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "no home is made by a hook");
}

#[test]
fn what_the_node_gives_is_written_and_then_committed() {
    for hook in both() {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("node.sock")).unwrap();
        let node = std::thread::spawn(move || {
            let mut stream = BufReader::new(listener.accept().unwrap().0);
            let mut heard = [String::new(), String::new()];
            heard.iter_mut().for_each(|line| _ = stream.read_line(line).unwrap());
            stream.get_mut().write_all(format!("{HELLO}\n{ANSWER}\n").as_bytes()).unwrap();
            let mut rest = String::new();
            stream.read_to_string(&mut rest).unwrap();
            (heard, rest)
        });
        assert_content(&run(hook, dir.path(), CALL), "{\"given\":1}\n");
        let ([hello, asked], rest) = node.join().unwrap();
        assert!(hello.contains(r#""surface":"hook""#), "{hello}");
        let asked: serde_json::Value = serde_json::from_str(&asked).unwrap();
        assert_eq!((&asked["do"], &asked["program"]), (&"hook".into(), &"claude".into()));
        assert_eq!(asked["stdin"].as_str().unwrap().as_bytes(), CALL);
        assert_eq!(asked["parent_pid"], std::process::id());
        assert_eq!(rest, "{\"id\":2,\"do\":\"commit\",\"token\":5}\n");
    }
}

#[test]
fn wound_01_marked_delivered_before_it_was_written_out() {
    for mut hook in both() {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("node.sock")).unwrap();
        let hook = hook.arg("--home").arg(dir.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = hook.spawn().unwrap();
        child.stdin.take().unwrap().write_all(CALL).unwrap();
        // The agent program has given up on its hook.
        drop(child.stdout.take());
        let mut stream = BufReader::new(listener.accept().unwrap().0);
        let mut line = String::new();
        (0..2).for_each(|_| _ = stream.read_line(&mut line).unwrap());
        stream.get_mut().write_all(format!("{HELLO}\n{ANSWER}\n").as_bytes()).unwrap();
        let mut rest = String::new();
        stream.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "", "no commit of what nobody read");
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn a_node_that_does_not_answer_costs_the_budget_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let _listener = UnixListener::bind(dir.path().join("node.sock")).unwrap();
    let begun = Instant::now();
    assert_content(&run(Command::new(HOOK), dir.path(), CALL), "");
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(290), "it was waited for: {took:?}");
    assert!(took < Duration::from_secs(5), "on a busy machine too: {took:?}");
}

#[test]
fn an_agent_program_that_never_ends_its_call_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let hook =
        Command::new(HOOK).arg("--home").arg(dir.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = hook.unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(CALL).unwrap();
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    assert_eq!((child.wait().unwrap().code(), out.as_str()), (Some(0), ""));
    drop(stdin);
}

/// A `parlor` beside the hook that writes down how it was started.
fn with_fake_parlor(dir: &Path) -> PathBuf {
    let hook = dir.join("parlor-hook");
    std::fs::copy(HOOK, &hook).unwrap();
    let parlor = dir.join("parlor");
    let script =
        "#!/bin/sh\n(echo \"$@\"; pwd; env) > \"$2/started.new\" && mv \"$2/started.new\" \"$2/started\"\n";
    std::fs::write(&parlor, script).unwrap();
    std::fs::set_permissions(&parlor, PermissionsExt::from_mode(0o755)).unwrap();
    hook
}

#[test]
fn a_node_is_started_only_where_somebody_is_somebody_and_gets_no_credentials() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("home");
    std::fs::create_dir(&home).unwrap();
    let hook = with_fake_parlor(dir.path());
    let call = || {
        let mut hook = Command::new(&hook);
        hook.env("ANTHROPIC_API_KEY", "secret").env("CLAUDE_PID", "1");
        hook
    };
    assert_content(&run(call(), &home, CALL), "");
    std::fs::write(home.join("identity.key"), "").unwrap();
    assert_content(&run(call(), &home, CALL), "");
    // The hook has not waited for it; we do.
    let (sender, started) = std::sync::mpsc::channel();
    let path = home.join("started");
    std::thread::spawn(move || {
        while !path.exists() {
            std::thread::yield_now();
        }
        sender.send(std::fs::read_to_string(path).unwrap()).unwrap();
    });
    let started = started.recv_timeout(Duration::from_secs(30)).unwrap();
    assert_eq!(started.lines().next().unwrap(), format!("--home {} node run --background", home.display()));
    assert_eq!(started.lines().nth(1), Some("/"));
    assert!(!started.contains("ANTHROPIC") && !started.contains("CLAUDE"), "{started}");
}
