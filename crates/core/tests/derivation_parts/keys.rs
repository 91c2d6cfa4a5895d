//! Ids of room keys, the key pairs of identities and tickets, and room keys sealed and wrapped. Holds no rule.

use parlor_core::crypto::{self, RoomKey, SealContext, TicketKeys};
use parlor_core::identity::Identity;
use parlor_wire::control::ticket_recipient;
use parlor_wire::frame::proof_message;
use parlor_wire::{PeerId, PublicSealingKey, RecipientId, RoomId, Salt, domain};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{file, hex};

/// The time on every card.
const CARD_TIME: u64 = 1_800_000_000_000;

/// Two rooms and a room key of each kind of bytes.
pub const ROOMS: [RoomId; 2] = [RoomId([0xa0; 32]), RoomId([0xb1; 32])];

/// The room key made of one number.
pub fn room_key(number: u8) -> RoomKey {
    Zeroizing::new(std::array::from_fn(|at| number ^ (at as u8)))
}

/// Whose signing secret is 32 times one number, and whose sealing seed 32 times that and 100.
pub fn person(number: u8) -> Identity {
    Identity::new(&[number; 32], Zeroizing::new([number + 100; 32]))
}

pub fn room_keys() -> Value {
    let keys = [Zeroizing::new([0; 32]), Zeroizing::new([0xff; 32]), room_key(1), room_key(2)];
    let all = ROOMS.iter().flat_map(|room| {
        let one = |key: &RoomKey| json!({ "room": hex(room.0), "key": hex(**key), "id": hex(crypto::key_id(room, key).0) });
        keys.iter().map(one).collect::<Vec<_>>()
    });
    file("Ids of room keys.", all.collect())
}

pub fn sealing_pairs() -> Value {
    let all = [1_u8, 2, 3].into_iter().map(|number| {
        let person = person(number);
        let signed = person.card(u32::from(number), CARD_TIME);
        json!({
            "identity_secret": hex([number; 32]),
            "identity": hex(person.peer().0),
            "sealing_seed": hex(person.sealing_seed()),
            "sealing_secret": hex(person.sealing_secret()),
            "sealing_key": hex(signed.card.sealing_key.0),
            "card": hex(signed.encode()),
            "card_id": hex(signed.card.id().0),
        })
    });
    file("The sealing pairs of identities, and a card of each.", all.collect())
}

pub fn ticket_keys() -> Value {
    let all = [0_u8, 0x77, 0xff].into_iter().map(|number| {
        let keys = TicketKeys::from_seed(&[number; 32]);
        let (prover, verifier, nonce) = (person(2).peer(), person(1).peer(), Salt([number ^ 0x5a; 16]));
        let message = proof_message(&prover, &verifier, &ROOMS[0], &nonce);
        json!({
            "seed": hex([number; 32]),
            "signing_key": hex(keys.signing_key().0),
            "sealing_secret": hex(*keys.sealing_secret),
            "sealing_key": hex(keys.sealing_key.0),
            "recipient": hex(recipient_of(&keys).0),
            "link_proof": {
                "prover": hex(prover.0),
                "verifier": hex(verifier.0),
                "room": hex(ROOMS[0].0),
                "nonce": hex(nonce.0),
                "signature": hex(keys.sign(domain::LINK_PROOF, &message).0),
            },
        })
    });
    file("The keys in the seeds of tickets, and a proof of each for one link.", all.collect())
}

fn recipient_of(keys: &TicketKeys) -> RecipientId {
    ticket_recipient(&keys.signing_key(), &keys.sealing_key)
}

struct To {
    name: &'static str,
    id: RecipientId,
    public: PublicSealingKey,
    secret: [u8; 32],
}

/// The 32 bytes of which the sealing makes its ephemeral pair are the first its generator gives.
fn seal(to: &To, room: RoomId, key: &RoomKey, author: PeerId, number: u8) -> Value {
    let context = SealContext { room, key: crypto::key_id(&room, key), to: to.id, author };
    let mut rng = ChaCha20Rng::from_seed([number; 32]);
    let mut ephemeral = [0; 32];
    rng.clone().fill_bytes(&mut ephemeral);
    let seal = crypto::seal_key(&context, &to.public, key, &mut rng).unwrap();
    assert_eq!(crypto::open_key(&context, &to.secret, &seal).as_ref(), Ok(key));
    json!({
        "name": to.name,
        "recipient_secret": hex(to.secret),
        "recipient_key": hex(to.public.0),
        "room": hex(room.0),
        "key_id": hex(context.key.0),
        "to": hex(to.id.0),
        "author": hex(author.0),
        "ephemeral_ikm": hex(ephemeral),
        "enc": hex(seal.enc.0),
        "sealed": hex(&*seal.sealed),
        "key": hex(**key),
    })
}

pub fn seals() -> Value {
    let (alice, bob) = (person(1), person(2));
    let card = bob.card(2, CARD_TIME).card;
    let (id, public, secret) = (card.id(), card.sealing_key, *bob.sealing_secret());
    let to_card = To { name: "to a card", id, public, secret };
    let keys = TicketKeys::from_seed(&[0x77; 32]);
    let (id, public, secret) = (recipient_of(&keys), keys.sealing_key, *keys.sealing_secret);
    let to_ticket = To { name: "to a ticket", id, public, secret };
    let all = [
        seal(&to_card, ROOMS[0], &room_key(1), alice.peer(), 1),
        seal(&to_card, ROOMS[0], &room_key(1), bob.peer(), 2),
        seal(&to_card, ROOMS[1], &room_key(2), alice.peer(), 3),
        seal(&to_ticket, ROOMS[0], &room_key(1), alice.peer(), 4),
        seal(&to_ticket, ROOMS[1], &room_key(2), bob.peer(), 5),
    ];
    file("Room keys sealed to somebody, with the bytes the ephemeral pair was made of.", all.into())
}

pub fn wraps() -> Value {
    let all = [(0, 1, 2), (0, 2, 1), (1, 1, 2), (0, 3, 3)].into_iter().map(|(room, newer, older)| {
        let (room, newer, older) = (ROOMS[room], room_key(newer), room_key(older));
        let id = crypto::key_id(&room, &older);
        let wrap = crypto::wrap_key(&room, &newer, (&id, &older)).unwrap();
        assert_eq!(crypto::open_wrap(&room, &newer, &wrap).as_ref(), Ok(&older));
        json!({
            "room": hex(room.0),
            "newer": hex(*newer),
            "older": hex(*older),
            "older_id": hex(id.0),
            "sealed": hex(&*wrap.sealed),
        })
    });
    file("Older room keys wrapped under newer ones.", all.collect())
}
