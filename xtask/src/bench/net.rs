//! A network of its own for a bench, so that its bytes can be counted: a namespace with loopback and nothing else. Needs
//! root. Measures nothing.

use std::process::Command;

use crate::{Result, workspace};

/// Deleted at drop.
pub struct Net {
    name: String,
}

impl Net {
    pub fn new() -> Result<Self> {
        let name = format!("pb-{}", std::process::id());
        let net = Self { name };
        ip(&["netns", "add", &net.name])?;
        ip(&["-n", &net.name, "link", "set", "lo", "up"])?;
        Ok(net)
    }

    /// The words before a command that is to run in it.
    pub fn prefix(&self) -> Vec<String> {
        ["ip", "netns", "exec", &self.name].map(str::to_owned).to_vec()
    }

    /// Bytes and packets that crossed it until now, each counted once.
    pub fn crossed(&self) -> Result<(f64, f64)> {
        let read = |what: &str| -> Result<f64> {
            let path = format!("/sys/class/net/lo/statistics/tx_{what}");
            let prefix = self.prefix();
            let mut cat = Command::new(&prefix[0]);
            Ok(workspace::output(cat.args(&prefix[1..]).args(["cat", &path]))?.trim().parse()?)
        };
        Ok((read("bytes")?, read("packets")?))
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        let _ = ip(&["netns", "del", &self.name]);
    }
}

fn ip(args: &[&str]) -> Result<()> {
    workspace::output(Command::new("ip").args(args)).map(drop)
}
