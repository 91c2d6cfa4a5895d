//! Parlor's MCP server as a member of a JSON settings file: `command` and `args` as most clients write it, or one list as
//! OpenCode does. Must not touch the disk.

use serde_json::{Value, json};

use crate::command::{CommandLine, is_parlor_mcp};

/// The name Parlor's server has everywhere.
pub(crate) const SERVER: &str = "parlor";

/// As most clients write it.
pub(crate) fn usual(mcp: &CommandLine) -> Value {
    let words = mcp.words();
    json!({ "command": words.first(), "args": words.get(1..).unwrap_or_default() })
}

/// The command line in a member, whichever way it is written.
pub(crate) fn words(value: &Value) -> Vec<String> {
    let command = &value["command"];
    let list = command.as_array().into_iter().flatten().chain(value["args"].as_array().into_iter().flatten());
    command.as_str().into_iter().chain(list.filter_map(Value::as_str)).map(str::to_owned).collect()
}

/// Whether a member is Parlor's server, of whatever version and path.
pub(crate) fn is_ours(value: &Value) -> bool {
    let words = words(value);
    words.split_first().is_some_and(|(program, args)| is_parlor_mcp(program, args))
}

/// What any MCP client that reads `mcpServers` is to be given.
pub fn mcp_snippet(mcp: &CommandLine) -> Value {
    json!({ "mcpServers": { SERVER: usual(mcp) } })
}
