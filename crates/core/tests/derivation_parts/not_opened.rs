//! What carries a right tag and must not open all the same, and what a tag refuses. Seals bodies by hand, for no code of ours
//! pads wrongly.

use parlor_core::crypto::{self, EntryContext, SealContext};
use parlor_wire::control::{Seal, Wrap};
use parlor_wire::data::{CLASS_CONTENT, DataHeader, body_hash};
use parlor_wire::{EntryId, KeyId, SUITE, Salt, WIRE_VERSION, domain};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use serde_json::{Value, json};

use super::keys::{ROOMS, person, room_key};
use super::{file, hex};

pub fn not_opened() -> Value {
    let mut all = bodies();
    all.extend(wraps());
    all.extend(seals());
    file(
        "What must not open. Why: `tag`, it does not verify; `name`, the key is not the one it is called; `length` and \
         `padding`, of a body whose tag verifies.",
        all,
    )
}

fn header(named: KeyId, padded: usize) -> DataHeader {
    DataHeader {
        v: WIRE_VERSION,
        room: ROOMS[0],
        chain: EntryId::from(ROOMS[0]),
        seq: 0,
        prev: None,
        class: CLASS_CONTENT,
        time: 1_800_000_000_000,
        key: named,
        salt: Salt([0x3c; 16]),
        slot: None,
        supersedes: None,
        after: None,
        body_hash: None,
        body_len: (padded + 16) as u32,
    }
}

/// As docs/spec/crypto.md says, whatever the padded bytes are.
fn seal(header: &DataHeader, mut padded: Vec<u8>) -> Vec<u8> {
    let mut key = [0; 32];
    let info =
        [domain::ENTRY_KEY, &SUITE.to_be_bytes(), &header.room.0, &header.chain.0, &header.seq.to_be_bytes()];
    let hkdf = hkdf::Hkdf::<sha2::Sha256>::new(Some(&header.salt.0), &room_key(1)[..]);
    hkdf.expand_multi_info(&info, &mut key).unwrap();
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).unwrap());
    let nonce = Nonce::assume_unique_for_key([0; 12]);
    key.seal_in_place_append_tag(nonce, Aad::from(header.associated_data()), &mut padded).unwrap();
    padded
}

fn bodies() -> Vec<Value> {
    let padded = |length: u32, bucket: usize| {
        let mut padded = length.to_be_bytes().to_vec();
        padded.resize(bucket, 0);
        padded
    };
    let mut dirty = padded(5, 256);
    dirty[255] = 1;
    let (own, other) = (crypto::key_id(&ROOMS[0], &room_key(1)), crypto::key_id(&ROOMS[0], &room_key(2)));
    let cases = [
        ("a last byte of padding that is not zero", dirty, own, "padding"),
        ("a length one beyond the bytes", padded(253, 256), own, "length"),
        ("the greatest length", padded(u32::MAX, 256), own, "length"),
        ("no room for a length", vec![0; 3], own, "length"),
        ("nothing", vec![], own, "length"),
        ("under another key than it names", padded(5, 256), other, "name"),
    ];
    let cases = cases.into_iter().map(|(name, padded, named, why)| {
        let mut header = header(named, padded.len());
        let sealed = seal(&header, padded);
        header.body_hash = Some(body_hash(&sealed));
        body(name, &header, &sealed, why)
    });
    let mut cases: Vec<Value> = cases.collect();
    let mut moved = header(own, 256);
    let sealed = seal(&moved, padded(5, 256));
    moved.body_hash = Some(body_hash(&sealed));
    assert!(
        crypto::open_body(&EntryContext { key: &room_key(1), header: &moved }, &moved.room, &sealed).is_ok()
    );
    moved.seq = 1;
    cases.push(body("in another place", &moved, &sealed, "tag"));
    cases
}

fn body(name: &str, header: &DataHeader, sealed: &[u8], why: &str) -> Value {
    let context = EntryContext { key: &room_key(1), header };
    assert!(crypto::open_body(&context, &header.room, sealed).is_err(), "{name}");
    json!({
        "type": "body",
        "name": name,
        "key": hex(*room_key(1)),
        "header": hex(header.bytes()),
        "sealed": hex(sealed),
        "why": why,
    })
}

fn wraps() -> Vec<Value> {
    let (newer, older) = (room_key(1), room_key(2));
    let called = crypto::key_id(&ROOMS[0], &room_key(3));
    let false_name = crypto::wrap_key(&ROOMS[0], &newer, (&called, &older)).unwrap();
    let id = crypto::key_id(&ROOMS[0], &older);
    let right = crypto::wrap_key(&ROOMS[0], &newer, (&id, &older)).unwrap();
    let cases =
        [("a key under a false name", false_name, "name"), ("renamed", Wrap { key: called, ..right }, "tag")];
    let cases = cases.into_iter().map(|(name, wrap, why)| {
        assert!(crypto::open_wrap(&ROOMS[0], &newer, &wrap).is_err(), "{name}");
        json!({
            "type": "wrap",
            "name": name,
            "room": hex(ROOMS[0].0),
            "newer": hex(*newer),
            "older_id": hex(wrap.key.0),
            "sealed": hex(&*wrap.sealed),
            "why": why,
        })
    });
    cases.collect()
}

fn seals() -> Vec<Value> {
    let (alice, bob) = (person(1), person(2));
    let card = bob.card(2, 0).card;
    let right = SealContext {
        room: ROOMS[0],
        key: crypto::key_id(&ROOMS[0], &room_key(1)),
        to: card.id(),
        author: alice.peer(),
    };
    let called = SealContext { key: crypto::key_id(&ROOMS[0], &room_key(3)), ..right };
    let cases = [
        ("a key under a false name", called, called, "name"),
        ("renamed", right, called, "tag"),
        ("taken into somebody else's entry", right, SealContext { author: bob.peer(), ..right }, "tag"),
        ("in another room", right, SealContext { room: ROOMS[1], ..right }, "tag"),
    ];
    let cases = cases.into_iter().zip(1_u8..).map(|((name, made, seen, why), number)| {
        let mut rng = ChaCha20Rng::from_seed([number; 32]);
        let seal: Seal = crypto::seal_key(&made, &card.sealing_key, &room_key(1), &mut rng).unwrap();
        assert!(crypto::open_key(&seen, bob.sealing_secret(), &seal).is_err(), "{name}");
        json!({
            "type": "seal",
            "name": name,
            "recipient_secret": hex(bob.sealing_secret()),
            "room": hex(seen.room.0),
            "key_id": hex(seen.key.0),
            "to": hex(seen.to.0),
            "author": hex(seen.author.0),
            "enc": hex(seal.enc.0),
            "sealed": hex(&*seal.sealed),
            "why": why,
        })
    });
    cases.collect()
}
