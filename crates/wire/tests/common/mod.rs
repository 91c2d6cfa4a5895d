//! People with fixed keys who sign entries, for tests only: what a node does with secrets, without a node. Keys come
//! from small numbers, so that every run signs the same bytes.
#![allow(dead_code)]

pub mod history;
pub mod judge;
pub mod oracle;
pub mod room;
pub mod rosters;
pub mod samples;
pub mod vectors;

use ed25519_dalek::hazmat::{ExpandedSecretKey, raw_sign};
use ed25519_dalek::{Signer, SigningKey};
use parlor_wire::control::{
    Admit, Close, ControlBody, ControlHeader, Cut, Direct, Genesis, Grant, Join, Leave, NewCard, Note, Own,
    Rekey, Remove, Request, Role, Seal, SetRole, Ticket, Want, Wrap, direct_room,
};
use parlor_wire::{
    Card, Control, Data, DataHeader, EntryId, KeyId, PeerId, PublicSealingKey, RULES, RecipientId, RoomId,
    SUITE, Salt, Signature, SignedCard, TimeMs, WIRE_VERSION, domain, sign,
};

/// The time of the first entry.
pub const T0: TimeMs = 1_800_000_000_000;

/// Somebody, or a ticket, who signs.
#[derive(Clone)]
pub struct Signing(SigningKey);

impl Signing {
    /// The key made of one number.
    pub fn new(number: u8) -> Self {
        Self(SigningKey::from_bytes(&[number; 32]))
    }

