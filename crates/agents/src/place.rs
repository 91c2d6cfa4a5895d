//! Where settings lie: the home directory and the environment an install works in. Everything is handed in, so that a test
//! never touches the home of the one who runs it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::plan::PlanError;

/// Why the place is not known.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// Without a home directory there are no settings of the user.
    #[error(
        "HOME is not set to an absolute path, so there is no telling where settings lie; set HOME and run it again"
    )]
    NoHome,
}

/// Whose settings are edited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Those of the OS user: every project.
    User,
    /// Those of the project in this directory.
    Project(PathBuf),
}

/// The home directory and the environment.
#[derive(Debug, Clone)]
pub struct Place {
    home: PathBuf,
    env: BTreeMap<OsString, OsString>,
}

impl Place {
    /// A place with this home directory and nothing else of the environment than what is given.
    pub fn new(home: impl Into<PathBuf>, env: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        Self { home: home.into(), env: env.into_iter().collect() }
    }

    /// The place this process runs in.
    pub fn of_this_process() -> Result<Self, PlaceError> {
        let home = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
        Ok(Self::new(home.ok_or(PlaceError::NoHome)?, std::env::vars_os()))
    }

    /// The home directory.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// A variable that is set and not empty.
    pub fn var(&self, name: &str) -> Option<&OsStr> {
        self.env.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// The directory a variable names, if it is set.
    pub(crate) fn absolute_var(&self, name: &str) -> Result<Option<PathBuf>, PlanError> {
        let Some(directory) = self.var(name).map(PathBuf::from) else { return Ok(None) };
        if directory.is_absolute() {
            return Ok(Some(directory));
        }
        let detail = format!("{name} is not an absolute path, so it means another place in every directory");
        Err(PlanError::Shape { path: directory, detail })
    }

    /// The environment a program run here gets: this place's, with HOME as this place's home.
    pub fn env(&self) -> BTreeMap<OsString, OsString> {
        let mut env = self.env.clone();
        env.insert("HOME".into(), self.home.clone().into());
        env
    }

    /// Where `program` is, by this place's PATH.
    pub fn find_program(&self, program: &str) -> Option<PathBuf> {
        which::which_in(program, Some(self.var("PATH")?), &self.home).ok()
    }
}
