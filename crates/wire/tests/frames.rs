//! Frames one by one: round trips, limits, link proofs and signals.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::mem::discriminant;

use common::{Signing, samples};
use parlor_wire::cbor::CborError;
use parlor_wire::frame::{
    Ack, ChainTips, ControlBatch, ControlWant, DataBatch, DataHeads, DataPush, Frame, Tip,
};
use parlor_wire::{EntryId, PeerId, RoomId, Salt, domain, limits};

#[test]
fn frames_of_every_kind_round_trip() {
    let mut kinds = Vec::new();
    for (name, frame) in samples::frames() {
        let bytes = frame.encode();
        assert_eq!(Frame::decode(&bytes), Ok(frame.clone()), "{name}");
        assert_eq!(bytes[0], 0x82, "a pair of number and content");
        if !kinds.contains(&discriminant(&frame)) {
            kinds.push(discriminant(&frame));
            assert_eq!(usize::from(bytes[1]), kinds.len() - 1, "{name}: numbers from 0, in order");
        }
    }
    assert_eq!(kinds.len(), 13, "each kind there is");
}

#[test]
fn f1_another_form_or_number_is_refused() {
    let hello = samples::frames()[0].1.encode();
    assert!(Frame::decode(&[&hello[..], &[0]].concat()).is_err(), "a byte too many");
    assert!(Frame::decode(&hello[..hello.len() - 1]).is_err(), "a byte too few");
    let unknown = [&[0x82, 12], &hello[2..]].concat();
    assert_eq!(Frame::decode(&unknown), Err(CborError::Shape));
    let long = [&[0x82, 0x18, 0], &hello[2..]].concat();
    assert_eq!(Frame::decode(&long), Err(CborError::NotCanonical));
    assert!(Frame::decode(&[]).is_err());
}

#[test]
fn f2_a_frame_over_the_limit_is_refused_unread() {
    let bytes = vec![0; limits::MAX_FRAME_BYTES + 1];
    let error = CborError::TooLong(limits::MAX_FRAME_BYTES + 1, limits::MAX_FRAME_BYTES);
    assert_eq!(Frame::decode(&bytes), Err(error));
}

#[test]
fn f3_lists_over_their_limits_are_refused() {
    let id = EntryId([1; 32]);
    let tips = |count: usize| ChainTips { chain: id, tips: vec![Tip { seq: u64::MAX, id }; count] };
    let entries = |count: usize| vec![vec![0u8; 3].into(); count];
    let frames = |over: usize| {
        let batch = limits::MAX_BATCH_ENTRIES + over;
        let ids = limits::MAX_CONTROL_IDS + over;
        let chains = limits::MAX_HEADS_PER_FRAME + over;
        let mut signal = samples::signal();
        signal.sealed = vec![0; limits::MAX_SIGNAL_BYTES + over].into();
        vec![
            Frame::ControlHeads(vec![id; ids]),
            Frame::ControlWant(ControlWant { want: vec![id; ids], have: vec![] }),
            Frame::ControlWant(ControlWant { want: vec![], have: vec![id; ids] }),
            Frame::ControlBatch(ControlBatch { entries: entries(batch), more: false }),
            Frame::DataBatch(DataBatch { chain: id, from_seq: 0, entries: entries(batch) }),
            Frame::DataPush(DataPush { entries: entries(batch) }),
            Frame::DataHeads(DataHeads { chains: vec![tips(limits::MAX_TIPS); chains], complete: false }),
            Frame::DataHeads(DataHeads { chains: vec![tips(limits::MAX_TIPS + over)], complete: false }),
            Frame::Ack(Ack { chains: vec![tips(1); chains] }),
            Frame::Signal(signal),
        ]
    };
    for (right, wrong) in frames(0).into_iter().zip(frames(1)) {
        assert!(right.encode().len() <= limits::MAX_FRAME_BYTES, "what is allowed fits");
        assert_eq!(Frame::decode(&right.encode()), Ok(right));
        let refused = Frame::decode(&wrong.encode());
        assert!(matches!(refused, Err(CborError::TooMany(..) | CborError::TooLong(..))), "{refused:?}");
    }
}

#[test]
fn wound_7_the_largest_batch_fits_the_largest_frame() {
    // A batch is closed once it holds BATCH_BYTES; the entry that closes it may be the largest there is.
    let batch = |largest: usize| {
        let small = limits::BATCH_BYTES / (limits::MAX_BATCH_ENTRIES - 1);
        let mut entries = vec![vec![0u8; small - 1].into(); limits::MAX_BATCH_ENTRIES - 1];
        entries.push(vec![0u8; largest].into());
        entries
    };
    let control = ControlBatch { entries: batch(limits::MAX_CONTROL_BYTES), more: true };
    let largest_data = limits::MAX_BODY_BYTES + limits::MAX_DATA_HEADER_BYTES + 256;
    let data = DataBatch { chain: EntryId([1; 32]), from_seq: u64::MAX, entries: batch(largest_data) };
    for frame in [Frame::ControlBatch(control), Frame::DataBatch(data)] {
        assert_eq!(Frame::decode(&frame.encode()), Ok(frame));
    }
}

#[test]
fn f4_a_link_proof_holds_for_one_pair_room_and_nonce() {
    let (alice, bob) = (Signing::new(samples::ALICE).peer(), Signing::new(samples::BOB).peer());
    let room = samples::room();
    let nonce = Salt([0xa1; 16]);
    let proof = samples::proof();
    assert!(proof.verify(&bob, &alice, &room, &nonce));
    assert!(!proof.verify(&alice, &bob, &room, &nonce), "sent back");
    assert!(!proof.verify(&PeerId([1; 32]), &alice, &room, &nonce), "passed on");
    assert!(!proof.verify(&bob, &alice, &RoomId([1; 32]), &nonce), "for another room");
    assert!(!proof.verify(&bob, &alice, &room, &Salt([0xa2; 16])), "replayed");
}

#[test]
fn f5_a_signal_is_signed_whole() {
    let signal = samples::signal();
    let room = samples::room();
    assert!(signal.verify(&room));
    assert!(!signal.verify(&RoomId([1; 32])), "in another room");
    type Change = fn(&mut parlor_wire::frame::Signal);
    let changes: [Change; 8] = [
        |signal| signal.author = Signing::new(samples::ALICE).peer(),
        |signal| signal.session.0[0] ^= 1,
        |signal| signal.counter += 1,
        |signal| signal.ttl_s = 0,
        |signal| signal.key.0[0] ^= 1,
        |signal| signal.salt.0[0] ^= 1,
        |signal| signal.sealed = vec![0; 96].into(),
        |signal| signal.signature = None,
    ];
    for change in changes {
        let mut changed = signal.clone();
        change(&mut changed);
        assert!(!changed.verify(&room), "{changed:?}");
    }
    let mut other = signal.clone();
    let bob = Signing::new(samples::BOB);
    let message = [&room.0[..], &signal.signed_bytes()].concat();
    other.signature = Some(bob.sign(domain::DATA_SIGNATURE, &message));
    assert!(!other.verify(&room), "signed for another use");
}
