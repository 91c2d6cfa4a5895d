//! `parlor config`: what is wanted otherwise than usual. Changes the file itself, so that it can be put right when no node
//! starts by it; a running node is asked whether the caller may, and starts again.

use std::time::{Duration, Instant};

use parlor_api::paths::Home;
use parlor_api::{ApiError, Client, ClientError, ErrorKind, NODE_WAIT_MS, Reply, Request};
use parlor_node::config::{ConfigFile, Key, Otherwise, Setting, nick_of};
use parlor_node::refuse_agents_changing_settings;
use serde_json::{Value, json};

use super::Context;
use super::relays::{self, Named};
use crate::args::Config;
use crate::errors::{Failure, Outcome};
use crate::{autostart, lock, reach, render};

/// Between two looks whether the node serves again.
const STEP: Duration = Duration::from_millis(25);

pub fn run(context: &Context, command: Config) -> Outcome {
    match command {
        Config::List => list(context),
        Config::Get { key } => get(context, &key),
        Config::Set { key, value, no_restart } => {
            let value = value.join(" ");
            let typed = format!("parlor config set {key} {value}");
            change(context, &key, &typed, no_restart, |file, key| {
                file.set(key, &value).map_err(ApiError::from)
            })
        }
        Config::Unset { key, no_restart } => {
            let typed = format!("parlor config unset {key}");
            if let Err(unknown) = Key::find(&key) {
                return take_out(context, &key, &typed, unknown.into());
            }
            change(context, &key, &typed, no_restart, |file, key| {
                file.unset(key.name).map(drop).map_err(ApiError::from)
            })
        }
        Config::Path => path(context),
    }
}

fn open(context: &Context) -> Outcome<ConfigFile> {
    Ok(ConfigFile::open(&context.home.config()).map_err(ApiError::from)?)
}

fn list(context: &Context) -> Outcome {
    let file = open(context)?;
    let settings = file.settings().map_err(ApiError::from)?;
    let shown: Vec<Value> = settings.iter().map(as_json).collect();
    context.out.list(&shown, || render::config::list(&settings))?;
    for key in file.unknown().map_err(ApiError::from)? {
        context.out.warn(&format!("config.toml says `{key}`, which this version does not know"));
    }
    Ok(())
}

fn get(context: &Context, name: &str) -> Outcome {
    let setting = setting(&open(context)?, Key::find(name).map_err(ApiError::from)?)?;
    let Some(value) = setting.value() else {
        let message = format!("{name} is not set: {}", render::config::otherwise(setting.key));
        return Err(Failure::new(ErrorKind::NotFound, message, format!("`parlor config set {name} VALUE`")));
    };
    context.out.answer(&as_json(&setting), || vec![value.to_owned()])
}

fn setting(file: &ConfigFile, key: &'static Key) -> Outcome<Setting> {
    let settings = file.settings().map_err(ApiError::from)?;
    settings.into_iter().find(|setting| setting.key == key).ok_or_else(Failure::unexpected_reply)
}

fn as_json(setting: &Setting) -> Value {
    let key = setting.key;
    let default = match key.otherwise {
        Otherwise::Value(value) => Some(value),
        Otherwise::Words(_) => None,
    };
    json!({
        "key": key.name,
        "value": setting.value(),
        "set": setting.set.is_some(),
        "default": default,
        "takes": key.takes(),
        "says": key.says,
    })
}

fn path(context: &Context) -> Outcome {
    let path = context.home.config();
    let answer = json!({ "path": path, "exists": path.exists() });
    context.out.answer(&answer, || vec![path.display().to_string()])
}

