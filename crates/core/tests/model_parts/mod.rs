//! What the model check is made of: orders of a few acts, people and tickets with real keys, acts written as real signed
//! entries, and what must hold of a set of them.

pub mod acts;
pub mod check;
pub mod orders;
pub mod room;
