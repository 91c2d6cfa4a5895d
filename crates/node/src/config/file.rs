//! `config.toml` changed by one key: comments, order and what is not understood stay as they are. Written aside and
//! renamed, for its owner only, so that it is the old one or the new one whatever happens.

use std::fs::Permissions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use toml_edit::{Decor, Document, DocumentMut, Item, Value};

use super::{Config, ConfigError, KEYS, Key, Otherwise, place};
use crate::home_dir;

/// The file as it was found.
#[derive(Debug)]
pub struct ConfigFile {
    /// As it was named.
    path: PathBuf,
    /// None where there is no file.
    found: Option<String>,
    text: String,
}

/// A key as it is now.
#[derive(Debug, PartialEq, Eq)]
pub struct Setting {
    /// Which.
    pub key: &'static Key,
    /// What the file says.
    pub set: Option<String>,
}

impl Setting {
    /// What holds, where that is a value.
    pub fn value(&self) -> Option<&str> {
        match (&self.set, self.key.otherwise) {
            (Some(set), _) => Some(set),
            (None, Otherwise::Value(value)) => Some(value),
            (None, Otherwise::Words(_)) => None,
        }
    }
}

impl ConfigFile {
    /// Reads it. A file that is not there says nothing; one that is no TOML is refused with its place.
    pub fn open(path: &Path) -> Result<Self, ConfigError> {
        let found = match std::fs::read_to_string(path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(source) => return Err(ConfigError::Read { path: path.into(), source }),
        };
        let file = Self { path: path.into(), text: found.clone().unwrap_or_default(), found };
        file.parsed()?;
        Ok(file)
    }

    /// Whether there is one.
    pub fn exists(&self) -> bool {
        self.found.is_some()
    }

    /// Every key as it is now. A value that makes no sense is refused with its place.
    pub fn settings(&self) -> Result<Vec<Setting>, ConfigError> {
        Config::parse(&self.path, &self.text)?;
        let document = self.parsed()?;
        let said = |key: &'static Key| document.get(key.name).and_then(Item::as_value).map(shown);
        Ok(KEYS.iter().map(|key| Setting { key, set: said(key) }).collect())
    }

    /// Keys in it that mean nothing here.
    pub fn unknown(&self) -> Result<Vec<String>, ConfigError> {
        Ok(Config::parse(&self.path, &self.text)?.unknown)
    }

    /// Sets a key to what was typed. What it was otherwise does not matter, sense or not.
    pub fn set(&mut self, key: &'static Key, typed: &str) -> Result<(), ConfigError> {
        let mut value = key.read(typed)?;
        let mut document = self.parsed()?;
        if document.is_empty() {
            // What a file of comments begins with stays its beginning.
            let mut fresh = DocumentMut::new();
            fresh.insert(key.name, Item::Value(value));
            let gap = if self.text.is_empty() || self.text.ends_with('\n') { "" } else { "\n" };
            self.text += &format!("{gap}{fresh}");
            return Ok(());
        }
        match document.get_mut(key.name) {
            Some(old) => {
                // With the space before it and the comment behind it.
                value.decor_mut().clone_from(old.as_value().map_or(&Decor::default(), Value::decor));
                *old = Item::Value(value);
            }
            None => _ = document.insert(key.name, Item::Value(value)),
        }
        self.text = document.to_string();
        self.parsed().map(drop)
    }

    /// Takes a key out, with the line it stands in and nothing else; whether it was there.
    pub fn unset(&mut self, key: &str) -> Result<bool, ConfigError> {
        let document = Document::parse(self.text.as_str()).map_err(|error| self.bad(&error))?;
        let Some((name, item)) = document.get_key_value(key) else { return Ok(false) };
        let (Some(name), Some(value)) = (name.span(), item.as_value().and_then(Value::span)) else {
            let message = format!("`{key}` is a table here: take it out by hand");
            return Err(ConfigError::Value { key: key.into(), message });
        };
        let start = self.text[..name.start].rfind('\n').map_or(0, |at| at + 1);
        let end = self.text[value.end..].find('\n').map_or(self.text.len(), |at| value.end + at + 1);
        self.text.replace_range(start..end, "");
        Ok(true)
    }

