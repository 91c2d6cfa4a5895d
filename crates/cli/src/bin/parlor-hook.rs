//! The hook as a program of its own: it starts in a fraction of the time the whole of Parlor needs, and an agent
//! program starts it at every prompt.

#[path = "../hook_pipe.rs"]
mod hook_pipe;

fn main() -> std::process::ExitCode {
    hook_pipe::run(std::env::args_os().skip(1))
}
