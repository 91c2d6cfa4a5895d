//! `parlor service`: the node as a service of the user's own. Writes one file, removes that one file, and asks the service
//! manager by its own command; without a running manager it says what to type.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use parlor_api::paths::Home;
use parlor_api::{Client, ErrorKind, NODE_WAIT_MS, Request};
use serde_json::json;

use super::{Context, config, node};
use crate::args::Service as Args;
use crate::autostart::own_executable;
use crate::errors::{Failure, Outcome};
use crate::reach;
use crate::service::{Found, Manager, Service};

/// Between two looks whether the node serves.
const STEP: Duration = Duration::from_millis(25);
/// Exit code of `status` when there is none.
const NOT_INSTALLED: u8 = 3;
/// What stands before the number of directories that were made for the file.
const MADE: &str = "directories made for it: ";

pub fn run(context: &Context, command: Args) -> Outcome {
    let service = Service::of(&context.home)?;
    match command {
        Args::Install { dry_run } => install(context, &service, dry_run),
        Args::Uninstall { dry_run } => uninstall(context, &service, dry_run),
        Args::Status => status(context, &service),
    }
}

/// The service that runs the node of a home, if one is installed, as its manager calls it.
pub fn installed(context: &Context) -> Option<String> {
    let service = Service::of(&context.home).ok()?;
    matches!(service.found(), Ok(Found::Ours { .. })).then(|| shown(&service.starts()))
}

impl Service {
    /// What makes the manager run it, now and from each login on.
    fn begins(&self) -> Vec<Vec<String>> {
        match self.manager {
            Manager::Systemd => {
                vec![systemctl(&["daemon-reload"]), systemctl(&["enable", "--now", &self.name])]
            }
            Manager::Launchd => vec![launchctl(&["bootstrap", &domain(), &self.file.to_string_lossy()])],
        }
    }

    /// What makes the manager end it. The first is asked while the file is there, the rest after.
    fn ends(&self) -> Vec<Vec<String>> {
        match self.manager {
            Manager::Systemd => {
                vec![systemctl(&["disable", "--now", &self.name]), systemctl(&["daemon-reload"])]
            }
            Manager::Launchd => vec![launchctl(&["bootout", &format!("{}/{}", domain(), self.name)])],
        }
    }

    /// What ends the node of its home, as it is typed: without a home named it would be another's.
    fn stop_by_hand(&self, home: &Home) -> String {
        if self.is_of_default_home() {
            return "parlor node stop".into();
        }
        let dir = home.dir().to_string_lossy();
        let dir = shlex::try_quote(&dir).unwrap_or_else(|_| dir.clone());
        format!("parlor --home {dir} node stop")
    }

    fn starts(&self) -> Vec<String> {
        match self.manager {
            Manager::Systemd => systemctl(&["start", &self.name]),
            Manager::Launchd => launchctl(&["kickstart", &format!("{}/{}", domain(), self.name)]),
        }
    }

    /// Whether its manager can be asked: there is none in a container, nor where nobody is logged in.
    fn is_managed(&self) -> bool {
        match self.manager {
            Manager::Systemd => quiet(&systemctl(&["show-environment"])),
            Manager::Launchd => quiet(&launchctl(&["print", &domain()])),
        }
    }

    fn refuse_theirs(&self) -> Failure {
        let message = format!("{} was not written by `parlor service install`", self.file.display());
        Failure::new(ErrorKind::NotAllowed, message, "it was left as it is; move it away if nobody needs it")
    }
}

fn install(context: &Context, service: &Service, dry_run: bool) -> Outcome {
    let parlor = own_executable().map_err(|error| {
        Failure::machine(format!("this program's own path is not known: {error}"), "run it by its whole path")
    })?;
    let found = service.found()?;
    let made = match &found {
        Found::Theirs => return Err(service.refuse_theirs()),
        Found::Ours { text } => made_before(text),
        Found::Nothing => service.missing_dirs().len(),
    };
    let text = with_made(service, &service.text(&parlor)?, made);
    if dry_run {
        let commands = service.begins();
        let answer = json!({ "file": service.file, "text": text, "commands": commands });
        return context.out.answer(&answer, || {
            let head = format!("{}:", service.file.display());
            std::iter::once(head)
                .chain(text.lines().map(String::from))
                .chain(commands.iter().map(|c| shown(c)))
                .collect()
        });
    }
    config::may_configure(context, "parlor service install")?;
    if found != (Found::Ours { text: text.clone() }) {
        write(service, &text)?;
    }
    let managed = service.is_managed();
    if managed {
        // The one that was started by a command goes, so that the service's can take the home.
        node::stop(&context.home)?;
        service.begins().iter().try_for_each(|command| ask(command))?;
        await_node(context)?;
    }
    context
        .out
        .answer(&answer(service, true, managed), || vec![format!("installed: {}", service.file.display())])?;
    if managed {
        context
            .out
            .talk("The node runs as a service now: it starts when you log in, and again when it breaks.");
        if service.manager == Manager::Systemd {
            context.out.talk("To have it run while you are logged out too: loginctl enable-linger");
        }
    } else {
        let commands: Vec<String> = service.begins().iter().map(|command| shown(command)).collect();
        context.out.talk(&format!(
            "Your service manager does not run here, so nothing was started. Where it does, type: {}",
            [vec![service.stop_by_hand(&context.home)], commands].concat().join(" && ")
        ));
    }
    Ok(())
}