    /// Puts it in its place, where nobody else has changed it since; whether anything was to be changed.
    pub fn save(&self) -> Result<bool, ConfigError> {
        let failed = |source| ConfigError::Write { path: self.path.clone(), source };
        if self.found.as_deref().unwrap_or_default() == self.text {
            return Ok(false);
        }
        // What has this name elsewhere is another program's.
        let home = self.path.parent().unwrap_or(Path::new("/"));
        home_dir::refuse_others(home).map_err(ConfigError::Home)?;
        // A link to a file elsewhere stays one.
        let path = if self.exists() { self.path.canonicalize().map_err(failed)? } else { self.path.clone() };
        let dir = path.parent().unwrap_or(Path::new("/"));
        if !self.exists() {
            home_dir::prepare(dir).map_err(ConfigError::Home)?;
        }
        let private = Permissions::from_mode(0o600);
        let aside = tempfile::Builder::new().prefix(".config-").permissions(private).tempfile_in(dir);
        let mut aside = aside.map_err(failed)?;
        aside.write_all(self.text.as_bytes()).map_err(failed)?;
        aside.as_file().sync_all().map_err(failed)?;
        if Self::open(&self.path)?.found != self.found {
            return Err(ConfigError::ChangedMeanwhile(self.path.clone()));
        }
        aside.persist(&path).map_err(|error| failed(error.error))?;
        Ok(true)
    }

    fn parsed(&self) -> Result<DocumentMut, ConfigError> {
        self.text.parse().map_err(|error| self.bad(&error))
    }

    fn bad(&self, error: &toml_edit::TomlError) -> ConfigError {
        let (line, column) = place(&self.text, error.span().map_or(0, |span| span.start));
        let path = self.path.clone();
        ConfigError::Bad { path, line, column, message: error.message().to_owned() }
    }
}

