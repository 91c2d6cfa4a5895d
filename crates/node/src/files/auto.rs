//! Fetching small files by themselves, where a person has allowed it for a room or a peer. Follows the log; what was said
//! before it followed is left to who asks for it. Must never hold the driver.

use std::sync::Arc;

use parlor_core::engine::api::MessageView;

use super::{Files, Wanted};
use crate::consent::What;
use crate::feed::{Fed, Next};
use crate::node::Node;

/// Fetches what arrives.
pub(crate) struct AutoFetcher(pub(crate) Fed);

impl AutoFetcher {
    /// Fetches until the driver has ended.
    pub(crate) fn run(self, node: &Arc<Node>) {
        loop {
            match self.0.next(None) {
                // A file that was missed is fetched by whoever wants it.
                Next::CatchUp | Next::Quiet => {}
                Next::Arrived(messages) => {
                    messages.iter().for_each(|message| node.files.fetch_by_itself(node, message));
                }
                Next::End => return,
            }
        }
    }
}

impl Files {
    fn fetch_by_itself(self: &Arc<Self>, node: &Node, message: &MessageView) {
        let Some(wanted) = Wanted::of(message).filter(|wanted| wanted.file.length <= self.auto_bytes) else {
            return;
        };
        if message.own || !node.consent().may(What::Files, message.room, message.peer) {
            return;
        }
        let entry = message.id;
        match self.fetch(wanted) {
            Ok(mut progress) => {
                self.runtime.spawn(async move {
                    // It goes on for as long as this waits for it.
                    let ended = progress.wait_for(|progress| progress.end.is_some()).await;
                    if let Ok(progress) = ended
                        && let Some(Err(error)) = &progress.end
                    {
                        tracing::info!("the file of {} was not fetched by itself: {error}", entry.short());
                    }
                });
            }
            Err(error) => tracing::info!("the file of {} was not fetched by itself: {error}", entry.short()),
        }
    }
}
