//! What goes into the engine and what comes out: plain values. The driver feeds events one by one and carries
//! out effects in order; a `Persist` is durable before anything after it is done.

mod failure;
mod file;
mod hearing;
mod io;
mod moment;
mod presence;
mod view;

use std::net::SocketAddr;

use parlor_wire::control::Role;
use parlor_wire::ticket::{Endpoint, TicketText};
use parlor_wire::{EntryId, PeerId, RoomId, Salt, TimeMs};

use crate::persist::Table;
use crate::room::body::Announced;
use crate::text::clean::CleanText;
use crate::text::inject::Budget;
pub use failure::{Failure, refusal_words};
pub use file::FileView;
pub use hearing::{Form, Level, SpentView};
pub use io::{Effect, Event};
pub use moment::{AskView, Listener, Moment, UrgentView};
pub use presence::{Presence, Reached, SessionView, Status};
pub use view::{
    AskingView, PausedView, PeerView, PersonView, Places, RoomStanding, RoomView, TicketView, WantedLink,
};

/// One stream to one peer about one room. Given by the driver, never reused.
pub type LinkId = u64;

/// This bit of a link's id says that it runs inside the local network, on a path that no relay can be part of. Rooms that
/// stay in the local network are spoken of on such links, all others on links without it.
pub const NEAR: LinkId = 1 << 63;
/// One command. Given by the driver.
pub type RequestId = u64;
/// One load. Given by the engine.
pub type LoadToken = u64;
/// One local connection that may hold a take. Given by the driver.
pub type HolderId = u64;

/// The two clocks, both given by the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Wall clock, milliseconds since 1970; may jump, never decides authority.
    pub wall_ms: TimeMs,
    /// Monotonic clock, milliseconds since anything.
    pub mono_ms: u64,
}

/// Who a message is by, as the writing node saw it. A label, not a boundary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Author {
    /// A person at a terminal.
    Human,
    /// An agent in a known session.
    Agent,
    /// Anything else.
    Program,
}

/// How urgent a message is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Counted, never injected.
    Low,
    /// At the next prompt.
    #[default]
    Normal,
    /// Between tools.
    Now,
}

impl Priority {
    /// The least that is given at a prompt; what is below is counted there.
    pub const GIVEN_AT_PROMPT: Self = Self::Normal;

    /// By its number in bodies and signals; none for one of a later Parlor.
    pub fn of(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Low),
            1 => Some(Self::Normal),
            2 => Some(Self::Now),
            _ => None,
        }
    }
}

