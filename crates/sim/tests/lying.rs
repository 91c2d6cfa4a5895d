//! A peer that lies loses its link, and nobody else loses anything: malformed frames, unsigned entries, wants
//! without credit, heads that do not exist, acknowledgements and stamps from beyond all numbers.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{ALICE, BOB, ROGUE, Stage, blake3_of};
use parlor_core::crypto::{TicketKeys, seal_signal};
use parlor_core::engine::api::Command;
use parlor_sim::act::ticket_keys;
use parlor_wire::control::{Control, ControlBody, Role};
use parlor_wire::data::body_hash;
use parlor_wire::frame::{Ack, ChainTips, ControlWant, DataBatch, DataHeads, DataWant, Frame, Signal, Tip};
use parlor_wire::{EntryId, Salt, Signature, WIRE_VERSION, domain};

#[test]
fn wound_18_a_link_without_proof_or_membership_is_told_nothing() {
    let mut stage = Stage::new(61);
    let stranger = stage.world.add_node("stranger");
    stage.world.say_surely(ALICE, stage.room, "#1# secret");
    stage.world.make_puppet(stranger);
    let room = stage.room;
    // No proof; and Rogue's proof of before, replayed by somebody else.
    let other = TicketKeys::from_seed(&[8; 32]);
    for keys in [None, Some(&other)] {
        let link = stage.world.puppet_opens(stranger, ALICE, room, keys);
        let chain = stage.chain;
        let want = DataWant { chain, from_seq: 0, to_seq: 10 };
        stage.world.puppet_says(stranger, link, &Frame::DataWant(want));
        let head = EntryId::from(room);
        let want = ControlWant { want: vec![head], have: Vec::new() };
        stage.world.puppet_says(stranger, link, &Frame::ControlWant(want));
        stage.world.pass(1_000);
        let heard = stage.world.puppet_hears(stranger, link);
        let told =
            heard.iter().any(|frame| !matches!(frame, Frame::Hello(_) | Frame::Open(_) | Frame::Refuse(_)));
        assert!(!told, "{heard:?}");
    }
    stage.world.pass(60_000);
    assert!(stage.world.nodes[stranger].links.is_empty(), "and is not kept");
    stage.others_are_well(1);
}

#[test]
fn wound_18_a_proof_is_of_no_use_to_another() {
    use parlor_wire::frame::{Hello, Open, Proof, proof_message};
    let mut stage = Stage::new(62);
    let thief = stage.world.add_node("thief");
    stage.world.make_puppet(thief);
    let room = stage.room;
    let link = stage.world.puppet_dials(thief, ALICE, room);
    let hello = Frame::Hello(Hello { v: WIRE_VERSION, nonce: Salt([2; 16]), knows: u64::MAX });
    stage.world.puppet_says(thief, link, &hello);
    let nonce = stage.world.puppet_hears(thief, link).iter().find_map(|frame| match frame {
        Frame::Hello(hello) => Some(hello.nonce),
        _ => None,
    });
    // Signed for Rogue, who holds the ticket, with the right nonce.
    let (rogue, alice) = (stage.world.nodes[ROGUE].peer, stage.world.nodes[ALICE].peer);
    let message = proof_message(&rogue, &alice, &room, &nonce.unwrap());
    let signature = stage.ticket.sign(domain::LINK_PROOF, &message);
    let proof = Some(Proof { signing_key: stage.ticket.signing_key(), signature });
    stage.world.puppet_says(thief, link, &Frame::Open(Open { room, proof }));
    stage.world.pass(100);
    assert!(!stage.world.puppet_is_linked(thief, link));
    stage.others_are_well(0);
}

/// Who has only a ticket's text is served as long as the ticket is open, and not a moment longer.
#[test]
fn wound_18_a_link_by_a_ticket_ends_with_the_ticket() {
    let mut stage = Stage::new(76);
    let reader = stage.world.add_node("reader");
    stage.world.make_puppet(reader);
    let room = stage.room;
    let invited = stage.world.ticket(ALICE, room, Role::Member, false);
    let keys = ticket_keys(&invited.text);
    let link = stage.world.puppet_opens(reader, ALICE, room, Some(&keys));
    stage.world.pass(100);
    let heard = stage.world.puppet_hears(reader, link);
    assert!(heard.iter().any(|frame| matches!(frame, Frame::DataHeads(_))), "served: {heard:?}");
    stage.world.rule(ALICE, Command::CloseTicket { room, ticket: invited.id });
    stage.world.say_surely(ALICE, room, "#1# without the reader");
    stage.world.pass(1_000);
    assert!(!stage.world.puppet_is_linked(reader, link));
    let heard = stage.world.puppet_hears(reader, link);
    assert!(
        heard.iter().all(|frame| !matches!(frame, Frame::DataPush(_) | Frame::DataHeads(_))),
        "{heard:?}"
    );
    stage.others_are_well(1);
}

