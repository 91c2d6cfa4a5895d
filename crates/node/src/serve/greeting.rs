//! The first line of a connection: who is there, whether the two understand each other, and which of them is
//! newer.

use parlor_api::{API_VERSION, ApiError, ClientLine, ErrorKind, Hello, NodeHello};

use crate::caller::HOOK;
use crate::life::Ending;
use crate::restart;

/// What follows from a hello.
pub(super) enum Greeting {
    /// It is served.
    Served(Box<Hello>, NodeHello),
    /// It is newer: the node starts again.
    Restart(NodeHello, Ending),
    /// It is not served.
    Refused(ApiError),
}

/// What to do with whoever sent this line first.
pub(super) fn greet(line: &[u8], version: &str) -> Greeting {
    let hello = match serde_json::from_slice(line) {
        Ok(ClientLine::Hello { hello }) => hello,
        _ => {
            let error = ApiError::new(ErrorKind::Usage, "the first line must be a hello");
            return Greeting::Refused(error.hint("the socket speaks JSON Lines: {\"hello\":{\"api\":1,…}}"));
        }
    };
    let mut answer =
        NodeHello { api: API_VERSION, version: version.into(), pid: std::process::id(), restarting: false };
    if hello.surface != HOOK && restart::is_due(&hello.version, version) {
        answer.restarting = true;
        let ending = Ending::Restart { exe: restart::trusted(hello.exe.as_deref()), version: hello.version };
        return Greeting::Restart(answer, ending);
    }
    match skew(hello.api, version) {
        Some(error) => Greeting::Refused(error),
        None => Greeting::Served(Box::new(hello), answer),
    }
}

/// This interface and the one before are served.
fn skew(api: u32, version: &str) -> Option<ApiError> {
    if (API_VERSION.saturating_sub(1)..=API_VERSION).contains(&api) {
        return None;
    }
    let (older, hint) = if api > API_VERSION {
        ("node", "update the Parlor the node was started from, then run `parlor node stop`")
    } else {
        ("client", "update this Parlor")
    };
    let message = format!(
        "the {older} is too old: the node (Parlor {version}) speaks version {API_VERSION} of its interface, \
         the client {api}"
    );
    Some(ApiError::new(ErrorKind::Machine, message).hint(hint))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn line(api: u32, version: &str, surface: &str) -> Vec<u8> {
        let hello = Hello { api, version: version.into(), surface: surface.into(), ..Hello::default() };
        serde_json::to_vec(&ClientLine::Hello { hello }).unwrap()
    }

    #[test]
    fn this_interface_and_the_one_before_are_served() {
        let is_served = |api| matches!(greet(&line(api, "0.1.0", "cli"), "0.1.0"), Greeting::Served(..));
        assert!(is_served(API_VERSION) && is_served(API_VERSION - 1));
        let Greeting::Refused(error) = greet(&line(API_VERSION + 1, "0.1.0", "cli"), "0.1.0") else {
            panic!()
        };
        assert!(error.message.contains("node is too old"), "{error}");
        assert!(skew(API_VERSION.wrapping_sub(2), "0.1.0").is_some());
    }

    #[test]
    fn a_newer_client_makes_it_start_again_and_a_hook_never_does() {
        let Greeting::Restart(answer, ending) = greet(&line(9, "0.2.0", "cli"), "0.1.0") else { panic!() };
        assert!(answer.restarting);
        assert_eq!(ending, Ending::Restart { exe: None, version: "0.2.0".into() });
        assert!(matches!(greet(&line(1, "0.2.0", "hook"), "0.1.0"), Greeting::Served(..)));
        assert!(matches!(greet(&line(1, "0.1.0", "cli"), "0.2.0"), Greeting::Served(..)));
    }

    #[test]
    fn anything_else_is_refused() {
        for line in [&b"hello"[..], b"{}", b"{\"id\":1,\"do\":\"status\"}", b"\xff"] {
            assert!(matches!(greet(line, "0.1.0"), Greeting::Refused(_)));
        }
    }
}
