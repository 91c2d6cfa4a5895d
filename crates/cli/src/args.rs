//! The command line as people type it. Must not do anything: what each command does is in `commands`.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use parlor_wire::ticket::looks_like_ticket;

mod ask;
mod config;
mod files;
mod mcp;
mod quiet;
mod room;
mod ruling;
mod service;
mod talk;

pub use ask::{Answer, Ask};
pub use config::Config;
pub use files::{Drop, Get};
pub use mcp::Mcp;
pub use quiet::{Allow, Budget, Mute, SetBudget, SetLevel, Tag, Unmute};
pub use room::{Export, Room};
pub use ruling::{Member, Role, Ticket, TicketRole};
pub use service::Service;
pub use talk::{Log, Priority, Send, SetStatus, Tell, Who};

/// How long a ticket may be good for: whoever has its text can read the room so long.
const LONGEST_TICKET: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The room your coding agents share.
#[derive(Debug, Parser)]
#[command(name = "parlor", version, max_term_width = 100)]
#[command(after_help = "Without a command: where you are, who is here, what is unread, what to type next.\n\
                        A pasted ticket alone joins its room.")]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What may stand before and after every command.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// The directory of the identity to use [default: $PARLOR_HOME, else ~/.parlor].
    #[arg(long, global = true, value_name = "DIR")]
    pub home: Option<PathBuf>,
    /// Answers as JSON: one object, or one a line; an error is one object on stderr.
    #[arg(long, global = true)]
    pub json: bool,
    /// No colours, even on a terminal.
    #[arg(long, global = true)]
    pub no_color: bool,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Starts a room, binds this directory to it, and prints the line by which others join.
    Start(Start),
    /// Joins the room of a ticket and binds this directory to it.
    Join(Join),
    /// Prints the line by which others join a room.
    ///
    /// Any option makes a new ticket, and what is not said of it is as usual: seven days, any number of people,
    /// members, in at once. Without one, the newest such ticket that still lasts a day is printed again.
    Invite(Invite),
    /// Says something to a room.
    Send(Send),
    /// Says something to one peer alone: nobody else holds it, not even whoever carries the room you share.
    Tell(Tell),
    /// Shares files: each is sealed, announced, and fetched from you or whoever has it by then.
    Drop(Drop),
    /// Shows the files that were dropped in a room, the newest first.
    Files(InRoom),
    /// Fetches a file that was dropped, and prints where it lies.
    Get(Get),
    /// Asks something and waits for the answer.
    ///
    /// One who is asked hears it between two tools, or when its turn ends. Of all in a room answers are collected until the time
    /// is over. Ends with 6 when nobody has answered, and says how far the question has got.
    Ask(Ask),
    /// Answers a question.
    Answer(Answer),
    /// Shows what was said, oldest first.
    Log(Log),
    /// Shows who is in the room, and their sessions; and the sessions of this machine.
    Who(Who),
    /// Shows or sets how your sessions are, for others to see: `idle`, `working`, or `dnd` to be left alone.
    ///
    /// Inside an agent's session that one is meant, else all of yours that are present in this directory. `working` and `idle`
    /// also come from the agent program's hooks; `dnd` stays until you say something else: nothing is given
    /// between tools, no turn goes on and nobody is woken; prompts are as usual.
    Status(SetStatus),
    /// Counts what is unread here.
    Unread,
    /// Says what others' messages may do to your sessions, or allows one room or peer more.
    ///
    /// `inject`: be given at a prompt; `tools`: between tools, and make a turn go on; `wake`: wake an idle session; `files`: be
    /// fetched by themselves. What is said of a peer goes before what is said of a room. Without arguments, shows all of it.
    Allow(Allow),
    /// Denies one room or peer what its messages may do to your sessions. They stay in the log, and are counted.
    Deny(Allow),
    /// Gives nothing of the rooms heard here by itself, for a while or until `unmute`. It stays in the log.
    Mute(Mute),
    /// Ends that.
    Unmute(Unmute),
    /// What rooms cost in characters given to your sessions, today and in seven days; or how much one may in a day.
    Budget(Budget),
    /// Words by which all sessions of a directory are addressed: `parlor send --to @backend`.
    #[command(subcommand)]
    Tag(Tag),
    /// Rooms: which there are, which directory hears which, their names and keys, leaving.
    #[command(subcommand)]
    Room(Room),
    /// Who is in a room: letting in, putting out, roles.
    #[command(subcommand)]
    Member(Member),
    /// The tickets of a room: which there are, closing one.
    #[command(subcommand)]
    Ticket(Ticket),
    /// Verifies the file of an export, without node, home or network; exit code 5 and the line when it is not sound.
    VerifyExport {
        /// The file; `-` reads stdin.
        file: PathBuf,
    },
    /// Shows or sets what you call yourself.
    Nick {
        /// The new nick.
        new: Option<String>,
    },
    /// Peers: whom you know, what you call them, and whether they are who you think.
    #[command(subcommand)]
    Peer(Peer),
    /// Wires Parlor into agent programs: `claude`, `codex`, `gemini`, `opencode`; `mcp` shows what any other MCP client is given.
    Install(Install),
    /// Takes Parlor out of agent programs.
    Uninstall(Install),
    /// Tries every link, from the home to the agent program; exit code 7 when one fails.
    Doctor,
    /// The background process of this identity.
    #[command(subcommand)]
    Node(Node),
    /// What is stored: whether it is sound, how much it is, giving back space.
    #[command(subcommand)]
    Store(Store),
    /// Who you are, and a backup of it.
    #[command(subcommand)]
    Identity(Identity),
    /// What you want otherwise than usual: the keys of config.toml.
    #[command(subcommand)]
    Config(Config),
    /// The node as a service of yours, so that it runs from login on.
    #[command(subcommand)]
    Service(Service),
    /// Prints a script by which a shell completes commands and options.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Prints the man page of a command, or writes those of all.
    Man {
        /// The command, as it is typed [default: parlor itself].
        #[arg(value_name = "COMMAND", conflicts_with = "dir")]
        command: Vec<String>,
        /// Writes the pages of all commands into this directory: share/man/man1 below a prefix of yours.
        #[arg(long)]
        dir: Option<PathBuf>,
    },
    /// A short tour: two throw-away homes on this machine, a room, one line, and what an agent is given.
    Demo,
    /// What an agent program runs at its hooks. Reads its call from stdin, writes what the agent is given.
    Hook {
        /// The agent program.
        #[arg(default_value = "claude")]
        program: String,
        /// Wait beside an idle session, until there is something to wake it for.
        #[arg(long)]
        idle: bool,
    },
    /// What an agent program runs as its MCP server, over stdin and stdout; or one for all, over HTTP.
    Mcp(Mcp),
}