#[test]
fn malformed_frames_close_the_link_and_nothing_else() {
    let mut stage = Stage::new(63);
    let good = Frame::DataHeads(DataHeads { chains: Vec::new(), complete: true }).encode();
    let mut frames = vec![Vec::new(), vec![0xff; 100], vec![0x9f; 1 << 20], good[..good.len() - 1].to_vec()];
    frames.push([good.clone(), vec![0]].concat());
    for at in 0..64 {
        let mut dice = parlor_sim::dice::Dice::new(at);
        let length = dice.below(300) as usize;
        frames.push((0..length).map(|_| dice.below(256) as u8).collect());
    }
    for bytes in frames {
        let link = stage.open(ALICE);
        stage.world.puppet_sends(ROGUE, link, bytes.clone());
        assert!(stage.lost(link), "{bytes:?}");
    }
    stage.others_are_well(0);
}

#[test]
fn wound_17_an_entry_nobody_signed_is_not_taken() {
    let mut stage = Stage::new(64);
    let mut entries = stage.entries(stage.last, 1, 1, "forged");
    entries[0].signature = Signature([7; 64]);
    let link = stage.open(ALICE);
    stage.push(link, &entries);
    assert!(stage.lost(link));
    // In the name of another: Bob's chain, Rogue's signature.
    let peer = stage.world.nodes[BOB].peer;
    let held = stage.world.held(ALICE, stage.room).unwrap();
    let bobs = *held.roster.chains.iter().find(|(_, state)| state.author == peer).unwrap().0;
    let last = held.rows.iter().filter(|row| row.chain == bobs).map(|row| (row.seq, row.id)).max();
    let chain = std::mem::replace(&mut stage.chain, bobs);
    let entries = stage.entries(last, 2, 1, "as bob");
    stage.chain = chain;
    let link = stage.open(ALICE);
    stage.push(link, &entries);
    assert!(stage.lost(link));
    stage.others_are_well(0);
}

#[test]
fn wound_17_a_changed_body_is_not_taken() {
    let mut stage = Stage::new(65);
    let mut entries = stage.entries(stage.last, 1, 1, "changed");
    entries[0].body.as_mut().unwrap()[5] ^= 1;
    let link = stage.open(ALICE);
    stage.push(link, &entries);
    assert!(stage.lost(link));
    stage.others_are_well(0);
}

/// Garbage signatures inside a run are vouched for by the last; whoever took them can pass them on, whole.
#[test]
fn garbage_signatures_inside_a_run_part_no_honest_peers() {
    for (every, forked) in [(10, false), (100, false), (256, false), (10, true), (100, true)] {
        let mut stage = Stage::new(66);
        let mut sent = 0;
        let mut branches = vec![stage.entries(stage.last, 600, 1, "main")];
        if forked {
            branches.push(stage.entries(stage.last, 500, 1, "branch"));
        }
        let link = stage.open(ALICE);
        for entries in &mut branches {
            for (at, data) in entries.iter_mut().enumerate() {
                if (at + 1) % every != 0 {
                    data.signature = Signature([9; 64]);
                }
            }
            let last = entries.len() - 1;
            entries[last] = {
                let mut good = entries[last].clone();
                good.signature =
                    stage.world.identity(ROGUE).sign(domain::DATA_SIGNATURE, &good.header.bytes());
                good
            };
            for part in entries.chunks(every.min(256)) {
                stage.push(link, part);
            }
            sent += entries.len();
        }
        assert!(stage.world.puppet_is_linked(ROGUE, link), "{every} {forked}");
        stage.world.pass(20_000);
        assert_eq!(stage.world.texts(ALICE, stage.room).len(), sent, "{every} {forked}");
        stage.world.kill(BOB);
        stage.world.pass(60_000);
        stage.others_are_well(sent);
    }
}

#[test]
fn wants_without_credit_lose_the_link() {
    let mut stage = Stage::new(67);
    let link = stage.open(ALICE);
    let chain = stage.chain;
    let want = |from| Frame::DataWant(DataWant { chain, from_seq: from, to_seq: from + 5 }).encode();
    // All at once, before any can be answered.
    for from in 0..12 {
        let bytes = want(from);
        stage.world.puppet_throws(ROGUE, link, bytes);
    }
    assert!(stage.lost(link));
    let link = stage.open(ALICE);
    let backwards = Frame::DataWant(DataWant { chain, from_seq: 5, to_seq: 4 });
    stage.world.puppet_says(ROGUE, link, &backwards);
    assert!(stage.lost(link));
    let link = stage.open(ALICE);
    let all = Frame::DataWant(DataWant { chain, from_seq: 0, to_seq: u64::MAX });
    stage.world.puppet_says(ROGUE, link, &all);
    stage.world.pass(100);
    assert!(stage.world.puppet_is_linked(ROGUE, link), "a long want is served a batch");
    stage.others_are_well(0);
}

