//! What the node answers about tickets and members.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::people::Person;

/// A ticket of a room, without its text: that is a key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ticket {
    /// The ticket's entry.
    pub id: String,
    /// The room it opens.
    pub room: String,
    /// The room's name.
    pub room_name: String,
    /// The owner who made it.
    pub peer: String,
    /// What the owner is called here.
    pub name: String,
    /// The role it gives.
    pub role: String,
    /// How many may come by it; absent: any number.
    pub uses: Option<u32>,
    /// How many have.
    pub joins: u32,
    /// When it expires; absent: never.
    pub expires: Option<String>,
    /// Whether an owner has to let each of them in.
    pub approve: bool,
    /// Whether it lets people in now.
    pub open: bool,
    /// Whether somebody closed it.
    pub closed: bool,
}

/// Who is in a room, and who asks to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Members {
    /// The room.
    pub room: String,
    /// Its name.
    pub room_name: String,
    /// Its members, this identity first.
    pub people: Vec<Person>,
    /// Who asks to be let in, who asked first first.
    pub asking: Vec<Asking>,
}

/// Somebody who asks to be let in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asking {
    /// The identity.
    pub peer: String,
    /// What it is called here.
    pub name: String,
    /// The entry of the ticket it came by.
    pub ticket: String,
    /// Since when, by its own clock.
    pub time: String,
}

/// One member of a room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// The room.
    pub room: String,
    /// The room's name.
    pub room_name: String,
    /// The identity.
    pub peer: String,
    /// What it is called here.
    pub name: String,
    /// `owner`, `member` or `reader`.
    pub role: String,
}

/// Somebody was put out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Removed {
    /// The room.
    pub room: String,
    /// The room's name.
    pub room_name: String,
    /// The identity.
    pub peer: String,
    /// What it was called here.
    pub name: String,
    /// The tickets that were closed with it, by their entries.
    pub closed: Vec<String>,
}

/// This identity has gone out of a room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Left {
    /// The room.
    pub room: String,
    /// Its name.
    pub room_name: String,
    /// The directories that heard it until now.
    pub unbound: Vec<PathBuf>,
}
