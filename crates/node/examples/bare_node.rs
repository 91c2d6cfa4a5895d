//! A node and nothing else, for tests that kill it or watch it become another: `bare_node HOME`. Its version is
//! what follows the last `-` of its file name, so that a copy of it is a newer one.

use std::path::Path;

use parlor_api::ApiError;
use parlor_api::paths::Home;
use parlor_node::RunOptions;

fn main() -> Result<(), ApiError> {
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    let home = Home::at(args.first().map(Path::new).unwrap_or(Path::new("")));
    let exe = std::env::current_exe().unwrap_or_default();
    let name = exe.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let version = name.rsplit_once('-').map_or("0.1.0", |(_, version)| version).to_owned();
    let options = RunOptions {
        version: version.leak(),
        background: true,
        ready: Some(Box::new(std::io::stdout())),
        restart_args: args,
    };
    parlor_node::run(home, options).map_err(ApiError::from)
}
