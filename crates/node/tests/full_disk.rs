//! A disk that fills up under a running node: refused is refused, acknowledged is kept, and nothing has to be
//! repaired or started again.
#![allow(clippy::unwrap_used, clippy::expect_used)]
#![cfg(target_os = "linux")]

mod support;

use parlor_api::paths::Home;
use parlor_api::{ClientError, ErrorKind, Priority, Reply, Request};
use parlor_testkit::tmpfs::Tmpfs;
use support::{NodeProcess, bare_node, client, hello, hook, until};

#[test]
fn a_full_disk_refuses_loses_nothing_and_is_got_over_without_a_restart() {
    let disk = Tmpfs::new(16 * 1024).unwrap();
    let home = Home::at(disk.path().join("home"));
    std::fs::create_dir(home.dir()).unwrap();
    std::fs::write(home.config(), "lan = false\n").unwrap();
    let _node = NodeProcess::spawn(&bare_node(), &home);
    let mut cli = client(&home, hello("cli", None));
    cli.call(&Request::Start {
        name: Some("payments".into()),
        dir: Some(disk.path().into()),
        force: false,
        local: false,
        lan: false,
    })
    .unwrap();
    let mut say = |number: u32| {
        let request = Request::Send {
            to: None,
            room: None,
            text: format!("{number} {}", "x".repeat(10_000)),
            request_id: number.to_string(),
            priority: Priority::Normal,
            form: None,
            wait_ms: 0,
        };
        match cli.call(&request) {
            Ok(Reply::Sent(sent)) => Ok(sent.id),
            Err(ClientError::Refused(error)) => Err(error),
            other => panic!("{other:?}"),
        }
    };
    let mut acknowledged = vec![say(0).unwrap()];
    disk.fill(0).unwrap();
    let refused = (1..1_000).find_map(|number| match say(number) {
        Ok(id) => {
            acknowledged.push(id);
            None
        }
        Err(error) => Some((number, error)),
    });
    let (number, error) = refused.expect("the disk is full");
    assert_eq!(error.kind, ErrorKind::Machine);
    assert!(error.message.contains("full") && error.hint.as_deref().unwrap().contains("safe"), "{error:?}");

    let held = |wanted: &[String]| {
        // Who asks in the moment in which a write fails is told so, and asks again.
        let request = Request::Log { room: None, limit: None, since_ms: None, follow: false };
        let mut ids = Vec::new();
        let mut asking = client(&home, hello("cli", None));
        let reply = asking.stream(&request, &parlor_api::Cancel::default(), |event| {
            if let parlor_api::Event::Message(message) = event {
                ids.push(message.id);
            }
        });
        reply.is_ok() && ids == wanted
    };
    until("the log to be readable", || held(&acknowledged).then_some(()));
    let mut prompt = client(&home, hello("hook", None));
    let request = support::hook_request("UserPromptSubmit", "s1", disk.path(), &[]);
    // Given or refused, but answered: the prompt of a human goes on.
    assert!(matches!(prompt.call(&request), Ok(Reply::Hook(_)) | Err(ClientError::Refused(_))));

    disk.release().unwrap();
    let id = until("room on the disk to be used", || say(number).ok());
    assert_eq!(say(number).unwrap(), id, "retried, it is the same message");
    acknowledged.push(id);
    assert!(held(&acknowledged));
    assert!(hook(&mut prompt, "UserPromptSubmit", "s2", disk.path()).token.is_some());
}
