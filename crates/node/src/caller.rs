//! Who calls: the session a connection belongs to, and whether a human, an agent or a program writes through
//! it. A label for readers, worked out from the process and its environment; never a boundary.

use parlor_api::{ApiError, ErrorKind, Hello};
use parlor_core::engine::api::{Author, HolderId};
use tokio::sync::Semaphore;

use crate::process::{self, ancestry, descends};
use crate::sessions::{Session, Sessions, Sighting};

/// The surface that agents talk through.
pub(crate) const MCP: &str = "mcp";
/// The surface an agent program runs by itself.
pub(crate) const HOOK: &str = "hook";

const ROOM_VARIABLE: &str = "PARLOR_ROOM";
const MCP_SESSION_VARIABLE: &str = "PARLOR_MCP_SESSION";
/// Where agent programs name their session to what they run, and which does.
const SESSION_VARIABLES: [(&str, &str); 4] = [
    ("CLAUDE_CODE_SESSION_ID", "claude"),
    ("CODEX_THREAD_ID", CODEX),
    ("CODEX_SESSION_ID", CODEX),
    ("GEMINI_SESSION_ID", "gemini"),
];
/// What agent programs set for everything they run.
const AGENT_VARIABLES: [&str; 7] = [
    "CLAUDE_CODE_SESSION_ID",
    "CLAUDECODE",
    "CODEX_THREAD_ID",
    "CODEX_SESSION_ID",
    "GEMINI_CLI",
    "OPENCODE",
    "OPENCODE_PID",
];
/// The program that names its session in each call of a tool.
const CODEX: &str = "codex";
const SETTINGS_ARE_PEOPLES: &str = "this changes how the node runs, and an agent may not do it";

/// One connection's other end.
#[derive(Debug)]
pub(crate) struct Caller {
    /// By which the engine knows it, when it holds a take.
    pub holder: HolderId,
    pub hello: Hello,
    /// Its process, as the operating system says.
    pub pid: Option<u32>,
    /// Held while a log is shown to it: a connection that does not read keeps one list in memory, not many.
    pub log_turn: Semaphore,
    /// What an agent's session is called that nobody has named.
    own_id: String,
}

impl Caller {
    pub(crate) fn new(holder: HolderId, hello: Hello, pid: Option<u32>) -> Self {
        let own_id = pid.or(hello.parent_pid).unwrap_or_default().to_string();
        Self { holder, hello, pid, log_turn: Semaphore::new(1), own_id }
    }

    pub(crate) fn is_mcp(&self) -> bool {
        self.hello.surface == MCP
    }

    /// What `PARLOR_ROOM` says where it runs.
    pub(crate) fn room(&self) -> Option<&str> {
        self.variable(ROOM_VARIABLE)
    }

