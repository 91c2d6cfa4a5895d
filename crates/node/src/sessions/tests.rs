//! Sessions with real processes and clocks of the tests' own. Nothing here is part of a release.

use super::*;

const ROOM: RoomId = RoomId([1; 32]);

fn sighting(id: &str) -> Sighting<'_> {
    Sighting { program: "claude", id, dir: Path::new("/srv/api"), pid: Some(std::process::id()), room: None }
}

const LEASE_MS: u64 = parlor_wire::limits::LEASE_SECONDS * 1000;

/// Both clocks at once.
fn at(ms: u64) -> Now {
    Now { wall_ms: ms, mono_ms: ms }
}

#[test]
fn the_directory_of_the_first_sight_stays() {
    let mut sessions = Sessions::default();
    let (key, writes) = sessions.see(&sighting("a"), [1; 16], at(1_000));
    assert_eq!((key.as_str(), writes.len()), ("claude:a", 1));
    let later = Sighting { dir: Path::new("/srv/web"), ..sighting("a") };
    let (_, writes) = sessions.see(&later, [2; 16], at(2_000));
    assert!(writes.is_empty(), "nothing that matters has changed");
    assert_eq!(sessions.get(&key).unwrap().dir, Path::new("/srv/api"));
    assert_eq!(sessions.get(&key).unwrap().label(), "api");
    assert_eq!(sessions.see(&later, [2; 16], at(100_000)).1.len(), 1, "it was seen much later");
}

#[test]
fn of_two_in_one_process_the_one_that_goes_on_is_meant() {
    let mut sessions = Sessions::default();
    let (old, _) = sessions.see(&sighting("old"), [1; 16], at(1_000));
    sessions.see(&sighting("new"), [2; 16], at(1_000));
    sessions.see(&sighting("old"), [2; 16], at(2_000));
    assert!(sessions.end(&old).is_some() && sessions.end(&old).is_none());
    let pids = [std::process::id()];
    assert_eq!(sessions.of_processes(&pids).unwrap().id, "new");
    assert!(sessions.of_processes(&[0]).is_none());
    assert_eq!(sessions.of_id("old").unwrap().key(), old);
}

/// Runs until it is killed.
fn process() -> std::process::Child {
    std::process::Command::new("sleep").arg("600").spawn().unwrap()
}

fn end(mut process: std::process::Child) {
    process.kill().unwrap();
    process.wait().unwrap();
}

fn nobody() -> BTreeSet<String> {
    BTreeSet::new()
}

/// What of a lease is told to the rooms, if something is.
fn told(sessions: &mut Sessions, key: &str, now: Now) -> Vec<Option<Option<u64>>> {
    let commands = sessions.announcements(key, &[ROOM], About::default(), now);
    let left = |command| match command {
        Command::Announce { presence, .. } => presence.map(|presence| presence.left_ms),
        other => panic!("{other:?}"),
    };
    commands.into_iter().map(left).collect()
}

#[test]
fn a_killed_agents_session_is_there_for_its_lease_and_not_longer() {
    let mut sessions = Sessions::default();
    let agent = process();
    let seen = Sighting { pid: Some(agent.id()), ..sighting("a") };
    let (key, _) = sessions.see(&seen, [1; 16], at(0));
    assert_eq!(told(&mut sessions, &key, at(0)), [Some(None)]);
    assert!(sessions.look(&nobody(), at(1_000_000)).is_empty(), "its process lives");
    assert!(told(&mut sessions, &key, at(1_000_000)).is_empty());
    end(agent);
    assert!(sessions.look(&nobody(), at(1_010_000)).is_empty());
    assert_eq!(told(&mut sessions, &key, at(1_010_000)), [Some(Some(80_000))], "others are told how long");
    assert!(sessions.look(&nobody(), at(1_089_999)).is_empty());
    assert!(told(&mut sessions, &key, at(1_089_999)).is_empty(), "once");
    assert_eq!(sessions.look(&nobody(), at(1_090_000)), [key]);
}

