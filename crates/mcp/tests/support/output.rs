//! The server's standard output, which can be held up between writing and flushing, and can break.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncWrite, DuplexStream};

use std::sync::Mutex;

/// What holds a flush up. Open at first.
#[derive(Default)]
pub struct Gate {
    closed: AtomicBool,
    broken: AtomicBool,
    waiting: Mutex<Option<Waker>>,
    on_flush: Mutex<Option<Box<dyn Fn() + Send>>>,
}

impl Gate {
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    pub fn open(&self) {
        self.closed.store(false, Ordering::SeqCst);
        self.wake();
    }

    /// From now on nothing can be flushed.
    pub fn break_off(&self) {
        self.broken.store(true, Ordering::SeqCst);
        self.wake();
    }

    /// Runs after each flush that went through.
    pub fn on_flush(&self, tell: impl Fn() + Send + 'static) {
        *self.on_flush.lock().unwrap() = Some(Box::new(tell));
    }

    fn wake(&self) {
        if let Some(waker) = self.waiting.lock().unwrap().take() {
            waker.wake();
        }
    }
}

/// The output.
pub struct Output {
    stream: DuplexStream,
    gate: Arc<Gate>,
}

impl Output {
    pub fn new(stream: DuplexStream, gate: Arc<Gate>) -> Self {
        Self { stream, gate }
    }
}

impl AsyncWrite for Output {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        *self.gate.waiting.lock().unwrap() = Some(cx.waker().clone());
        if self.gate.broken.load(Ordering::SeqCst) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if self.gate.closed.load(Ordering::SeqCst) {
            return Poll::Pending;
        }
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        if let (Poll::Ready(Ok(())), Some(tell)) = (&flushed, &*self.gate.on_flush.lock().unwrap()) {
            tell();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
