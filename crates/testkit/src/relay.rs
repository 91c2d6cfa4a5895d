//! A relay of our own: the example `relay` of this crate, in a machine of a test's network.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use crate::netns::Namespace;
use crate::run::{Run, Running};
use crate::{Error, Result};

const STARTING: Duration = Duration::from_secs(30);

/// A relay that runs; ends at drop.
#[derive(Debug)]
pub struct Relay {
    running: Option<Running>,
    dir: tempfile::TempDir,
    at: Ipv4Addr,
    behind: Vec<String>,
}

impl Relay {
    /// Starts it at an address of `host`.
    pub fn start(host: &Namespace, at: Ipv4Addr) -> Result<Self> {
        let dir = tempfile::tempdir().map_err(Error::file("cannot make a directory in", "/tmp"))?;
        let mut relay = Self { running: None, dir, at, behind: host.prefix() };
        relay.restart()?;
        Ok(relay)
    }

    /// Ends it as a crash does and starts it anew.
    pub fn restart(&mut self) -> Result<()> {
        self.stop();
        let program = program()?;
        let args = [self.at.to_string(), self.certificate().display().to_string()];
        let running = Run::new(program).args(args).behind(self.behind.clone()).spawn()?;
        running.wait_for_stdout(|out| out.starts_with("ready"), STARTING)?;
        self.running = Some(running);
        Ok(())
    }

    /// Ends it.
    pub fn stop(&mut self) {
        self.running = None;
    }

    /// The certificate it shows, as a file.
    pub fn certificate(&self) -> PathBuf {
        self.dir.path().join("relay.pem")
    }

    /// What `config.toml` says to use it and no other.
    pub fn config(&self) -> String {
        format!("relay = \"https://{}:3343\"\nrelay_ca = \"{}\"\n", self.at, self.certificate().display())
    }
}

/// Beside this test's directory: target/<profile>/examples/relay.
fn program() -> Result<PathBuf> {
    let this = std::env::current_exe().unwrap_or_default();
    let found =
        this.ancestors().skip(1).take(2).map(|dir| dir.join("examples/relay")).find(|at| at.is_file());
    found.ok_or_else(|| Error::Missing {
        what: "the relay for tests".to_owned(),
        install: "cargo build --package parlor-testkit --examples".to_owned(),
    })
}
