//! Everything a surface may ask. Rooms, peers and entries are named as people name them (whole id, prefix,
//! alias, nick); the node resolves.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use crate::words::{Priority, Role, SearchIn, SessionStatus};

use crate::quiet::{Form, Level, MayDo, Mute, Verdict};

/// One thing asked of the node. Where `room` is absent, the room bound to the caller's directory is meant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Request {
    /// How the node is. → `Reply::Status`
    Status,
    /// What a bare `parlor` shows: room here, who is here, unread. → `Reply::Here`
    Here,
    /// Ends the node; answered when nothing is left to lose. → `Reply::Done`
    Stop,
    /// Ends the node and goes on as what lies where it was started from, with the settings as they are then; answered when
    /// nothing is left to lose. → `Reply::Done`
    Restart,
    /// Whether the caller may change how the node runs, which a command does by itself; an agent may not. → `Reply::Done`
    MayConfigure {
        /// What was typed, for whoever is asked to type it instead.
        command: String,
    },
    /// Starts a room and makes its first ticket. → `Reply::Started`
    Start {
        /// Its name; absent: the directory's.
        #[serde(default)]
        name: Option<String>,
        /// The directory to bind it to; absent: none.
        #[serde(default)]
        dir: Option<PathBuf>,
        /// Bind even `/` or the home directory.
        #[serde(default)]
        force: bool,
        /// It never leaves this machine, and nobody can be invited to it.
        #[serde(default)]
        local: bool,
        /// It never leaves the local network.
        #[serde(default)]
        lan: bool,
    },
    /// Joins by a ticket, now or when somebody is reached. → `Reply::Joined`
    Join {
        /// The pasted text.
        ticket: String,
        /// The directory to bind it to; absent: none.
        #[serde(default)]
        dir: Option<PathBuf>,
        /// Bind even `/` or the home directory.
        #[serde(default)]
        force: bool,
        /// How long to wait for somebody before answering "saved".
        #[serde(default)]
        wait_ms: u64,
    },
    /// A ticket of the room: the newest of the usual terms that is still good, or a new one. Any term given makes a
    /// new one, with the others as usual. → `Reply::Invited`
    Invite {
        /// Which room.
        #[serde(default)]
        room: Option<String>,
        /// It expires after so many seconds; absent: after seven days.
        #[serde(default)]
        expires_s: Option<u64>,
        /// How many may come by it; absent: any number.
        #[serde(default)]
        uses: Option<u32>,
        /// What it makes them; absent: members.
        #[serde(default)]
        role: Option<Role>,
        /// Whether an owner has to let each of them in.
        #[serde(default)]
        approve: bool,
    },
    /// The tickets of a room, open ones first. → `Reply::Tickets`
    TicketList {
        /// Which room.
        #[serde(default)]
        room: Option<String>,
        /// Those too that let nobody in any more.
        #[serde(default)]
        all: bool,
    },
    /// Closes a ticket: nobody comes by it any more. → `Reply::Ticket`
    TicketClose {
        /// Of which room.
        #[serde(default)]
        room: Option<String>,
        /// Its id or a prefix.
        ticket: String,
    },
    /// Who is in a room, and who asks to be. → `Reply::Members`
    MemberList {
        /// Which room.
        #[serde(default)]
        room: Option<String>,
    },
    /// Lets in somebody who asks. → `Reply::Member`
    MemberApprove {
        /// Which room.
        #[serde(default)]
        room: Option<String>,
        /// Whom.
        peer: String,
    },
    /// Puts somebody out, and closes the open tickets. → `Reply::Removed`
    MemberRemove {
        /// Which room.
        #[serde(default)]
        room: Option<String>,
        /// Whom.
        peer: String,
        /// Tickets that stay open, by their ids or prefixes.
        #[serde(default)]
        keep: Vec<String>,
    },
    /// Gives somebody a role. → `Reply::Member`
    MemberRole {
        /// Which room.
        #[serde(default)]
        room: Option<String>,
        /// Whom.
        peer: String,
        /// Which.
        role: Role,
    },
    /// Says something. → `Reply::Sent`
    Send {
        /// Which room.
        #[serde(default)]
        room: Option<String>,
        /// A tag of the room's sessions, as `@tag`. Instead of a room: a peer, or one session of a peer's as `peer/session`, or one of this machine as `program/session`,
        /// for whom alone it is.
        #[serde(default)]
        to: Option<String>,
        /// What.
        text: String,
        /// A retry with the same one is the same message.
        request_id: String,
        /// How urgent.
        #[serde(default)]
        priority: Priority,
        /// What it is, where nobody needs to be disturbed for it.
        #[serde(default)]
        form: Option<Form>,
        /// How long to wait for peers' acknowledgements; the message is durable before that.
        #[serde(default)]
        wait_ms: u64,
    },
    /// Asks something, and does not wait for answers. → `Reply::Asked`
    Ask {
        /// Whom: a peer, one session of a peer's or of this machine's, `@all` for all in a room, `@TAG` for sessions of it.
        to: String,
        /// Before which room; absent: a peer is asked alone, all others in the room meant here.
        #[serde(default)]
        room: Option<String>,
        /// What.
        text: String,
        /// A retry with the same one is the same question.
        request_id: String,
        /// For how long it may be answered.
        timeout_ms: u64,
        /// How long to wait for peers' acknowledgements; the question is durable before that.
        #[serde(default)]
        wait_ms: u64,
    },
    /// Waits for answers to a question. → `Reply::Asked`
    Answers {
        /// The question: its id or a prefix.
        entry: String,
        /// So many are known already.
        #[serde(default)]
        seen: u64,
        /// Answered when there are more, when the question is over, and after so long.
        #[serde(default)]
        wait_ms: u64,
        /// They are shown to the caller's session, and given to it for good at `Commit`.
        #[serde(default)]
        give: bool,
    },
    /// Answers a question. → `Reply::Sent`
    Answer {
        /// The question: its id or a prefix.
        entry: String,
        /// What.
        text: String,
        /// A retry with the same one is the same message.
        request_id: String,
        /// How long to wait for peers' acknowledgements.
        #[serde(default)]
        wait_ms: u64,
    },
    /// How far messages of this identity have got, as far as is known; 64 at most. → `Reply::Far`
    Far {
        /// Their ids, or prefixes.
        entries: Vec<String>,
    },
    /// The caller's session's unread messages, as text, as soon as there are any; given for good at `Commit`.
    /// → `Reply::Unheard`
    Wait {
        /// Which room; absent: all the session hears.
        #[serde(default)]
        room: Option<String>,
        /// Only what this peer says.
        #[serde(default)]
        from: Option<String>,
        /// Only answers to this question: its id or a prefix.
        #[serde(default)]
        about: Option<String>,
        /// After so long the answer is an empty text.
        #[serde(default)]
        wait_ms: u64,
        /// At most so many characters.
        #[serde(default)]
        limit_chars: Option<u32>,
    },
    /// What was said, oldest first. → `Event::Message` …, `Reply::Done`
    Log {
        /// Which room.
        #[serde(default)]
        room: Option<String>,
        /// At most so many, the newest.
        #[serde(default)]
        limit: Option<u64>,
        /// Not older than this, in milliseconds since 1970.
        #[serde(default)]
        since_ms: Option<u64>,
        /// Goes on with what arrives, until cancelled.
        #[serde(default)]
        follow: bool,
    },
    /// What was said that holds all of some words, oldest first. → `Event::Message` …, `Reply::Found`
    Search {
        /// The words; what stands between double quotes is one phrase. Case and accents make no difference, and any part of
        /// a word is found.
        text: String,
        /// Which room; absent: as `within` says.
        #[serde(default)]
        room: Option<String>,
        /// Where else.
        #[serde(default)]
        within: SearchIn,
        /// At most so many, the newest.
        #[serde(default)]
        limit: Option<u64>,
        /// Not older than this, in milliseconds since 1970.
        #[serde(default)]
        since_ms: Option<u64>,
        /// Tells them in the answer itself, each cut to so many characters around what was found; 50 of them at most.
        #[serde(default)]
        brief_chars: Option<u32>,
    },
    /// One message, whole. → `Reply::Message`
    Message {
        /// Which room; absent: any.
        #[serde(default)]
        room: Option<String>,
        /// Its id or a prefix. Not called `id`: that is the line's own.
        entry: String,
    },
    /// Who is in a room. → `Reply::People`
    Who {
        /// Which room.
        #[serde(default)]
        room: Option<String>,
    },
    /// How much is unread, for the caller's session, or for its directory. → `Reply::Unread`
    Unread,
    /// All rooms. → `Reply::Rooms`
    RoomList,
    /// One room, in full. → `Reply::Room`
    RoomShow {
        /// Which.
        #[serde(default)]
        room: Option<String>,
    },
    /// Lets sessions below a directory hear a room. → `Reply::Bound`
    RoomBind {
        /// Which room.
        room: String,
        /// Which directory.
        dir: PathBuf,
        /// Bind even `/` or the home directory.
        #[serde(default)]
        force: bool,
    },
    /// Ends that. → `Reply::Done`
    RoomUnbind {
        /// Which room; absent: all of the directory.
        #[serde(default)]
        room: Option<String>,
        /// Which directory.
        dir: PathBuf,
    },
    /// What this node calls a room. → `Reply::Room`
    RoomAlias {
        /// Which.
        room: String,
        /// The name; absent: its own again.
        #[serde(default)]
        alias: Option<String>,
    },
    /// What a room calls itself, for everybody in it. → `Reply::Room`
    RoomRename {
        /// Which.
        #[serde(default)]
        room: Option<String>,
        /// The name.
        name: String,
    },
    /// A new key for a room. → `Reply::Room`
    RoomRekey {
        /// Which.
        #[serde(default)]
        room: Option<String>,
    },
    /// Goes out of a room; no directory hears it any more. → `Reply::Left`
    RoomLeave {
        /// Which.
        #[serde(default)]
        room: Option<String>,
        /// Even as the last owner.
        #[serde(default)]
        abandon: bool,
    },
    /// A room as a file that proves itself. → `Event::Line` …, `Reply::Exported`
    RoomExport {
        /// Which.
        #[serde(default)]
        room: Option<String>,
        /// Of each chain only from the first entry on that is not older than this, in milliseconds since 1970.
        #[serde(default)]
        since_ms: Option<u64>,
    },
    /// For how long a room may be read on this node: shown, or set. → `Reply::Retained`
    RoomRetention {
        /// Which.
        #[serde(default)]
        room: Option<String>,
        /// So many days; 0: for ever; absent: it stays as it is.
        #[serde(default)]
        days: Option<u32>,
    },
    /// Shows or sets the nick. → `Reply::Identity`
    Nick {
        /// The new one.
        #[serde(default)]
        set: Option<String>,
    },
    /// Every identity this node knows. → `Reply::Peers`
    PeerList,
    /// What this identity calls a peer. → `Reply::Peer`
    PeerName {
        /// Which.
        peer: String,
        /// The petname; absent: its own nick again.
        #[serde(default)]
        name: Option<String>,
    },
    /// The safety number with a peer. → `Reply::Safety`
    PeerVerify {
        /// Which.
        peer: String,
        /// Notes that a person has compared it.
        #[serde(default)]
        mark: bool,
    },
    /// Who this node is. → `Reply::Identity`
    Identity,
    /// Tells all rooms that this identity is revoked, and leaves them. → `Reply::Revoked`
    IdentityRevoke {
        /// Even those it is the last owner of.
        #[serde(default)]
        abandon: bool,
    },
    /// Which relays may be contacted, and whether a person was told of them. → `Reply::Relays`
    Relays,
    /// A person was told of them: only from then on they are contacted. → `Reply::Done`
    RelaysTold,
    /// Gives back the space of what is not kept any more, in the store and in the index. → `Reply::Compacted`
    StoreCompact,
    /// The node tries its own links. → `Reply::Checks`
    Doctor,
    /// A hook was run by an agent program. → `Reply::Hook`
    Hook {
        /// The agent program: `claude`.
        program: String,
        /// What it wrote to the hook.
        stdin: String,
        /// The forwarded environment.
        #[serde(default)]
        env: BTreeMap<String, String>,
        /// The hook's parent process.
        #[serde(default)]
        parent_pid: Option<u32>,
        /// It waits beside an idle session, for as long as it takes, until there is something to wake it for.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        idle: bool,
    },
    /// What was given under this token has been written out. → `Reply::Done`
    Commit {
        /// The token of `Reply::Hook` or `Reply::Unheard`.
        token: u64,
    },
    /// The caller's session's unread messages, as text; given for good at `Commit`. → `Reply::Unheard`
    Check {
        /// Which room; absent: all the session hears.
        #[serde(default)]
        room: Option<String>,
        /// At most so many characters.
        #[serde(default)]
        limit_chars: Option<u32>,
    },
    /// What the caller's session is doing, told to its rooms. → `Reply::Done`
    SetSummary {
        /// One line.
        summary: String,
    },
    /// What rooms and peers may do to sessions here: shown, or one of it set. → `Reply::Allowed`
    Consent {
        /// What.
        #[serde(default)]
        what: Option<MayDo>,
        /// Whose messages: a room's or a peer's.
        #[serde(default)]
        whose: Option<String>,
        /// What holds from now on.
        #[serde(default)]
        verdict: Option<Verdict>,
    },
    /// How much of rooms is given by itself to the sessions of a directory: shown, or set. → `Reply::Levels`
    RoomLevel {
        /// Which room; absent: the default to be set, all to be muted or shown.
        #[serde(default)]
        room: Option<String>,
        /// The directory; absent: where the caller stands.
        #[serde(default)]
        dir: Option<PathBuf>,
        /// How much.
        #[serde(default)]
        level: Option<Level>,
        /// How long nothing.
        #[serde(default)]
        mute: Option<Mute>,
    },
    /// What rooms cost, and how much they may: shown, or set for one. → `Reply::Budgets`
    Budget {
        /// Which room; absent: all.
        #[serde(default)]
        room: Option<String>,
        /// So many characters a day.
        #[serde(default)]
        set: Option<u64>,
    },
    /// The tags of a directory's sessions: shown, or one more or less. → `Reply::Tags`
    Tags {
        /// The directory; absent: where the caller stands.
        #[serde(default)]
        dir: Option<PathBuf>,
        /// One more.
        #[serde(default)]
        add: Option<String>,
        /// One less.
        #[serde(default)]
        remove: Option<String>,
    },
    /// The sessions of this machine that are there, those of the caller's directory first. → `Reply::Sessions`
    SessionList,
    /// Shows or sets the status of sessions of this node: the caller's own, the one named, or those of the caller's
    /// directory. → `Reply::Sessions`
    SessionStatus {
        /// Which: a label, or the agent program's id of it or the beginning of that.
        #[serde(default)]
        session: Option<String>,
        /// The status.
        #[serde(default)]
        set: Option<SessionStatus>,
    },
    /// Seals a file, keeps it and announces it. → `Event::Progress` …, `Reply::Dropped`
    FileDrop {
        /// The file, by an absolute path. An agent may name only what lies below its session's directory.
        path: PathBuf,
        /// To which room.
        #[serde(default)]
        room: Option<String>,
        /// Instead of a room: a peer, as in `Send`.
        #[serde(default)]
        to: Option<String>,
        /// A retry with the same one is the same announcement.
        request_id: String,
        /// Even with what looks like secrets in it; an agent may not.
        #[serde(default)]
        allow_secrets: bool,
        /// How long to wait for peers' acknowledgements.
        #[serde(default)]
        wait_ms: u64,
    },
    /// Files announced in a room, the newest first. → `Reply::Files`
    FileList {
        /// Which room.
        #[serde(default)]
        room: Option<String>,
    },
    /// Has a file lie here as one to be read. → `Event::Progress` …, `Reply::File`
    FileGet {
        /// The id of its message, or the beginning of it; or its name, of which the newest is meant.
        file: String,
        /// In which room the name is looked for.
        #[serde(default)]
        room: Option<String>,
        /// Waits at most so long, and lets it go on by itself; absent: to the end.
        #[serde(default)]
        wait_ms: Option<u64>,
    },
}

