//! One connection's talk with the node, without the connection: what to write, and what a line that was read
//! means. Both clients are this with bytes moved. Must not read, write or wait.

use serde::Serialize;

use crate::failure::ClientError;
use crate::line::{ClientLine, Hello, NodeHello, NodeLine, RequestLine};
use crate::reply::{Event, Reply};
use crate::request::Request;
use crate::{API_VERSION, MAX_LINE_BYTES};

/// How much of a line nobody understands is shown.
const SHOWN_BYTES: usize = 80;

/// What a line means to whoever waits for the answer to one request.
#[derive(Debug)]
pub(crate) enum Step {
    /// Read on.
    Nothing,
    /// One of several things.
    Event(Event),
    /// The last word.
    Reply(Reply),
}

/// The state of one connection.
#[derive(Debug, Default)]
pub(crate) struct Conversation {
    node: Option<NodeHello>,
    last_id: u64,
    surface: String,
}

impl Conversation {
    /// A conversation begun: what to write first, and the request's id.
    pub(crate) fn begin(hello: &Hello, request: &Request) -> Result<(Self, u64, Vec<u8>), ClientError> {
        let mut talk = Self { surface: hello.surface.clone(), ..Self::default() };
        let mut bytes = line(&ClientLine::Hello { hello: hello.clone() })?;
        let (id, asked) = talk.ask(request)?;
        bytes.extend_from_slice(&asked);
        Ok((talk, id, bytes))
    }

    /// One more request: its id and what to write.
    pub(crate) fn ask(&mut self, request: &Request) -> Result<(u64, Vec<u8>), ClientError> {
        self.last_id += 1;
        let request = RequestLine { id: self.last_id, request: request.clone() };
        Ok((self.last_id, line(&ClientLine::Request(request))?))
    }

    /// What to write so that a request ends.
    pub(crate) fn cancel(id: u64) -> Result<Vec<u8>, ClientError> {
        line(&ClientLine::Cancel { cancel: id })
    }

    /// What the node said of itself, once it has.
    pub(crate) fn node(&self) -> Option<&NodeHello> {
        self.node.as_ref()
    }

    /// What a line means for request `id`.
    pub(crate) fn read(&mut self, bytes: &[u8], id: u64) -> Result<Step, ClientError> {
        let line = serde_json::from_slice(bytes).map_err(|_| garbage(bytes))?;
        match (line, self.node.is_some()) {
            (NodeLine::Hello { hello }, false) => self.greet(hello),
            (NodeLine::Error { error, .. }, false) => Err(error.into()),
            (_, false) | (NodeLine::Hello { .. }, true) => Err(garbage(bytes)),
            (NodeLine::Ok { id: of, ok }, true) if of == id => Ok(Step::Reply(ok)),
            (NodeLine::Event { id: of, event }, true) if of == id => Ok(Step::Event(event)),
            // 0: the node could not even read which request it was.
            (NodeLine::Error { id: of, error }, true) if of == id || of == 0 => Err(error.into()),
            // The answer to something nobody waits for.
            (_, true) => Ok(Step::Nothing),
        }
    }

    fn greet(&mut self, hello: NodeHello) -> Result<Step, ClientError> {
        if hello.restarting {
            return Err(ClientError::Restarting);
        }
        // A node serves its own version and the one before. An older one is made to start again, but not by a
        // hook, and whatever a hook asks it has been asked since the first version.
        let too_old = hello.api < API_VERSION && self.surface != "hook";
        if too_old || hello.api > API_VERSION + 1 {
            return Err(ClientError::Skew { node: hello.api });
        }
        self.node = Some(hello);
        Ok(Step::Nothing)
    }

    /// What the end of the connection means.
    pub(crate) fn ended(&self) -> ClientError {
        ClientError::Broken { served: self.node.is_some() }
    }
}

fn line<T: Serialize>(value: &T) -> Result<Vec<u8>, ClientError> {
    let mut bytes = serde_json::to_vec(value).map_err(|error| ClientError::Garbage(error.to_string()))?;
    if bytes.len() > MAX_LINE_BYTES {
        return Err(ClientError::RequestTooLong(bytes.len()));
    }
    bytes.push(b'\n');
    Ok(bytes)
}

fn garbage(bytes: &[u8]) -> ClientError {
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN_BYTES)]);
    ClientError::Garbage(format!("{shown:?}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn begun(surface: &str) -> Conversation {
        let hello = Hello { surface: surface.into(), ..Hello::default() };
        Conversation::begin(&hello, &Request::Status).unwrap().0
    }

    fn greeting(api: u32) -> String {
        format!(r#"{{"hello":{{"api":{api},"version":"9","pid":7}}}}"#)
    }

    #[test]
    fn only_versions_that_understand_each_other_go_on() {
        let meets = |surface, api| begun(surface).read(greeting(api).as_bytes(), 1).is_ok();
        assert!(meets("cli", API_VERSION));
        assert!(meets("cli", API_VERSION + 1));
        assert!(!meets("cli", API_VERSION + 2));
        assert!(!meets("cli", API_VERSION - 1));
        assert!(meets("hook", API_VERSION - 1));
    }

    #[test]
    fn answers_to_others_are_passed_over_and_none_comes_before_hello() {
        let mut talk = begun("cli");
        assert!(matches!(talk.read(br#"{"id":1,"ok":"done"}"#, 1), Err(ClientError::Garbage(_))));
        talk.read(greeting(API_VERSION).as_bytes(), 1).unwrap();
        assert!(matches!(talk.read(br#"{"id":9,"ok":"done"}"#, 1), Ok(Step::Nothing)));
        assert!(matches!(talk.read(br#"{"id":1,"ok":"done"}"#, 1), Ok(Step::Reply(Reply::Done))));
        let bad_line = br#"{"id":0,"error":{"kind":"usage","message":"no request"}}"#;
        assert!(matches!(talk.read(bad_line, 1), Err(ClientError::Refused(_))));
    }

    #[test]
    fn a_request_beyond_a_line_is_refused_before_it_is_written() {
        let text = "x".repeat(MAX_LINE_BYTES);
        let request = Request::SetSummary { summary: text };
        assert!(matches!(begun("cli").ask(&request), Err(ClientError::RequestTooLong(_))));
    }

    proptest! {
        #[test]
        fn no_line_whatever_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), greeted: bool) {
            let mut talk = begun("cli");
            if greeted {
                talk.read(greeting(API_VERSION).as_bytes(), 1).unwrap();
            }
            // Random bytes are no line of this interface.
            prop_assert!(talk.read(&bytes, 1).is_err());
        }

        #[test]
        fn no_deep_nesting_makes_it_panic(depth in 1usize..10_000) {
            let line = format!(r#"{{"id":1,"ok":{}"#, "[".repeat(depth));
            prop_assert!(begun("cli").read(line.as_bytes(), 1).is_err());
        }
    }
}
