//! `parlor mcp`: what an agent program runs as its MCP server. Standard output belongs to the protocol.

use parlor_api::caller::forwarded;
use parlor_mcp::RunError;

use super::Context;
use crate::autostart::ensure_node;
use crate::errors::{Failure, Outcome};

pub fn run(context: &Context) -> Outcome {
    let home = context.home.clone();
    let started =
        parlor_mcp::run(context.home.clone(), forwarded(parlor_agents::HOOK_ENV), move || ensure_node(&home));
    started.map_err(|error| match error {
        RunError::Opening(_) => {
            Failure::bad_input(error.to_string(), "`parlor mcp` is run by agent programs")
        }
        RunError::Runtime(_) | RunError::Broken(_) => {
            Failure::machine(error.to_string(), "run `parlor doctor`")
        }
    })
}
