//! The p2p carrier between real endpoints: on loopback, and in small networks of their own.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod lan;
mod loopback;
mod side;
mod stranger;