    fn variable(&self, name: &str) -> Option<&str> {
        self.hello.env.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The session it belongs to, as far as sessions are known.
    pub(crate) fn session<'a>(&self, sessions: &'a Sessions) -> Option<&'a Session> {
        let by_process = || {
            if self.is_mcp() {
                return sessions.of_processes(&[self.parent()?]);
            }
            sessions.of_processes(&self.pid.map(ancestry)?)
        };
        let named = || SESSION_VARIABLES.iter().find_map(|(name, _)| sessions.of_id(self.variable(name)?));
        let named_in_call = || sessions.of_id(self.variable(MCP_SESSION_VARIABLE)?).filter(|_| self.is_mcp());
        let own = |session: &&Session| self.may_be(session);
        // What is named in the call itself comes first: one process may run several sessions.
        named_in_call().filter(own).or_else(by_process).or_else(|| named().filter(own))
    }

    /// The process that began it, for an agent program whose hooks do not say which it is.
    pub(crate) fn begun_by(&self) -> Option<u32> {
        self.pid.and_then(process::begun_by)
    }

    /// Whether it may be the session it names. While a process runs that session, only what that process has begun is it,
    /// whatever anybody else's environment says.
    pub(crate) fn may_be(&self, session: &Session) -> bool {
        let runs = session.process.filter(|process| !session.ended && process.lives());
        runs.is_none_or(|process| self.is_begun_by(process.pid))
    }

    /// Whether a process that it states has begun it; not refused where the system does not say.
    pub(crate) fn is_begun_by(&self, stated: u32) -> bool {
        self.pid.and_then(|pid| descends(pid, stated)) != Some(false)
    }

    /// The process it says it was begun by, unless that is not so.
    fn parent(&self) -> Option<u32> {
        self.hello.parent_pid.filter(|parent| self.is_begun_by(*parent))
    }

    /// How an agent's connection is seen as a session of its own, where no hook has named one.
    pub(crate) fn sighting(&self, sessions: &Sessions) -> Option<Sighting<'_>> {
        let (true, Some(dir)) = (self.is_mcp(), self.hello.cwd.as_deref()) else { return None };
        let free = |id: &&str| sessions.of_id(id).is_none_or(|session| self.may_be(session));
        let in_call = || self.variable(MCP_SESSION_VARIABLE).filter(free);
        let in_env =
            |(name, program): &(&str, &'static str)| Some((*program, self.variable(name).filter(free)?));
        let named = in_call().map(|id| (CODEX, id)).or_else(|| SESSION_VARIABLES.iter().find_map(in_env));
        let (program, id) = named.unwrap_or((MCP, &self.own_id));
        Some(Sighting { program, id, dir, pid: self.parent(), room: self.room() })
    }

    /// Who writes through it.
    pub(crate) fn author(&self, sessions: &Sessions) -> Author {
        let in_agent = AGENT_VARIABLES.iter().any(|name| self.variable(name).is_some());
        if self.is_mcp() || in_agent || self.session(sessions).is_some() {
            Author::Agent
        } else if self.hello.terminal {
            Author::Human
        } else {
            Author::Program
        }
    }

    /// Refuses to an agent what changes who may hear or be heard, and under which name.
    pub(crate) fn refuse_agents(&self, sessions: &Sessions, command: &str) -> Result<(), ApiError> {
        if self.author(sessions) != Author::Agent {
            return Ok(());
        }
        let message = "this changes who hears whom or by which name, and an agent may not do it";
        Err(refusal(message, command))
    }

    /// Refuses to an agent something else that a human decides: `what` it does.
    pub(crate) fn refuse_agents_what(
        &self,
        sessions: &Sessions,
        what: &str,
        command: &str,
    ) -> Result<(), ApiError> {
        if self.author(sessions) == Author::Agent {
            return Err(refusal(&format!("this {what}, and an agent may not do it"), command));
        }
        Ok(())
    }

    /// Refuses to an agent what changes how the node runs.
    pub(crate) fn refuse_agents_settings(&self, sessions: &Sessions, command: &str) -> Result<(), ApiError> {
        if self.author(sessions) == Author::Agent {
            return Err(refusal(SETTINGS_ARE_PEOPLES, command));
        }
        Ok(())
    }
}

fn refusal(message: &str, command: &str) -> ApiError {
    ApiError::new(ErrorKind::NotAllowed, message).hint(format!("ask your human to run `{command}`"))
}

/// Refuses to an agent what a command does to the identity itself, without a node that would know its sessions: by
/// this process's environment alone.
pub fn refuse_agents_here(command: &str) -> Result<(), ApiError> {
    refuse_here("this is about the secret key of an identity, and an agent may not do it", command)
}

/// The same for what changes how the node runs, where none runs that could be asked.
pub fn refuse_agents_changing_settings(command: &str) -> Result<(), ApiError> {
    refuse_here(SETTINGS_ARE_PEOPLES, command)
}

