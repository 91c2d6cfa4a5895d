//! How people type what rules a room: tickets, members, roles. Must not do anything.

use clap::{Subcommand, ValueEnum};

/// What a ticket can make of somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TicketRole {
    /// Reads and writes.
    Member,
    /// Reads.
    Reader,
}

impl From<TicketRole> for parlor_api::Role {
    fn from(role: TicketRole) -> Self {
        match role {
            TicketRole::Member => Self::Member,
            TicketRole::Reader => Self::Reader,
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum Ticket {
    /// Those that let people in now.
    List {
        /// Which room [default: the one this directory hears].
        room: Option<String>,
        /// Those too that are closed, expired or spent.
        #[arg(long)]
        all: bool,
    },
    /// Closes one: nobody comes by it any more. Who has come stays.
    Close {
        /// Its id or the beginning of it.
        ticket: String,
        /// Which room [default: the one this directory hears].
        #[arg(long)]
        room: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub enum Member {
    /// Who is in, and who asks to be.
    List {
        /// Which room [default: the one this directory hears].
        room: Option<String>,
    },
    /// Lets in somebody who asks.
    Approve {
        /// Whom: id, the beginning of it, or name.
        peer: String,
        /// Which room [default: the one this directory hears].
        #[arg(long)]
        room: Option<String>,
    },
    /// Puts somebody out, closes the room's open tickets, and gives the others a new key.
    Remove {
        /// Whom: id, the beginning of it, or name.
        peer: String,
        /// Which room [default: the one this directory hears].
        #[arg(long)]
        room: Option<String>,
        /// A ticket that stays open; may be given several times.
        #[arg(long, value_name = "ID")]
        keep_ticket: Vec<String>,
    },
    /// Gives somebody a role. Who is made an owner stays one.
    Role {
        /// Whom: id, the beginning of it, or name.
        peer: String,
        /// Which.
        #[arg(value_enum)]
        role: Role,
        /// Which room [default: the one this directory hears].
        #[arg(long)]
        room: Option<String>,
        /// Makes an owner without asking: it cannot be taken back.
        #[arg(long)]
        yes: bool,
    },
}

/// What somebody may do in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Rules it.
    Owner,
    /// Reads and writes.
    Member,
    /// Reads.
    Reader,
}

impl From<Role> for parlor_api::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::Owner => Self::Owner,
            Role::Member => Self::Member,
            Role::Reader => Self::Reader,
        }
    }
}
