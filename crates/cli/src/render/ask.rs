//! Questions and how far they have got, as lines of text. Pure, like all that is rendered.

use parlor_api::{Asked, Far, FarState, Message, SessionStatus};

use super::{bold, dim, reached, short};
use crate::clock;

/// What became of a question so far.
pub fn asked(asked: &Asked) -> String {
    format!(
        "{} asked in {} · {} · open until {}",
        short(&asked.id),
        asked.room_name,
        reached(asked.reached, asked.of),
        clock::until(&asked.until)
    )
}

/// An answer: who, then what.
pub fn answer(message: &Message) -> String {
    let seat = message.session.as_ref().map(|label| format!("/{label}")).unwrap_or_default();
    let kind = if message.author == "human" { String::new() } else { format!(" ({})", message.author) };
    let who = bold(&format!("{}{seat}{kind}", message.name));
    let text = message.text.trim_end().replace('\n', "\n    ");
    format!("{} {who}: {text}", dim(short(&message.id)))
}

/// What is said to one who leaves before the node has said that it has the question.
pub const MAY_BE_ASKED: &str = "The question may be asked already; if it is, it is in `parlor log`.";

/// What is said to one who does not wait any longer.
pub fn stays_open(asked: &Asked) -> String {
    let id = short(&asked.id);
    format!(
        "The question {id} stays open until {}; an answer is in `parlor log`.",
        clock::until(&asked.until)
    )
}

/// How far a question has got, a line for each who is asked.
pub fn far(asked: &Asked) -> Vec<String> {
    let mut lines = vec![format!("{} is stored here.", short(&asked.id))];
    lines.extend(asked.far.iter().map(one));
    if asked.far.is_empty() {
        lines.push(format!("Nobody else is in {}.", asked.room_name));
    }
    lines
}

/// How far a message has got with one member, or one session.
pub fn one(far: &Far) -> String {
    let seat = far.session.as_ref().map(|label| format!("/{label}")).unwrap_or_default();
    let state = match far.state {
        FarState::Stored => "no word from that machine; it is told when it is reached",
        FarState::AtPeer if far.session.is_none() => "that machine has it, and no session there was given it",
        FarState::AtPeer => "that machine has it, and this session was not given it yet",
        FarState::Handed => "it was handed to this session",
        FarState::Shown => "this session's model was shown it",
        FarState::Answered => "answered",
    };
    let hears = far.hears.filter(|_| far.state == FarState::AtPeer);
    let waits = match hears {
        Some(_) if far.status == Some(SessionStatus::Dnd) => {
            " (it is not to be disturbed: not before its next prompt)"
        }
        Some(hears) if hears.wake => "",
        Some(hears) if hears.tools || hears.stop => " (it cannot be woken while it is idle)",
        Some(_) => " (not before its next prompt)",
        None => "",
    };
    format!("{}{seat}: {state}{waits}", far.name)
}

#[cfg(test)]
mod tests {
    use parlor_api::Hears;

    use super::*;

    #[test]
    fn who_is_not_to_be_disturbed_is_told_as_such_while_it_has_not_been_given_it() {
        let hears = Hears { tools: true, stop: true, wake: false };
        let far = |state, status| Far {
            peer: "p1".into(),
            name: "bob".into(),
            session: Some("api".into()),
            state,
            hears: Some(hears),
            status: Some(status),
        };
        let told = |state, status| one(&far(state, status));
        assert!(told(FarState::AtPeer, SessionStatus::Dnd).contains("not to be disturbed"));
        assert!(told(FarState::AtPeer, SessionStatus::Idle).contains("cannot be woken"));
        assert!(!told(FarState::Handed, SessionStatus::Dnd).contains("disturbed"));
    }
}
