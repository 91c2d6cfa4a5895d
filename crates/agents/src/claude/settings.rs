//! Parlor's hook entries in the text of a Claude Code settings file: putting them in, finding them, taking them out. Text in,
//! text out; must not touch the disk, nor any byte that is not Parlor's.

use jsonc_parser::ast::{Array, Object, ObjectProp, Value};
use serde_json::json;

use crate::command::is_parlor_hook;
use crate::jsonc::{Container, Document, SyntaxError};

/// The hooks Parlor is wired into.
pub(crate) const EVENTS: [&str; 3] = ["SessionStart", "UserPromptSubmit", "SessionEnd"];
/// After this Claude Code goes on without the hook. Parlor's own budget is far below.
pub(crate) const TIMEOUT_S: u32 = 5;

const HOOKS: &str = "hooks";
const COMMAND: &str = "command";
const TIMEOUT: &str = "timeout";
const BYTE_ORDER_MARK: char = '\u{feff}';
/// More of our entries than any install left; beyond it something else is going on.
const ENTRIES_LIMIT: usize = 256;

/// Why a text is not edited.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum SettingsError {
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    #[error("{0}")]
    Shape(String),
}

/// A text after an edit, with what changed, a line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edited {
    pub(crate) text: String,
    pub(crate) changes: Vec<String>,
}

/// A hook entry of Parlor's, of whatever version and path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) event: String,
    pub(crate) command: String,
    timeout: Option<String>,
    group: usize,
    hook: usize,
    /// Whether it is the only hook of its group.
    alone: bool,
}

/// What an uninstall leaves although it is empty, because it was there before the install.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Keep {
    hooks: bool,
    events: Vec<String>,
}

impl Keep {
    /// Keeps what stands in this text.
    pub(crate) fn standing_in(text: &str) -> Result<Self, SettingsError> {
        let document = Document::parse(split_mark(text).1)?;
        let Some(hooks) = hooks(&document)? else { return Ok(Self::default()) };
        let events = hooks.properties.iter().map(|property| name(property).to_owned());
        Ok(Self { hooks: true, events: events.collect() })
    }
}

/// Parlor's entries in a text.
pub(crate) fn entries(text: &str) -> Result<Vec<Entry>, SettingsError> {
    find_entries(&Document::parse(split_mark(text).1)?)
}

/// The text with Parlor's hooks in it, each once and with this command. Without a text: one with nothing else.
pub(crate) fn install(text: Option<&str>, command: &str) -> Result<Edited, SettingsError> {
    let (mark, body) = split_mark(text.unwrap_or_default());
    let mut now = Edited { text: with_root(body)?, changes: Vec::new() };
    while let Some(entry) = first_stale(&now.text)? {
        now.text = without_entry(&now.text, &entry, &Keep::default())?;
        now.changes.push(format!("hooks.{}: remove an older Parlor hook", entry.event));
    }
    for event in EVENTS {
        install_event(&mut now, event, command)?;
    }
    check(body, &now.text, Some(command))?;
    if now.changes.is_empty() {
        now.text = body.into();
    }
    now.text.insert_str(0, mark);
    Ok(now)
}

/// The text without any entry of Parlor's, nor what became empty by that and is not in `keep`.
pub(crate) fn uninstall(text: &str, keep: &Keep) -> Result<Edited, SettingsError> {
    let (mark, body) = split_mark(text);
    let mut now = Edited { text: body.into(), changes: Vec::new() };
    while let Some(entry) = find_entries(&Document::parse(&now.text)?)?.into_iter().next() {
        now.text = without_entry(&now.text, &entry, keep)?;
        now.changes.push(format!("hooks.{}: remove {}", entry.event, entry.command));
    }
    check(body, &now.text, None)?;
    now.text.insert_str(0, mark);
    Ok(now)
}

