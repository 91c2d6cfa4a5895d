//! A node that says what it is told to: one thread, one listener, one script per connection.
#![allow(dead_code)] // each test file uses its own part

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread::JoinHandle;

use parlor_api::paths::Home;

pub const HELLO: &str = r#"{"hello":{"api":1,"version":"0","pid":7}}"#;

/// One connection as the node sees it.
pub struct Caller {
    lines: BufReader<UnixStream>,
}

impl Caller {
    /// The next line, without its end; empty when the client has hung up.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// What is in the buffer after one read, as text.
    pub fn first_read(&mut self) -> String {
        String::from_utf8(self.lines.fill_buf().unwrap().to_vec()).unwrap()
    }

    /// Takes a little of what comes; false at the end.
    pub fn sip(&mut self) -> bool {
        self.lines.get_mut().read(&mut [0; 4096]).is_ok_and(|count| count > 0)
    }

    /// Takes hello and one request, which it returns.
    pub fn request(&mut self) -> String {
        assert!(self.line().starts_with(r#"{"hello":"#));
        self.line()
    }

    pub fn say(&mut self, text: &str) {
        assert!(self.try_say(text));
    }

    /// Whether somebody still listened.
    pub fn try_say(&mut self, text: &str) -> bool {
        self.lines.get_mut().write_all(text.as_bytes()).is_ok()
    }

    /// Until the client hangs up.
    pub fn rest(mut self) -> Vec<String> {
        std::iter::from_fn(|| Some(self.line()).filter(|line| !line.is_empty())).collect()
    }
}

pub struct FakeNode<T> {
    pub home: Home,
    _dir: tempfile::TempDir,
    thread: JoinHandle<T>,
}

impl<T: Send + 'static> FakeNode<T> {
    /// A node that runs `script`, which accepts by calling what it is given.
    pub fn start(script: impl FnOnce(&dyn Fn() -> Caller) -> T + Send + 'static) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path());
        let listener = UnixListener::bind(home.socket().unwrap()).unwrap();
        let thread = std::thread::spawn(move || {
            let accept = || Caller { lines: BufReader::new(listener.accept().unwrap().0) };
            script(&accept)
        });
        Self { home, _dir: dir, thread }
    }

    /// What the script returned.
    pub fn end(self) -> T {
        self.thread.join().unwrap()
    }
}
