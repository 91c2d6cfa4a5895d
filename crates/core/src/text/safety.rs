//! The safety number of two identities: what two people read to each other to know that nobody stands between
//! them. The same on both sides. Must stay a pure function of the two keys.

use bip39::Language;
use parlor_wire::{PeerId, domain};

/// Groups of five digits: 60 digits, about 199 bits.
const DIGIT_GROUPS: usize = 12;
/// Words of eleven bits each: 198 bits, as many as the digits.
const WORDS: usize = 18;
/// Bits of the place of a word in a list of 2048.
const WORD_BITS: usize = 11;
const GROUP_BYTES: usize = 8;
const WORD_BYTES: usize = (WORDS * WORD_BITS).div_ceil(8);

/// One number in two forms; either is enough to compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SafetyNumber {
    /// 12 groups of 5 digits.
    pub digits: Vec<String>,
    /// 18 words of the English list of BIP 39, of which the first four letters tell each from each.
    pub words: Vec<&'static str>,
}

/// The safety number of a pair, whoever of the two asks.
#[must_use]
pub fn safety_number(one: &PeerId, other: &PeerId) -> SafetyNumber {
    let (low, high) = if one <= other { (one, other) } else { (other, one) };
    let mut hasher = blake3::Hasher::new_derive_key(domain::SAFETY_NUMBER);
    hasher.update(&low.0).update(&high.0);
    let mut drawn = hasher.finalize_xof();
    let mut digits = Vec::with_capacity(DIGIT_GROUPS);
    for _ in 0..DIGIT_GROUPS {
        let mut group = [0; GROUP_BYTES];
        drawn.fill(&mut group);
        // Of 64 bits, so that no group is likelier than another by more than one in 10^14.
        digits.push(format!("{:05}", u64::from_be_bytes(group) % 100_000));
    }
    let mut bytes = [0; WORD_BYTES];
    drawn.fill(&mut bytes);
    let list = Language::English.word_list();
    let bit = |at: usize| usize::from(bytes[at / 8] >> (7 - at % 8) & 1);
    let word = |nth: usize| {
        let place = (nth * WORD_BITS..(nth + 1) * WORD_BITS).fold(0, |place, at| place << 1 | bit(at));
        list[place]
    };
    SafetyNumber { digits, words: (0..WORDS).map(word).collect() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_number_of_a_pair_is_what_it_always_was() {
        // The same pair stands in safety_numbers.json, worked out by other implementations of BLAKE3 and of the list.
        let number = safety_number(&PeerId([1; 32]), &PeerId([2; 32]));
        assert_eq!(
            number.digits.join(" "),
            "37174 75425 90888 86980 85887 41676 22388 84998 37018 39424 99189 92091"
        );
        assert_eq!(
            number.words.join(" "),
            "tilt suffer section subject tomato sign patch method harvest feel just mechanic egg cash elephant melt shuffle sister"
        );
    }

    proptest! {
        #[test]
        fn both_sides_see_one_number_and_every_other_pair_another(a: [u8; 32], b: [u8; 32], c: [u8; 32]) {
            prop_assume!(b != c);
            let (a, b, c) = (PeerId(a), PeerId(b), PeerId(c));
            let number = safety_number(&a, &b);
            prop_assert_eq!(&number, &safety_number(&b, &a));
            let other = safety_number(&a, &c);
            prop_assert!(number.digits != other.digits && number.words != other.words);
            prop_assert!(number.digits.len() == 12 && number.digits.iter().all(|group| group.len() == 5));
            prop_assert_eq!(number.words.len(), 18);
        }
    }
}
