//! One member of an object in a JSON settings text, Parlor's by its name: its MCP server among those of an agent program. Text
//! in, text out; what is not Parlor's under that name is told and left.

use jsonc_parser::ast::Object;
use serde_json::{Value, json};

use super::{
    Edited, Keep, SettingsError, name, nothing_there, property_named, root, split_mark, without_empty,
};
use crate::command::shell_text;
use crate::json_server::words;
use crate::jsonc::Document;

/// What stands under the name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    Absent,
    /// Parlor's, of whatever version and path.
    Ours(Value),
    /// Somebody else's.
    Foreign,
}

/// The member, and how to know one of Parlor's.
pub(crate) struct Member {
    /// The object it is in, at the top: `mcpServers`.
    pub(crate) around: &'static str,
    /// Its name there.
    pub(crate) key: &'static str,
    pub(crate) value: Value,
    pub(crate) is_ours: fn(&Value) -> bool,
}

impl Member {
    /// What stands in the text under its name.
    pub(crate) fn look(&self, text: &str) -> Result<Standing, SettingsError> {
        let document = Document::parse(split_mark(text).1)?;
        let Some(around) = self.object(&document)? else { return Ok(Standing::Absent) };
        let Some(property) = property_named(around, self.key, self.around)? else {
            return Ok(Standing::Absent);
        };
        let value: Value = property.value.clone().into();
        Ok(if (self.is_ours)(&value) { Standing::Ours(value) } else { Standing::Foreign })
    }

    /// The text, which has a root, with the member in it; as it is where the name is somebody else's.
    pub(super) fn put(&self, text: &str) -> Result<Edited, SettingsError> {
        let place = format!("{}.{}", self.around, self.key);
        let told = command_of(&self.value);
        let (text, change) = match self.look(text)? {
            Standing::Foreign => return Ok(Edited { text: text.into(), changes: Vec::new() }),
            Standing::Ours(value) if value == self.value => {
                return Ok(Edited { text: text.into(), changes: Vec::new() });
            }
            Standing::Ours(value) => {
                (self.replaced(text)?, format!("{place}: run {told} instead of {}", command_of(&value)))
            }
            Standing::Absent => (self.added(text)?, format!("{place}: run {told}")),
        };
        if self.look(&text)? != Standing::Ours(self.value.clone()) {
            return Err(nothing_there());
        }
        Ok(Edited { text, changes: vec![change] })
    }

    /// The text without it, nor the object around it if that became empty and is not in `keep`.
    pub(super) fn take(&self, text: &str, keep: &Keep) -> Result<Edited, SettingsError> {
        let Standing::Ours(value) = self.look(text)? else {
            return Ok(Edited { text: text.into(), changes: Vec::new() });
        };
        let document = Document::parse(text)?;
        let around = self.object(&document)?.ok_or_else(nothing_there)?;
        let at = around.properties.iter().position(|property| name(property) == self.key);
        let shorter = document.remove(&around.into(), at.ok_or_else(nothing_there)?);
        let text = without_empty(shorter, keep.has(&[self.around]), |document| {
            let Some(root) = root(document)? else { return Ok(None) };
            let at = root.properties.iter().position(|property| {
                name(property) == self.around
                    && property.value.as_object().is_some_and(|around| around.properties.is_empty())
            });
            Ok(at.map(|at| (root.into(), at)))
        })?;
        let change = format!("{}.{}: remove {}", self.around, self.key, command_of(&value));
        Ok(Edited { text, changes: vec![change] })
    }

    fn added(&self, text: &str) -> Result<String, SettingsError> {
        let document = Document::parse(text)?;
        if let Some(around) = self.object(&document)? {
            return Ok(document.append(&around.into(), Some(self.key), &self.value));
        }
        let root = root(&document)?.ok_or_else(nothing_there)?;
        Ok(document.append(&root.into(), Some(self.around), &json!({ self.key: self.value })))
    }

    fn replaced(&self, text: &str) -> Result<String, SettingsError> {
        let document = Document::parse(text)?;
        let around = self.object(&document)?.ok_or_else(nothing_there)?;
        let property = property_named(around, self.key, self.around)?.ok_or_else(nothing_there)?;
        Ok(document.replace(&property.value, &self.value))
    }

    fn object<'d, 'a>(&self, document: &'d Document<'a>) -> Result<Option<&'d Object<'a>>, SettingsError> {
        let Some(root) = root(document)? else { return Ok(None) };
        let Some(property) = property_named(root, self.around, "it")? else { return Ok(None) };
        let wrong = || SettingsError::Shape(format!("{:?} is not an object", self.around));
        property.value.as_object().map(Some).ok_or_else(wrong)
    }
}

/// The command line in a member's value, for people.
fn command_of(value: &Value) -> String {
    shell_text(&words(value))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use crate::settings::{JsonSettings, Settings};

    fn settings(command: &str) -> JsonSettings {
        let value = json!({ "command": command, "args": ["mcp"] });
        let is_ours = |value: &Value| value["args"] == json!(["mcp"]);
        JsonSettings {
            hooks: None,
            member: Some(Member { around: "mcpServers", key: "parlor", value, is_ours }),
        }
    }

    #[test]
    fn wound_39_it_goes_in_and_out_and_every_other_byte_stays() {
        let ours = settings("/opt/parlor");
        for text in [
            "{}",
            "{\"mcpServers\": {}}",
            "{\n  // mine\n  \"mcpServers\": {\n    \"x\": {}\n  },\n}\n",
            "{\"a\":1}",
        ] {
            let after = ours.install(Some(text)).unwrap();
            assert_eq!(after.changes, ["mcpServers.parlor: run /opt/parlor mcp"], "{text}");
            assert!(ours.is_in(&after.text).unwrap() && !ours.is_in(text).unwrap());
            assert_eq!(ours.install(Some(&after.text)).unwrap(), Edited { changes: vec![], ..after.clone() });
            assert_eq!(ours.uninstall(&after.text, Some(text)).unwrap().text, text);
            assert!(ours.comes_from(&after.text, Some(text)));
            let newer = settings("/new/parlor").install(Some(&after.text)).unwrap();
            assert_eq!(newer.changes, ["mcpServers.parlor: run /new/parlor mcp instead of /opt/parlor mcp"]);
            assert_eq!(ours.uninstall(&newer.text, Some(text)).unwrap().text, text);
        }
        assert_eq!(ours.install(None).unwrap().text.matches("mcpServers").count(), 1);
    }

    #[test]
    fn somebody_elses_of_the_name_is_left_and_another_shape_refused() {
        let ours = settings("/opt/parlor");
        let foreign = "{\"mcpServers\": {\"parlor\": {\"url\": \"http://x\"}}}";
        assert_eq!(ours.install(Some(foreign)).unwrap(), Edited { text: foreign.into(), changes: vec![] });
        assert_eq!(ours.uninstall(foreign, None).unwrap().text, foreign);
        for odd in ["{\"mcpServers\": []}", "{\"mcpServers\": {}, \"mcpServers\": {}}", "[]", "{"] {
            assert!(ours.install(Some(odd)).is_err(), "{odd}");
        }
    }
}
