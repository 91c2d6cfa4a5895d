//! The blocking client of the node's socket: one connection at a time, made with the first request and again when
//! it broke. Must not start a node, nor retry what may have been done.

use std::cell::Cell;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use backon::{BlockingRetryable, ConstantBuilder};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, sockopt};

use crate::NODE_WAIT_MS;
use crate::conversation::{Conversation, Step};
use crate::failure::ClientError;
use crate::line::{Hello, NodeHello};
use crate::lines::Lines;
use crate::paths::Home;
use crate::reply::{Event, Reply};
use crate::request::Request;

/// How long the node has for an answer unless something else is said, in milliseconds.
pub const ANSWER_WAIT_MS: u64 = 10_000;
/// Between two attempts to reach a node that is starting again, in milliseconds.
pub(crate) const RESTART_STEP_MS: u64 = 20;
pub(crate) const READ_BYTES: usize = 16 * 1024;

/// Ends a request from another thread. It can be used before the request is made: it then ends at once.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<Mutex<CancelState>>);

#[derive(Debug, Default)]
struct CancelState {
    cancelled: bool,
    running: Option<(UnixStream, u64)>,
}

impl Cancel {
    /// Tells the node to end the request, and ends the waiting for it.
    pub fn cancel(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.cancelled = true;
        let Some((mut stream, id)) = state.running.take() else { return };
        if let Ok(bytes) = Conversation::cancel(id) {
            // A node that is gone has nothing left to end.
            _ = stream.write_all(&bytes);
        }
        _ = stream.shutdown(std::net::Shutdown::Read);
    }

    /// Whether it was used.
    pub fn is_cancelled(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).cancelled
    }

    fn arm(&self, link: &Link, id: u64) -> Result<(), ClientError> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.cancelled {
            return Err(ClientError::Cancelled);
        }
        let stream = link.stream.try_clone().map_err(|_| link.talk.ended())?;
        state.running = Some((stream, id));
        Ok(())
    }

    fn disarm(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).running = None;
    }
}

/// A client of one home's node.
#[derive(Debug)]
pub struct Client {
    socket: PathBuf,
    hello: Hello,
    timeout: Duration,
    link: Option<Link>,
}

#[derive(Debug)]
struct Link {
    stream: UnixStream,
    lines: Lines,
    talk: Conversation,
}

impl Client {
    /// A client that is not connected yet. Fails when the home's path cannot hold a socket.
    pub fn new(home: &Home, hello: Hello) -> Result<Self, ClientError> {
        let timeout = Duration::from_millis(ANSWER_WAIT_MS);
        Ok(Self { socket: home.socket()?, hello, timeout, link: None })
    }

    /// The same with another time for each answer.
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// What the node said of itself on the present connection.
    pub fn node(&self) -> Option<&NodeHello> {
        self.link.as_ref().and_then(|link| link.talk.node())
    }

    /// Asks, and waits for the answer. A node that starts again meanwhile is waited for.
    pub fn call(&mut self, request: &Request) -> Result<Reply, ClientError> {
        let timeout = self.timeout;
        self.call_within(request, timeout)
    }

    /// The same with another time for this answer.
    pub fn call_within(&mut self, request: &Request, timeout: Duration) -> Result<Reply, ClientError> {
        self.through_restart(|client| {
            client.attempt(request, Wait::new(timeout, Patience::Whole), None, &mut |_| ())
        })
    }

    /// Asks once, and waits until `deadline` and no longer; a node that starts again is not waited for.
    pub fn call_once(&mut self, request: &Request, deadline: Instant) -> Result<Reply, ClientError> {
        let left = deadline.saturating_duration_since(Instant::now());
        self.attempt(request, Wait::new(left, Patience::Whole), None, &mut |_| ())
    }

    /// Asks for something that comes in several parts. Each part has the time of an answer; parts of what goes on
    /// until it is cancelled are waited for without an end.
    pub fn stream(
        &mut self,
        request: &Request,
        cancel: &Cancel,
        mut on_event: impl FnMut(Event),
    ) -> Result<Reply, ClientError> {
        let patience = if request.is_endless() { Patience::Endless } else { Patience::EachPart };
        let timeout = self.timeout;
        let result = self.through_restart(|client| {
            client.attempt(request, Wait::new(timeout, patience), Some(cancel), &mut on_event)
        });
        cancel.disarm();
        match result {
            Err(_) if cancel.is_cancelled() => Err(ClientError::Cancelled),
            result => result,
        }
    }

    /// Asks on the present connection and waits for nothing. There is no other connection it could mean: what was
    /// leased to one is nothing to the next.
    pub fn post(&mut self, request: &Request) -> Result<(), ClientError> {
        let wait = Wait::new(self.timeout, Patience::Whole);
        let link = self.link.as_mut().ok_or(ClientError::Broken { served: false })?;
        link.ask(request, &wait).map(drop)
    }

    fn through_restart<T>(
        &mut self,
        mut attempt: impl FnMut(&mut Self) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        let deadline = Instant::now() + Duration::from_millis(NODE_WAIT_MS);
        let restarts = Cell::new(false);
        let steps =
            ConstantBuilder::new().with_delay(Duration::from_millis(RESTART_STEP_MS)).without_max_times();
        let retry = (|| attempt(self)).retry(steps).when(|error: &ClientError| {
            restarts.set(restarts.get() || matches!(error, ClientError::Restarting));
            restarts.get() && error.is_undone() && Instant::now() < deadline
        });
        retry.call()
    }

