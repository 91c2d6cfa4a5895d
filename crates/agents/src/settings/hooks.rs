//! Parlor's hook entries in the JSON settings text of an agent program: putting them in, finding them, taking them out. Text in,
//! text out; must not touch the disk, nor any byte that is not Parlor's.

use jsonc_parser::ast::{Array, Object, ObjectProp, Value};
use serde_json::json;

use super::{
    Edited, Keep, SettingsError, name, nothing_there, property_named, root, split_mark, without_empty,
};
use crate::command::{is_parlor_hook, waits};
use crate::jsonc::Document;

const HOOKS: &str = "hooks";
const COMMAND: &str = "command";
/// More of our entries than any install left; beyond it something else is going on.
const ENTRIES_LIMIT: usize = 256;

/// A hook that Parlor wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) event: &'static str,
    pub(crate) command: String,
    /// What stands beside `type` and `command`.
    pub(crate) fields: Vec<(&'static str, serde_json::Value)>,
}

impl Wanted {
    fn value(&self) -> serde_json::Value {
        let mut value = json!({ "type": "command", COMMAND: self.command });
        self.fields.iter().for_each(|(field, wanted)| value[*field] = wanted.clone());
        value
    }

    /// What an entry of this event and kind is to hold and does not.
    fn differs<'w>(&'w self, entry: &Entry) -> Option<(&'w str, serde_json::Value)> {
        if entry.command != self.command {
            return Some((COMMAND, json!(self.command)));
        }
        let differs =
            |(field, wanted): &&(&'static str, serde_json::Value)| entry.value.get(*field) != Some(wanted);
        self.fields.iter().find(differs).map(|(field, wanted)| (*field, wanted.clone()))
    }

    fn is_of(&self, entry: &Entry) -> bool {
        entry.event == self.event && waits(&entry.command) == waits(&self.command)
    }
}

/// A hook entry of Parlor's, of whatever version and path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) event: String,
    pub(crate) command: String,
    value: serde_json::Value,
    group: usize,
    hook: usize,
    /// Whether it is the only hook of its group.
    alone: bool,
}

/// The hooks Parlor is wired into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hooks {
    pub(crate) wanted: Vec<Wanted>,
}

impl Hooks {
    /// Parlor's entries in a text.
    pub(crate) fn entries(&self, text: &str) -> Result<Vec<Entry>, SettingsError> {
        self.find(&Document::parse(split_mark(text).1)?)
    }