#[derive(Debug, Args)]
pub struct Start {
    /// The room's name [default: this directory's].
    #[arg(value_parser = room_name)]
    pub name: Option<String>,
    /// A room that never leaves this machine, for your own sessions: nobody can be invited to it.
    #[arg(long)]
    pub local: bool,
    /// A room that never leaves the local network: no relay carries it, nobody is looked up elsewhere.
    #[arg(long, conflicts_with = "local")]
    pub lan: bool,
    #[command(flatten)]
    pub binding: Binding,
}

#[derive(Debug, Args)]
pub struct Join {
    /// The ticket; `-`, or nothing, reads it from stdin.
    #[arg(value_name = "TICKET")]
    pub ticket: Vec<OsString>,
    #[command(flatten)]
    pub binding: Binding,
}

/// Which directory hears a room one has just come to.
#[derive(Debug, Clone, Args)]
pub struct Binding {
    /// Binds no directory: no session hears the room yet.
    #[arg(long)]
    pub no_bind: bool,
    /// Binds even `/` or the home directory.
    #[arg(long, conflicts_with = "no_bind")]
    pub force: bool,
}

#[derive(Debug, Args)]
pub struct Invite {
    /// Which room [default: the one this directory hears].
    pub room: Option<String>,
    /// A new ticket that is good for so long, 365d at most: 30m, 24h, 7d.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub expires: Option<Duration>,
    /// A new ticket for so many people at most.
    #[arg(long, value_name = "N", value_parser = number::<u32, 1>)]
    pub uses: Option<u32>,
    /// A new ticket that makes them this.
    #[arg(long, value_enum)]
    pub role: Option<TicketRole>,
    /// A new ticket by which people only ask: each waits for an owner's `parlor member approve`.
    #[arg(long)]
    pub approve: bool,
}