impl Request {
    /// Whether asking twice is as good as asking once: it changes nothing, sets what it says, or carries an id by
    /// which the node knows it again.
    pub fn is_repeatable(&self) -> bool {
        match self {
            Self::Start { .. }
            | Self::Invite { .. }
            | Self::MemberApprove { .. }
            | Self::MemberRemove { .. }
            | Self::RoomRekey { .. }
            | Self::RoomLeave { .. }
            | Self::IdentityRevoke { .. }
            | Self::Commit { .. }
            | Self::Hook { .. }
            | Self::Restart
            | Self::Stop => false,
            // What was leased to a connection that broke is given again.
            Self::Check { .. } | Self::Wait { .. } | Self::Answers { .. } => true,
            Self::Status
            | Self::Relays
            | Self::RelaysTold
            | Self::MayConfigure { .. }
            | Self::Here
            | Self::Join { .. }
            | Self::Send { .. }
            | Self::Ask { .. }
            | Self::Far { .. }
            | Self::Answer { .. }
            | Self::Log { .. }
            | Self::Search { .. }
            | Self::Message { .. }
            | Self::Who { .. }
            | Self::Unread
            | Self::RoomList
            | Self::SessionList
            | Self::Consent { .. }
            | Self::RoomLevel { .. }
            | Self::Tags { .. }
            | Self::Budget { .. }
            | Self::RoomShow { .. }
            | Self::RoomExport { .. }
            | Self::RoomRetention { .. }
            | Self::RoomBind { .. }
            | Self::RoomUnbind { .. }
            | Self::RoomAlias { .. }
            | Self::RoomRename { .. }
            | Self::TicketList { .. }
            | Self::TicketClose { .. }
            | Self::MemberList { .. }
            | Self::MemberRole { .. }
            | Self::Nick { .. }
            | Self::PeerList
            | Self::PeerName { .. }
            | Self::PeerVerify { .. }
            | Self::Identity
            | Self::Doctor
            | Self::FileDrop { .. }
            | Self::FileList { .. }
            | Self::FileGet { .. }
            | Self::SetSummary { .. }
            | Self::SessionStatus { .. }
            | Self::StoreCompact => true,
        }
    }

