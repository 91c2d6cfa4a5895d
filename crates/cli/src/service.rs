//! The node as a service of the user's own service manager: what its file is called, where it lies, what stands in it.
//! Pure but for reading; `commands::service` writes and asks the manager.

pub mod launchd;
pub mod systemd;

use std::path::{Path, PathBuf};

use parlor_api::paths::Home;

use crate::errors::{Failure, Outcome};

/// By this a file is known as one of ours; whoever takes it out makes the file their own.
const MARK: &str = "Written by `parlor service install`";
/// As much of a directory's name as tells homes apart for people; the hash behind it does so for sure.
const MAX_SLUG_CHARS: usize = 32;
const HASH_CHARS: usize = 8;

/// Who keeps services running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    Systemd,
    Launchd,
}

impl Manager {
    /// That of this system.
    pub fn here() -> Self {
        if cfg!(target_os = "macos") { Self::Launchd } else { Self::Systemd }
    }
}

/// The service of one home.
#[derive(Debug)]
pub struct Service {
    pub manager: Manager,
    /// As its manager calls it.
    pub name: String,
    pub file: PathBuf,
    /// Nothing is known about a user without one.
    user_home: PathBuf,
    home: PathBuf,
}

/// What lies where its file would be.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    Nothing,
    /// As it was written.
    Ours {
        text: String,
    },
    Theirs,
}

impl Service {
    /// That of a home, whether there is one or not.
    pub fn of(home: &Home) -> Outcome<Self> {
        let variable = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let user_home = variable("HOME")
            .ok_or_else(|| Failure::machine("HOME is not set", "set it: services are kept below it"))?;
        let config = variable("XDG_CONFIG_HOME").filter(|dir| dir.is_absolute());
        Ok(Self::made(Manager::here(), home.dir(), user_home, config))
    }

    fn made(manager: Manager, home: &Path, user_home: PathBuf, config: Option<PathBuf>) -> Self {
        let slug = if is_default(home, &user_home) { String::new() } else { slug(home) };
        let (name, file) = match manager {
            Manager::Systemd => {
                let name = format!("parlor{slug}.service");
                let dir = config.unwrap_or_else(|| user_home.join(".config")).join("systemd/user");
                (name.clone(), dir.join(name))
            }
            Manager::Launchd => {
                let name = format!("org.parlor-room.parlor{slug}");
                let file = user_home.join("Library/LaunchAgents").join(format!("{name}.plist"));
                (name, file)
            }
        };
        Self { manager, name, file, user_home, home: home.into() }
    }

    /// Whether its home is the one that is meant when none is named.
    pub fn is_of_default_home(&self) -> bool {
        is_default(&self.home, &self.user_home)
    }

    /// The text of its file.
    pub fn text(&self, parlor: &Path) -> Outcome<String> {
        let (parlor, home) = (utf8(parlor)?, utf8(&self.home)?);
        Ok(match self.manager {
            Manager::Systemd => systemd::unit(MARK, parlor, home),
            Manager::Launchd => launchd::plist(MARK, &self.name, parlor, home),
        })
    }

    /// What is there now.
    pub fn found(&self) -> Outcome<Found> {
        match std::fs::read_to_string(&self.file) {
            Ok(text) if text.contains(MARK) => Ok(Found::Ours { text }),
            Ok(_) => Ok(Found::Theirs),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Found::Nothing),
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => Ok(Found::Theirs),
            Err(error) => Err(Failure::machine(
                format!("{} cannot be read: {error}", self.file.display()),
                "it must be a file of yours",
            )),
        }
    }

    /// The directories that installing has to make, innermost first.
    pub fn missing_dirs(&self) -> Vec<PathBuf> {
        let above = self.file.ancestors().skip(1).take_while(|dir| **dir != *self.user_home);
        above.take_while(|dir| !dir.exists()).map(Path::to_owned).collect()
    }
}

fn is_default(home: &Path, user_home: &Path) -> bool {
    home == user_home.join(".parlor")
}

fn utf8(path: &Path) -> Outcome<&str> {
    let text = path.to_str().filter(|text| !text.chars().any(char::is_control));
    text.ok_or_else(|| {
        let message = format!("{} cannot stand in a service's file", path.display());
        Failure::bad_input(message, "use a path that is UTF-8, without control characters")
    })
}

fn slug(home: &Path) -> String {
    let name = home.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let kept = name.trim_start_matches('.').chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
    let kept: String = kept.take(MAX_SLUG_CHARS).collect();
    let hash = blake3::hash(home.as_os_str().as_encoded_bytes()).to_hex();
    format!("-{kept}-{}", &hash[..HASH_CHARS])
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn service(manager: Manager, home: &str) -> Service {
        Service::made(manager, Path::new(home), "/h/alice".into(), None)
    }

    #[test]
    fn each_home_has_a_service_of_its_own_and_the_usual_one_the_plain_name() {
        let name = |home: &str| service(Manager::Systemd, home).name;
        assert_eq!(name("/h/alice/.parlor"), "parlor.service");
        let work = name("/srv/My Work");
        assert!(work.starts_with("parlor-my_work-") && work.ends_with(".service"), "{work}");
        assert_ne!(work, name("/srv/my work"));
        assert_ne!(name("/a/p"), name("/b/p"));
        assert!(name(&format!("/{}", "x".repeat(300))).len() < 64);
        let plist = service(Manager::Launchd, "/h/alice/.parlor").file;
        assert_eq!(plist, Path::new("/h/alice/Library/LaunchAgents/org.parlor-room.parlor.plist"));
    }

    #[test]
    fn a_unit_lies_where_systemd_looks() {
        let unit = service(Manager::Systemd, "/h/alice/.parlor").file;
        assert_eq!(unit, Path::new("/h/alice/.config/systemd/user/parlor.service"));
        let elsewhere = Some("/c".into());
        let unit = Service::made(Manager::Systemd, Path::new("/x"), "/h/alice".into(), elsewhere).file;
        assert!(unit.starts_with("/c/systemd/user"), "{}", unit.display());
    }

    #[test]
    fn a_path_that_no_file_can_hold_is_refused() {
        for path in ["/a\nExecStart=/bin/false", "/a\u{7}"] {
            let refused = service(Manager::Systemd, path).text(Path::new("/bin/parlor")).unwrap_err();
            assert_eq!(refused.exit_code(), 5);
        }
    }

    #[test]
    fn only_what_bears_the_mark_is_ours() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join(".parlor");
        let service = Service::made(Manager::Systemd, &home, dir.path().into(), None);
        assert_eq!(service.found().unwrap(), Found::Nothing);
        let missing = service.missing_dirs();
        assert_eq!(missing.len(), 3);
        assert_eq!(missing[2], dir.path().join(".config"));
        std::fs::create_dir_all(&missing[0]).unwrap();
        std::fs::write(&service.file, "[Service]\n").unwrap();
        assert_eq!(service.found().unwrap(), Found::Theirs);
        std::fs::write(&service.file, b"\xff").unwrap();
        assert_eq!(service.found().unwrap(), Found::Theirs);
        let text = service.text(Path::new("/bin/parlor")).unwrap();
        std::fs::write(&service.file, &text).unwrap();
        assert_eq!(service.found().unwrap(), Found::Ours { text });
        assert_eq!(service.missing_dirs(), [""; 0].map(PathBuf::from));
    }
}
