//! Any bytes as what an agent program gives its hook: reading never panics, what is read is short and plain, and what is refused is
//! not repeated.

use std::collections::BTreeMap;

use parlor_agents::{AgentProgram, HOOK_INPUT_LIMIT_BYTES, programs};

/// Longer runs of what was given are words of a prompt, not of the parser.
const REPEATED_BYTES: usize = 24;

/// One input.
pub fn run(bytes: &[u8]) {
    programs().iter().for_each(|program| of_program(*program, bytes));
}

fn of_program(program: &dyn AgentProgram, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let of_environment = ["CLAUDE_PROJECT_DIR", "CLAUDE_PID", "GEMINI_PROJECT_DIR", "OPENCODE_PID"]
        .map(|name| (name.to_owned(), text.clone()));
    for env in [BTreeMap::new(), of_environment.into()] {
        match program.parse_hook(bytes, &env) {
            Ok(call) => {
                let plain = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic());
                assert!(plain(&call.session_id) && plain(&call.event_name));
                assert!(call.directory().is_absolute());
                assert!(bytes.len() <= HOOK_INPUT_LIMIT_BYTES && call.pid != Some(0));
            }
            Err(error) => {
                let said = error.to_string();
                let words =
                    text.as_bytes().windows(REPEATED_BYTES).filter_map(|word| std::str::from_utf8(word).ok());
                assert!(!words.into_iter().any(|word| said.contains(word)), "{said}");
            }
        }
    }
}