    /// The events, each once.
    pub(crate) fn events(&self) -> Vec<&'static str> {
        let mut events = Vec::new();
        for wanted in &self.wanted {
            if !events.contains(&wanted.event) {
                events.push(wanted.event);
            }
        }
        events
    }

    /// What is wanted and not in these entries, by the names of the events.
    pub(crate) fn missing(&self, entries: &[Entry]) -> Vec<&'static str> {
        let lacks = |wanted: &&Wanted| !entries.iter().any(|entry| wanted.is_of(entry));
        let mut missing: Vec<_> = self.wanted.iter().filter(lacks).map(|wanted| wanted.event).collect();
        missing.dedup();
        missing
    }

    /// The text, which has a root, with each hook in it, once and as wanted.
    pub(super) fn put(&self, text: &str) -> Result<Edited, SettingsError> {
        let mut now = Edited { text: text.into(), changes: Vec::new() };
        while let Some(entry) = self.first_stale(&now.text)? {
            now.text = self.without_entry(&now.text, &entry, &Keep::default())?;
            now.changes.push(format!("hooks.{}: remove an older Parlor hook", entry.event));
        }
        for wanted in &self.wanted {
            self.put_one(&mut now, wanted)?;
        }
        self.check(text, &now.text, true)?;
        Ok(now)
    }

    /// The text without any entry of Parlor's, nor what became empty by that and is not in `keep`.
    pub(super) fn take(&self, text: &str, keep: &Keep) -> Result<Edited, SettingsError> {
        let mut now = Edited { text: text.into(), changes: Vec::new() };
        while let Some(entry) = self.find(&Document::parse(&now.text)?)?.into_iter().next() {
            now.text = self.without_entry(&now.text, &entry, keep)?;
            now.changes.push(format!("hooks.{}: remove {}", entry.event, entry.command));
        }
        self.check(text, &now.text, false)?;
        Ok(now)
    }

    fn put_one(&self, now: &mut Edited, wanted: &Wanted) -> Result<(), SettingsError> {
        let (event, command) = (wanted.event, &wanted.command);
        loop {
            let found = self.find(&Document::parse(&now.text)?)?;
            let Some(entry) = found.into_iter().find(|entry| wanted.is_of(entry)) else {
                now.text = with_entry(&now.text, wanted)?;
                now.changes.push(format!("hooks.{event}: run {command}"));
                return Ok(());
            };
            let Some((field, value)) = wanted.differs(&entry) else { return Ok(()) };
            now.text = with_field(&now.text, &entry, field, &value)?;
            now.changes.push(match field {
                COMMAND => format!("hooks.{event}: run {command} instead of {}", entry.command),
                field => format!("hooks.{event}: {field} {value}"),
            });
        }
    }

    /// An entry that is not to be there: of an event Parlor does not use, or the second one of an event.
    fn first_stale(&self, text: &str) -> Result<Option<Entry>, SettingsError> {
        let found = self.find(&Document::parse(text)?)?;
        let stale = found.iter().enumerate().find(|(at, entry)| {
            let same =
                |other: &Entry| other.event == entry.event && waits(&other.command) == waits(&entry.command);
            !self.wanted.iter().any(|wanted| wanted.is_of(entry)) || found[..*at].iter().any(same)
        });
        Ok(stale.map(|(_, entry)| entry.clone()))
    }

    fn without_entry(&self, text: &str, entry: &Entry, keep: &Keep) -> Result<String, SettingsError> {
        let document = Document::parse(text)?;
        let groups = groups_of(&document, entry)?;
        let shorter = if entry.alone {
            document.remove(&groups.into(), entry.group)
        } else {
            let group =
                groups.elements.get(entry.group).and_then(Value::as_object).ok_or_else(nothing_there)?;
            document.remove(&hooks_of(group)?.ok_or_else(nothing_there)?.into(), entry.hook)
        };
        let shorter = without_empty(shorter, keep.has(&[HOOKS, &entry.event]), |document| {
            let Some(hooks) = hooks(document)? else { return Ok(None) };
            let at = hooks.properties.iter().position(|property| {
                name(property) == entry.event
                    && property.value.as_array().is_some_and(|groups| groups.elements.is_empty())
            });
            Ok(at.map(|at| (hooks.into(), at)))
        })?;
        without_empty(shorter, keep.has(&[HOOKS]), |document| {
            let Some(root) = root(document)? else { return Ok(None) };
            let at = root.properties.iter().position(|property| {
                name(property) == HOOKS
                    && property.value.as_object().is_some_and(|hooks| hooks.properties.is_empty())
            });
            Ok(at.map(|at| (root.into(), at)))
        })
    }

    fn find(&self, document: &Document<'_>) -> Result<Vec<Entry>, SettingsError> {
        let mut found = Vec::new();
        for property in hooks(document)?.into_iter().flat_map(|hooks| &hooks.properties) {
            let event = name(property);
            let Some(groups) = property.value.as_array() else {
                if self.wanted.iter().any(|wanted| wanted.event == event) {
                    groups(property)?;
                }
                continue;
            };
            for (at, group) in groups.elements.iter().enumerate() {
                let Some(group) = group.as_object() else { continue };
                let Some(hooks) = hooks_of(group)? else { continue };
                for (hook_at, hook) in hooks.elements.iter().enumerate() {
                    let Some((command, value)) = parlor_command(hook) else { continue };
                    let (event, alone) = (event.to_owned(), hooks.elements.len() == 1);
                    found.push(Entry { event, command, value, group: at, hook: hook_at, alone });
                }
            }
        }
        if found.len() > ENTRIES_LIMIT {
            return Err(SettingsError::Shape(format!("it holds {} Parlor hooks", found.len())));
        }
        Ok(found)
    }

    /// The last look before anything is written: what is not Parlor's means the same as before, and what is Parlor's is as told.
    fn check(&self, before: &str, after: &str, installed: bool) -> Result<(), SettingsError> {
        let entries = self.find(&Document::parse(after)?)?;
        let wanted = if installed { self.wanted.as_slice() } else { &[] };
        let is_there = |wanted: &Wanted| {
            entries.iter().any(|entry| wanted.is_of(entry) && wanted.differs(entry).is_none())
        };
        let as_told = entries.len() == wanted.len() && wanted.iter().all(is_there);
        if as_told && others(before)? == others(after)? {
            return Ok(());
        }
        Err(SettingsError::Shape("Parlor cannot edit it without touching what is not its own".into()))
    }
}

fn with_entry(text: &str, wanted: &Wanted) -> Result<String, SettingsError> {
    let document = Document::parse(text)?;
    let (event, group) = (wanted.event, json!({ HOOKS: [wanted.value()] }));
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

/// The command of a hook that runs Parlor, and all it holds.
fn parlor_command(hook: &Value<'_>) -> Option<(String, serde_json::Value)> {
    let object = hook.as_object()?;
    let command = object.properties.iter().rfind(|property| name(property) == COMMAND)?;
    let command = command.value.as_string_lit()?.value.to_string();
    is_parlor_hook(&command).then(|| (command, hook.clone().into()))
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