/// What somebody here wants.
#[derive(Debug, Clone)]
pub enum Command {
    /// A new room, its first key and its first ticket. → `Outcome::Started`
    Start {
        /// Its name.
        name: String,
        /// Where it may be carried.
        reach: Reach,
        /// When its first ticket expires.
        expires: Option<TimeMs>,
        /// Where this node can be reached.
        endpoints: Vec<Endpoint>,
    },
    /// The direct room with a peer, opened if it is not. → `Outcome::Joined`
    OpenDirect {
        /// Whom.
        peer: PeerId,
    },
    /// A room to be joined. Answered when saved. → `Outcome::Joined`
    Join {
        /// By this ticket.
        ticket: TicketText,
        /// How long to wait for the join itself before answering.
        wait_ms: u64,
    },
    /// A ticket: an own one of the usual terms that is open and lasts a day, unless `terms` ask for a new one.
    /// → `Outcome::Invited`
    Invite {
        /// Of which room.
        room: RoomId,
        /// Makes a new one of these terms.
        terms: Option<Terms>,
        /// When a new one of the usual terms expires.
        default_expires: TimeMs,
        /// Where this node, and others it knows, can be reached.
        endpoints: Vec<Endpoint>,
    },
    /// Closes a ticket. → `Outcome::Done`
    CloseTicket {
        /// Of which room.
        room: RoomId,
        /// Which.
        ticket: EntryId,
    },
    /// Lets in somebody who asked. → `Outcome::Done`
    Approve {
        /// To which room.
        room: RoomId,
        /// Whom.
        peer: PeerId,
    },
    /// Puts somebody out, and closes all open tickets but these. → `Outcome::Removed`
    Remove {
        /// Of which room.
        room: RoomId,
        /// Whom.
        peer: PeerId,
        /// Tickets that stay open.
        keep: Vec<EntryId>,
    },
    /// Gives somebody a role; an owner is made for good. → `Outcome::Done`
    SetRole {
        /// In which room.
        room: RoomId,
        /// Whom.
        peer: PeerId,
        /// Which.
        role: Role,
    },
    /// Goes out of a room. → `Outcome::Done`
    Leave {
        /// Of which.
        room: RoomId,
        /// The last owner says so.
        abandon: bool,
    },
    /// What a room calls itself. → `Outcome::Done`
    Rename {
        /// Which.
        room: RoomId,
        /// The name.
        name: String,
    },
    /// A new key for a room. → `Outcome::Done`
    Rekey {
        /// Of which.
        room: RoomId,
    },
    /// Tells all rooms that this identity is revoked, and leaves them. → `Outcome::Revoked`
    Revoke {
        /// Even those it is the last owner of.
        abandon: bool,
    },
    /// A message. → `Outcome::Sent`
    Send(Send),
    /// Which messages are the newest, oldest first. → `Outcome::Listed`
    Log {
        /// Of which room.
        room: RoomId,
        /// Not older.
        since_ms: TimeMs,
        /// At most so many.
        limit: u32,
    },
    /// Messages by a range of ids. → `Outcome::Messages`
    Messages {
        /// Of which room; absent: any.
        room: Option<RoomId>,
        /// Lowest id.
        low: EntryId,
        /// Highest id.
        high: EntryId,
    },
    /// Unread messages as text, leased to a holder until committed or released. → `Outcome::Taken`
    Take(Take),
    /// What was taken under this token has been written out. → `Outcome::Done`
    Commit {
        /// The token.
        token: u64,
    },
    /// There is evidence that a session's model was shown the text with this mark. → no reply
    Shown {
        /// Which session.
        session: String,
        /// The mark of the text's fence.
        mark: String,
    },
    /// The holder is gone; its takes are void. → no reply
    Release {
        /// Which.
        holder: HolderId,
    },
    /// How much is unread. → `Outcome::Unread`
    Unread {
        /// For which session.
        session: String,
        /// Its label, as in `Take`.
        label: Option<String>,
        /// In which rooms.
        rooms: Vec<TakeRoom>,
    },
    /// What has arrived up to a number has been read by this reader. → `Outcome::Done`
    MarkRead {
        /// Which reader: a session.
        session: String,
        /// In which room.
        room: RoomId,
        /// The last arrival that was read.
        upto: u64,
    },
    /// The file that a message announces lies here under this name now, or does not any more. → `Outcome::Done`
    FileAt {
        /// In which room.
        room: RoomId,
        /// The message.
        entry: EntryId,
        /// The name.
        name: Option<String>,
    },
    /// Files of a room lie in this directory. → no reply
    FilesIn {
        /// Which room.
        room: RoomId,
        /// The directory, as it is shown.
        dir: String,
    },
    /// What this identity calls itself. → `Outcome::Done`
    SetNick(String),
    /// What this node calls a room. → `Outcome::Done`
    SetAlias {
        /// Which room.
        room: RoomId,
        /// The name; absent: its own.
        alias: Option<String>,
    },
    /// What this identity calls a peer. → `Outcome::Done`
    SetPetname {
        /// Whom.
        peer: PeerId,
        /// The name; absent: its own nick again.
        name: Option<String>,
    },
    /// A person has compared the safety number with this peer. → `Outcome::Done`
    SetVerified {
        /// With whom.
        peer: PeerId,
    },
    /// Writes a small record of the node's own. → `Outcome::Done`
    PutRecord {
        /// Where.
        table: Table,
        /// Under which key.
        key: Vec<u8>,
        /// The record; absent: forget it.
        value: Option<Vec<u8>>,
    },
    /// Presence of a session of this node, told to the peers of a room. → no reply
    Announce {
        /// Which room.
        room: RoomId,
        /// Which session, as a random handle.
        session: Salt,
        /// What it says; absent: it ended.
        presence: Option<Presence>,
    },
    /// Where peers were last reached, learned by the carrier. → no reply
    Learned {
        /// Who.
        peer: PeerId,
        /// Where.
        addresses: Vec<SocketAddr>,
        /// By the carrier of the local network.
        near: bool,
    },
    /// Where this node is reached from now on; members of its rooms are told. → no reply
    Here {
        /// By the carrier of all rooms but those that stay in the local network.
        far: Places,
        /// By the carrier of these.
        near: Vec<SocketAddr>,
    },
}

