//! What the verifier of exports vouches for: a file as its exporter made it, and nothing that was changed, cut, moved or put
//! together.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../../fuzz/targets/export.rs"]
mod fuzz_export;

use fuzz_export::verify;
use parlor_core::engine::Engine;
use parlor_core::engine::api::{Author, Command, Effect, Event, Now, Outcome, Priority, Send};
use parlor_core::export::{Head, Rules, Verified, Writer};
use parlor_core::persist::{DataRow, Loaded, Op, Snapshot};
use parlor_wire::{RoomId, domain};
use proptest::prelude::*;

const NOW: Now = Now { wall_ms: 1_795_176_309_123, mono_ms: 0 };

/// An engine, and what it has written down.
struct Alone {
    engine: Engine,
    rows: Vec<DataRow>,
    room: RoomId,
}

impl Alone {
    fn new(secret: u8) -> Self {
        let (engine, _) = Engine::restore(NOW, &[secret; 32], [secret; 32], "alice", Snapshot::default());
        let mut alone = Self { engine, rows: Vec::new(), room: RoomId([0; 32]) };
        let start = Command::Start {
            name: "payments".into(),
            reach: parlor_core::engine::api::Reach::Here,
            expires: None,
            endpoints: Vec::new(),
        };
        let Some(Outcome::Started { room, .. }) = alone.ask(start) else { panic!("not started") };
        alone.room = room;
        alone
    }

    fn ask(&mut self, command: Command) -> Option<Outcome> {
        let mut outcome = None;
        let mut effects = self.engine.handle(NOW, Event::Command { request: 1, command });
        while !effects.is_empty() {
            for effect in std::mem::take(&mut effects) {
                match effect {
                    Effect::Persist(ops) => self.rows.extend(ops.into_iter().filter_map(|op| match op {
                        Op::PutData(row) => Some(row),
                        _ => None,
                    })),
                    Effect::Load { token, .. } => {
                        let loaded = Some(Loaded::Record(None));
                        effects.extend(self.engine.handle(NOW, Event::Loaded { token, loaded }));
                    }
                    Effect::Reply { outcome: ended, .. } => outcome = Some(ended.unwrap()),
                    _ => {}
                }
            }
        }
        outcome
    }

    fn say(&mut self, text: &str) {
        let send = Send {
            room: self.room,
            text: text.into(),
            request_id: text.into(),
            priority: Priority::Normal,
            author: Author::Human,
            origin: None,
            label: None,
            to: None,
            peers: Vec::new(),
            tags: Vec::new(),
            form: None,
            ask: None,
            about: None,
            file: None,
            wait_ms: 0,
        };
        assert!(matches!(self.ask(Command::Send(send)), Some(Outcome::Sent(_))));
    }

    /// An export, a line each; of the entries whose place `opens` names the text is in it.
    fn export(&self, opens: impl Fn(u64) -> bool) -> Vec<Vec<u8>> {
        let (control, _) = self.engine.export_control(&self.room).unwrap();
        let mut rules = Rules::new(self.room);
        control.into_iter().for_each(|entry| assert!(rules.take(entry)));
        rules.settle();
        let sign = |domain: &[u8], message: &[u8]| self.engine.sign_export(domain, message);
        let head = Head {
            room: self.room,
            room_name: "payments".into(),
            exporter: self.engine.me(),
            time_ms: NOW.wall_ms,
            since_ms: None,
        };
        let (mut writer, first) = Writer::begin(&head, sign);
        let mut lines = vec![first];
        lines.extend(writer.control(&rules).collect::<Vec<_>>());
        for row in &self.rows {
            let (data, key) = self.engine.export_entry(row).unwrap();
            let key = key.filter(|_| opens(row.seq));
            lines.push(writer.data(&data, &self.engine.me(), key.as_deref()));
        }
        lines.push(writer.end(sign).1);
        lines
    }
}

fn alice() -> Alone {
    let mut alice = Alone::new(1);
    ["postgres, we have it", "two\nlines \u{202e}\u{1b}[2J", "last"]
        .into_iter()
        .for_each(|text| alice.say(text));
    alice
}

fn sound(lines: &[Vec<u8>]) -> Verified {
    verify(&lines.concat()).unwrap()
}

/// In which line something is found to be wrong.
fn wrong_at(lines: &[Vec<u8>]) -> u64 {
    verify(&lines.concat()).unwrap_err().line
}

