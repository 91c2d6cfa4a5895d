//! The command line of `parlor config`. Its keys are the node's: what they are is written there once.

use clap::Subcommand;
use parlor_node::config::KEYS;

#[derive(Debug, Subcommand)]
pub enum Config {
    /// All keys: what they take, what they are, what they are for.
    List,
    /// The value of one; exit code 3 where it has none.
    #[command(after_help = keys())]
    Get {
        /// Which.
        key: String,
    },
    /// Gives a key a value. A running node starts again with it.
    #[command(after_help = keys())]
    Set {
        /// Which.
        key: String,
        /// Its value; several words are joined by a space.
        #[arg(required = true)]
        value: Vec<String>,
        /// A running node goes on as it is, and takes it up at its next start.
        #[arg(long)]
        no_restart: bool,
    },
    /// Takes a key out of the file: it is as usual again. A running node starts again with that.
    #[command(after_help = keys())]
    Unset {
        /// Which.
        key: String,
        /// A running node goes on as it is, and takes it up at its next start.
        #[arg(long)]
        no_restart: bool,
    },
    /// Where the file is, whether it is there or not.
    Path,
}

/// The keys, for the help of what takes one.
fn keys() -> String {
    let width = KEYS.iter().map(|key| key.name.len()).max().unwrap_or(0);
    let line =
        |key: &parlor_node::config::Key| format!("  {:width$}  {}: {}", key.name, key.takes(), key.says);
    let lines: Vec<String> = KEYS.iter().map(line).collect();
    format!("Keys:\n{}", lines.join("\n"))
}
