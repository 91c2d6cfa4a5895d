//! `parlor mcp`: what an agent program runs as its MCP server, where standard output belongs to the protocol; or the
//! server for several of them over HTTP, whose standard output says where it is.

use std::sync::mpsc;
use std::time::Duration;

use parlor_api::caller::forwarded;
use parlor_mcp::RunError;
use parlor_mcp::http::{self, HttpError, Stop, Token, TokenError};
use serde::Serialize;

use super::Context;
use crate::args::Mcp;
use crate::autostart::ensure_node;
use crate::errors::{Failure, Outcome};
use crate::interrupt::Interrupt;

/// Of what the environment says, this alone is about whoever asks over HTTP: where this process was begun says which rooms it
/// hears, and not which agent asks.
const HTTP_ENV: &[&str] = &["PARLOR_ROOM"];
/// For how long an interruption waits for what is at work; a little longer than the server gives it.
const FAREWELL_WAIT: Duration = Duration::from_secs(5);

/// Where the server is.
#[derive(Serialize)]
struct Endpoint<'a> {
    url: &'a str,
    token: &'a str,
}

pub fn run(context: &Context, mcp: &Mcp) -> Outcome {
    if mcp.http { over_http(context, mcp) } else { over_stdio(context) }
}

fn over_stdio(context: &Context) -> Outcome {
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

fn over_http(context: &Context, mcp: &Mcp) -> Outcome {
    // Whoever can start no node learns it here, and not each agent at its first call.
    ensure_node(&context.home)?;
    let token = if mcp.new_token { Token::renew(&context.home) } else { Token::of_home(&context.home) };
    let token = token.map_err(no_token)?;
    let (interrupt, stop, ended) = (Interrupt::watch()?, Stop::default(), mpsc::channel::<()>());
    let farewell = (stop.clone(), ended.1);
    interrupt.on_interrupt(move || {
        farewell.0.stop();
        _ = farewell.1.recv_timeout(FAREWELL_WAIT);
    });
    let text = token.text().to_owned();
    let mut said = Ok(());
    let home = context.home.clone();
    let served = http::run(
        &context.home,
        forwarded(HTTP_ENV),
        move || ensure_node(&home),
        (mcp.port, token),
        |url| {
            said = say(context, &Endpoint { url, token: &text });
            // Nobody can come who was not told where.
            if said.is_err() {
                stop.stop();
            }
        },
        &stop,
    );
    drop(ended.0);
    interrupt.hold_if_it_has_come();
    served.map_err(not_served)?;
    said
}

fn say(context: &Context, endpoint: &Endpoint<'_>) -> Outcome {
    context.out.answer(endpoint, || {
        vec![endpoint.url.to_owned(), format!("Authorization: Bearer {}", endpoint.token)]
    })?;
    context
        .out
        .talk("serving agent programs of this machine until Ctrl-C; whoever has the token speaks as yours");
    Ok(())
}

fn no_token(error: TokenError) -> Failure {
    let path = error.path().display().to_string();
    match error {
        TokenError::File { .. } => Failure::machine(error.to_string(), "run `parlor doctor`"),
        TokenError::Open(_) => {
            Failure::machine(error.to_string(), "make a new one with `parlor mcp --http --new-token`")
        }
        TokenError::Garbled(_) => Failure::machine(
            error.to_string(),
            format!("remove {path}, or make a new one with `parlor mcp --http --new-token`"),
        ),
    }
}

fn not_served(error: HttpError) -> Failure {
    match error {
        HttpError::Port { .. } => Failure::machine(
            error.to_string(),
            "name another with --port, or 0 for one that is free; another `parlor mcp --http` may run",
        ),
        HttpError::Runtime(_) => Failure::machine(error.to_string(), "run `parlor doctor`"),
    }
}
