//! One table in a TOML settings text, Parlor's by its name: its MCP server among Codex's. Text in, text out; every other byte
//! stays, and what is not Parlor's under that name is told and left.

use toml_edit::{Array, DocumentMut, Item, Table, TableLike, value};

use super::{Edited, Settings, SettingsError};
use crate::command::{is_parlor_mcp, shell_text};
use crate::jsonc::SyntaxError;

/// What stands under the name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    Absent,
    /// Parlor's, with this command line.
    Ours(Vec<String>),
    /// Somebody else's.
    Foreign,
}

/// The table of an MCP server.
pub(crate) struct ServerTable {
    /// The table it is in: `mcp_servers`.
    pub(crate) around: &'static str,
    /// Its name there.
    pub(crate) key: &'static str,
    /// The server's command line.
    pub(crate) words: Vec<String>,
}

impl ServerTable {
    /// What stands in the text under its name.
    pub(crate) fn look(&self, text: &str) -> Result<Standing, SettingsError> {
        let document = parse(text)?;
        let Some(around) = document.get(self.around) else { return Ok(Standing::Absent) };
        let wrong = || SettingsError::Shape(format!("{:?} is not a table", self.around));
        let Some(server) = around.as_table_like().ok_or_else(wrong)?.get(self.key) else {
            return Ok(Standing::Absent);
        };
        Ok(server.as_table_like().and_then(words).map_or(Standing::Foreign, Standing::Ours))
    }

    fn put(&self, text: &str) -> Result<String, SettingsError> {
        let mut document = parse(text)?;
        let around = document.entry(self.around).or_insert_with(|| {
            let mut table = Table::new();
            table.set_implicit(true);
            Item::Table(table)
        });
        let around = around.as_table_like_mut().ok_or_else(|| SettingsError::Shape(String::new()))?;
        let args: Array = self.words.iter().skip(1).collect();
        let command = self.words.first().map(String::as_str).unwrap_or_default();
        if let Some(server) = around.get_mut(self.key).and_then(Item::as_table_like_mut) {
            server.insert("command", value(command));
            server.insert("args", value(args));
            return Ok(document.to_string());
        }
        let mut server = Table::new();
        server.insert("command", value(command));
        server.insert("args", value(args));
        if !text.is_empty() {
            server.decor_mut().set_prefix("\n");
        }
        // At the end, whatever order its neighbours have.
        server.set_position(None);
        around.insert(self.key, Item::Table(server));
        Ok(document.to_string())
    }
}

impl Settings for ServerTable {
    fn install(&self, text: Option<&str>) -> Result<Edited, SettingsError> {
        let before = text.unwrap_or_default();
        let (place, told) = (format!("{}.{}", self.around, self.key), shell_text(&self.words));
        let change = match self.look(before)? {
            Standing::Ours(words) if words == self.words => None,
            Standing::Foreign => None,
            Standing::Ours(words) => Some(format!("{place}: run {told} instead of {}", shell_text(&words))),
            Standing::Absent => Some(format!("{place}: run {told}")),
        };
        let Some(change) = change else { return Ok(Edited { text: before.into(), changes: Vec::new() }) };
        let text = self.put(before)?;
        if self.look(&text)? != Standing::Ours(self.words.clone())
            || self.others(before)? != self.others(&text)?
        {
            return Err(SettingsError::Shape(
                "Parlor cannot edit it without touching what is not its own".into(),
            ));
        }
        Ok(Edited { text, changes: vec![change] })
    }

    fn uninstall(&self, text: &str, _: Option<&str>) -> Result<Edited, SettingsError> {
        let Standing::Ours(words) = self.look(text)? else {
            return Ok(Edited { text: text.into(), changes: Vec::new() });
        };
        let change = format!("{}.{}: remove {}", self.around, self.key, shell_text(&words));
        Ok(Edited { text: self.without(text)?, changes: vec![change] })
    }

    fn is_in(&self, text: &str) -> Result<bool, SettingsError> {
        Ok(matches!(self.look(text)?, Standing::Ours(_)))
    }
}