/// What was typed is for whoever is asked to type it instead.
fn change(
    context: &Context,
    name: &str,
    typed: &str,
    no_restart: bool,
    edit: impl FnOnce(&mut ConfigFile, &'static Key) -> Result<(), ApiError>,
) -> Outcome {
    let key = Key::find(name).map_err(ApiError::from)?;
    let runs = may_configure(context, typed)?;
    let mut file = open(context)?;
    edit(&mut file, key)?;
    let changed = file.save().map_err(ApiError::from)?;
    let setting = setting(&file, key)?;
    context.out.answer(&as_json(&setting), || vec![render::config::now(&setting)])?;
    let is_in_force = runs && !(changed && no_restart);
    match runs {
        false => {}
        true if !changed => context.out.talk("That is what it was."),
        true if no_restart => {
            context.out.talk("The running node takes it up at its next start: `parlor node stop`.")
        }
        true => match restart(&context.home) {
            Ok(()) => {
                context.out.talk("The node has started again with it.");
                relays::name(context, Named::IfNeeded)?;
            }
            Err(Failure::Error(error)) => {
                context.out.warn(&format!("the node does not run with it yet: {}", error.message));
                return Err(Failure::Said(error.kind.exit_code()));
            }
            Err(said) => return Err(said),
        },
    }
    match &setting.set {
        Some(wanted) if key.name == "nick" => mention_nick(context, wanted, is_in_force),
        _ => Ok(()),
    }
}

/// A key that means nothing may stand in the file, and goes like any other; no node has to start again for it.
fn take_out(context: &Context, name: &str, typed: &str, unknown: ApiError) -> Outcome {
    let mut file = open(context)?;
    if !file.unset(name).map_err(ApiError::from)? {
        return Err(unknown.into());
    }
    may_configure(context, typed)?;
    file.save().map_err(ApiError::from)?;
    let answer = json!({ "key": name, "value": null, "set": false });
    context.out.answer(&answer, || vec![format!("{name} is not in the file any more; it meant nothing")])
}

/// Says what one is called now, where it is not what was just set.
fn mention_nick(context: &Context, wanted: &str, is_in_force: bool) -> Outcome {
    if !is_in_force {
        context.out.talk("Where `parlor nick` was used before, what it said holds all the same.");
        return Ok(());
    }
    let Reply::Identity(identity) = context.ask(&Request::Identity)? else {
        return Err(Failure::unexpected_reply());
    };
    if identity.nick != nick_of(wanted) {
        let nick = identity.nick;
        context.out.warn(&format!("you are called {nick} all the same: `parlor nick` was used, and wins over the file; `parlor nick NAME` changes it"));
    } else if identity.nick != wanted {
        context.out.talk(&format!("You are called {}: a nick is one word.", identity.nick));
    }
    Ok(())
}

/// Refuses to an agent what is a human's; says whether a node runs.
pub fn may_configure(context: &Context, typed: &str) -> Outcome<bool> {
    refuse_agents_changing_settings(typed)?;
    let request = Request::MayConfigure { command: typed.into() };
    let deadline = Instant::now() + Duration::from_millis(NODE_WAIT_MS);
    loop {
        match Client::new(&context.home, reach::hello())?.call(&request) {
            Ok(_) => return Ok(true),
            Err(ClientError::Refused(error)) => return Err(error.into()),
            Err(error) if error.is_undone() && !lock::is_held(&context.home) => return Ok(false),
            // One that has just been started, or is about to end, holds the home and does not answer.
            Err(ClientError::NotRunning(_)) if Instant::now() < deadline => std::thread::sleep(STEP),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Makes the home's node start again in its process; returns when it serves.
fn restart(home: &Home) -> Outcome {
    let mut client = Client::new(home, reach::hello())?;
    let before = since(&mut client)?;
    let asked = client.call(&Request::Restart);
    // A node that ends waits for its connections.
    drop(client);
    match asked {
        // It may end before it can say so.
        Ok(_) | Err(ClientError::Broken { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let deadline = Instant::now() + Duration::from_millis(NODE_WAIT_MS);
    while Instant::now() < deadline {
        match Client::new(home, reach::hello())
            .map_err(Failure::from)
            .and_then(|mut client| since(&mut client))
        {
            Ok(now) if now != before => return Ok(()),
            // It did not come back: what it says when it is started tells why.
            Err(_) if !lock::is_held(home) => break,
            _ => std::thread::sleep(STEP),
        }
    }
    Ok(autostart::ensure_node(home)?)
}

fn since(client: &mut Client) -> Outcome<String> {
    match client.call(&Request::Status)? {
        Reply::Status(status) => Ok(status.since),
        _ => Err(Failure::unexpected_reply()),
    }
}
