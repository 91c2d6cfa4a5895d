//! From what Parlor wants in a settings file to what happens to that file: an install keeps what was there beside it, an
//! uninstall gives it back where it can be told. Reads, and changes nothing.

use std::path::{Path, PathBuf};

use super::{Settings, SettingsError};
use crate::file::{self, Backup, Found};
use crate::plan::{FileStep, PlanError};

/// One settings file, and what Parlor has in it.
pub(crate) struct SettingsFile<'a> {
    pub(crate) path: PathBuf,
    pub(crate) settings: &'a dyn Settings,
    /// The mode of a file that is new: the user's settings may hold credentials, a project's are made to be shared.
    pub(crate) new_mode: u32,
    /// How many directories around it go with it, when it goes and they are empty: those an install may have made.
    pub(crate) own_directories: usize,
}

impl SettingsFile<'_> {
    pub(crate) fn find(&self) -> Result<Found, PlanError> {
        Ok(file::find(&self.path)?)
    }

    /// What installing would do, with what changes, a line each.
    pub(crate) fn plan_install(&self) -> Result<(FileStep, Vec<String>), PlanError> {
        let found = self.find()?;
        let edited = self.settings.install(found.text.as_deref()).map_err(at(&found))?;
        let changed = !edited.changes.is_empty();
        let wanted = if changed { Some(edited.text) } else { found.text.clone() };
        if changed {
            file::check_writable(&found)?;
        }
        let step = FileStep { wanted, backup: true, new_mode: self.new_mode, ..FileStep::nothing(found) };
        Ok((step, edited.changes))
    }

    /// What uninstalling would do: the text from before the install where it can be told, else only what is Parlor's taken out.
    pub(crate) fn plan_uninstall(&self) -> Result<(FileStep, Vec<String>), PlanError> {
        let mut step = FileStep::nothing(self.find()?);
        let at = at(&step.found);
        let Some(text) = &step.found.text else { return Ok((step, Vec::new())) };
        if !self.settings.is_in(text).map_err(&at)? {
            return Ok((step, Vec::new()));
        }
        let backups = file::backups(&step.found.path);
        let earlier = backups.iter().find(|backup| self.is_without(&backup.text));
        let edited = self.settings.uninstall(text, earlier.map(|one| one.text.as_str())).map_err(&at)?;
        let mut changes = edited.changes;
        match self.original(text, &backups, step.found.linked) {
            Some(before) => {
                step.spent_backups = self.spent(&before, &backups);
                step.own_directories = self.own_directories;
                changes.push(match &before {
                    Some(_) => "restore the file as it was before the install, byte for byte".into(),
                    None => "remove the file, which the install made".into(),
                });
                step.wanted = before;
            }
            None => step.wanted = Some(edited.text),
        }
        if !step.is_nothing() {
            file::check_writable(&step.found)?;
        }
        Ok((step, changes))
    }

    /// What the file held before the install, if nothing but what is Parlor's has changed in it since; the inner none: no file.
    fn original(&self, text: &str, backups: &[Backup], linked: bool) -> Option<Option<String>> {
        let mut before = backups.iter().filter(|backup| self.is_without(&backup.text));
        if let Some(backup) = before.find(|backup| self.settings.comes_from(text, Some(&backup.text))) {
            return Some(Some(backup.text.clone()));
        }
        // A link was somebody's doing, so there was a file.
        (!linked && self.settings.comes_from(text, None)).then_some(None)
    }

    fn is_without(&self, text: &str) -> bool {
        self.settings.is_in(text) == Ok(false)
    }

    /// Backups that hold nothing but `before`, or what an install made of it. A backup that holds anything else stays.
    fn spent(&self, before: &Option<String>, backups: &[Backup]) -> Vec<PathBuf> {
        let is_spent = |backup: &&Backup| match self.settings.is_in(&backup.text) {
            Ok(false) => before.as_ref() == Some(&backup.text),
            Ok(true) => self.settings.comes_from(&backup.text, before.as_deref()),
            Err(_) => false,
        };
        backups.iter().filter(is_spent).map(|backup| backup.path.clone()).collect()
    }
}

/// Says in which file.
pub(crate) fn at(found: &Found) -> impl Fn(SettingsError) -> PlanError + use<> {
    in_file(&found.path)
}

pub(crate) fn in_file(path: &Path) -> impl Fn(SettingsError) -> PlanError + use<> {
    let path = path.to_owned();
    move |error| match error {
        SettingsError::Syntax(source) => PlanError::Syntax { path: path.clone(), source },
        SettingsError::Shape(detail) => PlanError::Shape { path: path.clone(), detail },
    }
}