/// A value as it is typed.
fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.clone().decorated("", "").to_string(), String::from)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    const BY_HAND: &str = "# mine\n\nport  =  4711   # the firewall's\n# who I am\nnick = 'alice'\n\n# for later\nlan = false\n\n[later]\nx = 1 # one\n";

    struct Home(tempfile::TempDir);

    impl Home {
        fn with(text: &str) -> Self {
            let home = Self(tempfile::tempdir().unwrap());
            std::fs::write(home.path(), text).unwrap();
            home
        }

        fn path(&self) -> PathBuf {
            self.0.path().join("config.toml")
        }

        fn open(&self) -> ConfigFile {
            ConfigFile::open(&self.path()).unwrap()
        }

        fn set(&self, name: &str, typed: &str) -> String {
            let mut file = self.open();
            file.set(Key::find(name).unwrap(), typed).unwrap();
            file.save().unwrap();
            std::fs::read_to_string(self.path()).unwrap()
        }

        fn unset(&self, name: &str) -> String {
            let mut file = self.open();
            assert!(file.unset(name).unwrap());
            file.save().unwrap();
            std::fs::read_to_string(self.path()).unwrap()
        }
    }

    #[test]
    fn everything_but_the_value_stays_as_it_was_written() {
        let home = Home::with(BY_HAND);
        assert_eq!(home.set("port", "9"), BY_HAND.replace("4711", "9"));
        assert_eq!(home.set("port", "4711"), BY_HAND);
        let relayed = home.set("relay", "https://a.example,https://b.example");
        let line = "relay = \"https://a.example https://b.example\"\n";
        assert_eq!(relayed, BY_HAND.replace("lan = false\n", &format!("lan = false\n{line}")));
        assert_eq!(home.unset("relay"), BY_HAND);
        assert_eq!(home.unset("nick"), BY_HAND.replace("nick = 'alice'\n", ""), "comments stay");
        assert!(!home.open().unset("nick").unwrap());
    }

    #[test]
    fn a_key_that_nobody_knows_goes_as_others_do() {
        let home = Home::with("lan = true\ncolour = 'red' # mine\n[more]\nx = 1\n");
        assert_eq!(home.unset("colour"), "lan = true\n[more]\nx = 1\n");
        let table = home.open().unset("more").unwrap_err();
        assert!(table.to_string().contains("by hand"), "{table}");
    }

    #[test]
    fn a_file_of_comments_keeps_its_beginning_and_an_absent_one_is_made() {
        assert_eq!(Home::with("# mine").set("lan", "false"), "# mine\nlan = false\n");
        let home = Home(tempfile::tempdir().unwrap());
        assert!(!home.open().exists());
        assert_eq!(home.set("nick", "al \"ice\""), "nick = 'al \"ice\"'\n");
        let settings = home.open().settings().unwrap();
        assert_eq!(settings[0].set.as_deref(), Some("al \"ice\""));
        assert_eq!(settings.iter().filter(|setting| setting.set.is_some()).count(), 1);
        assert_eq!(home.unset("nick"), "");
    }

    #[test]
    fn it_is_its_owners_alone_afterwards_and_a_link_stays_a_link() {
        let home = Home::with("lan = true\n");
        let dotfiles = tempfile::tempdir().unwrap();
        let elsewhere = dotfiles.path().join("dotfiles.toml");
        std::fs::rename(home.path(), &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, home.path()).unwrap();
        home.set("lan", "false");
        assert!(home.path().is_symlink());
        assert_eq!(std::fs::read_to_string(&elsewhere).unwrap(), "lan = false\n");
        assert_eq!(std::fs::metadata(&elsewhere).unwrap().permissions().mode() & 0o777, 0o600);
        for dir in [home.0.path(), dotfiles.path()] {
            assert_eq!(std::fs::read_dir(dir).unwrap().count(), 1, "nothing is left beside it");
        }
    }

    #[test]
    fn a_file_of_that_name_in_no_home_is_another_programs() {
        let project = Home::with("title = \"a page\"\n");
        std::fs::write(project.0.path().join("index.html"), "").unwrap();
        let mut file = project.open();
        file.set(Key::find("lan").unwrap(), "false").unwrap();
        assert!(matches!(file.save(), Err(ConfigError::Home(_))));
        assert_eq!(std::fs::read_to_string(project.path()).unwrap(), "title = \"a page\"\n");
    }

    #[test]
    fn what_is_no_toml_is_refused_with_its_place_and_left_as_it_is() {
        let home = Home::with("lan = true\nport = = 1\n");
        let error = ConfigFile::open(&home.path()).unwrap_err();
        assert!(matches!(error, ConfigError::Bad { line: 2, column: 8, .. }), "{error}");
        assert!(!error.to_string().contains('\n'), "{error}");
    }

    #[test]
    fn a_value_without_sense_is_told_and_can_be_put_right() {
        let home = Home::with("port = \"x\"\n");
        assert!(matches!(home.open().settings(), Err(ConfigError::Bad { line: 1, column: 8, .. })));
        assert_eq!(home.set("port", "7"), "port = 7\n");
        assert_eq!(Home::with("port = \"x\"\n").unset("port"), "");
        let table = Home::with("[relay]\nurl = 1\n");
        assert!(table.open().unset("relay").is_err());
    }

    #[test]
    fn what_somebody_else_wrote_meanwhile_is_not_overwritten() {
        let home = Home::with("lan = true\n");
        let mut file = home.open();
        file.set(Key::find("lan").unwrap(), "false").unwrap();
        std::fs::write(home.path(), "lan = true # theirs\n").unwrap();
        assert!(matches!(file.save(), Err(ConfigError::ChangedMeanwhile(_))));
        assert_eq!(std::fs::read_to_string(home.path()).unwrap(), "lan = true # theirs\n");
    }

    #[test]
    fn defaults_that_are_values_hold_where_nothing_is_said() {
        let settings = Home::with("lan = false\n").open().settings().unwrap();
        let value = |name: &str| settings.iter().find(|s| s.key.name == name).unwrap().value();
        assert_eq!((value("lan"), value("relay"), value("port")), (Some("false"), Some("default"), None));
    }
}
