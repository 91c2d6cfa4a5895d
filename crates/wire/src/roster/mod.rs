//! The roster: what a *set* of control entries means. No arrival order, clock or comparison of ids gives
//! authority. `dag` holds the entries whose parents are all there, `acts` gathers what owners did, `fold` computes who
//! is in, `state` is what it gives, `freeze` judges what this Parlor is too old to read.

mod acts;
mod dag;
mod fold;
mod freeze;
mod landmarks;
mod state;

pub use dag::{Dag, Insert};
pub use fold::keep_unsuperseded;
pub use freeze::{Freeze, freezes};
pub use state::{ChainState, Extent, Member, Membership, Roster, TicketState};