fn refuse_here(message: &str, command: &str) -> Result<(), ApiError> {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if AGENT_VARIABLES.iter().any(|name| is_set(name)) {
        return Err(refusal(message, command));
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::path::Path;
    use std::process::{Child, Command};

    use parlor_core::engine::api::Now;

    use super::*;

    const NOW: Now = Now { wall_ms: 1, mono_ms: 1 };

    fn caller(surface: &str, terminal: bool, pid: Option<u32>, env: &[(&str, &str)]) -> Caller {
        let env = env.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let cwd = Some("/srv/api".into());
        let hello = Hello { surface: surface.into(), terminal, env, cwd, ..Hello::default() };
        Caller::new(1, hello, pid)
    }

    fn sleeper() -> Child {
        Command::new("sleep").arg("60").spawn().unwrap()
    }

    fn sessions(pid: u32) -> Sessions {
        let mut sessions = Sessions::default();
        let seen =
            Sighting { program: "claude", id: "s1", dir: Path::new("/srv/api"), pid: Some(pid), room: None };
        sessions.see(&seen, [1; 16], NOW);
        sessions
    }

    /// Somebody else's process with this environment, in no agent's line; and an agent's own.
    #[cfg(target_os = "linux")]
    #[test]
    fn wound_18_a_session_is_not_taken_by_stating_its_id_or_its_process() {
        let mut agent = sleeper();
        let known = sessions(agent.id());
        let this = Some(std::process::id());
        for variable in ["CLAUDE_CODE_SESSION_ID", "PARLOR_MCP_SESSION"] {
            for surface in ["cli", MCP] {
                let mut thief = caller(surface, false, this, &[(variable, "s1")]);
                thief.hello.parent_pid = Some(agent.id());
                assert!(thief.session(&known).is_none(), "{surface} {variable}");
                let seen = thief.sighting(&known).map(|seen| (seen.program, seen.id.to_owned(), seen.pid));
                let own = (MCP, std::process::id().to_string(), None);
                assert_eq!(seen, (surface == MCP).then_some(own), "it is one of its own at most");
            }
        }
        let mut own = caller("cli", false, Some(agent.id()), &[("CLAUDE_CODE_SESSION_ID", "s1")]);
        assert_eq!(own.session(&known).unwrap().id, "s1");
        own.hello.surface = MCP.into();
        assert_eq!(own.session(&known).unwrap().id, "s1", "whatever stands between the two");
        agent.kill().unwrap();
        agent.wait().unwrap();
        // Nobody runs it now: whoever resumes it is known by its id alone until a hook tells more.
        let next = caller("cli", false, this, &[("CLAUDE_CODE_SESSION_ID", "s1")]);
        assert_eq!(next.session(&known).unwrap().id, "s1");
    }

    /// Neither what Codex's tools are called with, nor what Gemini CLI's hooks say, nor a process number of OpenCode's.
    #[cfg(target_os = "linux")]
    #[test]
    fn wound_18_a_session_of_another_agent_program_is_not_taken_by_stating_it() {
        let mut agent = sleeper();
        let this = Some(std::process::id());
        for (program, variable) in [
            ("codex", "CODEX_THREAD_ID"),
            ("codex", "CODEX_SESSION_ID"),
            ("codex", "PARLOR_MCP_SESSION"),
            ("gemini", "GEMINI_SESSION_ID"),
            ("opencode", "OPENCODE_PID"),
        ] {
            let mut known = Sessions::default();
            let pid = Some(agent.id());
            let seen = Sighting { program, id: "s1", dir: Path::new("/srv/api"), pid, room: None };
            known.see(&seen, [1; 16], NOW);
            let stated = if variable == "OPENCODE_PID" { agent.id().to_string() } else { "s1".into() };
            for surface in ["cli", MCP] {
                let mut thief = caller(surface, false, this, &[(variable, &stated)]);
                thief.hello.parent_pid = Some(agent.id());
                assert!(thief.session(&known).is_none(), "{surface} {variable}");
                let seen = thief.sighting(&known).map(|seen| seen.id.to_owned());
                assert!(seen.is_none_or(|id| id != "s1"), "{surface} {variable}");
            }
            let mut own = caller(MCP, false, Some(agent.id()), &[(variable, &stated)]);
            own.hello.parent_pid = Some(agent.id());
            assert_eq!(own.session(&known).unwrap().id, "s1", "{variable}");
        }
        agent.kill().unwrap();
        agent.wait().unwrap();
    }

    /// Two MCP servers of one Codex after `/new`: each call names its session.
    #[test]
    fn a_call_that_names_its_session_is_in_it_and_not_in_the_newest_of_the_process() {
        let mut agent = sleeper();
        let mut known = sessions(agent.id());
        let later =
            Sighting { program: CODEX, id: "s2", dir: Path::new("/"), pid: Some(agent.id()), room: None };
        known.see(&later, [2; 16], Now { wall_ms: 2, mono_ms: 2 });
        let mut first = caller(MCP, false, Some(agent.id()), &[("PARLOR_MCP_SESSION", "s1")]);
        first.hello.parent_pid = Some(agent.id());
        assert_eq!(first.session(&known).unwrap().id, "s1");
        first.hello.env.clear();
        assert_eq!(first.session(&known).unwrap().id, "s2");
        agent.kill().unwrap();
        agent.wait().unwrap();
    }

    /// An agent that another one has begun in its shell: the nearer is meant.
    #[cfg(target_os = "linux")]
    #[test]
    fn what_an_inner_agent_runs_is_the_inner_ones() {
        let mut inner = sleeper();
        let mut known = sessions(inner.id());
        let outer = Sighting {
            program: "codex",
            id: "s2",
            dir: Path::new("/"),
            pid: Some(std::process::id()),
            room: None,
        };
        known.see(&outer, [2; 16], Now { wall_ms: 2, mono_ms: 2 });
        let tool_call = caller("cli", false, Some(inner.id()), &[]);
        assert_eq!(tool_call.session(&known).unwrap().id, "s1");
        inner.kill().unwrap();
        inner.wait().unwrap();
    }

    #[test]
    fn wound_21_the_process_and_its_environment_say_who_writes_and_no_name_does() {
        let mut agent = sleeper();
        let known = sessions(agent.id());
        let author = |caller: &Caller| caller.author(&known);
        assert_eq!(author(&caller("cli", true, None, &[])), Author::Human);
        assert_eq!(author(&caller("cli", false, None, &[])), Author::Program);
        assert_eq!(author(&caller("cli", true, Some(agent.id()), &[])), Author::Agent);
        assert_eq!(author(&caller("cli", true, Some(std::process::id()), &[])), Author::Human);
        assert_eq!(author(&caller("cli", true, None, &[("CLAUDECODE", "1")])), Author::Agent);
        assert_eq!(author(&caller("cli", true, None, &[("CLAUDECODE", "")])), Author::Human);
        for variable in AGENT_VARIABLES {
            assert_eq!(author(&caller("cli", true, None, &[(variable, "1")])), Author::Agent, "{variable}");
        }
        assert_eq!(author(&caller(MCP, true, None, &[])), Author::Agent);
        agent.kill().unwrap();
        agent.wait().unwrap();
        assert_eq!(author(&caller("cli", true, Some(agent.id()), &[])), Author::Human);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_a_session_runs_belongs_to_it() {
        // This process is the agent program, the child is what its shell tool runs.
        let known = sessions(std::process::id());
        let mut tool = sleeper();
        let tool_call = caller("cli", false, Some(tool.id()), &[]);
        assert_eq!(tool_call.session(&known).unwrap().id, "s1");
        tool.kill().unwrap();
        tool.wait().unwrap();
    }

    #[test]
    fn an_mcp_server_is_in_the_session_of_its_parent_before_the_one_it_was_started_with() {
        let mut agent = sleeper();
        let mut known = sessions(agent.id());
        let first = Sighting { program: "claude", id: "s0", dir: Path::new("/"), pid: None, room: None };
        known.see(&first, [2; 16], Now { wall_ms: 2, mono_ms: 2 });
        let mut mcp = caller(MCP, false, None, &[("CLAUDE_CODE_SESSION_ID", "s0")]);
        assert_eq!(mcp.session(&known).unwrap().id, "s0");
        mcp.hello.parent_pid = Some(agent.id());
        assert_eq!(mcp.session(&known).unwrap().id, "s1");
        let named = caller(MCP, false, None, &[("PARLOR_MCP_SESSION", "s0")]);
        assert_eq!(named.session(&known).unwrap().id, "s0");
        let lone = caller(MCP, false, None, &[("PARLOR_MCP_SESSION", "thread-7")]);
        assert!(lone.session(&known).is_none());
        assert_eq!(lone.sighting(&known).map(|seen| (seen.program, seen.id)), Some((CODEX, "thread-7")));
        assert!(caller("cli", false, None, &[]).sighting(&known).is_none());
        agent.kill().unwrap();
        agent.wait().unwrap();
    }

    #[test]
    fn authority_is_refused_to_agents_with_the_way_to_get_it() {
        let known = Sessions::default();
        let refused = caller(MCP, false, None, &[]).refuse_agents(&known, "parlor invite").unwrap_err();
        assert_eq!(refused.kind, ErrorKind::NotAllowed);
        assert_eq!(refused.hint.as_deref(), Some("ask your human to run `parlor invite`"));
        assert!(caller("cli", false, None, &[]).refuse_agents(&known, "parlor invite").is_ok());
        let agent = caller("cli", true, None, &[("CLAUDECODE", "1")]);
        let refused = agent.refuse_agents_settings(&known, "parlor config set lan false").unwrap_err();
        assert_eq!(refused.hint.as_deref(), Some("ask your human to run `parlor config set lan false`"));
        assert!(caller("cli", true, None, &[]).refuse_agents_settings(&known, "").is_ok());
        let refused = agent.refuse_agents_what(&known, "signs a room", "parlor room export").unwrap_err();
        assert_eq!(refused.kind, ErrorKind::NotAllowed);
        assert_eq!(refused.message, "this signs a room, and an agent may not do it");
        assert_eq!(refused.hint.as_deref(), Some("ask your human to run `parlor room export`"));
        assert!(caller("cli", true, None, &[]).refuse_agents_what(&known, "signs a room", "").is_ok());
    }
}
