//! A file that is Parlor's from its first byte to its last, known by how it begins. Text in, text out.

use super::{Edited, Settings, SettingsError};

/// The file.
pub(crate) struct Whole {
    /// How every version of it begins.
    pub(crate) beginning: &'static str,
    pub(crate) text: String,
    /// What people call it.
    pub(crate) name: &'static str,
    /// What it does, for people.
    pub(crate) what: String,
}

impl Settings for Whole {
    fn install(&self, text: Option<&str>) -> Result<Edited, SettingsError> {
        let changes = match text {
            Some(text) if text == self.text => Vec::new(),
            Some(text) if !text.starts_with(self.beginning) => {
                return Err(SettingsError::Shape("it is somebody else's file under Parlor's name".into()));
            }
            _ => vec![format!("{}: {}", self.name, self.what)],
        };
        Ok(Edited { text: self.text.clone(), changes })
    }

    fn uninstall(&self, text: &str, _: Option<&str>) -> Result<Edited, SettingsError> {
        match self.is_in(text)? {
            true => Ok(Edited { text: String::new(), changes: vec![format!("remove the {}", self.name)] }),
            false => Ok(Edited { text: text.into(), changes: Vec::new() }),
        }
    }

    fn is_in(&self, text: &str) -> Result<bool, SettingsError> {
        Ok(text.starts_with(self.beginning))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn somebody_elses_file_is_neither_replaced_nor_removed() {
        let text = "// ours\nnew".to_owned();
        let whole = Whole { beginning: "// ours", text, name: "plugin", what: "run x".into() };
        assert_eq!(whole.install(None).unwrap().changes, ["plugin: run x"]);
        assert_eq!(whole.install(Some("// ours\nnew")).unwrap().changes, [""; 0]);
        assert_eq!(whole.install(Some("// ours\nold")).unwrap().text, "// ours\nnew");
        assert!(whole.install(Some("// mine")).is_err());
        assert_eq!(whole.uninstall("// mine", None).unwrap().text, "// mine");
        assert!(whole.comes_from("// ours\nold", None));
    }
}
