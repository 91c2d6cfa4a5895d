//! Which session a call belongs to, as far as the agent program says so in the call itself. What it means is
//! the node's business.

use rmcp::model::RequestMetaObject;

use crate::node_link::SessionName;

/// Where Codex puts it, the surer one first.
const KEYS: [&str; 2] = ["sessionId", "threadId"];
const NAME_BYTES_MAX: usize = 128;

/// The session named in a call's `_meta`.
pub(crate) fn named(meta: &RequestMetaObject) -> SessionName {
    let names = KEYS.iter().filter_map(|key| meta.get(*key)?.as_str());
    names.filter(|name| is_plain(name)).map(str::to_owned).next()
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.chars().all(|c| c.is_ascii_graphic())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn named_in(meta: serde_json::Value) -> SessionName {
        named(&serde_json::from_value(meta).unwrap())
    }

    #[test]
    fn the_session_comes_before_the_thread_and_nothing_odd_is_taken() {
        assert_eq!(named_in(serde_json::json!({"threadId": "t", "sessionId": "s"})).as_deref(), Some("s"));
        assert_eq!(named_in(serde_json::json!({"threadId": "t", "sessionId": 7})).as_deref(), Some("t"));
        assert_eq!(named_in(serde_json::json!({"sessionId": "a\nb"})), None);
        assert_eq!(named_in(serde_json::json!({"sessionId": "x".repeat(129)})), None);
        assert_eq!(named_in(serde_json::json!({})), None);
    }
}