/// Whether `text` is what an install makes of `original`, but for the wording of Parlor's own entries.
pub(crate) fn comes_from(text: &str, original: Option<&str>, command: &str) -> bool {
    let bare = |text: &str| uninstall(text, &Keep::default()).map(|edited| edited.text);
    let again = install(original, command).and_then(|edited| bare(&edited.text));
    matches!((bare(text), again), (Ok(one), Ok(other)) if one == other)
}

/// A text, parted from a byte order mark before it.
pub(crate) fn split_mark(text: &str) -> (&str, &str) {
    let mark = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len_utf8() } else { 0 };
    text.split_at(mark)
}

fn with_root(body: &str) -> Result<String, SettingsError> {
    if Document::parse(body)?.root().is_some() {
        return Ok(body.into());
    }
    let newline = if body.contains("\r\n") { "\r\n" } else { "\n" };
    let gap = if body.is_empty() || body.ends_with('\n') { "" } else { newline };
    Ok(format!("{body}{gap}{{}}{newline}"))
}

fn install_event(now: &mut Edited, event: &str, command: &str) -> Result<(), SettingsError> {
    let found = find_entries(&Document::parse(&now.text)?)?.into_iter().find(|entry| entry.event == event);
    match found {
        None => {
            now.text = with_entry(&now.text, event, command)?;
            now.changes.push(format!("hooks.{event}: run {command}"));
        }
        Some(entry) => {
            if entry.command != command {
                now.text = with_field(&now.text, &entry, COMMAND, &json!(command))?;
                now.changes.push(format!("hooks.{event}: run {command} instead of {}", entry.command));
            }
            if entry.timeout.as_deref() != Some(TIMEOUT_S.to_string().as_str()) {
                now.text = with_field(&now.text, &entry, TIMEOUT, &json!(TIMEOUT_S))?;
                now.changes.push(format!("hooks.{event}: wait at most {TIMEOUT_S} s"));
            }
        }
    }
    Ok(())
}

fn with_entry(text: &str, event: &str, command: &str) -> Result<String, SettingsError> {
    let document = Document::parse(text)?;
    let group = json!({ "hooks": [{ "type": "command", "command": command, "timeout": TIMEOUT_S }] });
    let Some(hooks) = hooks(&document)? else {
        let root = root(&document)?.ok_or_else(nothing_there)?;
        return Ok(document.append(&root.into(), Some(HOOKS), &json!({ event: [group] })));
    };
    match property_named(hooks, event, HOOKS)? {
        Some(property) => Ok(document.append(&groups(property)?.into(), None, &group)),
        None => Ok(document.append(&hooks.into(), Some(event), &json!([group]))),
    }
}

fn with_field(
    text: &str,
    entry: &Entry,
    field: &str,
    value: &serde_json::Value,
) -> Result<String, SettingsError> {
    let document = Document::parse(text)?;
    let hook = hook_of(&document, entry)?;
    match property_named(hook, field, "a Parlor hook")? {
        Some(property) => Ok(document.replace(&property.value, value)),
        None => Ok(document.append(&hook.into(), Some(field), value)),
    }
}

/// An entry that is not to be there: of an event Parlor no longer uses, or the second one of an event.
fn first_stale(text: &str) -> Result<Option<Entry>, SettingsError> {
    let found = find_entries(&Document::parse(text)?)?;
    let stale = found.iter().enumerate().find(|(at, entry)| {
        !EVENTS.contains(&entry.event.as_str()) || found[..*at].iter().any(|other| other.event == entry.event)
    });
    Ok(stale.map(|(_, entry)| entry.clone()))
}

