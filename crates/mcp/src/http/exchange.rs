//! One request over HTTP and its answer: leases of what the answer carries are committed when its bytes have been
//! written to the socket, and go back when they have not. Must not look at what the answer says, beyond that it is one.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::http::request::Parts;
use rmcp::model::Extensions;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::node_link::Lease;

/// What stands in the line of an answer and in none of a notification: a quote inside a text is escaped.
const ANSWER_MARK: &[u8] = b"\"result\":";

/// What is known of one connection: of its writing, and of who is at its other end.
pub(super) struct Written {
    let_in: CancellationToken,
    leases: Mutex<Vec<Lease>>,
    commits: TaskTracker,
}

impl Written {
    pub(super) fn new(commits: TaskTracker) -> Self {
        Self { let_in: CancellationToken::new(), leases: Mutex::default(), commits }
    }

    /// It has shown the token.
    pub(super) fn let_in(&self) {
        self.let_in.cancel();
    }

    /// Waits until it has.
    pub(super) async fn has_been_let_in(&self) {
        self.let_in.cancelled().await;
    }

    fn await_flush(&self, leases: Vec<Lease>) {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner).extend(leases);
    }

    /// Everything handed over so far has been written.
    fn flushed(&self) {
        let leases = std::mem::take(&mut *self.leases.lock().unwrap_or_else(PoisonError::into_inner));
        for lease in leases {
            self.commits.spawn(lease.commit());
        }
    }
}

/// A connection that says when it was flushed.
pub(super) struct Flushing<S> {
    pub(super) stream: S,
    pub(super) written: Arc<Written>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Flushing<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Flushing<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    /// The library flushes only when its own buffer is empty.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.written.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// How far an answer is.
enum State {
    /// Being made, with the leases of what it will carry.
    Open(Vec<Lease>),
    /// Written, or given up.
    Over,
}

/// One request's answer to come. It travels with the request to the tool that answers it.
#[derive(Clone)]
pub(crate) struct Exchange {
    state: Arc<Mutex<State>>,
    written: Arc<Written>,
}

impl Exchange {
    pub(super) fn new(written: Arc<Written>) -> Self {
        Self { state: Arc::new(Mutex::new(State::Open(Vec::new()))), written }
    }

    /// That of the call whose context has these, if it came over HTTP.
    pub(crate) fn of(extensions: &Extensions) -> Option<&Self> {
        extensions.get::<Parts>()?.extensions.get::<Self>()
    }

    /// The answer will carry leased text. If nobody is there to be answered, the lease ends here.
    pub(crate) fn hold(&self, lease: Lease) {
        if let State::Open(leases) = &mut *self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            leases.push(lease);
        }
    }

    /// This body, watched to its end.
    pub(super) fn watch<B>(self, body: B) -> Watched<B> {
        Watched { body, exchange: self, has_answered: false }
    }

    fn end(&self) -> Vec<Lease> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *state, State::Over) {
            State::Open(leases) => leases,
            State::Over => Vec::new(),
        }
    }
}

/// An answer's body. Dropped before its end, nothing of it counts as given.
pub(super) struct Watched<B> {
    body: B,
    exchange: Exchange,
    has_answered: bool,
}

impl<B> Watched<B> {
    fn is_done(&self) {
        let leases = self.exchange.end();
        if self.has_answered {
            self.exchange.written.await_flush(leases);
        }
    }
}

impl<B> Drop for Watched<B> {
    fn drop(&mut self) {
        drop(self.exchange.end());
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Watched<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame {
            let bytes = frame.data_ref().map(Bytes::as_ref).unwrap_or_default();
            self.has_answered |= bytes.windows(ANSWER_MARK.len()).any(|part| part == ANSWER_MARK);
        }
        // A body whose length is known is not asked again after its last byte.
        if frame.is_none() || self.body.is_end_stream() {
            self.is_done();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
