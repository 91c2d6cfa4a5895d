//! What stands inside a signal: what a session says of itself, or where a node is reached, in canonical CBOR with
//! open keys. Nothing here is cleaned for people.

use minicbor::{Decode, Encode};
use parlor_wire::cbor::{self, CborError};
use parlor_wire::limits;

const DIRECTORY: u64 = 16;
const BRANCH: u64 = 17;
const STATUS: u64 = 18;
const THRESHOLD: u64 = 19;
const TAGS: u64 = 20;
const REACH: u64 = 21;

/// What a session says of itself. What came later stands in open keys: one that is missing, or that says what this
/// Parlor does not know, is absent here, and all else is heard.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode)]
#[cbor(map)]
pub struct Said {
    /// Its label.
    #[n(0)]
    pub label: String,
    /// The agent program.
    #[n(1)]
    pub program: String,
    /// What it works on.
    #[n(2)]
    pub summary: Option<String>,
    /// The name of its directory, never the way to it.
    #[n(16)]
    pub directory: Option<String>,
    /// The git branch of that directory.
    #[n(17)]
    pub branch: Option<String>,
    /// Its status: 0 idle, 1 working, 2 dnd.
    #[n(18)]
    pub status: Option<u8>,
    /// The least priority it is given at its next prompt: 0 low, 1 normal, 2 now.
    #[n(19)]
    pub threshold: Option<u8>,
    /// Its tags.
    #[n(20)]
    pub tags: Option<Vec<String>>,
    /// When it hears what does not wait for its prompt: 1 between tools, 2 at stop, 4 while it is idle.
    #[n(21)]
    pub reach: Option<u8>,
}

/// What every signal says.
#[derive(Encode, Decode)]
#[cbor(map)]
struct Closed {
    #[n(0)]
    label: String,
    #[n(1)]
    program: String,
    #[n(2)]
    summary: Option<String>,
}

impl Said {
    /// The bytes that are sealed.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// From opened bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        let Closed { label, program, summary } = cbor::decode_open(bytes, limits::MAX_SIGNAL_BYTES)?;
        Ok(Self {
            label,
            program,
            summary,
            directory: cbor::open_value(bytes, DIRECTORY),
            branch: cbor::open_value(bytes, BRANCH),
            status: cbor::open_value(bytes, STATUS),
            threshold: cbor::open_value(bytes, THRESHOLD),
            tags: cbor::open_value(bytes, TAGS),
            reach: cbor::open_value(bytes, REACH),
        })
    }

    /// The same without what stands in open keys.
    #[must_use]
    pub fn closed(self) -> Self {
        let Self { label, program, summary, .. } = self;
        Self { label, program, summary, ..Self::default() }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn full() -> Said {
        Said {
            label: "api-fix".into(),
            program: "claude".into(),
            summary: Some("tests".into()),
            directory: Some("api".into()),
            branch: Some("main".into()),
            status: Some(2),
            threshold: Some(1),
            tags: Some(vec!["backend".into()]),
            reach: Some(7),
        }
    }

    #[test]
    fn a_signal_of_an_earlier_parlor_is_heard_and_an_earlier_parlor_hears_this_one() {
        // Label and program, as the first version wrote them.
        let early = [0xa2, 0, 0x61, b's', 1, 0x61, b'p'];
        let said = Said::decode(&early).unwrap();
        assert_eq!(said, Said { label: "s".into(), program: "p".into(), ..Said::default() });
        assert_eq!(said.encode(), early);
        let heard: Closed = cbor::decode_open(&full().encode(), limits::MAX_SIGNAL_BYTES).unwrap();
        assert_eq!((heard.label.as_str(), heard.summary.as_deref()), ("api-fix", Some("tests")));
        assert_eq!(Said::decode(&full().encode()), Ok(full()));
    }

    #[test]
    fn what_a_later_parlor_says_in_another_way_spoils_nothing_else() {
        let closed = [0xa5, 0, 0x61, b's', 1, 0x61, b'p'];
        // 16: ["a"], 18: 7, 31: true: a shape, a value and a key nobody here knows.
        let later = [&closed[..], &[16, 0x81, 0x61, b'a', 18, 7, 0x18, 31, 0xf5]].concat();
        let said = Said::decode(&later).unwrap();
        assert_eq!((said.label.as_str(), said.directory, said.status), ("s", None, Some(7)));
        let big = [&[0xa3][..], &closed[1..], &[18, 0x19, 1, 0]].concat();
        assert_eq!(Said::decode(&big).unwrap().status, None, "256 is no status of ours");
    }

    proptest! {
        #[test]
        fn what_is_said_comes_back(
            label in ".{0,20}", program in ".{0,20}", summary in prop::option::of(".{0,40}"),
            directory in prop::option::of(".{0,40}"), branch in prop::option::of(".{0,40}"),
            status: Option<u8>, threshold: Option<u8>,
            tags in prop::option::of(prop::collection::vec(".{0,9}", 0..3)), reach: Option<u8>,
        ) {
            let said = Said { label, program, summary, directory, branch, status, threshold, tags, reach };
            prop_assert_eq!(Said::decode(&said.encode()), Ok(said));
        }

        #[test]
        fn any_values_of_open_keys_leave_the_rest_as_it_is(values in prop::collection::vec(any::<u8>(), 0..40)) {
            let closed = full().closed();
            let mut bytes = closed.encode();
            bytes[0] += 1;
            bytes.push(18);
            bytes.extend_from_slice(&values);
            if let Ok(said) = Said::decode(&bytes) {
                prop_assert_eq!(said.closed(), closed);
            }
        }
    }
}

/// Where a node is reached. Its keys are none of a session's, so that neither can be read as the other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Whereabouts {
    /// IP addresses with ports, as text, best first.
    #[n(8)]
    pub addresses: Vec<String>,
    /// The URL of the relay it can be called at.
    #[n(9)]
    pub relay: Option<String>,
}

impl Whereabouts {
    /// The bytes that are sealed.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// From opened bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        cbor::decode_open(bytes, limits::MAX_SIGNAL_BYTES)
    }
}
