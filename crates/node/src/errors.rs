//! Every failure in the words that cross the socket: what happened, whose fault it is, what to do. All of them
//! stand here, so that none is worded twice.

use parlor_api::{ApiError, ErrorKind};
use parlor_core::engine::api::Failure;
use parlor_core::text::names::ResolveError;
use parlor_store::StoreError;
use parlor_wire::frame::Refusal;
use parlor_wire::ticket::TicketError;

/// What is left of a room that is read no more.
pub(crate) const OLDER: &str = "nothing was deleted: what was said is in transcript.txt below `rooms` in the home; `parlor start` opens a \
     room to go on in";

/// A failure of the engine.
pub(crate) fn of_failure(failure: &Failure) -> ApiError {
    let (kind, hint) = match failure {
        Failure::NoSuchRoom => (ErrorKind::NotFound, Some("`parlor room list` shows the rooms there are")),
        Failure::NotJoined => {
            (ErrorKind::Unreached, Some("it joins by itself; `parlor room show` says what it waits for"))
        }
        Failure::Older(_) => (ErrorKind::Machine, Some(OLDER)),
        Failure::Frozen(_) => (ErrorKind::Machine, Some("update Parlor; nothing is lost")),
        Failure::Refused(refusal) => return of_refusal(failure, refusal),
        Failure::Revoked => (
            ErrorKind::NotAllowed,
            Some(
                "`parlor log` reads what was said; a new identity needs a new home: --home DIR, or PARLOR_HOME",
            ),
        ),
        Failure::Direct => {
            (ErrorKind::NotAllowed, Some("`parlor start` makes a room that others can be invited to"))
        }
        Failure::StaysHere => {
            (ErrorKind::NotAllowed, Some("`parlor start` without --local makes one that others can join"))
        }
        Failure::OwnersOnly => {
            (ErrorKind::NotAllowed, Some("`parlor who` shows who the owners are: ask one"))
        }
        Failure::OwnersStay => (
            ErrorKind::NotAllowed,
            Some("who was made an owner stays one: an owner can only leave, with `parlor room leave`"),
        ),
        Failure::NoSuchPerson => {
            (ErrorKind::NotFound, Some("`parlor member list` shows who is in and who asks"))
        }
        Failure::NoSuchTicket => {
            (ErrorKind::NotFound, Some("`parlor ticket list --all` shows the tickets there are"))
        }
        Failure::LastOwner => (
            ErrorKind::NotAllowed,
            Some("make another owner first, with `parlor member role PEER owner`, or leave with --abandon"),
        ),
        Failure::Left => (
            ErrorKind::NotAllowed,
            Some("it can be read: `parlor log`; to come back, ask an owner for a new ticket"),
        ),
        Failure::PutOut => (
            ErrorKind::NotAllowed,
            Some(
                "what was said before can be read: `parlor log`; to come back, ask an owner for a new ticket",
            ),
        ),
        Failure::ReadersDoNotWrite => (ErrorKind::NotAllowed, Some("ask an owner to be made a member")),
        Failure::TooLong(..) => {
            (ErrorKind::BadInput, Some("shorten it, or put it into a file and say where it is"))
        }
        Failure::Empty => {
            (ErrorKind::BadInput, Some("give the text as an argument, or pipe it to `parlor send -`"))
        }
        Failure::OwnQuestion => (
            ErrorKind::NotAllowed,
            Some("whoever it asks answers it, from a session of its own; `parlor send` says something more"),
        ),
        Failure::NoKey => (
            ErrorKind::Unreached,
            Some("it comes as soon as a member's machine is reachable; nothing is lost"),
        ),
        Failure::RequestReused => {
            (ErrorKind::Usage, Some("make a new id for each message; the same one only asks again"))
        }
        Failure::TicketExpired => (ErrorKind::BadInput, Some("ask for a new one: `parlor invite` makes it")),
        Failure::TicketClosed => {
            (ErrorKind::NotAllowed, Some("`parlor ticket list --all` shows the tickets there are"))
        }
        Failure::Limit(_) => (ErrorKind::NotAllowed, None),
        Failure::NoSuchTake => {
            (ErrorKind::NotFound, Some("what it held is unread again and is given at the next prompt"))
        }
        Failure::NoSuchPeer => (ErrorKind::NotFound, Some("`parlor peer list` shows whom there is")),
        Failure::NoSharedRoom => (
            ErrorKind::NotAllowed,
            Some("join a room together first; `parlor peer list` shows which rooms you share with whom"),
        ),
        Failure::OwnPeer => (ErrorKind::BadInput, Some("`parlor nick NAME` changes what you call yourself")),
        Failure::NoName => (ErrorKind::BadInput, Some("`parlor peer name PEER NAME`")),
        Failure::PetnameTaken { peer, .. } => {
            let hint = format!("choose another, or take that one away: `parlor peer name {}`", peer.short());
            return ApiError::new(ErrorKind::BadInput, failure.to_string()).hint(hint);
        }
        Failure::Store => (ErrorKind::Machine, Some("look at `parlor node log` and at the disk")),
    };
    with_hint(kind, failure.to_string(), hint)
}

