//! Lines to a client, through a bounded queue: a client that does not read makes its own requests wait and
//! nobody else's.

use std::future::Future;
use std::pin::Pin;

use parlor_api::{ApiError, Event, MAX_LINE_BYTES, NodeLine};
use tokio::io::AsyncWriteExt;
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::mpsc;

use crate::errors;
use crate::requests::Events;

const QUEUE_LEN: usize = 64;
/// Lines written at once.
const RUN_BYTES: usize = 64 * 1024;

/// Where a connection's lines go.
pub(super) type Out = mpsc::Sender<NodeLine>;

pub(super) fn queue() -> (Out, mpsc::Receiver<NodeLine>) {
    mpsc::channel(QUEUE_LEN)
}

/// Writes until nobody has anything to say any more, or nobody listens.
pub(super) async fn write(mut stream: OwnedWriteHalf, mut queue: mpsc::Receiver<NodeLine>) {
    while let Some(line) = queue.recv().await {
        let mut bytes = encode(line);
        while bytes.len() < RUN_BYTES
            && let Ok(line) = queue.try_recv()
        {
            bytes.extend(encode(line));
        }
        if stream.write_all(&bytes).await.is_err() {
            return;
        }
    }
    // A client that has hung up does not need to be told.
    _ = stream.shutdown().await;
}

fn encode(line: NodeLine) -> Vec<u8> {
    let id = match &line {
        NodeLine::Ok { id, .. } | NodeLine::Event { id, .. } | NodeLine::Error { id, .. } => *id,
        NodeLine::Hello { .. } => 0,
    };
    let text = serde_json::to_vec(&line).ok().filter(|text| text.len() < MAX_LINE_BYTES);
    let mut text = text.unwrap_or_else(|| too_long(id));
    text.push(b'\n');
    text
}

fn too_long(id: u64) -> Vec<u8> {
    let error: ApiError = errors::internal("the answer does not fit a line");
    serde_json::to_vec(&NodeLine::Error { id, error }).unwrap_or_default()
}

/// The events of one request.
pub(super) struct RequestEvents {
    pub id: u64,
    pub out: Out,
}

impl Events for RequestEvents {
    fn emit(&self, event: Event) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        Box::pin(async move { self.out.send(NodeLine::Event { id: self.id, event }).await.is_ok() })
    }
}