#[derive(Debug, Args)]
pub struct InRoom {
    /// Which room [default: the one this directory hears].
    #[arg(long)]
    pub room: Option<String>,
}

#[derive(Debug, Args)]
pub struct Install {
    /// Which agent program [default: all that are here].
    pub program: Option<String>,
    /// Whose settings: yours in every project, or those of the project in this directory.
    #[arg(long, value_enum, default_value = "user")]
    pub scope: Scope,
    /// The same as --scope project.
    #[arg(long, conflicts_with = "scope")]
    pub project: bool,
    /// Shows what would change, and changes nothing.
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scope {
    User,
    Project,
}

#[derive(Debug, Subcommand)]
pub enum Node {
    /// Runs it here, until it is stopped.
    Run {
        /// In a session of its own; stdout is told when it serves.
        #[arg(long, hide = true)]
        background: bool,
    },
    /// How it is; exit code 3 when none runs. Starts none.
    Status,
    /// Ends it, and returns when it is gone.
    Stop,
    /// The end of its log.
    Log {
        /// Goes on with what is written.
        #[arg(short, long)]
        follow: bool,
        /// How many lines.
        #[arg(short = 'n', long, value_name = "N", default_value_t = 50, value_parser = number::<usize, 0>)]
        lines: usize,
    },
}

#[derive(Debug, Subcommand)]
pub enum Identity {
    /// Its id, nick and home.
    Show,
    /// Writes the secret key to a new file, under a passphrase that is asked for. Rooms and messages are not in it.
    Backup(KeyFile),
    /// Makes the identity of such a file that of a home that has none.
    Restore(KeyFile),
    /// Tells all rooms that nobody should take this identity for you any more, and leaves them. It cannot be taken back,
    /// and it takes nothing from whoever has a copy of the key: owners put that out.
    Revoke {
        /// Even where nobody else is an owner: such a room is ruled by nobody then.
        #[arg(long)]
        abandon: bool,
        /// Does not ask.
        #[arg(long)]
        yes: bool,
    },
}

/// A backup of an identity.
#[derive(Debug, Args)]
pub struct KeyFile {
    /// The file.
    pub file: PathBuf,
    /// Reads the passphrase, one line, from this file descriptor instead of asking at the terminal.
    #[arg(long, value_name = "N", value_parser = number::<u32, 0>)]
    pub passphrase_fd: Option<u32>,
}

#[derive(Debug, Subcommand)]
pub enum Store {
    /// Reads the whole store and verifies every entry again; exit code 7 when something is wrong. Changes nothing, needs no node.
    Check,
    /// Gives back the space of what is not kept any more. Everything waits while a large store is copied.
    Compact,
    /// How much there is of each room. Needs no node.
    Stats,
}

#[derive(Debug, Subcommand)]
pub enum Peer {
    /// Everybody this node knows.
    List,
    /// Calls a peer something else here, only for you. Your name for it always wins over its own.
    Name {
        /// Which peer: a name, or the beginning of its id.
        peer: String,
        /// What to call it. Without it the peer has its own nick again.
        name: Option<String>,
    },
    /// Shows the safety number you and a peer share, to be compared with what the peer sees.
    Verify {
        /// Which peer: a name, or the beginning of its id.
        peer: String,
        /// Notes that it is the same on the other side, without asking.
        #[arg(long)]
        yes: bool,
    },
}

/// A number, and the least it may be.
fn number<N: TryFrom<u64>, const LEAST: u64>(text: &str) -> Result<N, String> {
    let number = text.parse::<u64>().ok().filter(|number| *number >= LEAST);
    let number = number.and_then(|number| N::try_from(number).ok());
    number.ok_or_else(|| format!("give a number, {LEAST} or more: 20"))
}

/// As people write one: `90s`, `1h 30m`.
fn parsed_duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("{error}; give one like 90s, 30m or 2h"))
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration = parsed_duration(text)?;
    if duration < Duration::from_secs(1) {
        Err("less than a second is no time".into())
    } else if duration > LONGEST_TICKET {
        Err("a ticket lasts 365 days at most: 365d".into())
    } else {
        Ok(duration)
    }
}