fn of_refusal(failure: &Failure, refusal: &Refusal) -> ApiError {
    let (kind, hint) = match refusal {
        Refusal::NotEntitled | Refusal::TicketClosed | Refusal::TicketExpired | Refusal::TicketSpent => {
            (ErrorKind::BadInput, "ask for a new ticket: `parlor invite` makes it")
        }
        Refusal::Version => (ErrorKind::Machine, "update the older of the two Parlors"),
        Refusal::Full => (ErrorKind::NotAllowed, "ask an owner; somebody has to leave first"),
        Refusal::Busy => (ErrorKind::Unreached, "it is tried again by itself"),
    };
    ApiError::new(kind, failure.to_string()).hint(hint)
}

fn with_hint(kind: ErrorKind, message: String, hint: Option<&str>) -> ApiError {
    let error = ApiError::new(kind, message);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// A failure of the store.
pub(crate) fn of_store(error: &StoreError) -> ApiError {
    let kind = match error {
        StoreError::NeedsReopen | StoreError::Impossible(_) => ErrorKind::Internal,
        _ => ErrorKind::Machine,
    };
    ApiError::new(kind, error.to_string()).hint(
        "what was acknowledged before is safe; once that is put right, try again, nothing has to be repaired",
    )
}

/// A ticket text that is none.
pub(crate) fn of_ticket(error: &TicketError) -> ApiError {
    let hint = match error {
        TicketError::NotATicket => "paste the whole line that `parlor start` or `parlor invite` printed",
        TicketError::Truncated { .. } | TicketError::Mistyped => "copy it again, whole",
        TicketError::Newer => "update this Parlor",
        TicketError::Several => "paste one of them",
    };
    ApiError::new(ErrorKind::BadInput, error.to_string()).hint(hint)
}

/// A name that means nobody in particular.
pub(crate) fn of_name(error: ResolveError, list_command: &str) -> ApiError {
    let message = error.to_string();
    match error {
        ResolveError::Ambiguous { candidates, .. } => ApiError::new(ErrorKind::Ambiguous, message)
            .hint("type one of these whole")
            .candidates(candidates),
        ResolveError::NoSuch { near, .. } => ApiError::new(ErrorKind::NotFound, message)
            .hint(format!("`{list_command}` shows what there is"))
            .candidates(near),
    }
}

/// The node ends, or its driver has.
pub(crate) fn ending() -> ApiError {
    ApiError::new(ErrorKind::Machine, "the node is stopping")
        .hint("run the command again: it starts the node")
}

/// Something that cannot be.
pub(crate) fn internal(what: &str) -> ApiError {
    ApiError::new(ErrorKind::Internal, format!("{what}, which is Parlor's fault")).hint("please report it")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_the_machines_fault_and_says_that_nothing_is_lost() {
        let error = of_store(&StoreError::Full);
        assert_eq!(error.kind, ErrorKind::Machine);
        assert!(error.message.contains("disk") && error.message.contains("full"), "{error}");
        assert!(error.hint.unwrap().contains("safe"));
    }

    #[test]
    fn wound_06_each_way_not_to_be_sent_has_its_own_kind() {
        for (failure, kind) in [
            (Failure::NoSuchRoom, ErrorKind::NotFound),
            (Failure::NotJoined, ErrorKind::Unreached),
            (Failure::Frozen("newer".into()), ErrorKind::Machine),
            (Failure::Older("older".into()), ErrorKind::Machine),
            (Failure::ReadersDoNotWrite, ErrorKind::NotAllowed),
            (Failure::Left, ErrorKind::NotAllowed),
            (Failure::PutOut, ErrorKind::NotAllowed),
            (Failure::TooLong(70_000, 65_536), ErrorKind::BadInput),
            (Failure::Empty, ErrorKind::BadInput),
            (Failure::Refused(Refusal::TicketClosed), ErrorKind::BadInput),
            (Failure::Store, ErrorKind::Machine),
        ] {
            let error = of_failure(&failure);
            assert_eq!(error.kind, kind, "{failure:?}");
            assert!(error.hint.is_some(), "{failure:?}");
        }
        assert!(of_failure(&Failure::TooLong(70_000, 65_536)).message.contains("65536"));
    }
    #[test]
    fn what_cannot_be_ruled_says_whose_it_is_and_what_to_do_instead() {
        for (failure, kind, way) in [
            (Failure::OwnersOnly, ErrorKind::NotAllowed, "parlor who"),
            (Failure::OwnersStay, ErrorKind::NotAllowed, "parlor room leave"),
            (Failure::LastOwner, ErrorKind::NotAllowed, "--abandon"),
            (Failure::NoSuchPerson, ErrorKind::NotFound, "parlor member list"),
            (Failure::NoSuchTicket, ErrorKind::NotFound, "parlor ticket list"),
        ] {
            let error = of_failure(&failure);
            assert_eq!(error.kind, kind, "{failure:?}");
            assert!(error.hint.unwrap().contains(way), "{failure:?}");
        }
    }
}
