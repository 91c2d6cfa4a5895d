//! Programs of the people who make the Model Context Protocol: the inspector, which talks to a server as its command line
//! says, and the official conformance suite. Both pinned, with the Node they need.

use std::path::{Path, PathBuf};

use crate::cache::{Cache, NpmPin};
use crate::run::Run;
use crate::{Error, Result};

/// The Node both need is newer than Debian's.
pub const NODE_VERSION: &str = "22.23.3";
/// The first conformance suite that knows both generations of the protocol.
pub const CONFORMANCE_VERSION: &str = "0.2.0-alpha.12";
/// The inspector.
pub const INSPECTOR_VERSION: &str = "2.12.0";

/// All three, as pinned in this repository.
pub const MCP: NpmPin<'static> = NpmPin {
    name: "mcp",
    package: include_str!("../npm/mcp/package.json"),
    lock: include_str!("../npm/mcp/package-lock.json"),
};

const CONFORMANCE: &str = "@modelcontextprotocol/conformance/dist/index.js";
const INSPECTOR: &str = "@modelcontextprotocol/inspector/clients/launcher/build/index.js";

/// The programs, installed.
#[derive(Debug, Clone)]
pub struct McpPrograms {
    modules: PathBuf,
    node: PathBuf,
}

impl McpPrograms {
    /// The programs from the machine's cache.
    pub fn open() -> Result<Self> {
        let modules = Cache::open()?.npm(&MCP)?.join("node_modules");
        let node = node_in(&modules)?;
        Ok(Self { modules, node })
    }

    /// `conformance`, to be given arguments.
    pub fn conformance(&self) -> Run {
        self.run(CONFORMANCE)
    }

    /// `mcp-inspector --cli`, to be given arguments.
    pub fn inspector(&self) -> Run {
        self.run(INSPECTOR).arg("--cli")
    }

    /// The Node they run on.
    pub fn node(&self) -> &Path {
        &self.node
    }

    fn run(&self, script: &str) -> Run {
        Run::new(&self.node).arg(self.modules.join(script))
    }
}

/// It lies in a package of the platform; the package that would choose one needs an install script.
fn node_in(modules: &Path) -> Result<PathBuf> {
    let entries = std::fs::read_dir(modules).map_err(Error::file("cannot list", modules))?;
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("node-")))
        .map(|path| path.join("bin/node"))
        .find(|node| node.is_file())
        .ok_or_else(|| Error::Missing {
            what: format!("a Node {NODE_VERSION} for this platform in {}", modules.display()),
            install: "npm offers none; run this test on Linux, or on macOS with x64".to_owned(),
        })
}
