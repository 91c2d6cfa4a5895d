//! One file per command: from its arguments to one request, from the answer to what is shown.

mod ask;
mod config;
mod demo;
mod doctor;
mod export;
mod files;
mod here;
mod identity;
mod install;
mod invite;
mod join;
mod log;
mod mcp;
mod member;
mod nick;
mod node;
mod node_log;
mod pages;
mod peer;
mod quiet;
mod receipts;
mod relays;
mod room;
mod search;
mod send;
mod service;
mod start;
mod status;
mod store;
mod ticket;
mod unread;
mod who;

use std::io::IsTerminal;
use std::path::PathBuf;

use parlor_api::paths::Home;
use parlor_api::{ErrorKind, Reply, Request};

use crate::args::{Binding, Cli, Command, Node, Room};
use crate::clock;
use crate::errors::{Failure, Outcome};
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::reach::Reach;

/// What every command has at hand.
pub struct Context<'a> {
    pub home: Home,
    pub out: &'a Output,
}

impl Context<'_> {
    /// Asks the node.
    pub fn ask(&self, request: &Request) -> Outcome<Reply> {
        self.ask_waiting(request, 0)
    }

    /// Asks the node for something that it may wait for itself.
    pub fn ask_waiting(&self, request: &Request, wait_ms: u64) -> Outcome<Reply> {
        Reach::new(&self.home)?.ask(request, wait_ms)
    }

    /// Tells people what is wrong with this machine's clock, before something carries its time.
    pub fn mention_clock(&self) {
        clock::complaint().iter().for_each(|complaint| self.out.warn(complaint));
    }
}

/// Runs a command to its end.
pub fn run(cli: Cli, out: &Output) -> Outcome {
    if let Some(Command::VerifyExport { file }) = &cli.command {
        return export::verify(out, file);
    }
    let context = Context { home: Home::find(cli.global.home.as_deref())?, out };
    match cli.command {
        // These end by their own rules when they are interrupted.
        Some(Command::Node(Node::Run { background })) => node::run(&context, background),
        Some(Command::Mcp(mcp)) => mcp::run(&context, &mcp),
        command => {
            let interrupt = Interrupt::watch()?;
            let is_new = !makes_a_home(command.as_ref()) && !context.home.identity().exists();
            let outcome = interruptible(&context, command, &interrupt);
            if is_new && context.home.identity().exists() {
                let dir = context.home.dir().display();
                out.warn(&format!("nobody was at home in {dir}: a new identity was made there"));
            }
            interrupt.hold_if_it_has_come();
            outcome
        }
    }
}

/// Asks for a typed yes before what cannot be taken back. `unasked` is said where nobody can be asked, `refused` where
/// somebody says something else.
fn confirm(context: &Context, asked: &str, unasked: &str, refused: &str) -> Outcome {
    if context.out.is_json() || !std::io::stdin().is_terminal() {
        return Err(Failure::new(ErrorKind::NotAllowed, unasked, "if you want that, say --yes"));
    }
    context.out.talk(&format!("{asked} Type yes to go on:"));
    if peer::says_yes(std::io::stdin().lock()) {
        return Ok(());
    }
    Err(Failure::new(ErrorKind::NotAllowed, refused, "type yes, or say --yes"))
}

/// Whether a command is what one begins with.
fn makes_a_home(command: Option<&Command>) -> bool {
    use Command::{
        Completions, Config, Demo, Doctor, Hook, Identity, Install, Join, Man, Mcp, Nick, Node, Service,
        Start,
    };
    matches!(
        command,
        None | Some(
            Start(_)
                | Join(_)
                | Nick { .. }
                | Install(_)
                | Doctor
                | Identity(_)
                | Config(_)
                | Service(_)
                | Completions { .. }
                | Man { .. }
                | Demo
                | Node(_)
                | Hook { .. }
                | Mcp(_)
        )
    )
}

fn interruptible(context: &Context, command: Option<Command>, interrupt: &Interrupt) -> Outcome {
    match command {
        None => here::run(context),
        Some(Command::Start(start)) => start::run(context, start),
        Some(Command::Join(join)) => join::run(context, join),
        Some(Command::Invite(invite)) => invite::run(context, invite),
        Some(Command::Send(send)) => send::run(context, send),
        Some(Command::Tell(tell)) => send::tell(context, tell),
        Some(Command::Drop(drop)) => files::drop_files(context, drop, interrupt),
        Some(Command::Files(which)) => files::list(context, which),
        Some(Command::Get(get)) => files::get(context, get, interrupt),
        Some(Command::Ask(ask)) => ask::ask(context, ask, interrupt),
        Some(Command::Answer(answer)) => ask::answer(context, answer),
        Some(Command::Log(log)) => log::run(context, log, interrupt),
        Some(Command::Who(who)) => who::run(context, who),
        Some(Command::Status(status)) => status::run(context, status),
        Some(Command::Unread) => unread::run(context),
        Some(Command::Allow(allow)) => quiet::allow(context, allow),
        Some(Command::Deny(allow)) => quiet::deny(context, allow),
        Some(Command::Mute(mute)) => quiet::mute(context, mute),
        Some(Command::Unmute(unmute)) => quiet::unmute(context, unmute.room),
        Some(Command::Budget(budget)) => quiet::budget(context, budget),
        Some(Command::Tag(command)) => quiet::tag(context, command),
        Some(Command::Room(Room::Level(level))) => quiet::level(context, level),
        Some(Command::Room(Room::Export(export))) => export::export(context, export, interrupt),
        Some(Command::Room(room)) => room::run(context, room),
        Some(Command::Member(member)) => member::run(context, member),
        Some(Command::Ticket(ticket)) => ticket::run(context, ticket),
        Some(Command::Nick { new }) => nick::run(context, new),
        Some(Command::Install(install)) => install::install(context, install),
        Some(Command::Uninstall(install)) => install::uninstall(context, install),
        Some(Command::Doctor) => doctor::run(context),
        Some(Command::Node(node)) => node::manage(context, node),
        Some(Command::Identity(command)) => identity::run(context, command, interrupt),
        Some(Command::Config(command)) => config::run(context, command),
        Some(Command::Service(command)) => service::run(context, command),
        Some(Command::Completions { shell }) => pages::completions(context, shell),
        Some(Command::Man { command, dir }) => pages::man(context, &command, dir),
        Some(Command::Store(command)) => store::run(context, command),
        Some(Command::Peer(command)) => peer::run(context, command),
        Some(Command::Demo) => demo::run(context, interrupt),
        // They were run before anything else.
        Some(Command::Hook { .. } | Command::Mcp(_) | Command::VerifyExport { .. }) => Ok(()),
    }
}

/// The directory one is in, whole.
fn current_dir() -> Outcome<PathBuf> {
    std::env::current_dir().map_err(|error| {
        Failure::machine(format!("the current directory is not there any more: {error}"), "change to another")
    })
}

/// A directory that was named, else the one one is in; whole.
fn dir_or_current(named: Option<PathBuf>) -> Outcome<PathBuf> {
    let Some(dir) = named else { return current_dir() };
    dir.canonicalize().map_err(|error| {
        let kind = parlor_api::ErrorKind::NotFound;
        Failure::new(
            kind,
            format!("{} is no directory to be bound: {error}", dir.display()),
            "name one that exists",
        )
    })
}

/// The directory a room is bound to when one comes to it.
fn dir_to_bind(binding: &Binding) -> Outcome<Option<PathBuf>> {
    if binding.no_bind { Ok(None) } else { current_dir().map(Some) }
}
