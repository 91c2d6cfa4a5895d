//! The node double of the integration tests, for tests inside this crate.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

#[path = "../tests/support/node.rs"]
pub(crate) mod node;

/// The value of `work`, or a failed test.
pub(crate) async fn soon<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), work).await.unwrap_or_else(|_| panic!("no {what}"))
}