impl ServerTable {
    fn without(&self, text: &str) -> Result<String, SettingsError> {
        let mut document = parse(text)?;
        let around = document.get_mut(self.around).and_then(Item::as_table_like_mut);
        let gone_empty = around.is_some_and(|around| {
            around.remove(self.key);
            around.is_empty()
        });
        let implied = document.get(self.around).and_then(Item::as_table).is_some_and(Table::is_implicit);
        if gone_empty && implied {
            document.remove(self.around);
        }
        Ok(document.to_string())
    }

    /// What a text means without the table.
    fn others(&self, text: &str) -> Result<String, SettingsError> {
        let mut document = parse(&self.without(text)?)?;
        document.as_table_mut().sort_values();
        let lines = document.to_string();
        Ok(lines.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n"))
    }
}

/// The command line of a server that is Parlor's.
fn words(server: &dyn TableLike) -> Option<Vec<String>> {
    let command = server.get("command")?.as_str()?;
    let args = server.get("args").and_then(Item::as_array).into_iter().flatten();
    let args: Vec<String> = args.filter_map(|arg| arg.as_str().map(str::to_owned)).collect();
    is_parlor_mcp(command, &args).then(|| std::iter::once(command.to_owned()).chain(args).collect())
}

fn parse(text: &str) -> Result<DocumentMut, SettingsError> {
    text.parse::<DocumentMut>().map_err(|error| {
        let before = text.get(..error.span().map_or(0, |span| span.start)).unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default();
        SettingsError::Syntax(SyntaxError {
            line: before.matches('\n').count() + 1,
            column: line.chars().count() + 1,
            detail: error.message().into(),
        })
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn table(command: &str) -> ServerTable {
        ServerTable { around: "mcp_servers", key: "parlor", words: vec![command.into(), "mcp".into()] }
    }

    const USUAL: &str = "# mine\nmodel = \"gpt-5\" # that one\n\n[mcp_servers.other]\ncommand = \"x\"\n\n[features]\na = true\n";

    #[test]
    fn wound_39_it_goes_in_and_out_and_every_other_byte_stays() {
        let ours = table("/opt/parlor");
        for text in [USUAL, "a = 1\n", "# only\n", "", "a = 1\r\nb = 2\r\n", "[mcp_servers]\n", "[x]\ny = 1"]
        {
            let after = ours.install(Some(text)).unwrap();
            assert_eq!(after.changes, ["mcp_servers.parlor: run /opt/parlor mcp"], "{text}");
            assert!(ours.is_in(&after.text).unwrap() && !ours.is_in(text).unwrap(), "{}", after.text);
            assert_eq!(ours.install(Some(&after.text)).unwrap().changes, [""; 0]);
            let newer = table("/new/parlor").install(Some(&after.text)).unwrap();
            assert_eq!(newer.changes, ["mcp_servers.parlor: run /new/parlor mcp instead of /opt/parlor mcp"]);
            assert!(ours.comes_from(&newer.text, Some(text)), "{text:?} became {:?}", newer.text);
        }
        let after = ours.install(Some(USUAL)).unwrap().text;
        assert_eq!(ours.uninstall(&after, None).unwrap().text, USUAL);
    }

    #[test]
    fn somebody_elses_of_the_name_is_left_and_what_does_not_parse_refused() {
        let ours = table("/opt/parlor");
        let foreign = "[mcp_servers.parlor]\nurl = \"http://x\"\n";
        assert_eq!(ours.install(Some(foreign)).unwrap(), Edited { text: foreign.into(), changes: vec![] });
        assert_eq!(ours.uninstall(foreign, None).unwrap().text, foreign);
        let error = ours.install(Some("a = 1\nb = = 2\n")).unwrap_err();
        assert!(matches!(&error, SettingsError::Syntax(SyntaxError { line: 2, .. })), "{error}");
        assert!(ours.install(Some("mcp_servers = 3\n")).is_err());
    }
}