    /// The 32 secret bytes.
    pub fn seed(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// The public key.
    pub fn peer(&self) -> PeerId {
        PeerId(self.0.verifying_key().to_bytes())
    }

    /// Signs under a domain.
    pub fn sign(&self, domain: &[u8], message: &[u8]) -> Signature {
        Signature(self.0.sign(&sign::signed_bytes(domain, message)).to_bytes())
    }

    /// A second signature of the same bytes that verifies too: signers may choose another nonce.
    pub fn sign_again(&self, domain: &[u8], message: &[u8]) -> Signature {
        let mut secret = ExpandedSecretKey::from(&self.seed());
        secret.hash_prefix[0] ^= 1;
        let message = sign::signed_bytes(domain, message);
        Signature(raw_sign::<sha2::Sha512>(&secret, &message, &self.0.verifying_key()).to_bytes())
    }

    /// A card of theirs. The sealing key is no curve point; nothing here opens anything.
    pub fn card(&self, generation: u32, time: TimeMs) -> SignedCard {
        let key = blake3::hash(&[&self.seed()[..], &generation.to_be_bytes()].concat());
        self.card_for(generation, time, PublicSealingKey(*key.as_bytes()))
    }

    /// A card of theirs with that sealing key.
    pub fn card_for(&self, generation: u32, time: TimeMs, sealing_key: PublicSealingKey) -> SignedCard {
        let card = Card { v: WIRE_VERSION, identity: self.peer(), generation, sealing_key, time };
        let signature = self.sign(domain::CARD_SIGNATURE, &card.bytes());
        SignedCard { card, signature }
    }
}

/// Where an entry stands: its room, the membership it acts as, its parents.
#[derive(Clone)]
pub struct Place {
    pub room: Option<RoomId>,
    pub membership: Option<EntryId>,
    pub after: Vec<EntryId>,
}

impl Place {
    /// Behind these, as that membership.
    pub fn new(room: RoomId, membership: EntryId, after: &[EntryId]) -> Self {
        let mut after = after.to_vec();
        after.sort_unstable();
        Self { room: Some(room), membership: Some(membership), after }
    }
}

/// A header of that place and body.
pub fn header(author: &Signing, place: Place, body: &ControlBody, time: TimeMs) -> ControlHeader {
    ControlHeader {
        v: WIRE_VERSION,
        rules: RULES,
        suite: SUITE,
        room: place.room,
        author: author.peer(),
        membership: place.membership,
        kind: body.kind(),
        after: place.after,
        time,
        body: body.bytes().into(),
    }
}

/// Signs a control entry.
pub fn control(author: &Signing, place: Place, body: ControlBody, time: TimeMs) -> Control {
    let header = header(author, place, &body, time);
    let signature = author.sign(domain::CONTROL_SIGNATURE, &header.bytes());
    Control::new(header, body, signature, None)
}

/// A genesis.
pub fn genesis(author: &Signing, number: u8) -> Control {
    let body = ControlBody::Genesis(Genesis { card: author.card(1, T0), nonce: Salt([number; 16]) });
    control(author, Place { room: None, membership: None, after: vec![] }, body, T0)
}

/// Opens the direct room of two for one of them, who knows these cards of the other.
pub fn direct(
    author: &Signing,
    other: &Signing,
    known: &[SignedCard],
    after: &[EntryId],
    time: TimeMs,
) -> Control {
    let body =
        ControlBody::Direct(Direct { other: other.peer(), card: author.card(1, T0), known: known.to_vec() });
    let mut after = after.to_vec();
    after.sort_unstable();
    let place = Place { room: direct_room(&author.peer(), &other.peer()), membership: None, after };
    control(author, place, body, time)
}

/// A join, signed by the joiner and the ticket's key.
pub fn join(author: &Signing, ticket_key: &Signing, ticket: EntryId, place: Place, time: TimeMs) -> Control {
    let body = ControlBody::Join(Join { ticket, card: author.card(1, time) });
    enter(author, ticket_key, body, place, time)
}

/// A request, signed by whoever asks and the ticket's key.
pub fn request(
    author: &Signing,
    ticket_key: &Signing,
    ticket: EntryId,
    place: Place,
    time: TimeMs,
) -> Control {
    let body = ControlBody::Request(Request { ticket, card: author.card(1, time) });
    enter(author, ticket_key, body, place, time)
}

/// What comes from outside: signed by its author and the ticket's key.
pub fn enter(
    author: &Signing,
    ticket_key: &Signing,
    body: ControlBody,
    place: Place,
    time: TimeMs,
) -> Control {
    let header = header(author, Place { membership: None, ..place }, &body, time);
    let signature = author.sign(domain::CONTROL_SIGNATURE, &header.bytes());
    let ticket_signature = ticket_key.sign(domain::JOIN_SIGNATURE, &header.bytes());
    Control::new(header, body, signature, Some(ticket_signature))
}

/// The body of a ticket for anybody, of that role.
pub fn ticket(key: &Signing, role: Role) -> Ticket {
    Ticket {
        signing_key: key.peer(),
        sealing_key: PublicSealingKey(*blake3::hash(&key.seed()).as_bytes()),
        role,
        uses: None,
        expires: None,
        approve: false,
        grants: vec![],
    }
}

/// `own` of somebody.
pub fn own(whom: &Signing) -> ControlBody {
    ControlBody::Own(Own { identity: whom.peer() })
}

/// `close` of a ticket.
pub fn close(ticket: EntryId) -> ControlBody {
    ControlBody::Close(Close { ticket, rekey: None })
}

/// `admit` of what was asked.
pub fn admit(request: &Control) -> ControlBody {
    ControlBody::Admit(Admit { request: Box::new(request.clone()), grants: vec![] })
}

/// `remove` of somebody with these memberships and cuts.
pub fn remove(whom: &Signing, memberships: &[EntryId], cuts: &[Cut]) -> ControlBody {
    let (mut memberships, mut cuts) = (memberships.to_vec(), cuts.to_vec());
    memberships.sort_unstable();
    cuts.sort_unstable();
    ControlBody::Remove(Remove { identity: whom.peer(), memberships, cuts, rekey: None })
}

/// A cut of a chain at a place; the entry there is made of the place and the branch.
pub fn cut(chain: EntryId, seq: u64, branch: u8) -> Cut {
    Cut { chain, seq, id: EntryId([branch ^ seq as u8; 32]) }
}

/// `role` of somebody.
pub fn role(whom: &Signing, role: Role, cuts: &[Cut]) -> ControlBody {
    let mut cuts = cuts.to_vec();
    cuts.sort_unstable();
    ControlBody::Role(SetRole { identity: whom.peer(), role, cuts })
}

/// `leave`.
pub fn leave(abandons: bool) -> ControlBody {
    ControlBody::Leave(Leave { abandons })
}

/// `want` of keys.
pub fn want(keys: &[u8]) -> ControlBody {
    ControlBody::Want(Want { keys: keys.iter().map(|number| KeyId([*number; 32])).collect() })
}

/// A note.
pub fn note() -> ControlBody {
    ControlBody::Note(Note {})
}

/// A further card.
pub fn new_card(card: SignedCard) -> ControlBody {
    ControlBody::Card(NewCard { card })
}

/// A seal of the right form and no meaning.
pub fn seal(to: RecipientId, number: u8) -> Seal {
    Seal { to, enc: PublicSealingKey([number; 32]), sealed: vec![number; 48].into() }
}

/// A grant of the right form and no meaning.
pub fn grant(to: RecipientId, number: u8) -> Grant {
    Grant { key: KeyId([number; 32]), seals: vec![seal(to, number)] }
}

/// A rekey of the right form and no meaning.
pub fn rekey(to: &[RecipientId], number: u8) -> Rekey {
    Rekey {
        key: KeyId([number; 32]),
        seals: to.iter().map(|to| seal(*to, number)).collect(),
        wraps: vec![Wrap { key: KeyId([number ^ 0x80; 32]), sealed: vec![number; 48].into() }],
    }
}

/// Signs a data entry.
pub fn data(author: &Signing, header: DataHeader, body: Option<Vec<u8>>) -> Data {
    let signature = author.sign(domain::DATA_SIGNATURE, &header.bytes());
    Data::new(header, signature, body)
}
