//! Every byte of every sample flipped, inserted, deleted and cut: nothing panics, and nothing that differs verifies.
//! Drives the fuzz targets with all of it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

#[path = "../../../fuzz/targets/card.rs"]
mod fuzz_card;
#[path = "../../../fuzz/targets/control.rs"]
mod fuzz_control;
#[path = "../../../fuzz/targets/data.rs"]
mod fuzz_data;
#[path = "../../../fuzz/targets/file.rs"]
mod fuzz_file;
#[path = "../../../fuzz/targets/frame.rs"]
mod fuzz_frame;
#[path = "../../../fuzz/targets/text.rs"]
mod fuzz_text;
#[path = "../../../fuzz/targets/ticket.rs"]
mod fuzz_ticket;

use common::{Place, Signing, control, samples};
use parlor_wire::control::{Admit, ControlBody};
use parlor_wire::file::FileRequest;
use parlor_wire::frame::Frame;
use parlor_wire::ids::BodyHash;
use parlor_wire::ticket::{TicketError, TicketText};
use parlor_wire::{Control, Data, EntryId, PeerId, RoomId, SignedCard, cbor};
use proptest::prelude::*;

/// All texts one small change away: single bits, bytes put in, taken out, replaced and doubled, and every beginning.
fn changes(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let at_each = 0..bytes.len();
    let flips = at_each.clone().flat_map(move |at| {
        [0x01, 0x20, 0x80].into_iter().map(move |bits| {
            let mut changed = bytes.to_vec();
            changed[at] ^= bits;
            changed
        })
    });
    let spliced = at_each.clone().flat_map(move |at| {
        let byte = bytes[at];
        [vec![], vec![!byte], vec![0xf6], vec![byte, byte], vec![0x18, byte]]
            .into_iter()
            .map(move |put| [&bytes[..at], &put, &bytes[at + 1..]].concat())
    });
    let cuts = at_each.map(move |at| bytes[..at].to_vec());
    flips.chain(spliced).chain(cuts).filter(move |changed| changed != bytes)
}

#[test]
fn no_changed_control_entry_verifies() {
    let mut story = samples::story();
    let ticket = |which: &str| match &story.iter().find(|(name, _)| *name == which).unwrap().1.body {
        ControlBody::Ticket(ticket) => ticket.clone(),
        _ => panic!("{which} is no ticket"),
    };
    let (open, asking) = (ticket("ticket"), ticket("ticket bare"));
    story.push(("request", samples::request()));
    story.extend(samples::direct_story());
    for (name, entry) in &story {
        let ticket = if *name == "request" { &asking } else { &open };
        for changed in changes(&entry.encode()) {
            fuzz_control::run(&changed);
            // A join or a request is taken only when its ticket signed it too.
            let taken = Control::decode(&changed)
                .is_ok_and(|taken| taken.ticket_signature.is_none() || taken.verify_ticket(ticket).is_ok());
            assert!(!taken, "{name}: {changed:02x?}");
        }
    }
}

/// The owner signs what it admits, so a change there must be found by what stands inside alone.
#[test]
fn no_changed_request_is_admitted() {
    let story = samples::story();
    let entry = &story.iter().find(|(name, _)| *name == "admit").unwrap().1;
    let ControlBody::Admit(right) = &entry.body else { panic!("no admit") };
    let asking = story.iter().find_map(|(name, entry)| match &entry.body {
        ControlBody::Ticket(ticket) if *name == "ticket bare" => Some(ticket.clone()),
        _ => None,
    });
    let alice = Signing::new(samples::ALICE);
    for changed in changes(&right.request.encode()) {
        let Ok(request) = Control::decode_trusted(&changed) else { continue };
        let admit = Admit { request: Box::new(request), grants: vec![] };
        let admits = control(&alice, place_of(entry), ControlBody::Admit(admit), entry.header.time).encode();
        fuzz_control::run(&admits);
        let taken = Control::decode(&admits).is_ok_and(|taken| match &taken.body {
            ControlBody::Admit(admit) => admit.request.verify_ticket(asking.as_ref().unwrap()).is_ok(),
            _ => true,
        });
        assert!(!taken, "{changed:02x?}");
    }
}

fn place_of(entry: &Control) -> Place {
    let header = entry.header.clone();
    Place { room: header.room, membership: header.membership, after: header.after }
}

#[test]
fn no_changed_data_entry_verifies() {
    let alice = Signing::new(samples::ALICE).peer();
    for (name, entry) in samples::chain() {
        for changed in changes(&entry.encode()) {
            fuzz_data::run(&changed);
            let taken = Data::decode(&changed).is_ok_and(|taken| taken.verify(&alice).is_ok());
            assert!(!taken, "{name}: {changed:02x?}");
        }
    }
}

