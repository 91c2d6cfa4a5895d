//! Looks now and then whether the sessions that are said to be present still are.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use crate::node::Node;

/// How much of a lease may go by before it is seen that a process is gone, and how old a branch may be that is shown.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// Runs until the node stops.
pub(crate) async fn watch(node: Arc<Node>) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut generation = node.driver.generation();
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = node.life.stopping.cancelled() => return,
        }
        if node.sessions().running() == 0 {
            continue;
        }
        let present = node.driver.generation();
        if present != generation {
            generation = present;
            node.sessions().forget_announced();
        }
        node.end_gone().await;
        node.announce_all().await;
    }
}