/// Days; 0 stands for `off`.
fn retention_days(text: &str) -> Result<u32, String> {
    match text {
        "off" => Ok(0),
        _ => match text.strip_suffix('d').unwrap_or(text).parse() {
            Ok(0) | Err(_) => Err("a number of days, 1 or more, or `off`".into()),
            Ok(days) => Ok(days),
        },
    }
}

/// An empty name is a slip, mostly a variable that was not set; the node would call the room something else.
fn room_name(text: &str) -> Result<String, String> {
    if text.trim().is_empty() { Err("a room's name is not empty".into()) } else { Ok(text.to_owned()) }
}

/// The arguments (without the program's name), so that a pasted ticket alone means `join`.
pub fn with_join_for_a_bare_ticket(mut args: Vec<OsString>) -> Vec<OsString> {
    if let Some(at) = first_verb(&args)
        && args[at].to_str().is_some_and(looks_like_ticket)
    {
        args.insert(at, "join".into());
    }
    args
}

/// Where the command stands: the first argument that is neither a global option nor its value.
pub fn first_verb(args: &[OsString]) -> Option<usize> {
    let mut at = 0;
    loop {
        match args.get(at)?.to_str() {
            Some("--home") => at += 2,
            Some(option) if option.starts_with('-') => at += 1,
            _ => return Some(at),
        }
    }
}