#[test]
fn a_batch_nobody_asked_for_loses_the_link() {
    let mut stage = Stage::new(68);
    let link = stage.open(ALICE);
    let batch = DataBatch { chain: stage.chain, from_seq: 0, entries: Vec::new() };
    stage.world.puppet_says(ROGUE, link, &Frame::DataBatch(batch));
    assert!(stage.lost(link));
    stage.others_are_well(0);
}

#[test]
fn heads_that_do_not_exist_cost_a_bounded_effort_and_no_warning_outlives_the_link() {
    let mut stage = Stage::new(69);
    let link = stage.open(ALICE);
    let made_up = |n: u64| EntryId(body_hash(&n.to_be_bytes()).0);
    for round in 0..20 {
        let heads = (0..256).map(|n| made_up(round * 1000 + n)).collect();
        stage.world.puppet_says(ROGUE, link, &Frame::ControlHeads(heads));
        let chain = stage.chain;
        let tips = (0..8).map(|n| Tip { seq: u64::MAX - n, id: made_up(n) }).collect();
        let heads = DataHeads { chains: vec![ChainTips { chain, tips }], complete: true };
        stage.world.puppet_says(ROGUE, link, &Frame::DataHeads(heads));
    }
    let heard = stage.world.puppet_hears(ROGUE, link);
    assert!(heard.len() < 200, "{}", heard.len());
    let sizes = stage.world.nodes[ALICE].engine.as_ref().unwrap().sizes();
    assert!(sizes.spoken <= 256 && sizes.wants <= 4 && sizes.loads < 50, "{sizes:?}");
    stage.others_are_well(0);
    stage.world.pass(60_000);
    assert!(stage.lost(link), "what is asked for and never given ends the link");
    let view = stage.world.nodes[ALICE].engine.as_ref().unwrap().room(&stage.room).unwrap();
    assert!(!view.warnings.iter().any(|warning| warning.contains("roster")), "{:?}", view.warnings);
    stage.others_are_well(2);
}

#[test]
fn batches_that_never_connect_are_not_asked_for_again_and_again() {
    let mut stage = Stage::new(70);
    let link = stage.open(ALICE);
    let entries = stage.entries(stage.last, 50, 1, "real");
    let tip = Tip { seq: entries[49].header.seq, id: entries[49].id };
    let heads = DataHeads { chains: vec![ChainTips { chain: stage.chain, tips: vec![tip] }], complete: true };
    stage.world.puppet_says(ROGUE, link, &Frame::DataHeads(heads));
    let mut asked = 0;
    for _ in 0..200 {
        let wants: Vec<DataWant> = stage
            .world
            .puppet_hears(ROGUE, link)
            .into_iter()
            .filter_map(|frame| if let Frame::DataWant(want) = frame { Some(want) } else { None })
            .collect();
        asked += wants.len();
        for want in wants {
            // The last entry only, which follows nothing.
            let entries = vec![entries[49].encode().into()];
            let batch = DataBatch { chain: want.chain, from_seq: want.from_seq, entries };
            stage.world.puppet_says(ROGUE, link, &Frame::DataBatch(batch));
        }
    }
    assert!((1..20).contains(&asked), "{asked}");
    stage.others_are_well(0);
    // The truth is still welcome.
    stage.push(link, &entries);
    stage.others_are_well(52);
}

#[test]
fn acknowledgements_and_stamps_beyond_all_numbers_harm_nobody() {
    let mut stage = Stage::new(71);
    let link = stage.open(ALICE);
    let held = stage.world.held(ALICE, stage.room).unwrap();
    for chain in held.roster.chains.keys() {
        let tips = vec![Tip { seq: u64::MAX, id: EntryId([3; 32]) }];
        let ack = Ack { chains: vec![ChainTips { chain: *chain, tips }] };
        stage.world.puppet_says(ROGUE, link, &Frame::Ack(ack));
    }
    let mut after = stage.last;
    for (n, time) in [4_070_908_800_000, u64::MAX, 0, u64::MAX - 1].into_iter().enumerate() {
        let entries = stage.entries(after, 1, time, &format!("#{n}# stamp"));
        after = Some((entries[0].header.seq, entries[0].id));
        stage.push(link, &entries);
    }
    stage.world.pass(1_000);
    stage.others_are_well(4);
    for n in 0..4 {
        assert!(stage.session.given.contains_key(&n.to_string()), "{n}");
    }
    let view = stage.world.nodes[ALICE].engine.as_ref().unwrap().room(&stage.room).unwrap();
    assert!(
        view.warnings.iter().any(|warning| warning.contains("ahead of this clock")),
        "{:?}",
        view.warnings
    );
}

