//! An agent program and nothing else, for tests of what belongs to a process and ends with it: `bare_agent HOME DIR`. Each
//! line of its stdin is `{"surface":…,"env":{…},"request":{…}}`: it asks that of the node, in its own name and with its own
//! process, and writes the answer as a line. A surface keeps its connection.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};

use parlor_api::paths::Home;
use parlor_api::{API_VERSION, Client, ClientError, Hello, Request};
use serde_json::{Value, json};

#[derive(serde::Deserialize)]
struct Line {
    surface: String,
    #[serde(default)]
    env: BTreeMap<String, String>,
    request: Request,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [home, dir] = &args[..] else { return Err("bare_agent HOME DIR".into()) };
    let mut clients: BTreeMap<String, Client> = BTreeMap::new();
    for line in std::io::stdin().lock().lines() {
        let line: Line = serde_json::from_str(&line?)?;
        if !clients.contains_key(&line.surface) {
            let hello = Hello {
                api: API_VERSION,
                version: "0.1.0".into(),
                surface: line.surface.clone(),
                cwd: Some(dir.into()),
                // What an MCP server says of whoever began it.
                parent_pid: Some(std::process::id()),
                env: line.env,
                ..Hello::default()
            };
            clients.insert(line.surface.clone(), Client::new(&Home::at(home), hello)?);
        }
        let answer: Value = match clients.get_mut(&line.surface).map(|client| client.call(&line.request)) {
            Some(Ok(reply)) => json!({ "ok": reply }),
            Some(Err(ClientError::Refused(error))) => json!({ "error": error }),
            Some(Err(error)) => return Err(error.into()),
            None => Value::Null,
        };
        let mut out = std::io::stdout().lock();
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}
