//! What is drawn with the hedge, and the safety numbers of pairs. Holds no rule.

use parlor_core::crypto::Hedge;
use parlor_core::text::safety::safety_number;
use parlor_wire::PeerId;
use serde_json::{Value, json};

use super::keys::person;
use super::{file, hex};

pub fn hedge() -> Value {
    let contexts: [&[&[u8]]; 5] =
        [&[], &[b""], &[b"entry", b"header", b"plaintext"], &[b"ab"], &[b"a", b"b"]];
    let all = [(1_u8, 2_u8), (1, 3), (0xff, 2)].into_iter().map(|(store, start)| {
        let secret = Hedge::new_secret(&[store; 32]);
        let mut hedge = Hedge::new(secret.clone(), [start; 32]);
        let draws = contexts.iter().enumerate().map(|(at, context)| {
            let parts: Vec<String> = context.iter().map(hex).collect();
            match at % 2 {
                0 => json!({ "context": parts, "bytes": hex(*hedge.bytes(context)) }),
                _ => json!({ "context": parts, "salt": hex(hedge.salt(context).0) }),
            }
        });
        let draws: Vec<Value> = draws.collect();
        json!({ "store_seed": hex([store; 32]), "secret": hex(*secret), "start_seed": hex([start; 32]), "draws": draws })
    });
    file("What one store draws after one start, one after the other.", all.collect())
}

pub fn safety_numbers() -> Value {
    let pairs = [
        (PeerId([1; 32]), PeerId([2; 32])),
        (PeerId([0xff; 32]), PeerId([0; 32])),
        (person(1).peer(), person(2).peer()),
        (person(2).peer(), person(1).peer()),
        (person(2).peer(), person(3).peer()),
    ];
    let all = pairs.into_iter().map(|(one, other)| {
        let number = safety_number(&one, &other);
        json!({
            "one": hex(one.0),
            "other": hex(other.0),
            "digits": number.digits.join(" "),
            "words": number.words.join(" "),
        })
    });
    file("Safety numbers of pairs of identities.", all.collect())
}