#[test]
fn nine_branches_of_one_chain_are_refused_and_stop_nobody() {
    let mut stage = Stage::new(72);
    for n in 0..12 {
        let entries = stage.entries(stage.last, 3, 1, &format!("branch {n}"));
        let link = stage.open(if n % 2 == 0 { ALICE } else { BOB });
        stage.push(link, &entries);
        stage.world.pass(2_000);
    }
    stage.world.pass(120_000);
    let n = stage.world.now_ms;
    stage.world.say_surely(BOB, stage.room, &format!("#{n}# still here"));
    let frames = stage.world.frames;
    stage.world.pass(120_000);
    assert!(stage.world.frames - frames < 200, "{}", stage.world.frames - frames);
    assert!(stage.session.drain(&mut stage.world).contains(&n.to_string()));
    let view = stage.world.nodes[ALICE].engine.as_ref().unwrap().room(&stage.room).unwrap();
    assert!(view.warnings.iter().any(|warning| warning.contains("refused")), "{:?}", view.warnings);
}

#[test]
fn signals_of_others_names_and_floods_of_them_are_bounded() {
    let mut stage = Stage::new(73);
    let link = stage.open(ALICE);
    let signal = |author: usize, session: u64, stage: &Stage| {
        let mut signal = Signal {
            author: stage.world.nodes[author].peer,
            session: Salt(blake3_of("session", session as usize)),
            counter: 1,
            ttl_s: 90,
            key: stage.key.0,
            salt: Salt(blake3_of("salt", session as usize)),
            sealed: Vec::new().into(),
            signature: None,
        };
        // A label and a program, as any session has them.
        let said = [0xa2, 0, 0x61, b's', 1, 0x61, b'p'];
        signal.sealed = seal_signal(&stage.key.1, &stage.room, &signal, &said).unwrap().into();
        let message = [&stage.room.0[..], &signal.signed_bytes()].concat();
        signal.signature = Some(stage.world.identity(ROGUE).sign(domain::SIGNAL_SIGNATURE, &message));
        signal
    };
    for n in 0..300 {
        let frame = Frame::Signal(signal(ROGUE, n, &stage));
        stage.world.puppet_says(ROGUE, link, &frame);
    }
    assert!(stage.world.puppet_is_linked(ROGUE, link));
    let sizes = stage.world.nodes[ALICE].engine.as_ref().unwrap().sizes();
    assert_eq!(sizes.signals, 32, "{sizes:?}");
    let frame = Frame::Signal(signal(BOB, 1, &stage));
    stage.world.puppet_says(ROGUE, link, &frame);
    assert!(stage.lost(link), "in Bob's name");
    stage.others_are_well(0);
}

/// One who was put out asks for control entries by ids that an accomplice gave it: it is given what led to the removal.
#[test]
fn who_was_put_out_is_served_nothing_that_was_written_after() {
    let mut stage = Stage::new(74);
    stage.world.remove(ALICE, stage.room, ROGUE);
    let last = stage.world.held(ALICE, stage.room).unwrap().dag.len();
    for _ in 0..3 {
        stage.world.rule(ALICE, Command::Rekey { room: stage.room });
    }
    let held = stage.world.held(ALICE, stage.room).unwrap();
    let later: Vec<EntryId> = held.dag.iter().skip(last).map(|control| control.id).collect();
    assert_eq!(later.len(), 3);
    let (room, ticket) = (stage.room, &stage.ticket);
    let link = stage.world.puppet_opens(ROGUE, ALICE, room, Some(ticket));
    let want = ControlWant { want: later.clone(), have: Vec::new() };
    stage.world.puppet_says(ROGUE, link, &Frame::ControlWant(want));
    let want = DataWant { chain: stage.chain, from_seq: 0, to_seq: 100 };
    stage.world.puppet_says(ROGUE, link, &Frame::DataWant(want));
    stage.world.pass(1_000);
    let heard = stage.world.puppet_hears(ROGUE, link);
    let given = |frame: &Frame| match frame {
        Frame::ControlBatch(batch) => {
            batch.entries.iter().map(|bytes| Control::decode(bytes).unwrap()).collect()
        }
        _ => Vec::new(),
    };
    let given: Vec<Control> = heard.iter().flat_map(given).collect();
    assert!(given.iter().any(|control| matches!(control.body, ControlBody::Remove(_))), "{heard:?}");
    assert!(given.iter().all(|control| !later.contains(&control.id)));
    let told = heard.iter().any(|frame| {
        matches!(
            frame,
            Frame::ControlHeads(_) | Frame::DataHeads(_) | Frame::DataBatch(_) | Frame::DataPush(_)
        )
    });
    assert!(!told, "{heard:?}");
}
