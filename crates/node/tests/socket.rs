//! The life of a node as seen from its socket and its files: one for each home, ready when it says so, stopped
//! when it says so, and unharmed by whatever is written to it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Instant;

use parlor_api::paths::Home;
use parlor_api::{ApiError, ClientError, ErrorKind, Hello, MAX_LINE_BYTES, Reply, Request};
use parlor_node::{LockError, StartError};
use support::{NodeProcess, PATIENCE, TestNode, bare_node, client, hello, log_of, options, quiet_home, send};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn status(home: &Home) -> Result<parlor_api::Status, ClientError> {
    match client(home, hello("cli", None)).call(&Request::Status)? {
        Reply::Status(status) => Ok(status),
        other => panic!("{other:?}"),
    }
}

fn start_error(home: &Home) -> StartError {
    parlor_node::run(home.clone(), options().0).unwrap_err()
}

/// What is answered to these bytes, to the end of the connection or of patience.
fn answer(home: &Home, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(home.socket().unwrap()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // The node may hang up before it has read all of it.
    _ = stream.write_all(bytes);
    _ = stream.shutdown(std::net::Shutdown::Write);
    let mut text = String::new();
    BufReader::new(stream).read_to_string(&mut text).unwrap_or_default();
    text
}

#[test]
fn what_it_leaves_on_the_disk_is_for_its_owner_only() {
    let mut node = TestNode::start();
    let home = node.home.clone();
    assert_eq!((mode(home.dir()), mode(&home.socket().unwrap())), (0o700, 0o600));
    for file in [home.identity(), home.lock(), home.log(), home.store()] {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    node.stop();
    assert!(!home.socket().unwrap().exists());
}

#[test]
fn wound_22_a_second_node_is_told_which_process_holds_the_home() {
    let node = TestNode::start();
    let error = start_error(&node.home);
    assert!(
        matches!(error, StartError::Lock(LockError::Held { pid: Some(pid) }) if pid == std::process::id())
    );
    let error = ApiError::from(error);
    assert!(
        error.kind == ErrorKind::Machine && error.message.contains(&std::process::id().to_string()),
        "{error}"
    );
    assert!(status(&node.home).is_ok(), "the first one goes on");
}

#[test]
fn wound_41_a_socket_path_too_long_is_an_error_that_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::at(dir.path().join("x".repeat(100)));
    let error = ApiError::from(start_error(&home));
    assert!(error.kind == ErrorKind::Machine && error.message.contains("shorter home"), "{error}");
    assert!(!home.dir().exists(), "nothing was made");
}

#[test]
fn wound_42_stopped_means_gone_and_nothing_is_lost() {
    let mut node = TestNode::start();
    node.start_room("payments", None);
    let mut writer = node.client("cli");
    for number in 0..50 {
        send(&mut writer, None, &number.to_string(), &number.to_string());
    }
    node.stop();
    // Its thread has been joined: the socket is gone and the home is free.
    assert!(matches!(status(&node.home), Err(ClientError::NotRunning(_))));
    node.run();
    assert_eq!(log_of(&mut node.client("cli"), None).len(), 50);
}

#[test]
fn a_signal_stops_it_as_well() {
    let (_dir, home) = quiet_home();
    let mut node = NodeProcess::spawn(&bare_node(), &home);
    let pid = status(&home).unwrap().pid;
    assert_eq!(pid, node.child.id());
    assert!(std::process::Command::new("kill").arg(pid.to_string()).status().unwrap().success());
    assert!(node.child.wait().unwrap().success());
    assert!(!home.socket().unwrap().exists());
}

#[test]
fn a_dead_nodes_socket_and_lock_are_no_obstacle_and_what_was_acknowledged_is_there() {
    let (_dir, home) = quiet_home();
    let mut acknowledged = Vec::new();
    for round in 0..4 {
        let mut node = NodeProcess::spawn(&bare_node(), &home);
        let mut person = client(&home, Hello { terminal: true, ..hello("cli", None) });
        if round == 0 {
            person
                .call(&Request::Start {
                    name: Some("payments".into()),
                    dir: None,
                    force: false,
                    local: false,
                    lan: false,
                })
                .unwrap();
        }
        let (tell, told) = std::sync::mpsc::channel();
        let home = home.clone();
        let writing = std::thread::spawn(move || {
            for number in 0.. {
                let text = format!("{round}-{number}");
                let request = Request::Send {
                    to: None,
                    room: None,
                    text: text.clone(),
                    request_id: text,
                    priority: parlor_api::Priority::Normal,
                    form: None,
                    wait_ms: 0,
                };
                match client(&home, hello("cli", None)).call(&request) {
                    Ok(Reply::Sent(sent)) => tell.send(sent.id).unwrap(),
                    _ => return,
                }
            }
        });
        acknowledged.extend((0..20).map(|_| told.recv_timeout(PATIENCE).unwrap()));
        node.child.kill().unwrap();
        node.child.wait().unwrap();
        writing.join().unwrap();
        acknowledged.extend(told.try_iter());
    }
    let _node = NodeProcess::spawn(&bare_node(), &home);
    let held: Vec<String> =
        log_of(&mut client(&home, hello("cli", None)), None).into_iter().map(|message| message.id).collect();
    let missing: Vec<&String> = acknowledged.iter().filter(|id| !held.contains(id)).collect();
    assert!(missing.is_empty(), "{} of {} are missing", missing.len(), acknowledged.len());
}

#[test]
fn a_newer_client_is_served_by_its_own_program_within_five_seconds() {
    let (dir, home) = quiet_home();
    let beside = tempfile::tempdir_in(dir.path().parent().unwrap()).unwrap();
    let newer = beside.path().join("bare_node-0.2.0");
    std::fs::copy(bare_node(), &newer).unwrap();
    std::fs::set_permissions(&newer, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut node = NodeProcess::spawn(&bare_node(), &home);
    let old = status(&home).unwrap();
    assert_eq!(old.version, "0.1.0");
    let hook = Hello { version: "0.2.0".into(), exe: Some(newer.clone()), ..hello("hook", None) };
    client(&home, hook).call(&Request::Status).unwrap();
    assert_eq!(status(&home).unwrap().since, old.since, "a hook makes nobody start again");

    let begun = Instant::now();
    let cli = Hello { version: "0.2.0".into(), exe: Some(newer), ..hello("cli", None) };
    let Reply::Status(new) = client(&home, cli).call(&Request::Status).unwrap() else { panic!() };
    assert!(begun.elapsed().as_secs() < 5);
    assert_eq!((new.version.as_str(), new.pid), ("0.2.0", node.child.id()));
    assert_eq!(client(&home, hello("cli", None)).call(&Request::Stop).unwrap(), Reply::Done);
    assert!(node.child.wait().unwrap().success());
}

#[test]
fn where_no_newer_program_is_to_be_had_it_starts_again_once_and_serves() {
    let (_dir, home) = quiet_home();
    let _node = NodeProcess::spawn(&bare_node(), &home);
    let newer = Hello { version: "0.2.0".into(), exe: Some("/nowhere/at/all".into()), ..hello("cli", None) };
    for _ in 0..2 {
        let Reply::Status(status) = client(&home, newer.clone()).call(&Request::Status).unwrap() else {
            panic!()
        };
        assert_eq!(status.version, "0.1.0");
    }
}

#[test]
fn garbage_is_answered_and_a_line_without_end_is_not_held() {
    let node = TestNode::start();
    for garbage in [&b"hello\n"[..], b"\xff\xfe\n", b"{}\n", b"{\"id\":1,\"do\":\"status\"}\n"] {
        let said = answer(&node.home, garbage);
        assert!(said.contains("\"error\"") && said.contains("hello"), "{said}");
    }
    let greeting =
        serde_json::to_string(&parlor_api::ClientLine::Hello { hello: hello("cli", None) }).unwrap();
    let said =
        answer(&node.home, format!("{greeting}\n{{\"id\":7,\"do\":\"dance\"}}\nnonsense\n").as_bytes());
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[1].contains("\"id\":7") && lines[1].contains("usage"), "{said}");
    assert!(lines[2].contains("\"id\":0") && lines[2].contains("usage"), "{said}");

    let before_kib = resident_kib();
    let said = answer(&node.home, &vec![b'x'; 200 * 1024 * 1024]);
    assert!(said.is_empty() || said.contains(&MAX_LINE_BYTES.to_string()), "{said}");
    // The text itself was this test's; the node has at most a line of it.
    assert!(resident_kib() < before_kib + 64 * 1024, "{} KiB before, {} after", before_kib, resident_kib());
    assert!(status(&node.home).is_ok());
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn other_interfaces_are_refused_with_which_side_to_update() {
    let node = TestNode::start();
    let newer = Hello { api: parlor_api::API_VERSION + 1, ..hello("cli", None) };
    match client(&node.home, newer).call(&Request::Status) {
        Err(ClientError::Refused(error)) => assert!(error.message.contains("node is too old"), "{error}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_client_that_does_not_read_holds_up_nobody() {
    let node = TestNode::start();
    node.start_room("payments", None);
    let mut writer = node.client("cli");
    let text = "x".repeat(60_000);
    for number in 0..40 {
        send(&mut writer, None, &text, &number.to_string());
    }
    let deaf = asks_for_logs_and_does_not_read(&node.home, 10, true);
    for number in 0..40 {
        send(&mut writer, None, &text, &format!("more-{number}"));
    }
    assert_eq!(log_of(&mut writer, None).len(), 80);
    let mut first = String::new();
    BufReader::new(&deaf).read_line(&mut first).unwrap();
    assert!(first.contains("hello"), "it was being served all the while");
}

fn asks_for_logs_and_does_not_read(home: &Home, logs: usize, follow: bool) -> UnixStream {
    let mut deaf = UnixStream::connect(home.socket().unwrap()).unwrap();
    let greeting =
        serde_json::to_string(&parlor_api::ClientLine::Hello { hello: hello("cli", None) }).unwrap();
    let mut lines = format!("{greeting}\n");
    for id in 1..=logs {
        lines += &format!("{{\"id\":{id},\"do\":\"log\",\"follow\":{follow}}}\n");
    }
    deaf.write_all(lines.as_bytes()).unwrap();
    deaf
}

#[test]
fn many_clients_that_do_not_read_hold_up_nobody_and_cost_a_page_each() {
    let mut node = TestNode::start();
    node.start_room("payments", None);
    let mut writer = node.client("cli");
    let text = "x".repeat(60_000);
    for number in 0..200 {
        send(&mut writer, None, &text, &number.to_string());
    }
    let before_kib = resident_kib();
    let deaf: Vec<UnixStream> =
        (0..8).map(|_| asks_for_logs_and_does_not_read(&node.home, 32, false)).collect();
    assert_eq!(log_of(&mut node.client("cli"), None).len(), 200);
    send(&mut writer, None, "still here", "last");
    // Whole, the logs asked for are 3 GB, and one for each client 96 MB.
    let grown_kib = resident_kib().saturating_sub(before_kib);
    assert!(grown_kib < 90 * 1024, "{grown_kib} KiB");
    // Nor do they keep it from ending.
    node.stop();
    drop(deaf);
}

#[test]
fn a_node_whose_socket_was_removed_ends_and_frees_the_home() {
    let mut node = TestNode::start();
    node.start_room("payments", None);
    send(&mut node.client("cli"), None, "kept", "kept");
    std::fs::remove_file(node.home.socket().unwrap()).unwrap();
    assert!(matches!(node.ended(), Err(StartError::Lost(path)) if path == node.home.socket().unwrap()));
    node.run();
    assert_eq!(log_of(&mut node.client("cli"), None).len(), 1);
}

#[test]
fn a_node_whose_home_was_moved_ends_and_goes_on_where_it_is_now() {
    let mut node = TestNode::start();
    node.start_room("payments", None);
    send(&mut node.client("cli"), None, "kept", "kept");
    let (old, new) = (node.home.clone(), Home::at(node.home.dir().with_extension("moved")));
    std::fs::rename(old.dir(), new.dir()).unwrap();
    assert!(matches!(node.ended(), Err(StartError::Lost(_))));
    assert!(!old.dir().exists(), "nothing is made where it was");
    node.home = new.clone();
    node.run();
    assert_eq!(log_of(&mut node.client("cli"), None).len(), 1);
    node.stop();
    std::fs::rename(new.dir(), old.dir()).unwrap();
}

#[test]
fn a_corrupt_file_is_refused_and_left_as_it_is() {
    let (_dir, home) = quiet_home();
    std::fs::write(home.config(), "nick = \n").unwrap();
    let error = ApiError::from(start_error(&home));
    assert!(error.kind == ErrorKind::BadInput && error.message.contains("line 1"), "{error}");
    std::fs::remove_file(home.config()).unwrap();
    std::fs::write(home.identity(), "no key\n").unwrap();
    let error = start_error(&home);
    assert!(matches!(error, StartError::Identity(_)), "{error}");
    assert_eq!(std::fs::read_to_string(home.identity()).unwrap(), "no key\n");
    std::fs::remove_file(home.identity()).unwrap();
    std::fs::write(home.store(), "no store at all, but long enough to be looked at").unwrap();
    let error = start_error(&home);
    assert!(matches!(error, StartError::Identity(_)), "no stranger in the place of a lost key: {error}");
    assert!(!home.identity().exists());
    std::fs::remove_file(home.store()).unwrap();
    let mut node = TestNode::start();
    node.stop();
    let home = node.home.clone();
    std::fs::write(home.store(), "no store at all, but long enough to be looked at").unwrap();
    let error = start_error(&home);
    assert!(matches!(error, StartError::Store(_)), "{error}");
    assert!(ApiError::from(error).hint.is_some());
}
