//! Any bytes as something sealed, in every place where sealed bytes come from others: nothing opens but what was sealed there,
//! and nothing panics.

use parlor_core::crypto::{self, EntryContext, RoomKey, SealContext, TicketKeys};
use parlor_wire::control::{Seal, Wrap};
use parlor_wire::data::Data;
use parlor_wire::frame::{Frame, Signal};
use parlor_wire::{EntryId, PeerId, PublicSealingKey, RecipientId, RoomId, Salt};
use zeroize::Zeroizing;

const ROOM: RoomId = RoomId([0xa0; 32]);

/// The key things are opened with.
fn room_key() -> RoomKey {
    Zeroizing::new(std::array::from_fn(|at| 1 ^ at as u8))
}

/// One input.
pub fn run(bytes: &[u8]) {
    opens(bytes);
}

/// One input. Whether it is a whole entry or signal that was sealed with that key; nothing else opens.
pub fn opens(bytes: &[u8]) -> bool {
    let key = room_key();
    let id = crypto::key_id(&ROOM, &key);
    let mut first = [0; 32];
    let (enc, sealed) = bytes.split_at(bytes.len().min(32));
    first[..enc.len()].copy_from_slice(enc);
    let context = SealContext { room: ROOM, key: id, to: RecipientId([1; 32]), author: PeerId([2; 32]) };
    let seal = Seal { to: context.to, enc: PublicSealingKey(first), sealed: sealed.to_vec().into() };
    let secret = TicketKeys::from_seed(&[3; 32]).sealing_secret;
    assert!(crypto::open_key(&context, &secret, &seal).is_err(), "nobody sealed that");
    let wrap = Wrap { key: id, sealed: bytes.to_vec().into() };
    assert!(crypto::open_wrap(&ROOM, &key, &wrap).is_err(), "nobody wrapped that");
    let entry = Data::decode(bytes).is_ok_and(|data| open_entry(&data, &key));
    let frame = Frame::decode(bytes);
    let whole =
        matches!(&frame, Ok(Frame::Signal(signal)) if crypto::open_signal(&key, &ROOM, signal).is_ok());
    let signal = Signal {
        author: PeerId([1; 32]),
        session: Salt([1; 16]),
        counter: 1,
        ttl_s: 90,
        key: id,
        salt: Salt([1; 16]),
        sealed: bytes.to_vec().into(),
        signature: None,
    };
    assert!(crypto::open_signal(&key, &ROOM, &signal).is_err(), "nobody sealed that");
    entry || whole
}

/// What opens seals to the same bytes again.
fn open_entry(data: &Data, key: &RoomKey) -> bool {
    let Some(sealed) = &data.body else { return false };
    let context = EntryContext { key, header: &data.header };
    let Ok(plaintext) = crypto::open_body(&context, &data.header.room, sealed) else { return false };
    assert!(plaintext.len() + 4 <= sealed.len() - 16);
    if crypto::sealed_len(plaintext.len()) == sealed.len() {
        assert_eq!(crypto::seal_body(&context, &plaintext).as_ref(), Ok(sealed));
    }
    let mut elsewhere = data.header.clone();
    elsewhere.chain = EntryId([9; 32]);
    let context = EntryContext { key, header: &elsewhere };
    assert!(crypto::open_body(&context, &elsewhere.room, sealed).is_err(), "it opens in another chain");
    true
}