#[test]
fn an_export_is_vouched_for_as_it_was_made() {
    let alice = alice();
    let lines = alice.export(|_| true);
    let verified = sound(&lines);
    assert_eq!((verified.room, verified.exporter), (alice.room, alice.engine.me()));
    assert_eq!(verified.exporter_standing, "owner");
    assert_eq!(verified.counts.entries, alice.rows.len() as u64);
    assert_eq!(verified.counts.opened, verified.counts.entries);
    let speaker = &verified.speakers[&alice.engine.me()];
    assert_eq!((speaker.nick.as_ref().unwrap().as_str(), speaker.messages), ("alice", 3));
    // What is not opened is vouched for as it is: signed, in its place, unread.
    let half = sound(&alice.export(|seq| seq % 2 == 0));
    assert!(half.counts.opened > 0 && half.counts.opened < half.counts.entries);
}

#[test]
fn every_changed_byte_is_found_in_its_line() {
    let lines = alice().export(|_| true);
    let mut at = 0;
    for (number, line) in lines.iter().enumerate() {
        for place in 0..line.len() {
            // By turns, so that the test stays short.
            let bits = [0x01, 0x20, 0x80][place % 3];
            let mut changed = lines.clone();
            changed[number][place] ^= bits;
            let found = wrong_at(&changed);
            assert_eq!(found, number as u64 + 1, "byte {place} of line {}, bits {bits:#x}", number + 1);
            at += 1;
        }
    }
    assert_eq!(at, lines.concat().len());
}

#[test]
fn what_is_cut_off_left_out_moved_or_put_in_is_found() {
    let lines = alice().export(|_| true);
    let whole = lines.concat();
    for len in 0..whole.len() {
        assert!(verify(&whole[..len]).is_err(), "cut to {len}");
    }
    for one in 0..lines.len() {
        let mut fewer = lines.clone();
        fewer.remove(one);
        verify(&fewer.concat()).unwrap_err();
        let mut twice = lines.clone();
        twice.insert(one, lines[one].clone());
        verify(&twice.concat()).unwrap_err();
        for other in (0..lines.len()).filter(|other| *other != one) {
            let mut moved = lines.clone();
            moved.swap(one, other);
            verify(&moved.concat()).unwrap_err();
        }
    }
    verify(&[&whole[..], b"\n"].concat()).unwrap_err();
    verify(&[&whole[..], &whole].concat()).unwrap_err();
}

#[test]
fn parts_of_two_exports_do_not_make_one() {
    let (one, mut other) = (alice(), Alone::new(2));
    other.say("another room");
    let (one_whole, half) = (one.export(|_| true), one.export(|seq| seq == 0));
    let other = other.export(|_| true);
    assert_eq!(one_whole.len(), half.len());
    for at in 0..one_whole.len() {
        for lines in [&half, &other] {
            let Some(line) = lines.get(at).filter(|line| **line != one_whole[at]) else { continue };
            let mut mixed = one_whole.clone();
            mixed[at] = line.clone();
            verify(&mixed.concat()).unwrap_err();
        }
    }
}

#[test]
fn another_text_cannot_be_shown_under_a_key_that_does_not_open_it() {
    let lines = alice().export(|_| true);
    let text = |line: &[u8]| String::from_utf8(line.to_vec()).unwrap();
    let opened = lines.iter().position(|line| text(line).contains("postgres")).unwrap();
    let mut value: serde_json::Value = serde_json::from_slice(&lines[opened]).unwrap();
    value["key"] = data_encoding::BASE64.encode(&[7; 32]).into();
    let mut changed = lines.clone();
    changed[opened] = format!("{value}\n").into_bytes();
    let fault = verify(&changed.concat()).unwrap_err();
    assert_eq!(
        (fault.line, fault.why.as_str()),
        (opened as u64 + 1, "it does not open with the key beside it")
    );
}

#[test]
fn somebody_else_cannot_take_an_export_for_their_own() {
    let (alice, rogue) = (alice(), Alone::new(3));
    let mut lines = alice.export(|_| true);
    let head = Head {
        room: alice.room,
        room_name: "payments".into(),
        exporter: rogue.engine.me(),
        time_ms: NOW.wall_ms,
        since_ms: None,
    };
    lines[0] = Writer::begin(&head, |domain, message| rogue.engine.sign_export(domain, message)).1;
    assert_eq!(wrong_at(&lines), lines.len() as u64, "the last signature is Alice's");
    // Nor does a signature of one part do for the other.
    let as_end = Writer::begin(&head, |_, message| rogue.engine.sign_export(domain::EXPORT_END, message)).1;
    lines[0] = as_end;
    assert_eq!(wrong_at(&lines), 1);
}

proptest! {
    #[test]
    fn any_bytes_are_no_export(bytes in prop::collection::vec(any::<u8>(), 0..400), lines in "[{}\":a-z0-9\\n,]{0,200}") {
        fuzz_export::run(&bytes);
        fuzz_export::run(lines.as_bytes());
    }
}
