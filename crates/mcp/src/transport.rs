//! The way between the agent program and the server. Beyond carrying lines it does two things: it commits a
//! lease only after the answer that carries the text was written and flushed, and it lets nothing through that
//! could end or confuse the server, such as a cancellation of what is already answered.

use std::io;
use std::sync::Arc;

use rmcp::RoleServer;
use rmcp::model::{ClientNotification, JsonRpcMessage, RequestId};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport as _;
use rmcp::transport::async_rw::AsyncRwTransport;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use crate::in_flight::InFlight;

/// The transport.
pub(crate) struct Transport<R: AsyncRead, W: AsyncWrite> {
    lines: AsyncRwTransport<RoleServer, R, W>,
    in_flight: Arc<InFlight>,
    /// Whether writing has failed: nobody hears the answers, so no more questions are read.
    broken: watch::Sender<bool>,
}

impl<R, W> Transport<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    /// A transport that reads from `input` and writes to `output`.
    pub(crate) fn new(input: R, output: W, in_flight: Arc<InFlight>) -> Self {
        Self { lines: AsyncRwTransport::new(input, output), in_flight, broken: watch::Sender::new(false) }
    }

    async fn next(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            self.in_flight.room().await;
            let message = self.lines.receive().await?;
            if self.admit(&message) {
                return Some(message);
            }
        }
    }

    /// Of notifications only the cancellation of a request at work means anything here, and answers to
    /// questions never asked mean nothing.
    fn admit(&self, message: &RxJsonRpcMessage<RoleServer>) -> bool {
        match message {
            JsonRpcMessage::Request(request) => {
                self.in_flight.begin(request.id.clone());
                true
            }
            JsonRpcMessage::Notification(notification) => match &notification.notification {
                ClientNotification::CancelledNotification(cancelled) => {
                    cancelled.params.request_id.as_ref().is_some_and(|id| self.in_flight.end(id).is_some())
                }
                _ => false,
            },
            JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_) => false,
        }
    }
}

impl<R, W> rmcp::transport::Transport<RoleServer> for Transport<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    type Error = io::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), io::Error>> + Send + 'static {
        let lease = answered(&message).and_then(|id| self.in_flight.end(id)).flatten();
        // Ready only when the bytes are flushed.
        let written = self.lines.send(message);
        let broken = self.broken.clone();
        async move {
            if let Err(error) = written.await {
                broken.send_replace(true);
                return Err(error);
            }
            if let Some(lease) = lease {
                lease.commit().await;
            }
            Ok(())
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        let mut broken = self.broken.subscribe();
        let message = tokio::select! {
            _ = broken.wait_for(|broken| *broken) => None,
            message = self.next() => message,
        };
        if message.is_none() {
            self.in_flight.end_waits();
        }
        message
    }

    async fn close(&mut self) -> Result<(), io::Error> {
        self.lines.close().await
    }
}

fn answered(message: &TxJsonRpcMessage<RoleServer>) -> Option<&RequestId> {
    match message {
        JsonRpcMessage::Response(response) => Some(&response.id),
        JsonRpcMessage::Error(error) => error.id.as_ref(),
        JsonRpcMessage::Request(_) | JsonRpcMessage::Notification(_) => None,
    }
}
