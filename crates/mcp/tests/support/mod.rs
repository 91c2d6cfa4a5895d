//! Both ends the server stands between: an agent program that speaks raw lines, and a node double that speaks
//! the socket's protocol and writes down what it is asked. Judges nothing itself.

#![allow(dead_code)]

pub mod agent;
pub mod http;
pub mod node;
pub mod output;

use std::time::Duration;

/// Longer than anything here takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The value of `work`, or a failed test.
pub async fn soon<T>(what: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(value) => value,
        Err(_) => panic!("waited in vain for {what}"),
    }
}