/// Where a room may be carried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reach {
    /// To members wherever they are.
    #[default]
    Anywhere,
    /// To members in the same local network: no relay ever carries it.
    Lan,
    /// Nowhere: it stays on this node and gets no ticket.
    Here,
}

/// What a new ticket allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// When it expires.
    pub expires: TimeMs,
    /// How many may come by it; absent: any number.
    pub uses: Option<u32>,
    /// What it makes them: reader or member.
    pub role: Role,
    /// Whether an owner has to let each of them in.
    pub approve: bool,
}

/// A message to send.
#[derive(Debug, Clone)]
pub struct Send {
    /// To which room.
    pub room: RoomId,
    /// What.
    pub text: String,
    /// A retry with the same one is the same message.
    pub request_id: String,
    /// How urgent.
    pub priority: Priority,
    /// By whom.
    pub author: Author,
    /// The reader that wrote it, as `Take::session` names it: its own words are never unread to it.
    pub origin: Option<String>,
    /// What others see of the session it was written in: its label, or in a room that stays here its name.
    pub label: Option<String>,
    /// The one session it is for: by its label in a direct room, by its name or a part of it in one that stays here.
    pub to: Option<String>,
    /// It is for these members, though all may read it.
    pub peers: Vec<PeerId>,
    /// It is for sessions with one of these tags, though all may read it.
    pub tags: Vec<String>,
    /// Nobody needs to be disturbed for it.
    pub form: Option<Form>,
    /// It is a question, and answers are waited for until then, by this node's wall clock.
    pub ask: Option<TimeMs>,
    /// The question it answers.
    pub about: Option<EntryId>,
    /// The file it announces.
    pub file: Option<Announced>,
    /// How long to wait for peers' acknowledgements after it is durable.
    pub wait_ms: u64,
}

/// A room a session hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakeRoom {
    /// The room.
    pub room: RoomId,
    /// The arrival number at which it was bound.
    pub bound_at: u64,
}

/// Unread messages wanted.
#[derive(Debug, Clone, Default)]
pub struct Take {
    /// Who holds them until they are committed.
    pub holder: HolderId,
    /// For which session.
    pub session: String,
    /// What that session is called: its label, or its whole name (`SessionName`), by which it is meant in a room that stays
    /// here; absent: it is given what is for any session.
    pub label: Option<String>,
    /// Of which rooms, the default first.
    pub rooms: Vec<TakeRoom>,
    /// How much.
    pub budget: Budget,
    /// What the session is doing.
    pub moment: Moment,
    /// The session's tags.
    pub tags: Vec<String>,
    /// Whose words are not given to it, in which room: they are counted.
    pub deny: Vec<(RoomId, PeerId)>,
    /// How much of rooms is given by itself; of all others everything.
    pub levels: Vec<(RoomId, Level)>,
    /// How much of rooms may be given in a day, in characters, where that is not as usual.
    pub budgets: Vec<(RoomId, u64)>,
    /// Where very much of a room is unread, it is counted, but for what is addressed to the session.
    pub digest: bool,
    /// A human prompts: what the session says after it is said for that human.
    pub by_human: bool,
    /// Sessions that have ended, whose questions this one goes on waiting for.
    pub heir_of: Vec<String>,
    /// Only these, ahead of everything else that is unread.
    pub only: Option<Vec<EntryId>>,
    /// Only what this peer says, ahead of everything else.
    pub from: Option<PeerId>,
}

