//! Everything the node answers. Ids are whole, times are RFC 3339 in UTC, texts are already clean.

use std::num::NonZeroU32;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::asked::{Asked, Far, MessageFar};
use crate::files::{Dropped, File, Progress};
pub use crate::people::{Hears, OwnSession, Peer, Person, Safety, Session};
use crate::quiet::{Allowed, Budgeted, Form, Leveled, Tagged};
use crate::request::Priority;
pub use crate::ruling::{Asking, Left, Member, Members, Removed, Ticket};

/// The last word on a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// Nothing more to say.
    Done,
    /// How the node is.
    Status(Status),
    /// What a bare `parlor` shows.
    Here(Here),
    /// A room was started.
    Started(Started),
    /// A room was joined, or will be.
    Joined(Joined),
    /// A ticket.
    Invited(Invited),
    /// Tickets of a room.
    Tickets(Vec<Ticket>),
    /// One ticket, as it is now.
    Ticket(Ticket),
    /// Who is in a room, and who asks to be.
    Members(Members),
    /// One member, as it is now.
    Member(Member),
    /// Somebody was put out.
    Removed(Removed),
    /// This identity has gone out of a room.
    Left(Left),
    /// A message is durable here.
    Sent(Sent),
    /// A question, and what has come of it.
    Asked(Asked),
    /// How far messages have got.
    Far(Vec<MessageFar>),
    /// What was found has been told.
    Found(Found),
    /// For how long a room may be read here.
    Retained(Retained),
    /// A room has been told.
    Exported(Exported),
    /// One message.
    Message(Message),
    /// Members and their sessions.
    People(Vec<Person>),
    /// Sessions of this node.
    Sessions(Vec<OwnSession>),
    /// Unread counts.
    Unread(Vec<UnreadRoom>),
    /// All rooms.
    Rooms(Vec<Room>),
    /// One room.
    Room(Room),
    /// A binding.
    Bound(Bound),
    /// Rooms that a directory does not hear any more.
    Unbound(Vec<Bound>),
    /// Every identity this node knows.
    Peers(Vec<Peer>),
    /// One of them.
    Peer(Peer),
    /// A safety number.
    Safety(Safety),
    /// Who this node is.
    Identity(Identity),
    /// This identity is revoked.
    Revoked(Revoked),
    /// Which relays may be contacted.
    Relays(Relays),
    /// Space was given back.
    Compacted(Compacted),
    /// What rooms and peers may do to sessions here.
    Allowed(Vec<Allowed>),
    /// What of rooms is given by itself.
    Levels(Vec<Leveled>),
    /// What rooms cost.
    Budgets(Vec<Budgeted>),
    /// The tags of a directory.
    Tags(Tagged),
    /// What was tried.
    Checks(Vec<Check>),
    /// What the hook is to write.
    Hook(Hook),
    /// Unread messages as text.
    Unheard(Unheard),
    /// A file is announced.
    Dropped(Dropped),
    /// One file.
    File(File),
    /// Files of a room.
    Files(Vec<File>),
}

/// One of several things before the last word.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
// Nearly all events are messages, and none is kept.
#[allow(clippy::large_enum_variant)]
pub enum Event {
    /// A message.
    Message(Message),
    /// A line of an export, its end included.
    Line(String),
    /// How far it is.
    Progress(Progress),
}

/// How the node is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Its process.
    pub pid: u32,
    /// Its version.
    pub version: String,
    /// Its home.
    pub home: PathBuf,
    /// The identity it runs for.
    pub peer: String,
    /// Since when.
    pub since: String,
    /// How many rooms.
    pub rooms: u64,
    /// Peers connected now.
    pub connected: u64,
    /// Sessions it knows.
    pub sessions: u64,
    /// Where it listens.
    pub addresses: Vec<String>,
}

/// What a bare `parlor` shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Here {
    /// The caller's directory, as bindings see it.
    pub dir: Option<PathBuf>,
    /// The rooms heard here, the default first.
    pub rooms: Vec<Room>,
    /// Their people.
    pub people: Vec<Person>,
    /// Their unread counts.
    pub unread: Vec<UnreadRoom>,
    /// Whether there are rooms that are heard elsewhere.
    pub other_rooms: u64,
}