#[test]
fn resumed_within_its_lease_a_session_never_left() {
    let mut sessions = Sessions::default();
    let (first, second) = (process(), process());
    let seen = |process: &std::process::Child| Sighting { pid: Some(process.id()), ..sighting("a") };
    let (key, _) = sessions.see(&seen(&first), [1; 16], at(0));
    sessions.set_summary(&key, Some("tests".into()));
    sessions.set_status(&key, SessionStatus::Dnd);
    told(&mut sessions, &key, at(0));
    end(first);
    assert!(sessions.look(&nobody(), at(15_000)).is_empty());
    told(&mut sessions, &key, at(15_000));
    sessions.see(&seen(&second), [2; 16], at(80_000));
    assert_eq!(told(&mut sessions, &key, at(80_000)), [Some(None)]);
    assert!(sessions.look(&nobody(), at(900_000)).is_empty());
    let session = sessions.get(&key).unwrap();
    assert_eq!((session.summary.as_deref(), session.handle), (Some("tests"), [1; 16]));
    assert_eq!(sessions.status(&key, at(900_000)), Some(SessionStatus::Dnd));
    end(second);
}

#[test]
fn a_process_of_the_same_number_does_not_keep_a_session() {
    let mut sessions = Sessions::default();
    let (key, _) = sessions.see(&sighting("a"), [1; 16], at(0));
    let session = sessions.by_key.get_mut(&key).unwrap();
    let process = session.process.as_mut().unwrap();
    process.started = process.started.map(|started| started - 1);
    assert_eq!(sessions.look(&nobody(), at(LEASE_MS)), [key]);
}

#[test]
fn an_open_connection_keeps_a_session_and_its_end_begins_the_lease() {
    let mut sessions = Sessions::default();
    let lone = Sighting { pid: None, ..sighting("b") };
    let (key, _) = sessions.see(&lone, [2; 16], at(0));
    let attached = BTreeSet::from([key.clone()]);
    assert!(sessions.look(&attached, at(500_000)).is_empty());
    sessions.left(&key, at(505_000));
    assert!(sessions.look(&nobody(), at(505_000 + LEASE_MS - 1)).is_empty());
    assert_eq!(sessions.look(&nobody(), at(505_000 + LEASE_MS)), [key]);
}

#[test]
fn a_session_that_died_while_no_node_ran_has_what_is_left_of_its_lease() {
    let mut sessions = Sessions::default();
    let agent = process();
    let (_, writes) = sessions.see(&Sighting { pid: Some(agent.id()), ..sighting("a") }, [1; 16], at(5_000));
    end(agent);
    let mut snapshot = Snapshot::default();
    for write in writes {
        let Command::PutRecord { table, key, value: Some(value) } = write else { panic!() };
        snapshot.records.push((table, key, value));
    }
    // A new run: its monotonic clock begins again.
    let mut next = Sessions::restore(&snapshot, Now { wall_ms: 35_000, mono_ms: 0 });
    assert!(next.look(&nobody(), Now { wall_ms: 0, mono_ms: 59_999 }).is_empty());
    assert_eq!(next.look(&nobody(), Now { wall_ms: 0, mono_ms: 60_000 }).len(), 1);
    let mut late = Sessions::restore(&snapshot, Now { wall_ms: 900_000, mono_ms: 0 });
    assert_eq!(late.look(&nobody(), Now { wall_ms: 900_000, mono_ms: 0 }).len(), 1);
}

