//! Evidence that a model was shown what a hook wrote: the fence's mark in the end of what the agent program itself keeps of
//! the session. Looked for beside everything else, and bounded; must not conclude anything from an exit code.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use parlor_agents::AgentProgram;
use parlor_core::engine::api::Command;

use crate::driver::Driver;

/// So much of the end is looked at.
const TAIL_BYTES: u64 = 256 * 1024;
/// Texts of one session that evidence is looked for; of more the oldest is given up.
const MAX_MARKS: usize = 8;
/// Sessions of which texts are remembered, and texts that are not written out yet.
const MAX_HELD: usize = 1024;

#[derive(Debug, Default)]
struct Held {
    /// By token: the session and the mark.
    given: BTreeMap<u64, (String, String)>,
    /// By session: the marks of texts that were written out.
    written: BTreeMap<String, VecDeque<String>>,
}

/// Texts whose showing is not known yet.
#[derive(Debug, Clone, Default)]
pub(crate) struct Evidence(Arc<Mutex<Held>>);

impl Evidence {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A text was leased under a token.
    pub(crate) fn gave(&self, token: u64, session: &str, mark: &str) {
        let mut held = self.held();
        if held.given.len() >= MAX_HELD {
            held.given.pop_first();
        }
        if !mark.is_empty() {
            held.given.insert(token, (session.into(), mark.into()));
        }
    }

    /// It was written out.
    pub(crate) fn wrote(&self, token: u64) {
        let mut held = self.held();
        let Some((session, mark)) = held.given.remove(&token) else { return };
        if held.written.len() >= MAX_HELD && !held.written.contains_key(&session) {
            held.written.pop_first();
        }
        let marks = held.written.entry(session).or_default();
        marks.push_back(mark);
        if marks.len() > MAX_MARKS {
            marks.pop_front();
        }
    }

    /// Looks beside everything else whether the session's texts were shown, and says so to the engine.
    pub(crate) fn look(
        &self,
        driver: &Driver,
        program: &'static dyn AgentProgram,
        session: &str,
        path: PathBuf,
    ) {
        let marks = self.held().written.get(session).cloned().unwrap_or_default();
        if marks.is_empty() {
            return;
        }
        let (all, driver, session) = (self.clone(), driver.clone(), session.to_owned());
        tokio::spawn(async move {
            let looked = tokio::task::spawn_blocking(move || {
                let Ok(tail) = tail(&path) else { return Vec::new() };
                marks.into_iter().filter(|mark| program.shows(&tail, mark)).collect()
            });
            for mark in looked.await.unwrap_or_default() {
                if let Some(marks) = all.held().written.get_mut(&session) {
                    marks.retain(|known| *known != mark);
                }
                driver.cast(Command::Shown { session: session.clone(), mark }).await;
            }
        });
    }
}

/// The end of a file. What is no file is not waited for.
fn tail(path: &Path) -> std::io::Result<String> {
    if !std::fs::metadata(path)?.is_file() {
        return Ok(String::new());
    }
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_of_a_file_is_read_and_nothing_of_what_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.jsonl");
        let text = format!("begin{}end", "x".repeat(2 * TAIL_BYTES as usize));
        std::fs::write(&path, text).unwrap();
        let read = tail(&path).unwrap();
        assert_eq!(read.len() as u64, TAIL_BYTES);
        assert!(read.ends_with("end") && !read.contains("begin"));
        assert_eq!(tail(dir.path()).unwrap(), "");
        assert!(tail(&dir.path().join("none")).is_err());
    }

    #[test]
    fn a_text_is_looked_for_once_it_is_written_out_and_the_oldest_is_given_up() {
        let evidence = Evidence::default();
        let marks = |evidence: &Evidence| evidence.held().written.get("s").cloned().unwrap_or_default();
        evidence.gave(1, "s", "m1");
        assert!(marks(&evidence).is_empty(), "nobody has said that it was written");
        evidence.wrote(1);
        evidence.wrote(1);
        assert_eq!(marks(&evidence), ["m1"]);
        for token in 2..20 {
            evidence.gave(token, "s", &format!("m{token}"));
            evidence.wrote(token);
        }
        assert_eq!(marks(&evidence).len(), MAX_MARKS);
        assert_eq!(marks(&evidence).back().unwrap(), "m19");
    }
}
