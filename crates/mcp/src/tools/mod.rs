//! The tools, one file each, and what their answers have in common. Descriptions and schemas stay short: they
//! cost context in every session.

mod answer;
mod ask;
mod check_messages;
mod files;
mod list_peers;
mod search;
mod send_message;
mod set_summary;
mod wait_for_message;

use parlor_api::ApiError;
use rmcp::model::{CallToolResult, ContentBlock};

const NEXT_STEP: &str = "ask your user to run `parlor doctor`";

/// An answer in words.
fn text(text: impl Into<String>) -> CallToolResult {
    CallToolResult::success(vec![ContentBlock::text(text)])
}

/// What went wrong and what to do.
fn failure(error: &ApiError) -> CallToolResult {
    let mut text = error.message.clone();
    if !error.candidates.is_empty() {
        text += "\nThere is: ";
        text += &error.candidates.join(", ");
    }
    if error.hint.is_some() || error.candidates.is_empty() {
        text += "\nWhat to do: ";
        text += error.hint.as_deref().unwrap_or(NEXT_STEP);
    }
    CallToolResult::error(vec![ContentBlock::text(text)])
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use parlor_api::ErrorKind;

    use super::*;
    use crate::server::Server;

    fn text_of(result: &CallToolResult) -> String {
        serde_json::to_value(result).unwrap()["content"][0]["text"].as_str().unwrap().to_owned()
    }

    #[test]
    fn every_failure_says_what_to_do() {
        let plain = ApiError::new(ErrorKind::Internal, "it broke");
        assert_eq!(text_of(&failure(&plain)), format!("it broke\nWhat to do: {NEXT_STEP}"));
        let hinted = plain.clone().hint("try `parlor join`");
        assert_eq!(text_of(&failure(&hinted)), "it broke\nWhat to do: try `parlor join`");
        let near = ApiError::new(ErrorKind::NotFound, "no room `pay`").candidates(vec!["payments".into()]);
        assert_eq!(text_of(&failure(&near)), "no room `pay`\nThere is: payments");
        assert_eq!(failure(&plain).is_error, Some(true));
    }

    #[test]
    fn the_tools_are_ten_small_and_closed() {
        let tools = Server::tools().list_all();
        let names: Vec<&str> = tools.iter().map(|tool| tool.name.as_ref()).collect();
        let all = [
            "answer",
            "ask",
            "check_messages",
            "drop_file",
            "get_file",
            "list_peers",
            "search",
            "send_message",
            "set_summary",
            "wait_for_message",
        ];
        assert_eq!(names, all);
        for tool in &tools {
            let whole = serde_json::to_string(tool).unwrap();
            assert!(whole.len() < 900, "{} bytes: {whole}", whole.len());
            assert!(!whole.contains("$ref") && !whole.contains("null"), "{whole}");
            assert_eq!(tool.input_schema["additionalProperties"], false, "{whole}");
            assert!(tool.annotations.as_ref().unwrap().read_only_hint.is_some(), "{whole}");
        }
    }
}
