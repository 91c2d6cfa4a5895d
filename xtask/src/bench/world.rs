//! People with throw-away homes and real nodes, for the benches: the release binary, loopback, nothing else.
//! Measures nothing.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::net::Net;
use crate::Result;

/// Requests written before answers are read: many in one commit, and fewer than a connection may have at work.
const PIPELINE: usize = 24;

/// One person: a home whose node ends when this is dropped.
pub struct Person {
    root: tempfile::TempDir,
    release: PathBuf,
    /// The words before each command.
    behind: Vec<String>,
}

impl Person {
    pub fn new(release: &Path) -> Result<Self> {
        Self::below(release, Path::new("/tmp"))
    }

    /// One whose home and project lie in memory.
    pub fn in_memory(release: &Path) -> Result<Self> {
        Self::below(release, Path::new("/dev/shm"))
    }

    fn below(release: &Path, dir: &Path) -> Result<Self> {
        let root = tempfile::Builder::new().prefix("pb-").rand_bytes(5).tempdir_in(dir)?;
        std::fs::create_dir(root.path().join("project"))?;
        let person = Self { root, release: release.to_owned(), behind: Vec::new() };
        std::fs::DirBuilder::new().mode(0o700).create(person.home())?;
        std::fs::write(person.home().join("config.toml"), "relay = \"off\"\n")?;
        Ok(person)
    }

    /// One whose node is in a network of the bench's.
    pub fn within(release: &Path, net: &Net) -> Result<Self> {
        let mut person = Self::new(release)?;
        person.behind = net.prefix();
        Ok(person)
    }

    pub fn home(&self) -> PathBuf {
        self.root.path().join("p")
    }

    pub fn project(&self) -> PathBuf {
        self.root.path().join("project")
    }

    /// Runs `parlor ARGS` in the project and returns its stdout.
    pub fn parlor(&self, args: &[&str]) -> Result<String> {
        let program = self.release.join("parlor").display().to_string();
        let words: Vec<&str> = self.behind.iter().chain([&program]).map(String::as_str).collect();
        let output = Command::new(words[0])
            .args(&words[1..])
            .args(args)
            .current_dir(self.project())
            .env("PARLOR_HOME", self.home())
            .output()?;
        if output.status.success() {
            return Ok(String::from_utf8(output.stdout)?);
        }
        Err(format!("parlor {args:?}: {}", String::from_utf8_lossy(&output.stderr)).into())
    }

    /// Starts a room; the ticket.
    pub fn start(&self) -> Result<String> {
        let line = self.parlor(&["start", "bench"])?;
        Ok(line.trim().rsplit(' ').next().unwrap_or_default().to_owned())
    }

    /// The node's process.
    pub fn node_pid(&self) -> Result<u32> {
        let status: Value = serde_json::from_str(&self.parlor(&["node", "status", "--json"])?)?;
        Ok(u32::try_from(status["pid"].as_u64().ok_or("the node names no pid")?)?)
    }

    pub fn connect(&self) -> Result<Connection> {
        Connection::new(&self.home(), &self.project())
    }

    /// Runs the hook of a session in the project, as Claude Code does; what it writes.
    pub fn hook(&self, session: &str, event: &str) -> Result<String> {
        let call = json!({
            "session_id": session, "hook_event_name": event, "source": "startup", "cwd": self.project(),
            "transcript_path": "/dev/null",
        });
        let mut hook = Command::new(self.release.join("parlor-hook"))
            .env("PARLOR_HOME", self.home())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        hook.stdin.take().ok_or("the hook has no stdin")?.write_all(call.to_string().as_bytes())?;
        Ok(String::from_utf8(hook.wait_with_output()?.stdout)?)
    }

    /// Sends so many messages of so many bytes.
    pub fn say(&self, count: usize, bytes: usize) -> Result<()> {
        let mut connection = self.connect()?;
        let text = "x".repeat(bytes);
        let mut written = 0;
        let mut answered = 0;
        while answered < count {
            while written < count && written - answered < PIPELINE {
                let request_id = format!("bench-{}-{written}", std::process::id());
                connection.write(json!({"do": "send", "text": text, "request_id": request_id}))?;
                written += 1;
            }
            connection.answer()?;
            answered += 1;
        }
        Ok(())
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        // What is left of it, if this fails, is a node of a home that is gone: it says so itself and ends.
        let _ = self.parlor(&["node", "stop"]);
    }
}

/// A connection to a node's socket, spoken by hand so that the client's own cost is not measured.
pub struct Connection {
    writer: UnixStream,
    reader: BufReader<UnixStream>,
    next: u64,
}

impl Connection {
    fn new(home: &Path, cwd: &Path) -> Result<Self> {
        let writer = UnixStream::connect(home.join("node.sock"))?;
        let reader = BufReader::new(writer.try_clone()?);
        let mut connection = Self { writer, reader, next: 1 };
        let hello =
            json!({"hello": {"api": 1, "version": env!("CARGO_PKG_VERSION"), "surface": "cli", "cwd": cwd}});
        writeln!(connection.writer, "{hello}")?;
        connection.line()?;
        Ok(connection)
    }

    /// Writes a request.
    pub fn write(&mut self, mut request: Value) -> Result<()> {
        request["id"] = json!(self.next);
        self.next += 1;
        writeln!(self.writer, "{request}")?;
        Ok(())
    }

    /// The next line that is no error.
    pub fn answer(&mut self) -> Result<Value> {
        let line = self.line()?;
        if line.get("error").is_some() { Err(format!("the node says: {line}").into()) } else { Ok(line) }
    }

    /// One request and its answer.
    pub fn call(&mut self, request: Value) -> Result<Value> {
        self.write(request)?;
        self.answer()
    }

    fn line(&mut self) -> Result<Value> {
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 {
            return Err("the node has hung up".into());
        }
        Ok(serde_json::from_str(&line)?)
    }
}
