//! Hedged randomness: every secret or salt drawn is a keyed hash of fresh randomness *and* of what it is for,
//! under a secret of this store, so that a cloned machine or a repeated generator state repeats nothing.

use parlor_wire::{Salt, domain};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use zeroize::Zeroizing;

/// A source of randomness that is never used bare.
pub struct Hedge {
    secret: Zeroizing<[u8; 32]>,
    rng: ChaCha20Rng,
}

impl Hedge {
    /// From the store's own secret and a seed of the operating system, fresh at each start.
    pub fn new(secret: Zeroizing<[u8; 32]>, seed: [u8; 32]) -> Self {
        Self { secret, rng: ChaCha20Rng::from_seed(seed) }
    }

    /// A store's new secret.
    pub fn new_secret(seed: &[u8; 32]) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(blake3::derive_key(domain::HEDGE, seed))
    }

    /// 32 bytes for one use, described by `context`.
    pub fn bytes(&mut self, context: &[&[u8]]) -> Zeroizing<[u8; 32]> {
        let mut random = Zeroizing::new([0; 32]);
        self.rng.fill_bytes(&mut random[..]);
        let mut hasher = blake3::Hasher::new_keyed(&self.secret);
        hasher.update(&random[..]);
        for part in context {
            hasher.update(&(part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        Zeroizing::new(*hasher.finalize().as_bytes())
    }

    /// A salt for one use.
    pub fn salt(&mut self, context: &[&[u8]]) -> Salt {
        let bytes = self.bytes(context);
        let mut salt = [0; 16];
        salt.copy_from_slice(&bytes[..16]);
        Salt(salt)
    }

    /// A generator for one use.
    pub fn rng(&mut self, context: &[&[u8]]) -> ChaCha20Rng {
        ChaCha20Rng::from_seed(*self.bytes(context))
    }

    /// A number below `bound`, for delays.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.rng.next_u64() % bound.max(1)
    }
}
