//! Names the relays to a person before they are contacted for the first time. Must not ask: what is set can be changed, and
//! the words say how.

use parlor_api::{Relays, Reply, Request};
use parlor_wire::ticket::DEFAULT_RELAYS;

use super::Context;
use crate::errors::{Failure, Outcome};

/// When the relays are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// What is done next may use them.
    Always,
    /// Where there is a room that may use them.
    IfNeeded,
}

/// Names them, once for each setting.
pub fn name(context: &Context, when: Named) -> Outcome {
    let Reply::Relays(relays) = context.ask(&Request::Relays)? else {
        return Err(Failure::unexpected_reply());
    };
    if relays.told || (when == Named::IfNeeded && !relays.needed) {
        return Ok(());
    }
    words(&relays).iter().for_each(|line| say(context, line));
    match context.ask(&Request::RelaysTold) {
        // An agent looks round too; a person is told another time.
        Err(Failure::Error(error)) if error.kind == parlor_api::ErrorKind::NotAllowed => Ok(()),
        other => other.map(drop),
    }
}

/// Names the relay of a ticket, where it is none of those that are set: it is contacted too.
pub fn name_of_ticket(context: &Context, relay: &str) -> Outcome {
    let Reply::Relays(relays) = context.ask(&Request::Relays)? else {
        return Err(Failure::unexpected_reply());
    };
    let is_set = relay == DEFAULT_RELAYS || relays.urls.iter().any(|url| host(url) == host(relay));
    if !relays.urls.is_empty() && !is_set {
        let words = format!(
            "The ticket names a relay of its own ({}): this machine calls the room's people there. It sees what any relay sees.",
            host(relay)
        );
        say(context, &words);
    }
    Ok(())
}

/// Told to programs too: what they do for a person is that person's to know.
fn say(context: &Context, words: &str) {
    if context.out.is_json() { context.out.warn(words) } else { context.out.talk(words) }
}

fn words(relays: &Relays) -> [String; 2] {
    let hosts: Vec<&str> = relays.urls.iter().map(|url| host(url)).collect();
    let whose = relays.by.as_ref().map(|by| format!(", run by {by}")).unwrap_or_default();
    [
        format!(
            "From now on this machine keeps a connection to a relay ({}{whose}): it carries sealed packets to whom no direct \
             path is found. A relay sees addresses, who calls whom, when and how much; nothing that is said.",
            hosts.join(", ")
        ),
        "`parlor config set relay off` does without, `parlor config set relay URL` takes one of your own, `parlor start --lan` \
         opens a room that never uses one."
            .to_owned(),
    ]
}

/// What of a URL a person needs to see.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.trim_end_matches('/').trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_relays_are_named_with_what_they_see_and_how_to_do_without() {
        let relays = Relays {
            urls: vec!["https://eu.relay.example./".into(), "http://10.0.0.1:3340/".into()],
            by: Some("n0".into()),
            told: false,
            needed: true,
        };
        let [first, second] = words(&relays);
        assert!(first.contains("(eu.relay.example, 10.0.0.1:3340, run by n0)"), "{first}");
        assert!(first.contains("who calls whom") && second.contains("relay off"), "{first} {second}");
    }
}
