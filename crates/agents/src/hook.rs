//! What a hook call says, the same for every agent program. Must not know how any of them words it.

use std::path::PathBuf;

/// The most a hook's stdin may hold. A prompt beyond this goes on without an injection.
pub const HOOK_INPUT_LIMIT_BYTES: usize = 1 << 20;

/// How a session began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartSource {
    /// A new session.
    Startup,
    /// An earlier session, gone on with.
    Resume,
    /// The conversation was cleared: a session that begins anew.
    Clear,
    /// The conversation was summarised and goes on.
    Compact,
    /// A word this Parlor does not know.
    Other(String),
}

/// Why a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndReason {
    /// The conversation was cleared; another session begins at once in the same process.
    Clear,
    /// Another session was resumed in the same process.
    Resume,
    /// Its human left.
    Exit,
    /// A word this Parlor does not know, or none.
    Other(String),
}

/// What the agent program was doing when it ran the hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookEvent {
    /// A session begins or goes on.
    SessionStart {
        /// How.
        source: StartSource,
    },
    /// A human prompted. Their words are between them and their agent, and are not kept.
    Prompt,
    /// A session ends.
    SessionEnd {
        /// Why.
        reason: EndReason,
    },
    /// A tool has run.
    PostTool,
    /// The agent is about to stop.
    Stop,
    /// The hook waits beside an idle session until there is something to wake it for.
    Idle,
    /// Anything else, by the agent program's own name for it.
    Other(String),
}

/// One call of a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookCall {
    /// The agent program, by [`crate::AgentProgram::name`].
    pub program: &'static str,
    /// What it was doing.
    pub event: HookEvent,
    /// The agent program's own name for the event, to be handed to [`crate::AgentProgram::format_injection`].
    pub event_name: String,
    /// The agent program's id of the session; stays the same when the session is resumed.
    pub session_id: String,
    /// The directory the agent is in at this moment.
    pub cwd: PathBuf,
    /// The directory the session was started for, when the agent program says so.
    pub project_dir: Option<PathBuf>,
    /// The agent program's process, when it says so.
    pub pid: Option<u32>,
    /// Whether the turn that is about to stop goes on only because a hook wanted it to.
    pub stop_active: bool,
    /// Where the agent program keeps what was said in the session, when it says so.
    pub transcript: Option<PathBuf>,
}

impl HookCall {
    /// The directory that decides which rooms the session hears.
    pub fn directory(&self) -> &std::path::Path {
        self.project_dir.as_deref().unwrap_or(&self.cwd)
    }

    /// Whether an earlier session goes on with this call.
    pub fn resumed(&self) -> bool {
        matches!(self.event, HookEvent::SessionStart { source: StartSource::Resume | StartSource::Compact })
    }

    /// Whether this session takes the place of one that was cleared in the same process.
    pub fn cleared(&self) -> bool {
        matches!(self.event, HookEvent::SessionStart { source: StartSource::Clear })
    }

    /// Whether text given at this call can reach the model.
    pub fn may_inject(&self) -> bool {
        matches!(self.event, HookEvent::SessionStart { .. } | HookEvent::Prompt | HookEvent::PostTool)
    }
}

/// Why a hook call could not be read. The hook prints nothing and exits 0; the messages wait.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum HookError {
    /// More than [`HOOK_INPUT_LIMIT_BYTES`].
    #[error(
        "the agent program gave its hook {size_bytes} bytes, more than the {HOOK_INPUT_LIMIT_BYTES} Parlor reads; messages wait for the next prompt"
    )]
    TooLarge {
        /// How much it was.
        size_bytes: usize,
    },
    /// Not the JSON object a hook is given.
    #[error(
        "what came on stdin is no hook call ({detail}); `parlor hook` is run by an agent program, not by hand"
    )]
    NotAHookCall {
        /// What the parser said.
        detail: String,
    },
    /// A field is there and cannot be used.
    #[error(
        "the agent program's hook call has an unusable {field}; this version of it may need a newer Parlor"
    )]
    BadField {
        /// Which.
        field: &'static str,
    },
}

/// What an injection's size is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitUnit {
    /// UTF-16 code units, what JavaScript calls the length of a string; never fewer than the characters.
    Utf16Units,
    /// Bytes of UTF-8.
    Bytes,
}

/// How much text one injection may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InjectionLimit {
    /// How many units.
    pub size: usize,
    /// Of what.
    pub unit: LimitUnit,
}

impl InjectionLimit {
    /// How many of the limit's units `text` takes.
    pub fn measure(self, text: &str) -> usize {
        match self.unit {
            LimitUnit::Utf16Units => text.encode_utf16().count(),
            LimitUnit::Bytes => text.len(),
        }
    }

    /// Whether `text` arrives whole.
    pub fn fits(self, text: &str) -> bool {
        self.measure(text) <= self.size
    }
}