/// How a command ended well.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// Done.
    Done,
    /// A room was started.
    Started {
        /// Which.
        room: RoomId,
        /// Its first ticket; none where the room stays here.
        invited: Option<Invited>,
    },
    /// A room is joined, or saved.
    Joined {
        /// Which.
        room: RoomId,
        /// It was already.
        already: bool,
    },
    /// A ticket.
    Invited(Invited),
    /// Somebody was put out.
    Removed {
        /// The tickets that were closed with it.
        closed: Vec<EntryId>,
    },
    /// This identity is revoked.
    Revoked {
        /// The rooms that are told.
        told: Vec<RoomId>,
        /// Of those it left, the ones nobody rules any more.
        abandoned: Vec<RoomId>,
    },
    /// A message is durable.
    Sent(Sent),
    /// Messages.
    Messages(Vec<MessageView>),
    /// Which messages there are; each is asked for by its id.
    Listed(Vec<EntryId>),
    /// Unread messages as text.
    Taken(Taken),
    /// Unread counts, for the rooms asked.
    Unread(Vec<(RoomId, u64)>),
}

/// A ticket.
#[derive(Debug, Clone)]
pub struct Invited {
    /// Of which room.
    pub room: RoomId,
    /// Its entry.
    pub id: EntryId,
    /// Its text.
    pub text: String,
    /// When it expires.
    pub expires: Option<TimeMs>,
    /// How many may join by it.
    pub uses: Option<u32>,
    /// The role it gives.
    pub role: Role,
    /// Whether an owner has to let each of them in.
    pub approve: bool,
}

/// A durable message.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Of which room.
    pub room: RoomId,
    /// It.
    pub id: EntryId,
    /// Other members whose node has acknowledged it.
    pub reached: u64,
    /// Other members.
    pub of: u64,
    /// What its author should know.
    pub warnings: Vec<String>,
}

/// Unread messages as text.
#[derive(Debug, Clone)]
pub struct Taken {
    /// The text; empty when there is nothing to give.
    pub text: String,
    /// The mark of the fence in it.
    pub mark: String,
    /// To commit; absent when there is nothing to commit.
    pub token: Option<u64>,
    /// How many messages are in the text.
    pub messages: u64,
    /// How many more are unread.
    pub more: u64,
}

/// A message as this node's surfaces see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageView {
    /// Its room.
    pub room: RoomId,
    /// It.
    pub id: EntryId,
    /// Its chain.
    pub chain: EntryId,
    /// Its place there.
    pub seq: u64,
    /// By which identity.
    pub peer: PeerId,
    /// What its author is called here.
    pub name: CleanText,
    /// The label of the session it was written in.
    pub session: Option<CleanText>,
    /// By whom.
    pub author: Author,
    /// When, by the author's clock.
    pub time_ms: TimeMs,
    /// Its place in the order people see.
    pub sort_ms: TimeMs,
    /// Its place in this node's order of arrival.
    pub arrival: u64,
    /// How urgent.
    pub priority: Priority,
    /// What it says.
    pub text: CleanText,
    /// Whether this identity wrote it.
    pub own: bool,
    /// Whether it is of a kind this version does not know.
    pub newer: bool,
    /// The one session of its reader it is for; absent: all of them.
    pub to: Option<CleanText>,
    /// The members it is for; none: all of them.
    pub peers: Vec<PeerId>,
    /// The tags it is for; none: all sessions.
    pub tags: Vec<String>,
    /// It is a question, and answers are waited for until then, by its author's clock.
    pub ask: Option<TimeMs>,
    /// The question it answers.
    pub about: Option<EntryId>,
    /// Through how many agents in a row it came, its author among them.
    pub hops: u8,
    /// Nobody needs to be disturbed for it.
    pub form: Option<Form>,
    /// Whether its author's identity is revoked by now.
    pub revoked: bool,
    /// Whether, by what its author had seen, somebody who is out held the key it is sealed under.
    pub sealed_unfit: bool,
    /// The file it announces.
    pub file: Option<FileView>,
}
