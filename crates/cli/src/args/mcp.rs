//! The words of `parlor mcp`. Must not do anything.

use clap::Args;
use parlor_mcp::http::DEFAULT_PORT;

#[derive(Debug, Args)]
pub struct Mcp {
    /// Serves agent programs over HTTP, on this machine only, and prints where and with which token.
    #[arg(long)]
    pub http: bool,
    /// Where to listen; 0 lets the system choose.
    #[arg(long, requires = "http", value_name = "PORT", default_value_t = DEFAULT_PORT)]
    pub port: u16,
    /// Makes a new token: programs that show the one before are not let in any more.
    #[arg(long, requires = "http")]
    pub new_token: bool,
}
