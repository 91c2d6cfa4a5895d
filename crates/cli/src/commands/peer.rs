//! `parlor peer`: whom this node knows, what you call them, and whether they are who you think.

use std::io::{BufRead, IsTerminal};

use parlor_api::{Reply, Request, Safety};

use super::Context;
use crate::args::Peer;
use crate::errors::{Failure, Outcome};
use crate::render::{self, peers};

/// An answer that is longer than this is no `yes`.
const ANSWER_BYTES: u64 = 64;

pub fn run(context: &Context, command: Peer) -> Outcome {
    match command {
        Peer::List => list(context),
        Peer::Name { peer, name } => call(context, peer, name),
        Peer::Verify { peer, yes } => verify(context, peer, yes),
    }
}

fn list(context: &Context) -> Outcome {
    let Reply::Peers(peers) = context.ask(&Request::PeerList)? else {
        return Err(Failure::unexpected_reply());
    };
    context.out.list(&peers, || peers::peers(&peers))
}

fn call(context: &Context, peer: String, name: Option<String>) -> Outcome {
    let Reply::Peer(peer) = context.ask(&Request::PeerName { peer, name })? else {
        return Err(Failure::unexpected_reply());
    };
    context.out.answer(&peer, || vec![peers::named(&peer)])
}

fn verify(context: &Context, peer: String, yes: bool) -> Outcome {
    let safety = ask(context, peer, yes)?;
    context.out.answer(&safety, || peers::safety(&safety))?;
    if yes || context.out.is_json() {
        return Ok(());
    }
    let (name, id) = (&safety.peer.name, render::short(&safety.peer.peer));
    context.out.talk(&format!(
        "Compare it with what {name} sees, in person or by a voice you know: digits or words, one of them is enough.\n\
         If a single one differs, somebody stands between you: do not go on."
    ));
    if !std::io::stdin().is_terminal() {
        context.out.talk(&format!("Is it the same? Then `parlor peer verify {id} --yes` notes it."));
        return Ok(());
    }
    context.out.talk("Is it the same on both sides? Type yes to note it:");
    if !says_yes(std::io::stdin().lock()) {
        context.out.talk("Nothing was noted.");
        return Ok(());
    }
    // The peer that was shown, whoever is called so by now.
    let safety = ask(context, safety.peer.peer, true)?;
    context.out.line(&peers::verified(&safety.peer))
}

fn ask(context: &Context, peer: String, mark: bool) -> Outcome<Safety> {
    match context.ask(&Request::PeerVerify { peer, mark })? {
        Reply::Safety(safety) => Ok(safety),
        _ => Err(Failure::unexpected_reply()),
    }
}

/// The whole word, as nobody types it by habit.
pub(super) fn says_yes(input: impl BufRead) -> bool {
    let mut line = String::new();
    let read = input.take(ANSWER_BYTES).read_line(&mut line);
    read.is_ok() && line.trim().eq_ignore_ascii_case("yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_word_is_a_yes() {
        assert!(says_yes(&b"yes\n"[..]) && says_yes(&b" YES\r\n"[..]));
        for no in ["", "\n", "y\n", "yes, but\n", "no\n", "\u{ff}\n"] {
            assert!(!says_yes(no.as_bytes()), "{no}");
        }
    }
}