fn uninstall(context: &Context, service: &Service, dry_run: bool) -> Outcome {
    let text = match service.found()? {
        Found::Theirs => return Err(service.refuse_theirs()),
        Found::Nothing => {
            let line = format!("not installed: there is no {}", service.file.display());
            return context.out.answer(&answer(service, false, false), || vec![line]);
        }
        Found::Ours { text } => text,
    };
    let commands = service.ends();
    if dry_run {
        let answer = json!({ "file": service.file, "commands": commands });
        return context.out.answer(&answer, || {
            let head = format!("remove {}", service.file.display());
            commands.iter().map(|command| shown(command)).chain([head]).collect()
        });
    }
    config::may_configure(context, "parlor service uninstall")?;
    let managed = service.is_managed();
    let (first, rest) = commands.split_at(usize::from(managed).min(commands.len()));
    first.iter().try_for_each(|command| ask(command))?;
    std::fs::remove_file(&service.file).map_err(|error| not_written(&service.file, error))?;
    // What was made for it goes, unless somebody has put something into it.
    let above = service.file.ancestors().skip(1).take(made_before(&text));
    above.take_while(|dir| std::fs::remove_dir(dir).is_ok()).for_each(drop);
    if managed {
        rest.iter().try_for_each(|command| ask(command))?;
    }
    context
        .out
        .answer(&answer(service, false, managed), || vec![format!("removed: {}", service.file.display())])?;
    context.out.talk("The next command starts a node in the background, as before.");
    Ok(())
}

fn status(context: &Context, service: &Service) -> Outcome {
    let installed = matches!(service.found()?, Found::Ours { .. });
    let state = (installed && service.is_managed()).then(|| state(service));
    let answer =
        json!({ "name": service.name, "file": service.file, "installed": installed, "state": state });
    context.out.answer(&answer, || {
        let state = state.as_deref().unwrap_or("its manager does not run here");
        let line = if installed { format!("{}: {state}", service.name) } else { "not installed".into() };
        vec![line, service.file.display().to_string()]
    })?;
    if installed { Ok(()) } else { Err(Failure::Said(NOT_INSTALLED)) }
}

/// In its manager's own word.
fn state(service: &Service) -> String {
    let command = match service.manager {
        Manager::Systemd => systemctl(&["is-active", &service.name]),
        Manager::Launchd => launchctl(&["print", &format!("{}/{}", domain(), service.name)]),
    };
    let output = Command::new(&command[0]).args(&command[1..]).stderr(Stdio::null()).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    match service.manager {
        Manager::Systemd => text.trim().to_owned(),
        Manager::Launchd => {
            let line = text.lines().find_map(|line| line.trim().strip_prefix("state = "));
            line.unwrap_or("not loaded").to_owned()
        }
    }
}

fn answer(service: &Service, installed: bool, managed: bool) -> serde_json::Value {
    json!({ "name": service.name, "file": service.file, "installed": installed, "managed": managed })
}

fn systemctl(args: &[&str]) -> Vec<String> {
    ["systemctl", "--user"].iter().chain(args).map(ToString::to_string).collect()
}

fn launchctl(args: &[&str]) -> Vec<String> {
    std::iter::once(&"launchctl").chain(args).map(ToString::to_string).collect()
}

fn domain() -> String {
    format!("gui/{}", rustix::process::geteuid().as_raw())
}

/// As it is typed.
fn shown(command: &[String]) -> String {
    command.join(" ")
}

fn quiet(command: &[String]) -> bool {
    let mut run = Command::new(&command[0]);
    run.args(&command[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    run.status().is_ok_and(|status| status.success())
}

fn ask(command: &[String]) -> Outcome {
    let run = Command::new(&command[0]).args(&command[1..]).stdin(Stdio::null()).output();
    let why = match run {
        Ok(output) if output.status.success() => return Ok(()),
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(error) => error.to_string(),
    };
    Err(Failure::machine(
        format!("`{}` failed: {why}", shown(command)),
        "put that right, then run this again",
    ))
}

/// Returns when the service's node serves; it starts none itself.
fn await_node(context: &Context) -> Outcome {
    let deadline = Instant::now() + Duration::from_millis(NODE_WAIT_MS);
    while Client::new(&context.home, reach::hello())?.call(&Request::Status).is_err() {
        if Instant::now() >= deadline {
            let message = "the service was started and its node does not serve";
            return Err(Failure::machine(message, "`parlor service status` and `parlor node log` say more"));
        }
        std::thread::sleep(STEP);
    }
    Ok(())
}

/// How many directories were made for a file of ours is kept in it: they go with it.
fn with_made(service: &Service, text: &str, made: usize) -> String {
    let line = match service.manager {
        Manager::Systemd => format!("# {MADE}{made}\n"),
        Manager::Launchd => format!("<!-- {MADE}{made} -->\n"),
    };
    format!("{text}{line}")
}

fn made_before(text: &str) -> usize {
    let number = text.rsplit_once(MADE).map(|(_, rest)| rest);
    let digits = number.map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

fn write(service: &Service, text: &str) -> Outcome {
    let dir = service.file.parent().map_or_else(PathBuf::new, Path::to_owned);
    let written = std::fs::create_dir_all(&dir).and_then(|()| {
        let aside = tempfile::NamedTempFile::new_in(&dir)?;
        std::fs::write(aside.path(), text)?;
        aside.as_file().sync_all()?;
        Ok(aside.persist(&service.file)?)
    });
    written.map(drop).map_err(|error| not_written(&service.file, error))
}

fn not_written(path: &Path, error: std::io::Error) -> Failure {
    Failure::machine(format!("{} cannot be changed: {error}", path.display()), "it must be a place of yours")
}