/// Relays: servers that carry sealed packets where two nodes find no direct path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relays {
    /// Those that are set.
    pub urls: Vec<String>,
    /// Who runs them, where they are the default ones.
    pub by: Option<String>,
    /// Whether a person was told of them, or there are none; they are contacted only then.
    pub told: bool,
    /// Whether there is a room that may use them.
    pub needed: bool,
}

/// A room was started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Started {
    /// The room.
    pub room: Room,
    /// The ticket; none where the room stays on this machine.
    pub ticket: Option<Invited>,
    /// The directory it is bound to.
    pub bound: Option<PathBuf>,
}

/// A room was joined, or will be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Joined {
    /// The room.
    pub room: Room,
    /// Whether it was a member of it already.
    pub already: bool,
    /// The directory it is bound to.
    pub bound: Option<PathBuf>,
}

/// A ticket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Invited {
    /// Its text.
    pub ticket: String,
    /// The ticket's entry.
    pub id: String,
    /// Which room it opens.
    pub room: String,
    /// The role it gives.
    pub role: String,
    /// When it expires.
    pub expires: Option<String>,
    /// How many may join by it.
    pub uses: Option<u32>,
    /// Whether an owner has to let each of them in.
    #[serde(default)]
    pub approve: bool,
}

/// A message is durable here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sent {
    /// Its id.
    pub id: String,
    /// Its room.
    pub room: String,
    /// The room's name.
    pub room_name: String,
    /// Members other than this identity whose node has acknowledged holding it durably.
    pub reached: u64,
    /// Members other than this identity.
    pub of: u64,
    /// For a tag: how many other sessions that are present have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tagged: Option<u64>,
    /// How far it is known to have got with each member, where the caller waited for that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub far: Vec<Far>,
    /// Things its author should know: a clock that is off, an older roster.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Its id.
    pub id: String,
    /// Its room.
    pub room: String,
    /// The room's name.
    pub room_name: String,
    /// Whose.
    pub peer: String,
    /// What its author is called here.
    pub name: String,
    /// The session it was written in, if it named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// `human`, `agent` or `program`.
    pub author: String,
    /// When, by the author's clock.
    pub time: String,
    /// The same in milliseconds since 1970.
    pub time_ms: u64,
    /// Its place in this node's order of arrival.
    pub arrival: u64,
    /// How urgent.
    pub priority: Priority,
    /// What was said.
    pub text: String,
    /// Whether this identity wrote it.
    pub own: bool,
    /// Whether it is of a kind this version does not know.
    #[serde(default)]
    pub newer: bool,
    /// In a direct room: the one session it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Until when answers are waited for, of a question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asks_until: Option<String>,
    /// The question it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// The tags it is for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// What it is, where nobody needs to be disturbed for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<Form>,
    /// Whether its author's identity is revoked by now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub revoked: bool,
    /// Whether the person who asks for the log has not read it yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unread: bool,
    /// Whether somebody who is not in the room held the key it was sealed under, and its author's node could know.
    #[serde(default)]
    pub sealed_unfit: bool,
}

/// For how long a room may be read on this node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Retained {
    /// The room.
    pub room: String,
    /// Its name.
    pub room_name: String,
    /// So many days; null: for ever.
    pub days: Option<u32>,
}

/// The end of an export.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exported {
    /// The room.
    pub room: String,
    /// Its name.
    pub room_name: String,
    /// This identity, which signed it.
    pub exporter: String,
    /// Control entries in it.
    pub control: u64,
    /// Data entries in it.
    pub entries: u64,
    /// Of these, those that can be read: messages, and what members say of themselves and the room.
    pub opened: u64,
    /// Of these, messages.
    #[serde(default)]
    pub messages: u64,
}

/// The end of a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// How many messages were told.
    pub messages: u64,
    /// Whether there are older ones.
    pub more: bool,
    /// How many messages of the rooms searched are not in the index yet, so that they were not looked at.
    pub not_indexed: u64,
    /// They, cut, where that was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub brief: Vec<Message>,
}