    fn attempt(
        &mut self,
        request: &Request,
        wait: Wait,
        cancel: Option<&Cancel>,
        on_event: &mut dyn FnMut(Event),
    ) -> Result<Reply, ClientError> {
        let id = self.ask(request, &wait)?;
        let Some(link) = self.link.as_mut() else { return Err(ClientError::Broken { served: false }) };
        let answer = cancel
            .map_or(Ok(()), |cancel| cancel.arm(link, id))
            .and_then(|()| link.await_answer(id, wait, on_event));
        // Whatever else comes on a connection that failed would be taken for the answer to something else.
        if !matches!(answer, Ok(_) | Err(ClientError::Refused(_))) {
            self.link = None;
        }
        answer
    }

    fn ask(&mut self, request: &Request, wait: &Wait) -> Result<u64, ClientError> {
        if let Some(link) = &mut self.link {
            match link.ask(request, wait) {
                Err(ClientError::Broken { .. }) => self.link = None,
                result => return result,
            }
        }
        // A connection the node has left since the last request: nothing of this one was taken.
        let (link, id) = Link::open(&self.socket, &self.hello, request, wait)?;
        self.link = Some(link);
        Ok(id)
    }
}

/// What the time of a wait is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    /// For everything.
    Whole,
    /// For each part anew.
    EachPart,
    /// For the node's hello; after that there is no end.
    Endless,
}

/// How long something is waited for.
#[derive(Debug, Clone, Copy)]
struct Wait {
    begun: Instant,
    timeout: Duration,
    patience: Patience,
}

impl Wait {
    fn new(timeout: Duration, patience: Patience) -> Self {
        Self { begun: Instant::now(), timeout, patience }
    }

    /// What is left, never nothing: the system takes a timeout of nothing for none at all.
    fn left(&self) -> Result<Duration, ClientError> {
        let left = self.timeout.saturating_sub(self.begun.elapsed());
        if left.is_zero() { Err(self.over()) } else { Ok(left.max(Duration::from_millis(1))) }
    }

    fn over(&self) -> ClientError {
        timed_out(self.timeout)
    }

    fn part_came(&mut self) {
        if self.patience == Patience::EachPart {
            self.begun = Instant::now();
        }
    }
}

impl Link {
    fn open(
        socket: &Path,
        hello: &Hello,
        request: &Request,
        wait: &Wait,
    ) -> Result<(Self, u64), ClientError> {
        let (talk, id, bytes) = Conversation::begin(hello, request)?;
        let stream = connect(socket, wait)?;
        let mut link = Self { stream, lines: Lines::default(), talk };
        link.write(&bytes, wait)?;
        Ok((link, id))
    }

    fn ask(&mut self, request: &Request, wait: &Wait) -> Result<u64, ClientError> {
        let (id, bytes) = self.talk.ask(request)?;
        self.write(&bytes, wait)?;
        Ok(id)
    }

    fn write(&mut self, bytes: &[u8], wait: &Wait) -> Result<(), ClientError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            // Anew for each part: the system counts its timeout from whatever was taken last.
            let written =
                self.stream.set_write_timeout(Some(wait.left()?)).and_then(|()| self.stream.write(rest));
            match written {
                Ok(0) => return Err(ClientError::Broken { served: false }),
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Err(wait.over());
                }
                // The other end did not take all of it, so it cannot have read a whole request.
                Err(_) => return Err(ClientError::Broken { served: false }),
            }
        }
        Ok(())
    }

    fn await_answer(
        &mut self,
        id: u64,
        mut wait: Wait,
        on_event: &mut dyn FnMut(Event),
    ) -> Result<Reply, ClientError> {
        loop {
            match self.lines.next_line()?.map(|line| self.talk.read(line, id)).transpose()? {
                Some(Step::Reply(reply)) => return Ok(reply),
                Some(Step::Event(event)) => {
                    on_event(event);
                    wait.part_came();
                }
                Some(Step::Nothing) => (),
                None => self.read_some(&wait)?,
            }
        }
    }

    fn read_some(&mut self, wait: &Wait) -> Result<(), ClientError> {
        let is_endless = wait.patience == Patience::Endless && self.talk.node().is_some();
        let left = if is_endless { None } else { Some(wait.left()?) };
        self.stream.set_read_timeout(left).map_err(|_| self.talk.ended())?;
        let mut bytes = [0; READ_BYTES];
        match self.stream.read(&mut bytes) {
            Ok(0) => Err(self.talk.ended()),
            Ok(read) => {
                self.lines.push(&bytes[..read]);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Err(wait.over())
            }
            Err(_) => Err(self.talk.ended()),
        }
    }
}

/// Connects within a time: a node that is stopped or overrun lets connections queue, and then connecting blocks.
fn connect(path: &Path, wait: &Wait) -> Result<UnixStream, ClientError> {
    use rustix::io::Errno;
    let failed = |errno: Errno| match errno {
        Errno::NOENT | Errno::CONNREFUSED => ClientError::NotRunning(path.into()),
        Errno::AGAIN | Errno::INPROGRESS | Errno::TIMEDOUT => wait.over(),
        other => ClientError::Socket { path: path.into(), source: other.into() },
    };
    let address = SocketAddrUnix::new(path).map_err(failed)?;
    let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).map_err(failed)?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC).map_err(failed)?;
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, Some(wait.left()?)).map_err(failed)?;
    rustix::net::connect(&socket, &address).map_err(failed)?;
    Ok(socket.into())
}

pub(crate) fn timed_out(timeout: Duration) -> ClientError {
    ClientError::TimedOut { timeout_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX) }
}