#[test]
fn no_changed_card_verifies() {
    let card = Signing::new(samples::ALICE).card(1, 1);
    for changed in changes(&card.encode()) {
        fuzz_card::run(&changed);
        assert!(!SignedCard::decode(&changed).is_ok_and(|taken| taken.verify().is_ok()), "{changed:02x?}");
    }
}

#[test]
fn a_changed_frame_is_refused_or_is_another_frame_with_one_form() {
    for (name, frame) in samples::frames() {
        for changed in changes(&frame.encode()) {
            fuzz_frame::run(&changed);
            if let Ok(taken) = Frame::decode(&changed) {
                assert_ne!(taken, frame, "{name}");
                if let Frame::Signal(signal) = taken {
                    assert!(!signal.verify(&samples::room()), "{name}: {changed:02x?}");
                }
            }
        }
    }
}

#[test]
fn no_changed_ticket_text_says_something_else() {
    for (name, ticket) in samples::tickets() {
        let text = ticket.to_text();
        for changed in changes(text.as_bytes()) {
            fuzz_text::run(&changed);
            if let Ok(taken) = TicketText::parse(&String::from_utf8_lossy(&changed)) {
                assert_eq!(taken, ticket, "{name}: forgiven is only what changes nothing");
            }
        }
    }
}

/// The content of a committed ticket changed where no checksum can notice, as somebody who makes one by hand can.
#[test]
fn t5_a_ticket_with_any_content_and_the_right_checksum_is_refused_or_says_the_same_again() {
    let contents = samples::ticket_contents();
    for (_, content) in &contents {
        fuzz_ticket::run(content);
        changes(content).for_each(|changed| fuzz_ticket::run(&changed));
    }
    let read = |content: &[u8]| TicketText::parse(&fuzz_ticket::text_of(content));
    let newer = contents.iter().filter(|(_, content)| read(content) == Err(TicketError::Newer));
    let newer: Vec<&str> = newer.map(|(name, _)| *name).collect();
    assert_eq!(newer, ["five addresses", "fifteen addresses", "a time beyond all milliseconds"]);
    assert!(contents.iter().all(|(name, content)| newer.contains(name) || read(content).is_ok()));
}

#[test]
fn no_changed_id_is_the_same_id() {
    let id = PeerId([0xa5; 32]);
    for changed in changes(id.to_string().as_bytes()) {
        fuzz_text::run(&changed);
        if let Ok(text) = std::str::from_utf8(&changed) {
            assert_ne!(text.parse(), Ok(id), "{text}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        fuzz_card::run(&bytes);
        fuzz_control::run(&bytes);
        fuzz_data::run(&bytes);
        fuzz_frame::run(&bytes);
        fuzz_text::run(&bytes);
        fuzz_ticket::run(&bytes);
    }

    #[test]
    fn samples_with_any_middle_are_read_or_refused(
        which in any::<prop::sample::Index>(),
        from in any::<prop::sample::Index>(),
        put in prop::collection::vec(any::<u8>(), 0..80),
        taken in 0..80usize,
    ) {
        let mut all: Vec<Vec<u8>> = samples::story().iter().map(|(_, entry)| entry.encode()).collect();
        all.push(samples::request().encode());
        all.extend(samples::chain().iter().map(|(_, entry)| entry.encode()));
        all.extend(samples::frames().iter().map(|(_, frame)| frame.encode()));
        let mut bytes = which.get(&all).clone();
        let from = from.index(bytes.len());
        let to = bytes.len().min(from + taken);
        bytes.splice(from..to, put);
        fuzz_control::run(&bytes);
        fuzz_data::run(&bytes);
        fuzz_frame::run(&bytes);
    }
}

#[test]
fn a_changed_request_for_a_file_is_read_as_what_it_says_or_not_at_all() {
    let request = FileRequest {
        room: RoomId([1; 32]),
        entry: EntryId([2; 32]),
        blob: BodyHash([3; 32]),
        chunk: 70_000,
    };
    let bytes = cbor::encode(&request);
    let mut read = 0;
    for changed in changes(&bytes) {
        fuzz_file::run(&changed);
        assert_ne!(FileRequest::decode(&changed).as_ref(), Ok(&request), "two forms of one request");
        read += usize::from(FileRequest::decode(&changed).is_ok());
    }
    assert!(read > 0, "ids are any bytes");
}
