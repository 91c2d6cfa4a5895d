//! What surfaces are shown of a room: plain data, cleaned. Must not be a way to change anything.

use std::net::SocketAddr;

use parlor_wire::control::Role;
use parlor_wire::frame::Refusal;
use parlor_wire::{EntryId, PeerId, RoomId, TimeMs};

use super::SessionView;
use crate::text::clean::CleanText;

/// A room as this node holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomView {
    /// It.
    pub id: RoomId,
    /// What it is called here.
    pub name: CleanText,
    /// Where it stands.
    pub state: RoomStanding,
    /// This identity's role.
    pub role: Option<Role>,
    /// Live members.
    pub members: u64,
    /// Other members linked now.
    pub connected: u64,
    /// The highest arrival number: how many messages were read in here.
    pub arrivals: u64,
    /// Open tickets.
    pub open_tickets: u64,
    /// Whether there are entries that cannot be opened yet.
    pub waiting: u64,
    /// Entries that linked members say they hold, and that have not come yet.
    pub missing: u64,
    /// Whose chains are not fetched for now.
    pub paused: Vec<PausedView>,
    /// What people should know.
    pub warnings: Vec<String>,
    /// In a direct room: the other of the two.
    pub direct: Option<PeerId>,
    /// It never leaves this node.
    pub stays_here: bool,
    /// It never leaves the local network.
    pub lan: bool,
}

/// An author who added more than a node takes in an hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PausedView {
    /// Who.
    pub peer: PeerId,
    /// What it is called here.
    pub name: CleanText,
    /// When its chains are fetched on, by this node's wall clock.
    pub resumes_ms: TimeMs,
}

/// Where a room stands on this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomStanding {
    /// This identity is a member.
    Joined,
    /// Saved; nobody reached yet.
    Joining,
    /// Read-only: it holds something this version does not know.
    Frozen(String),
    /// Of a version that is read no more.
    Older(String),
    /// The join was refused.
    Refused(Refusal),
    /// This identity has asked to be let in, and an owner has not answered yet.
    Asking,
    /// This identity has left.
    Left,
    /// An owner has put this identity out.
    Removed,
}

/// A ticket as surfaces see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketView {
    /// Its entry.
    pub id: EntryId,
    /// Which owner made it.
    pub author: PeerId,
    /// What the owner is called here.
    pub name: CleanText,
    /// What it makes those who come by it.
    pub role: Role,
    /// How many may come by it; absent: any number.
    pub uses: Option<u32>,
    /// How many have.
    pub joins: u32,
    /// When it expires; absent: never.
    pub expires: Option<TimeMs>,
    /// Whether an owner has to let each of them in.
    pub approve: bool,
    /// Whether it lets people in now.
    pub open: bool,
    /// Whether somebody closed it.
    pub closed: bool,
}

/// Somebody who asks to be let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskingView {
    /// Who.
    pub peer: PeerId,
    /// What it is called here.
    pub name: CleanText,
    /// By which ticket.
    pub ticket: EntryId,
    /// When, by its own clock.
    pub time_ms: TimeMs,
}

/// A member as surfaces see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonView {
    /// Who.
    pub peer: PeerId,
    /// What it is called here.
    pub name: CleanText,
    /// Its role.
    pub role: Role,
    /// Whether it is this identity.
    pub own: bool,
    /// Whether it is linked now.
    pub connected: bool,
    /// When it was last linked.
    pub last_seen: Option<TimeMs>,
    /// Its sessions that are present, each cleaned.
    pub sessions: Vec<SessionView>,
    /// When a person here compared the safety number with it.
    pub verified: Option<TimeMs>,
    /// What people should know before they take it for somebody else.
    pub warning: Option<String>,
}

/// A peer as surfaces see it, whatever the room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerView {
    /// Who.
    pub peer: PeerId,
    /// What it is called here, among all peers.
    pub name: CleanText,
    /// What this identity calls it.
    pub petname: Option<CleanText>,
    /// What it calls itself.
    pub nick: Option<CleanText>,
    /// Whether it is this identity.
    pub own: bool,
    /// The rooms both are in.
    pub rooms: Vec<RoomId>,
    /// Whether it is linked now.
    pub connected: bool,
    /// When it was last linked.
    pub last_seen: Option<TimeMs>,
    /// When a person here compared the safety number with it.
    pub verified: Option<TimeMs>,
    /// When it was heard that its identity is revoked.
    pub revoked: Option<TimeMs>,
}

/// Where a node is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// Addresses, best first.
    pub addresses: Vec<SocketAddr>,
    /// URLs of relays, the newest first. Others say so: nothing is checked here.
    pub relays: Vec<String>,
}

/// A link the engine wants.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct WantedLink {
    /// For which room.
    pub room: RoomId,
    /// To whom.
    pub peer: PeerId,
}
