//! An agent program: writes requests as raw lines and reads what comes back.

use std::collections::BTreeMap;
use std::sync::Arc;

use parlor_api::ApiError;
use parlor_api::paths::Home;
use parlor_mcp::{EnsureNode, RunError};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines};
use tokio::task::JoinHandle;

use super::output::{Gate, Output};
use super::soon;

const PIPE_BYTES: usize = 1 << 20;

/// One running agent program with its server.
pub struct Agent {
    input: Option<DuplexStream>,
    output: Option<Lines<BufReader<DuplexStream>>>,
    server: JoinHandle<Result<(), RunError>>,
    pub gate: Arc<Gate>,
}

/// A node that cannot be started.
pub fn no_node() -> EnsureNode {
    Arc::new(|| {
        Err(ApiError::new(parlor_api::ErrorKind::Machine, "no node can be started here")
            .hint("free some disk"))
    })
}

impl Agent {
    /// Starts a server on `home`.
    pub fn start(home: &Home, ensure_node: EnsureNode) -> Self {
        let (input, server_input) = tokio::io::duplex(PIPE_BYTES);
        let (server_output, output) = tokio::io::duplex(PIPE_BYTES);
        let gate = Arc::new(Gate::default());
        let server_output = Output::new(server_output, gate.clone());
        let env = BTreeMap::from([("CLAUDE_PROJECT_DIR".to_owned(), "/srv/api".to_owned())]);
        let home = home.clone();
        let server = tokio::spawn(async move {
            parlor_mcp::serve(home, env, ensure_node, server_input, server_output).await
        });
        Self { input: Some(input), output: Some(BufReader::new(output).lines()), server, gate }
    }

    /// Starts a server and initializes it as Claude Code does.
    pub async fn initialized(home: &Home, ensure_node: EnsureNode) -> Self {
        let mut agent = Self::start(home, ensure_node);
        agent.initialize("2025-11-25").await;
        agent
    }

    /// The handshake of the older generation.
    pub async fn initialize(&mut self, version: &str) -> Value {
        let params = json!({"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
        self.say(json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params})).await;
        let answer = self.hear().await;
        self.say(json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
        assert_eq!(answer["id"], 0, "{answer}");
        answer["result"].clone()
    }

    pub async fn say(&mut self, line: Value) {
        let input = self.input.as_mut().expect("input is open");
        input.write_all(format!("{line}\n").as_bytes()).await.expect("the server reads");
    }

    /// The next line, parsed.
    pub async fn hear(&mut self) -> Value {
        let output = self.output.as_mut().expect("output is open");
        let line = soon("a line of the server", output.next_line()).await.expect("readable");
        serde_json::from_str(&line.expect("the server has not ended")).expect("only protocol")
    }

    /// Sends a tool call.
    pub async fn begin(&mut self, id: u64, tool: &str, arguments: Value) {
        let params = json!({"name": tool, "arguments": arguments});
        self.say(json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params})).await;
    }

    /// Cancels a request.
    pub async fn cancel(&mut self, id: u64) {
        self.say(json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}}))
            .await;
    }

    /// Calls a tool and waits for its result.
    pub async fn call(&mut self, id: u64, tool: &str, arguments: Value) -> Value {
        self.begin(id, tool, arguments).await;
        let answer = self.hear().await;
        assert_eq!(answer["id"], id, "{answer}");
        answer["result"].clone()
    }

    pub fn close_input(&mut self) {
        self.input = None;
    }

    pub fn close_output(&mut self) {
        self.output = None;
    }

    /// Waits for the server to end.
    pub async fn ended(self) -> Result<(), RunError> {
        soon("the end of the server", self.server).await.expect("no panic")
    }
}

/// The text of a tool's result.
pub fn text(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text in {result}"))
}