/// Whether the arguments ask for JSON, for errors that come before they are understood.
pub fn wants_json(args: &[OsString]) -> bool {
    args.iter().take_while(|arg| *arg != "--").any(|arg| arg == OsStr::new("--json"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        let args = with_join_for_a_bare_ticket(line.split_whitespace().map(OsString::from).collect());
        Cli::try_parse_from(std::iter::once(OsString::from("parlor")).chain(args))
    }

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_named_is_understood() {
        for line in [
            "",
            "start",
            "start payments --no-bind",
            "join parlor1abc",
            "join -",
            "join",
            "invite",
            "invite payments --expires 24h",
            "invite --expires 365d",
            "invite payments --uses 10 --role reader --approve --expires 24h",
            "ticket list",
            "ticket list payments --all --json",
            "ticket close mk7m2qda --room payments",
            "member list payments",
            "member approve bob",
            "member remove bob --keep-ticket mk7m2qda --keep-ticket mabcdefg --room payments",
            "member role bob reader",
            "member role bob owner --yes --room payments",
            "room rename money --room payments",
            "room rekey",
            "room leave payments --abandon",
            "room leave --room payments --abandon",
            "room export --room payments --out -",
            "room show --room payments",
            "room rekey --room payments",
            "send hello world",
            "send - --room payments --priority now",
            "send -- -v is a flag",
            "log",
            "log m7k2qdab",
            "log -f -n 20",
            "log --no-pager",
            "log --since 2h --room payments",
            "who",
            "unread --json",
            "status",
            "status dnd --session api",
            "allow",
            "allow wake bob",
            "deny inject payments --usual",
            "room level mentions --room payments --dir /x",
            "room level",
            "mute",
            "mute payments --for 2h",
            "unmute payments",
            "tag add backend",
            "budget",
            "budget set payments 100000",
            "send --ack got it",
            "send --to @backend --progress half way",
            "tag list --dir /x",
            "send --to claude/api hello",
            "who --local",
            "status working --json",
            "room list",
            "room show payments",
            "room bind payments --dir /x --force",
            "room unbind",
            "room alias payments money",
            "nick",
            "nick bob",
            "hook",
            "hook claude --home /x",
            "mcp",
            "mcp --http",
            "mcp --http --port 0 --new-token --json",
            "install",
            "install claude --scope project --dry-run",
            "uninstall claude",
            "doctor",
            "node run",
            "node run --background",
            "node status",
            "node stop",
            "node log -f -n 3",
            "identity show",
            "identity backup /x/key.age --passphrase-fd 3",
            "identity restore /x/key.age",
            "peer list --json",
            "peer name bob~k7m2qd robert",
            "peer name robert",
            "peer verify bob --yes",
            "config list --json",
            "config get port",
            "config set relay https://a.example https://b.example",
            "config set port 4711 --no-restart",
            "config unset port",
            "config path",
            "service install --dry-run",
            "service uninstall",
            "service status --json",
            "completions zsh",
            "man",
            "man room bind",
            "man --dir /x/man1",
            "demo",
            "--home /x --json --no-color who",
        ] {
            assert!(parse(line).is_ok(), "{line}: {:?}", parse(line).err());
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            "sned hello",
            "log --search x -f",
            "log mk7m2qda --search x",
            "log --all-rooms",
            "log --search x --all-rooms --room payments",
            "log m7k2qdab -f",
            "send x --priority urgent",
            "status busy",
            "allow wake",
            "allow everything bob",
            "room level some",
            "mute --for soon",
            "tag add",
            "budget set payments",
            "send --ack --progress x",
            "who --local --room payments",
            "invite --expires soon",
            "invite --expires 1ms",
            "invite --expires 366d",
            "invite --uses 0",
            "invite --role owner",
            "ticket close",
            "member role bob king",
            "member remove",
            "room rename",
            "room leave payments --room other",
            "log --since yesteryear",
            "node",
            "completions",
            "completions csh",
            "man room --dir /x",
            "start --no-bind --force",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn an_empty_name_is_no_name_for_a_room() {
        for name in ["", " \t"] {
            let refused = Cli::try_parse_from(["parlor", "start", name]).unwrap_err();
            assert_eq!(refused.exit_code(), 2);
            assert!(refused.to_string().contains("a room's name is not empty"), "{refused}");
        }
    }

    #[test]
    fn a_ticket_that_would_last_too_long_is_refused_with_the_limit() {
        assert!(parse("invite --expires 8761h").unwrap_err().to_string().contains("365 days at most"));
    }

    #[test]
    fn a_pasted_ticket_alone_is_a_join() {
        for line in ["parlor1abc", "--json parlor1abc", "--home parlor1x PARLOR1ABC", "--home=/x parlor9abc"]
        {
            let cli = parse(line).unwrap();
            let Some(Command::Join(join)) = cli.command else { panic!("{line} is no join") };
            assert_eq!(join.ticket.len(), 1);
        }
        assert!(matches!(parse("send parlor1abc").unwrap().command, Some(Command::Send(_))));
        assert!(matches!(parse("nick parlor1abc").unwrap().command, Some(Command::Nick { .. })));
    }

    #[test]
    fn a_ticket_broken_over_lines_is_still_one_join() {
        let Some(Command::Join(join)) = parse("parlor1abc def ghi").unwrap().command else { panic!() };
        assert_eq!(join.ticket, ["parlor1abc", "def", "ghi"]);
    }

    #[test]
    fn json_is_noticed_even_in_a_line_that_is_not_understood() {
        let args = |line: &str| line.split_whitespace().map(OsString::from).collect::<Vec<_>>();
        assert!(wants_json(&args("sned x --json")));
        assert!(!wants_json(&args("send -- --json")));
    }
}
