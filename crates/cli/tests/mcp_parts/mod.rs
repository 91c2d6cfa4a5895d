//! A `parlor mcp --http` of one person, and a door before it through which a program comes that cannot show a token.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use parlor_testkit::run::Running;
use serde_json::Value;

use crate::common::{SOON, Side};

/// A running server.
pub struct Endpoint {
    pub url: String,
    pub token: String,
    pub running: Running,
}

impl Endpoint {
    /// `parlor mcp --http` on a free port.
    pub fn of(side: &Side, more: &[&str]) -> Self {
        let args = ["mcp", "--http", "--port", "0", "--json"];
        let running = side.parlor.run(args).args(more).timeout(SOON * 10).spawn().unwrap();
        let line = running.wait_for_stdout(|out| out.ends_with('\n'), SOON).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap();
        let word = |name: &str| said[name].as_str().unwrap().to_owned();
        Self { url: word("url"), token: word("token"), running }
    }

    pub fn authority(&self) -> &str {
        self.url.strip_prefix("http://").and_then(|rest| rest.strip_suffix("/mcp")).unwrap()
    }

    pub fn header(&self) -> String {
        format!("Authorization: Bearer {}", self.token)
    }
}

/// Passes requests on with the token in them: the URL under which it does. It lives as long as the test's process.
pub fn with_token(endpoint: &Endpoint) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = listener.local_addr().unwrap().port();
    let (behind, header) = (endpoint.authority().to_owned(), endpoint.header());
    std::thread::spawn(move || {
        for program in listener.incoming() {
            let (program, server) = (program.unwrap(), TcpStream::connect(&behind).unwrap());
            let (mut back, mut answers) = (program.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || {
                // Whoever hangs up first ends both.
                std::io::copy(&mut answers, &mut back).ok();
                back.shutdown(std::net::Shutdown::Both).ok();
            });
            // It was asked for by the name of this door, and is checked as if by its own.
            let port = behind.rsplit(':').next().unwrap().to_owned();
            let names = (format!("localhost:{own}"), format!("localhost:{port}"));
            let header = header.clone();
            std::thread::spawn(move || pass_on(program, server, &names, &header));
        }
    });
    format!("http://localhost:{own}/mcp")
}

fn pass_on(mut program: TcpStream, mut server: TcpStream, names: &(String, String), header: &str) {
    let mut bytes = Vec::new();
    let mut of_body = 0;
    let mut chunk = [0; 16 << 10];
    while let Ok(count @ 1..) = program.read(&mut chunk) {
        bytes.extend_from_slice(&chunk[..count]);
        let mut out = Vec::new();
        loop {
            let body = bytes.drain(..of_body.min(bytes.len()));
            of_body -= body.len();
            out.extend(body);
            let end = bytes.windows(4).position(|part| part == b"\r\n\r\n");
            let (0, Some(end)) = (of_body, end) else { break };
            let head: Vec<u8> = bytes.drain(..end + 4).collect();
            let head = String::from_utf8(head).unwrap().replace(&names.0, &names.1);
            assert!(!head.to_ascii_lowercase().contains("transfer-encoding"), "{head}");
            of_body = content_length(&head);
            let head = head.replacen("\r\n", &format!("\r\n{header}\r\n"), 1);
            out.extend(head.into_bytes());
        }
        server.write_all(&out).ok();
    }
    server.shutdown(std::net::Shutdown::Write).ok();
}

fn content_length(head: &str) -> usize {
    let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with("content-length:"));
    line.map_or(0, |line| line.split(':').nth(1).unwrap().trim().parse().unwrap())
}