    /// Whether it goes on until it is cancelled.
    pub fn is_endless(&self) -> bool {
        matches!(self, Self::Log { follow: true, .. } | Self::Hook { idle: true, .. })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn read(line: &str) -> Request {
        serde_json::from_str(line).unwrap()
    }

    #[test]
    fn what_rules_a_room_is_named_as_the_document_names_it() {
        let (room, peer) = (None, "bob".to_owned());
        for (line, request) in [
            (r#"{"do":"ticket_list"}"#, Request::TicketList { room: None, all: false }),
            (
                r#"{"do":"ticket_close","ticket":"mk7m2qda"}"#,
                Request::TicketClose { room: None, ticket: "mk7m2qda".into() },
            ),
            (r#"{"do":"member_list"}"#, Request::MemberList { room: None }),
            (
                r#"{"do":"member_approve","peer":"bob"}"#,
                Request::MemberApprove { room: None, peer: peer.clone() },
            ),
            (
                r#"{"do":"member_remove","peer":"bob","keep":["mk7m2qda"]}"#,
                Request::MemberRemove { room: None, peer: peer.clone(), keep: vec!["mk7m2qda".into()] },
            ),
            (
                r#"{"do":"member_role","peer":"bob","role":"reader"}"#,
                Request::MemberRole { room, peer, role: Role::Reader },
            ),
            (
                r#"{"do":"room_rename","name":"money"}"#,
                Request::RoomRename { room: None, name: "money".into() },
            ),
            (r#"{"do":"room_rekey"}"#, Request::RoomRekey { room: None }),
            (r#"{"do":"room_leave","abandon":true}"#, Request::RoomLeave { room: None, abandon: true }),
        ] {
            assert_eq!(read(line), request);
            assert_eq!(read(&serde_json::to_string(&request).unwrap()), request);
        }
        assert!(
            serde_json::from_str::<Request>(r#"{"do":"member_role","peer":"bob","role":"king"}"#).is_err()
        );
    }

    #[test]
    fn an_invitation_of_the_usual_terms_is_what_says_nothing_of_them() {
        let usual = Request::Invite { room: None, expires_s: None, uses: None, role: None, approve: false };
        assert_eq!(read(r#"{"do":"invite"}"#), usual);
        let strict = Request::Invite {
            room: Some("payments".into()),
            expires_s: Some(60),
            uses: Some(1),
            role: Some(Role::Reader),
            approve: true,
        };
        assert_eq!(read(&serde_json::to_string(&strict).unwrap()), strict);
    }

    #[test]
    fn what_would_be_done_twice_is_not_asked_twice() {
        let (room, peer) = (None, "bob".to_owned());
        let remove = Request::MemberRemove { room: None, peer: peer.clone(), keep: Vec::new() };
        assert!(!remove.is_repeatable(), "a second remove would close tickets made meanwhile");
        assert!(!Request::RoomRekey { room: None }.is_repeatable());
        assert!(Request::MemberRole { room, peer, role: Role::Reader }.is_repeatable());
        assert!(Request::MemberList { room: None }.is_repeatable());
    }
}
