//! The command line of `parlor service`.

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum Service {
    /// Lets your service manager (systemd, on macOS launchd) run the node from login on, and start it again when it breaks.
    /// A node that runs already is stopped first.
    Install {
        /// Shows what would be written and run, and does neither.
        #[arg(long)]
        dry_run: bool,
    },
    /// Ends that, and the node with it. A file that `install` did not write stays.
    Uninstall {
        /// Shows what would be removed and run, and does neither.
        #[arg(long)]
        dry_run: bool,
    },
    /// Whether it is installed, and what its manager says of it; exit code 3 when it is not.
    Status,
}
