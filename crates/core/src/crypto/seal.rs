//! Room keys given to others: sealed to a card or ticket (HPKE base mode, RFC 9180), or wrapped under a newer
//! room key.

use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use parlor_wire::control::{Seal, Wrap};
use parlor_wire::{KeyId, PeerId, PublicSealingKey, RecipientId, RoomId, SUITE, domain};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::{NotOpened, RoomKey, aead, hkdf, key_id};

type X25519 = X25519HkdfSha256;

/// What a sealed key is bound to.
#[derive(Debug, Clone, Copy)]
pub struct SealContext {
    /// The room.
    pub room: RoomId,
    /// The key.
    pub key: KeyId,
    /// Whom it is sealed to.
    pub to: RecipientId,
    /// Who seals it.
    pub author: PeerId,
}

impl SealContext {
    fn info(&self) -> Vec<u8> {
        let suite = SUITE.to_be_bytes();
        let parts: [&[u8]; 6] =
            [domain::SEAL_INFO, &suite, &self.room.0, &self.key.0, &self.to.0, &self.author.0];
        parts.concat()
    }
}

/// The X25519 key pair of 32 secret bytes (RFC 9180 DeriveKeyPair).
pub(crate) fn sealing_pair(secret: &[u8; 32]) -> (Zeroizing<[u8; 32]>, PublicSealingKey) {
    let (private, public) = X25519::derive_keypair(secret);
    let mut private_bytes = Zeroizing::new([0; 32]);
    private.write_exact(&mut private_bytes[..]);
    let mut public_bytes = [0; 32];
    public.write_exact(&mut public_bytes);
    (private_bytes, PublicSealingKey(public_bytes))
}

/// Seals a room key to a recipient.
pub fn seal_key(
    context: &SealContext,
    recipient: &PublicSealingKey,
    key: &RoomKey,
    rng: &mut impl CryptoRng,
) -> Result<Seal, NotOpened> {
    let public = <X25519 as Kem>::PublicKey::from_bytes(&recipient.0).map_err(|_| NotOpened)?;
    let (encapped, sealed) = hpke::single_shot_seal_with_rng::<AesGcm256, HkdfSha256, X25519>(
        &OpModeS::Base,
        &public,
        &context.info(),
        &key[..],
        &[],
        rng,
    )
    .map_err(|_| NotOpened)?;
    let mut enc = [0; 32];
    encapped.write_exact(&mut enc);
    Ok(Seal { to: context.to, enc: PublicSealingKey(enc), sealed: sealed.into() })
}

/// Opens a room key sealed to this secret, and checks that it is the key it was called.
pub fn open_key(context: &SealContext, secret: &[u8; 32], seal: &Seal) -> Result<RoomKey, NotOpened> {
    let private = <X25519 as Kem>::PrivateKey::from_bytes(secret).map_err(|_| NotOpened)?;
    let encapped = <X25519 as Kem>::EncappedKey::from_bytes(&seal.enc.0).map_err(|_| NotOpened)?;
    let plain = Zeroizing::new(
        hpke::single_shot_open::<AesGcm256, HkdfSha256, X25519>(
            &OpModeR::Base,
            &private,
            &encapped,
            &context.info(),
            &seal.sealed,
            &[],
        )
        .map_err(|_| NotOpened)?,
    );
    checked(context.room, context.key, &plain)
}

fn wrapping_key(room: &RoomId, newer: &RoomKey, older: &KeyId) -> Zeroizing<[u8; 32]> {
    hkdf(newer, &[], &[domain::WRAP_KEY, &SUITE.to_be_bytes(), &room.0, &older.0])
}

/// Wraps an older room key under a newer one.
pub fn wrap_key(room: &RoomId, newer: &RoomKey, older: (&KeyId, &RoomKey)) -> Result<Wrap, NotOpened> {
    let sealed = aead::seal(&wrapping_key(room, newer, older.0), &[], older.1.to_vec())?;
    Ok(Wrap { key: *older.0, sealed: sealed.into() })
}

/// Opens a wrapped key, and checks that it is the key it was called.
pub fn open_wrap(room: &RoomId, newer: &RoomKey, wrap: &Wrap) -> Result<RoomKey, NotOpened> {
    let plain = Zeroizing::new(aead::open(&wrapping_key(room, newer, &wrap.key), &[], &wrap.sealed)?);
    checked(*room, wrap.key, &plain)
}

fn checked(room: RoomId, id: KeyId, plain: &[u8]) -> Result<RoomKey, NotOpened> {
    let key = Zeroizing::new(<[u8; 32]>::try_from(plain).map_err(|_| NotOpened)?);
    if key_id(&room, &key) == id { Ok(key) } else { Err(NotOpened) }
}
