//! A simulated world of nodes: network and clock of its own, all else the real code. Must not re-implement a rule
//! of the room: what it knows, it knows from outside.

pub mod act;
pub mod carrier;
pub mod check;
pub mod crowd;
pub mod dial;
pub mod dice;
pub mod net;
pub mod node;
pub mod puppet;
pub mod session;
pub mod sleep;
pub mod story;
pub mod watch;
pub mod world;

pub use carrier::{Carrier, Writing};
pub use dial::Dialling;
pub use net::Faults;
pub use session::Session;
pub use world::{Trouble, World};