fn without_entry(text: &str, entry: &Entry, keep: &Keep) -> Result<String, SettingsError> {
    let document = Document::parse(text)?;
    let groups = groups_of(&document, entry)?;
    let shorter = if entry.alone {
        document.remove(&groups.into(), entry.group)
    } else {
        let group = groups.elements.get(entry.group).and_then(Value::as_object).ok_or_else(nothing_there)?;
        document.remove(&hooks_of(group)?.ok_or_else(nothing_there)?.into(), entry.hook)
    };
    let shorter = without_empty(shorter, keep.events.contains(&entry.event), |document| {
        let Some(hooks) = hooks(document)? else { return Ok(None) };
        let at = hooks.properties.iter().position(|property| {
            name(property) == entry.event
                && property.value.as_array().is_some_and(|groups| groups.elements.is_empty())
        });
        Ok(at.map(|at| (hooks.into(), at)))
    })?;
    without_empty(shorter, keep.hooks, |document| {
        let Some(root) = root(document)? else { return Ok(None) };
        let at = root.properties.iter().position(|property| {
            name(property) == HOOKS
                && property.value.as_object().is_some_and(|hooks| hooks.properties.is_empty())
        });
        Ok(at.map(|at| (root.into(), at)))
    })
}

/// The text without the empty item that `find` gives by the container around it, unless a comment is in it: that is somebody's.
fn without_empty(
    text: String,
    keep: bool,
    find: impl Fn(&Document<'_>) -> Result<Option<(Container, usize)>, SettingsError>,
) -> Result<String, SettingsError> {
    let document = Document::parse(&text)?;
    match find(&document)? {
        Some((around, at)) if !keep && !document.has_comment_in(&around, at) => {
            Ok(document.remove(&around, at))
        }
        _ => Ok(text),
    }
}

fn find_entries(document: &Document<'_>) -> Result<Vec<Entry>, SettingsError> {
    let mut found = Vec::new();
    for property in hooks(document)?.into_iter().flat_map(|hooks| &hooks.properties) {
        let event = name(property);
        let Some(groups) = property.value.as_array() else {
            if EVENTS.contains(&event) {
                groups(property)?;
            }
            continue;
        };
        for (at, group) in groups.elements.iter().enumerate() {
            let Some(group) = group.as_object() else { continue };
            let Some(hooks) = hooks_of(group)? else { continue };
            for (hook_at, hook) in hooks.elements.iter().enumerate() {
                let Some((command, timeout)) = parlor_command(hook) else { continue };
                let (event, alone) = (event.to_owned(), hooks.elements.len() == 1);
                found.push(Entry { event, command, timeout, group: at, hook: hook_at, alone });
            }
        }
    }
    if found.len() > ENTRIES_LIMIT {
        return Err(SettingsError::Shape(format!("it holds {} Parlor hooks", found.len())));
    }
    Ok(found)
}

/// The command and the timeout of a hook that runs Parlor.
fn parlor_command(hook: &Value<'_>) -> Option<(String, Option<String>)> {
    let hook = hook.as_object()?;
    let field =
        |key: &str| hook.properties.iter().rfind(|property| name(property) == key).map(|found| &found.value);
    let command = field(COMMAND)?.as_string_lit()?.value.to_string();
    let timeout = field(TIMEOUT).and_then(Value::as_number_lit).map(|number| number.value.to_owned());
    is_parlor_hook(&command).then_some((command, timeout))
}

fn root<'d, 'a>(document: &'d Document<'a>) -> Result<Option<&'d Object<'a>>, SettingsError> {
    match document.root() {
        None => Ok(None),
        Some(Value::Object(root)) => Ok(Some(root)),
        Some(_) => Err(SettingsError::Shape("its outermost value is not an object".into())),
    }
}

fn hooks<'d, 'a>(document: &'d Document<'a>) -> Result<Option<&'d Object<'a>>, SettingsError> {
    let Some(root) = root(document)? else { return Ok(None) };
    let Some(property) = property_named(root, HOOKS, "it")? else { return Ok(None) };
    let Some(hooks) = property.value.as_object() else {
        return Err(SettingsError::Shape("\"hooks\" is not an object".into()));
    };
    for property in &hooks.properties {
        property_named(hooks, name(property), HOOKS)?;
    }
    Ok(Some(hooks))
}

fn groups<'d, 'a>(property: &'d ObjectProp<'a>) -> Result<&'d Array<'a>, SettingsError> {
    let wrong = || SettingsError::Shape(format!("\"hooks\".\"{}\" is not an array", name(property)));
    property.value.as_array().ok_or_else(wrong)
}

fn hooks_of<'d, 'a>(group: &'d Object<'a>) -> Result<Option<&'d Array<'a>>, SettingsError> {
    Ok(property_named(group, HOOKS, "a group of hooks")?.and_then(|property| property.value.as_array()))
}

fn groups_of<'d, 'a>(document: &'d Document<'a>, entry: &Entry) -> Result<&'d Array<'a>, SettingsError> {
    let hooks = hooks(document)?.ok_or_else(nothing_there)?;
    groups(property_named(hooks, &entry.event, HOOKS)?.ok_or_else(nothing_there)?)
}

fn hook_of<'d, 'a>(document: &'d Document<'a>, entry: &Entry) -> Result<&'d Object<'a>, SettingsError> {
    let group = groups_of(document, entry)?.elements.get(entry.group).and_then(Value::as_object);
    let hooks = hooks_of(group.ok_or_else(nothing_there)?)?.ok_or_else(nothing_there)?;
    hooks.elements.get(entry.hook).and_then(Value::as_object).ok_or_else(nothing_there)
}

/// The property of that name. Twice the same name is refused: which one counts is for its author to say.
fn property_named<'d, 'a>(
    object: &'d Object<'a>,
    key: &str,
    around: &str,
) -> Result<Option<&'d ObjectProp<'a>>, SettingsError> {
    let mut named = object.properties.iter().filter(|property| name(property) == key);
    let first = named.next();
    if named.next().is_some() {
        return Err(SettingsError::Shape(format!("{key:?} stands twice in {around}")));
    }
    Ok(first)
}

fn name<'d>(property: &'d ObjectProp<'_>) -> &'d str {
    property.name.as_str()
}

fn nothing_there() -> SettingsError {
    SettingsError::Shape("it does not hold what it held a moment ago".into())
}

/// The last look before anything is written: what is not Parlor's means the same as before, and what is Parlor's is as told.
fn check(before: &str, after: &str, command: Option<&str>) -> Result<(), SettingsError> {
    let entries = find_entries(&Document::parse(after)?)?;
    let as_told = match command {
        None => entries.is_empty(),
        Some(command) => {
            let events = entries.iter().map(|entry| entry.event.as_str());
            entries.len() == EVENTS.len()
                && EVENTS.iter().all(|event| events.clone().any(|other| other == *event))
                && entries.iter().all(|entry| entry.command == command)
        }
    };
    if as_told && others(before)? == others(after)? {
        return Ok(());
    }
    Err(SettingsError::Shape("Parlor cannot edit it without touching what is not its own".into()))
}

/// What a text means without Parlor's entries and without what is empty around them.
fn others(text: &str) -> Result<serde_json::Value, SettingsError> {
    let document = Document::parse(text)?;
    let mut value: serde_json::Value = document.root().cloned().map_or_else(|| json!({}), Into::into);
    let Some(root) = value.as_object_mut() else { return Ok(value) };
    if let Some(hooks) = root.get_mut(HOOKS).and_then(|hooks| hooks.as_object_mut()) {
        hooks.values_mut().filter_map(|groups| groups.as_array_mut()).for_each(drop_ours);
        hooks.retain(|_, groups| groups.as_array().is_none_or(|groups| !groups.is_empty()));
        if hooks.is_empty() {
            root.shift_remove(HOOKS);
        }
    }
    Ok(value)
}

fn drop_ours(groups: &mut Vec<serde_json::Value>) {
    groups.retain_mut(|group| {
        let Some(hooks) = group.get_mut(HOOKS).and_then(|hooks| hooks.as_array_mut()) else { return true };
        let before = hooks.len();
        hooks.retain(|hook| !hook.get(COMMAND).and_then(|text| text.as_str()).is_some_and(is_parlor_hook));
        !hooks.is_empty() || before == 0
    });
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