/// What is unread in one room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UnreadRoom {
    /// The room.
    pub room: String,
    /// Its name.
    pub room_name: String,
    /// How many messages.
    pub unread: u64,
    /// Whose count it is: a session's label, or `here` for the directory's people.
    pub session: String,
}

/// A room as this node holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Room {
    /// Its id.
    pub id: String,
    /// What it is called here.
    pub name: String,
    /// `joined`, `joining` (saved, nobody reached yet), `asking` (an owner has not answered yet), `frozen` (needs a
    /// newer Parlor), `older` (of a version that is read no more), `refused`, `left`, `removed`.
    pub state: String,
    /// Why, when frozen or refused.
    pub why: Option<String>,
    /// This identity's role.
    pub role: Option<String>,
    /// Live members.
    pub members: u64,
    /// Linked now.
    pub connected: u64,
    /// Messages held.
    pub messages: u64,
    /// Open tickets.
    pub open_tickets: u64,
    /// How many ask to be let in.
    #[serde(default)]
    pub asking: u64,
    /// Entries held that cannot be opened yet.
    pub waiting: u64,
    /// Entries that linked members say they hold, and that have not come yet: how far a catch-up is.
    #[serde(default)]
    pub missing: u64,
    /// The directories it is bound to.
    pub bound: Vec<PathBuf>,
    /// Whether the node has made it by itself, for the sessions of a directory.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_itself: bool,
    /// How it travels: `p2p`, `lan` where it never leaves the local network, or `local` where it never leaves this
    /// machine.
    pub carrier: String,
    /// In a direct room: the other of the two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direct: Option<String>,
    /// For how many days it is read on this node; none: for ever.
    #[serde(default)]
    pub retention_days: Option<NonZeroU32>,
    /// Whether it is the default where the caller stands.
    pub default: bool,
    /// Members whose messages are not fetched for now: they added more than a node takes in an hour.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paused: Vec<Paused>,
    /// Things people should know: forks, clocks, heads heard of and not held.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// A member whose messages are not fetched for now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Paused {
    /// Who.
    pub peer: String,
    /// What it is called here.
    pub name: String,
    /// Why.
    pub why: String,
    /// When they are fetched on, from where they were left.
    pub resumes: String,
}

/// A binding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bound {
    /// The room.
    pub room: String,
    /// Its name.
    pub room_name: String,
    /// The directory, as bindings see it: for a git work tree the one above git's common directory.
    pub dir: PathBuf,
}

/// Who this node is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// The identity.
    pub peer: String,
    /// What it calls itself.
    pub nick: String,
    /// Its home.
    pub home: PathBuf,
    /// Since when it is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<String>,
}

/// This identity is revoked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Revoked {
    /// The identity.
    pub peer: String,
    /// The names of the rooms that are told, as their members are reached.
    pub told: Vec<String>,
    /// The names of those that nobody rules any more.
    pub abandoned: Vec<String>,
}

/// Space was given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compacted {
    /// The store and its log before.
    pub store_before_bytes: u64,
    /// And after.
    pub store_after_bytes: u64,
    /// The index and its log before.
    pub index_before_bytes: u64,
    /// And after.
    pub index_after_bytes: u64,
    /// How long everything else had to wait.
    pub blocked_ms: u64,
}

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// What.
    pub name: String,
    /// `ok`, `warn` or `fail`.
    pub state: String,
    /// What was seen.
    pub detail: String,
    /// What to do.
    pub hint: Option<String>,
}

/// What the hook is to write.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hook {
    /// Written to its standard output as it is; empty: nothing.
    pub stdout: String,
    /// To be committed once written; absent: nothing was given.
    pub token: Option<u64>,
    /// Instead: it is written to its standard error, and the hook exits with 2, which wakes the session.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wake: bool,
}

/// Unread messages as text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unheard {
    /// The text; empty when there is nothing.
    pub text: String,
    /// How many messages it holds.
    pub messages: u64,
    /// How many more are unread.
    pub more: u64,
    /// To be committed once written.
    pub token: Option<u64>,
}
