//! The arguments of what is done with files. Must not do anything.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub struct Drop {
    /// The files.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Which room [default: the one this directory hears].
    #[arg(long, conflicts_with = "to")]
    pub room: Option<String>,
    /// To one peer alone, or one session of theirs.
    #[arg(long, value_name = "PEER[/SESSION]")]
    pub to: Option<String>,
    /// Even where something looks like a secret. Not for agents.
    #[arg(long)]
    pub allow_secrets: bool,
}

#[derive(Debug, Args)]
pub struct Get {
    /// The beginning of its message's id, or its name: the newest of that name.
    #[arg(value_name = "FILE|ID")]
    pub file: String,
    /// In which room the name is looked for [default: the one this directory hears].
    #[arg(long)]
    pub room: Option<String>,
    /// Puts a copy into this directory too; nothing is written over.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}
