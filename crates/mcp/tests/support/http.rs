//! A server over HTTP, and agent programs that write requests to it byte by byte.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use parlor_api::paths::Home;
use parlor_mcp::EnsureNode;
use parlor_mcp::http::{self, HttpError, Stop, Token};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::soon;

/// One running server.
pub struct Server {
    pub address: SocketAddr,
    pub token: String,
    stop: Stop,
    task: JoinHandle<Result<(), HttpError>>,
}

impl Server {
    pub async fn start(home: &Home, ensure_node: EnsureNode) -> Self {
        let token = Token::of_home(home).expect("a token");
        let listener = http::listen(0).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        assert_eq!(http::url_of(&listener).expect("a URL"), format!("http://{address}/mcp"));
        let (stop, text) = (Stop::default(), token.text().to_owned());
        let (home, stopped) = (home.clone(), stop.clone());
        let task = tokio::spawn(async move {
            http::serve(&home, BTreeMap::new(), ensure_node, listener, token, &stopped).await
        });
        Self { address, token: text, stop, task }
    }

    /// What every request of a program with the token begins with.
    pub fn head(&self, method: &str) -> Head {
        let head = Head { text: format!("{method} /mcp HTTP/1.1\r\n") };
        let head = head.with("host", &self.address.to_string());
        head.with("authorization", &format!("Bearer {}", self.token))
    }

    /// The head of a message of the protocol.
    pub fn post(&self) -> Head {
        let head = self.head("POST").with("content-type", "application/json");
        head.with("accept", "application/json, text/event-stream")
    }

    /// Says one thing on a connection of its own, and hears all that comes.
    pub async fn ask(&self, head: Head, body: &str) -> Heard {
        let mut connection = self.begin(head.with("connection", "close"), body).await;
        let mut bytes = Vec::new();
        soon("the whole answer", connection.read_to_end(&mut bytes)).await.expect("readable");
        Heard::of(&bytes)
    }

    /// Says one thing and leaves the connection open.
    pub async fn begin(&self, head: Head, body: &str) -> TcpStream {
        let mut connection = TcpStream::connect(self.address).await.expect("the server listens");
        let text = format!("{}content-length: {}\r\n\r\n{body}", head.text, body.len());
        connection.write_all(text.as_bytes()).await.expect("the server reads");
        connection
    }

    /// Opens a session of the older generation: its id.
    pub async fn initialize(&self) -> String {
        let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
        let line = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
        let heard = self.ask(self.post(), &line.to_string()).await;
        assert_eq!(heard.status, 200, "{heard:?}");
        let session = heard.headers["mcp-session-id"].clone();
        let line = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        let heard = self.ask(self.in_session(&session), &line.to_string()).await;
        assert_eq!(heard.status, 202, "{heard:?}");
        session
    }

    pub fn in_session(&self, session: &str) -> Head {
        self.post().with("mcp-session-id", session).with("mcp-protocol-version", "2025-11-25")
    }

    /// The head of a tool call of the newer generation.
    pub fn of_2026(&self, tool: &str) -> Head {
        let head = self.post().with("mcp-protocol-version", "2026-07-28");
        head.with("mcp-method", "tools/call").with("mcp-name", tool)
    }

    pub fn stop(&self) {
        self.stop.stop();
    }

    pub async fn ended(self) {
        soon("the end of the server", self.task).await.expect("no panic").expect("a good end");
    }
}

/// The head of a request, which a test may make worse.
#[derive(Clone)]
pub struct Head {
    pub text: String,
}

impl Head {
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.text += &format!("{name}: {value}\r\n");
        self
    }

    /// Another value, or none.
    pub fn but(self, name: &str, value: Option<&str>) -> Self {
        let lines = self.text.split_inclusive("\r\n").filter(|line| !line.starts_with(&format!("{name}:")));
        let rest = Self { text: lines.collect() };
        value.into_iter().fold(rest, |head, value| head.with(name, value))
    }
}

/// An answer.
#[derive(Debug)]
pub struct Heard {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Heard {
    fn of(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head in {text:?}"));
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
        let header = |line: &str| {
            let (name, value) = line.split_once(": ").expect("a header");
            (name.to_ascii_lowercase(), value.to_owned())
        };
        let headers = lines.map(header).collect();
        Self { status: status.expect("a status"), headers, body: body.to_owned() }
    }

    /// The messages of the protocol in it, whichever way they were wrapped.
    pub fn messages(&self) -> Vec<Value> {
        let lines = self.body.lines().map(|line| line.strip_prefix("data: ").unwrap_or(line));
        lines
            .filter(|line| line.starts_with('{'))
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    }
}

/// What the newer generation says with each request.
pub fn meta_2026() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    })
}

/// A tool call as its bytes.
pub fn call(id: u64, tool: &str, meta: &Value) -> String {
    let params = json!({"name": tool, "arguments": {}, "_meta": meta});
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}).to_string()
}

/// Longer than a connection that is let go needs.
pub const A_MOMENT: Duration = Duration::from_millis(200);
