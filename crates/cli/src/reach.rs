//! The way from a command to its node: starts one where none runs, asks again what was lost with a connection
//! when that is safe. Must not interpret answers.

use std::time::Duration;

use backon::{BlockingRetryable, ConstantBuilder};
use parlor_api::client::ANSWER_WAIT_MS;
use parlor_api::paths::Home;
use parlor_api::{Cancel, Client, ClientError, Event, Hello, Reply, Request};

use crate::autostart::ensure_node;
use crate::errors::{Failure, Outcome};

/// A request is made at most so often: once, once on the node that was started for it, once more when that died.
const ATTEMPTS: usize = 3;

/// The node of a home, brought up when it is needed.
pub struct Reach {
    home: Home,
    client: Client,
}

/// Whether an attempt is followed by another.
enum Attempt {
    Again(Failure),
    Last(Failure),
}

impl Reach {
    /// A way that nobody has gone yet. Fails when the home cannot hold a socket.
    pub fn new(home: &Home) -> Outcome<Self> {
        Ok(Self { home: home.clone(), client: Client::new(home, hello())? })
    }

    /// Asks, and waits for the answer; `wait_ms` is what the node was asked to wait itself.
    pub fn ask(&mut self, request: &Request, wait_ms: u64) -> Outcome<Reply> {
        let timeout = Duration::from_millis(ANSWER_WAIT_MS + wait_ms);
        self.attempts(request, |client| client.call_within(request, timeout))
    }

    /// Says that what was given under this token was written out. If this is lost, it is given again.
    pub fn commit(&mut self, token: u64) {
        _ = self.client.post(&Request::Commit { token });
    }

    /// Asks for something that comes in several parts.
    pub fn stream(
        &mut self,
        request: &Request,
        cancel: &Cancel,
        mut on_event: impl FnMut(Event),
    ) -> Outcome<Reply> {
        let heard = std::cell::Cell::new(false);
        self.attempts(request, |client| {
            let answer = client.stream(request, cancel, |event| {
                heard.set(true);
                on_event(event);
            });
            // Asked again, it would all come twice.
            answer.map_err(|error| if heard.get() { ClientError::Refused(error.into()) } else { error })
        })
    }

    fn attempts(
        &mut self,
        request: &Request,
        mut call: impl FnMut(&mut Client) -> Result<Reply, ClientError>,
    ) -> Outcome<Reply> {
        let attempt = || {
            let error = match call(&mut self.client) {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            if !may_be_asked_again(&error, request) {
                return Err(Attempt::Last(error.into()));
            }
            ensure_node(&self.home).map_err(|error| Attempt::Last(error.into()))?;
            Err(Attempt::Again(error.into()))
        };
        let at_once = ConstantBuilder::new().with_delay(Duration::ZERO).with_max_times(ATTEMPTS - 1);
        attempt.retry(at_once).when(|end| matches!(end, Attempt::Again(_))).call().map_err(|end| match end {
            Attempt::Again(failure) | Attempt::Last(failure) => failure,
        })
    }

    /// The version of the node on the present connection.
    pub fn node_version(&self) -> Option<&str> {
        self.client.node().map(|node| node.version.as_str())
    }
}

fn may_be_asked_again(error: &ClientError, request: &Request) -> bool {
    error.is_undone() || error.is_passing() && request.is_repeatable()
}

/// What a command says of itself.
pub fn hello() -> Hello {
    Hello::of_this_process("cli", parlor_agents::HOOK_ENV)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::os::unix::net::UnixListener;

    use super::*;

    const HELLO: &str = "{\"hello\":{\"api\":1,\"version\":\"0\",\"pid\":7}}\n";

    /// A node that hangs up on the first `deaths` requests; returns every request it was asked.
    fn asked_of_a_dying_node(deaths: usize, request: &Request) -> (Outcome<Reply>, Vec<String>) {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path());
        let listener = UnixListener::bind(home.socket().unwrap()).unwrap();
        let (heard, requests) = std::sync::mpsc::channel();
        let node = std::thread::spawn(move || {
            let mut left = deaths;
            loop {
                let mut stream = BufReader::new(listener.accept().unwrap().0);
                let mut lines = [String::new(), String::new()];
                lines.iter_mut().for_each(|line| _ = stream.read_line(line).unwrap());
                match lines {
                    [hello, _] if hello == "end\n" => return,
                    // Only a look whether somebody is there.
                    [hello, _] if hello.is_empty() => continue,
                    [_, request] => heard.send(request).unwrap(),
                }
                let answer = if left > 0 { "" } else { "{\"id\":1,\"ok\":\"done\"}\n" };
                left = left.saturating_sub(1);
                stream.get_mut().write_all(format!("{HELLO}{answer}").as_bytes()).unwrap();
            }
        });
        let answer = Reach::new(&home).unwrap().ask(request, 0);
        let mut last = std::os::unix::net::UnixStream::connect(home.socket().unwrap()).unwrap();
        last.write_all(b"end\n\n").unwrap();
        node.join().unwrap();
        (answer, requests.iter().collect())
    }

    fn send() -> Request {
        let request_id = "0123".into();
        Request::Send {
            to: None,
            room: None,
            text: "x".into(),
            request_id,
            priority: Default::default(),
            form: None,
            wait_ms: 0,
        }
    }

    #[test]
    fn a_send_whose_answer_was_lost_is_asked_again_with_the_same_request_id() {
        let (answer, asked) = asked_of_a_dying_node(1, &send());
        assert_eq!(answer.unwrap(), Reply::Done);
        assert_eq!(asked.len(), 2);
        assert_eq!(asked[0], asked[1]);
        assert!(asked[0].contains("\"request_id\":\"0123\""));
    }

    #[test]
    fn a_node_that_dies_every_time_is_given_up() {
        let (answer, asked) = asked_of_a_dying_node(10, &send());
        assert_eq!(answer.unwrap_err().exit_code(), 7);
        assert_eq!(asked.len(), ATTEMPTS);
    }

    #[test]
    fn what_would_be_done_twice_is_not_asked_twice() {
        let start = Request::Start { name: None, dir: None, force: false, local: false, lan: false };
        let (answer, asked) = asked_of_a_dying_node(1, &start);
        assert_eq!(answer.unwrap_err().exit_code(), 7);
        assert_eq!(asked.len(), 1);
    }
}