#[test]
fn what_hooks_tell_is_the_status_until_nobody_knows_and_dnd_stays() {
    use SessionStatus::{Dnd, Idle, Working};
    let mut sessions = Sessions::default();
    let (key, _) = sessions.see(&sighting("a"), [1; 16], at(0));
    assert_eq!(sessions.status(&key, at(0)), None);
    assert!(sessions.hooked(&key, Some(Idle), at(0)).is_some());
    assert_eq!(sessions.status(&key, at(9_000_000)), Some(Idle));
    assert!(sessions.hooked(&key, Some(Working), at(10)).is_none(), "nothing to write down");
    assert_eq!(sessions.status(&key, at(200_000)), Some(Working));
    assert_eq!(sessions.status(&key, at(400_000)), None, "nobody has told of the end of the turn");
    sessions.set_status(&key, Idle);
    assert_eq!(sessions.status(&key, at(400_000)), Some(Idle));
    sessions.hooked(&key, Some(Working), at(500_000));
    assert_eq!(
        sessions.status(&key, at(500_000)),
        Some(Working),
        "a prompt says more than what was said before"
    );
    sessions.set_status(&key, Dnd);
    sessions.hooked(&key, Some(Working), at(600_000));
    assert_eq!(sessions.status(&key, at(600_000)), Some(Dnd));
}

#[test]
fn rooms_are_told_what_is_new_once_and_of_the_end() {
    let mut sessions = Sessions::default();
    let (key, _) = sessions.see(&sighting("a"), [1; 16], at(1_000));
    let mut presences = |change: &dyn Fn(&mut Sessions), branch: Option<&str>| -> Vec<Option<Presence>> {
        change(&mut sessions);
        let commands = sessions.announcements(
            &key,
            &[ROOM],
            About { branch: branch.map(str::to_owned), ..About::default() },
            at(1_000),
        );
        let presence = |command| match command {
            Command::Announce { presence, .. } => presence,
            other => panic!("{other:?}"),
        };
        commands.into_iter().map(presence).collect()
    };
    let first = presences(&|_| (), Some("main"));
    let [Some(first)] = &first[..] else { panic!("{first:?}") };
    assert_eq!((first.directory.as_deref(), first.branch.as_deref()), (Some("api"), Some("main")));
    assert_eq!((first.status, first.threshold), (None, None), "no hook has told anything");
    assert!(presences(&|_| (), Some("main")).is_empty());
    assert_eq!(presences(&|_| (), Some("fix"))[0].as_ref().unwrap().branch.as_deref(), Some("fix"));
    let hooked = |sessions: &mut Sessions| {
        sessions.hooked("claude:a", Some(SessionStatus::Working), at(1_000));
    };
    let working = presences(&hooked, Some("fix")).remove(0).unwrap();
    assert_eq!((working.status, working.threshold), (Some(Status::Working), Some(Priority::Normal)));
    assert!(presences(&hooked, Some("fix")).is_empty());
    let end = |sessions: &mut Sessions| _ = sessions.end("claude:a");
    assert_eq!(presences(&end, None), [None]);
    assert!(presences(&end, None).is_empty());
}

#[test]
fn they_are_bounded_and_come_back_from_the_store() {
    let mut sessions = Sessions::default();
    let mut snapshot = Snapshot::default();
    for number in 0..u64::try_from(MAX_SESSIONS).unwrap() + 5 {
        let (_, writes) = sessions.see(&sighting(&number.to_string()), [1; 16], at(number));
        for write in writes {
            let Command::PutRecord { table, key, value } = write else { panic!() };
            snapshot.records.retain(|(_, known, _)| *known != key);
            snapshot.records.extend(value.map(|value| (table, key, value)));
        }
    }
    assert_eq!(sessions.by_key.len(), MAX_SESSIONS);
    assert!(sessions.of_id("4").is_none() && sessions.of_id("5").is_some());
    assert_eq!(Sessions::restore(&snapshot, at(0)).by_key, sessions.by_key);
}

#[test]
fn a_prompt_soon_after_a_session_was_made_to_go_on_is_no_humans_and_the_next_is() {
    let mut sessions = Sessions::default();
    let (key, _) = sessions.see(&sighting("s1"), [1; 16], at(0));
    assert!(!sessions.is_driven(&key, at(1)), "nothing was said to it");
    sessions.drive(&key, at(1_000));
    assert!(sessions.is_driven(&key, at(60_000)));
    assert!(!sessions.is_driven(&key, at(60_001)), "once");
    sessions.drive(&key, at(100_000));
    assert!(!sessions.is_driven(&key, at(160_000)), "a minute is over");
}
