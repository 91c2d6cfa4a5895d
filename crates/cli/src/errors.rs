//! Every error a command can end with, as one message, one hint and one exit code. Must be the only place that
//! decides these.

use clap::error::{ContextKind, ContextValue};
use parlor_api::paths::HomeError;
use parlor_api::{ApiError, ClientError, ErrorKind};

/// Why a command ends before its work is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// To be told.
    Error(ApiError),
    /// All has been said; only the exit code is left.
    Said(u8),
}

/// What every command returns.
pub type Outcome<T = ()> = Result<T, Failure>;

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self::Error(error)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::Error(error.into())
    }
}

impl From<HomeError> for Failure {
    fn from(error: HomeError) -> Self {
        Self::Error(ApiError::new(ErrorKind::Machine, error.to_string()))
    }
}

impl Failure {
    /// A failure of a kind, with what to do about it.
    pub fn new(kind: ErrorKind, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Error(ApiError::new(kind, message).hint(hint))
    }

    /// The command line makes no sense.
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, message, hint)
    }

    /// What was given is bad.
    pub fn bad_input(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(ErrorKind::BadInput, message, hint)
    }

    /// This machine does not play along.
    pub fn machine(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(ErrorKind::Machine, message, hint)
    }

    /// Parlor contradicts itself.
    pub fn unexpected_reply() -> Self {
        Self::new(
            ErrorKind::Internal,
            "the node answered something else than was asked, which is Parlor's fault",
            "node and command may be of different versions: run `parlor node stop`, then try again",
        )
    }

    /// What the process ends with.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Error(error) => error.kind.exit_code(),
            Self::Said(code) => *code,
        }
    }
}

/// The text of an error for people: what happened, what would have fitted, what to do.
pub fn for_people(error: &ApiError) -> String {
    let mut lines = vec![format!("parlor: {}", error.message)];
    if error.candidates.iter().any(|candidate| !error.message.contains(candidate.as_str())) {
        let ask = if error.kind == ErrorKind::Ambiguous { "it could be" } else { "did you mean" };
        lines.push(format!("  {ask}: {}", error.candidates.join(", ")));
    }
    lines.extend(error.hint.as_ref().map(|hint| format!("  {hint}")));
    lines.join("\n")
}

/// The text of an error for programs: one object.
pub fn for_programs(error: &ApiError) -> String {
    // A struct of strings always becomes JSON.
    serde_json::to_string(error).unwrap_or_else(|_| r#"{"kind":"internal","message":"no message"}"#.into())
}

/// An error of clap's as one of ours; help and version are none.
pub fn of_usage(error: &clap::Error) -> Option<ApiError> {
    if !error.use_stderr() {
        return None;
    }
    let text = error.to_string();
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut message = lines.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    // What would have fitted stands between the message and the usage.
    let fitting =
        lines.take_while(|line| !["Usage:", "For more information"].iter().any(|end| line.starts_with(end)));
    let fitting = fitting.map(|line| line.trim_start_matches("tip: ").trim_matches(['[', ']']));
    let mut fitting = fitting.collect::<Vec<_>>().join("; ");
    if message.ends_with(':') {
        message = format!("{message} {}", std::mem::take(&mut fitting));
    }
    let see = "see `parlor --help`";
    let hint = if fitting.is_empty() { see.to_owned() } else { format!("{fitting}; {see}") };
    Some(ApiError::new(ErrorKind::Usage, message).hint(hint))
}

/// A mistyped command with the one that was meant, where it is one slip away. To clap, letters that have changed places make
/// another word: of `lgo` it suggests nothing, of `sned` three.
pub fn with_near_command(mut error: clap::Error, commands: &clap::Command) -> clap::Error {
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidSubcommand) else { return error };
    let is_shown = |command: &&clap::Command| !command.is_hide_set();
    let names = commands.get_subcommands().filter(is_shown).map(clap::Command::get_name);
    let near = names.map(|name| (strsim::damerau_levenshtein(typed, name), name)).min();
    let fits = near.filter(|(distance, _)| *distance == 1).map(|(_, name)| name.to_owned());
    if let Some(name) = fits {
        error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(vec![name]));
    }
    error
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn people_are_told_what_happened_and_what_to_do() {
        let error = ApiError::new(ErrorKind::NotFound, "no room is called paymnts")
            .candidates(vec!["payments".into(), "parents".into()])
            .hint("`parlor room list` shows all");
        assert_eq!(
            for_people(&error),
            "parlor: no room is called paymnts\n  did you mean: payments, parents\n  `parlor room list` shows all"
        );
    }

    #[test]
    fn programs_are_given_one_object() {
        let error = ApiError::new(ErrorKind::BadInput, "too\nlong").hint("shorten");
        let text = for_programs(&error);
        assert_eq!(text.lines().count(), 1);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["kind"], "bad_input");
        assert_eq!(value["hint"], "shorten");
    }

    #[test]
    fn every_kind_of_failure_has_its_exit_code() {
        assert_eq!(Failure::bad_input("", "").exit_code(), 5);
        assert_eq!(Failure::machine("", "").exit_code(), 7);
        assert_eq!(Failure::from(HomeError::Unknown).exit_code(), 7);
        assert_eq!(Failure::from(ClientError::NotRunning("/x".into())).exit_code(), 7);
        assert_eq!(Failure::from(ClientError::Cancelled).exit_code(), 130);
        assert_eq!(Failure::unexpected_reply().exit_code(), 1);
        assert_eq!(Failure::Said(7).exit_code(), 7);
    }

    fn hint_of(args: &[&str]) -> (String, String) {
        use clap::{CommandFactory, Parser};
        let cli = crate::args::Cli::try_parse_from(std::iter::once(&"parlor").chain(args));
        let error = with_near_command(cli.unwrap_err(), &crate::args::Cli::command());
        let error = of_usage(&error).unwrap();
        (error.message, error.hint.unwrap())
    }

    #[test]
    fn what_would_have_fitted_is_one_clean_line() {
        let (_, hint) = hint_of(&["send", "x", "--priority", "urgent"]);
        assert_eq!(hint, "possible values: low, normal, now; see `parlor --help`");
        let (message, hint) = hint_of(&["room", "bind"]);
        assert_eq!(message, "the following required arguments were not provided: <ROOM>");
        assert_eq!(hint, "see `parlor --help`");
    }

    #[test]
    fn what_is_no_number_is_told_so() {
        for args in [
            ["log", "-n", "abc"],
            ["node", "log", "-nx"],
            ["invite", "--uses", "x"],
            ["invite", "--uses", "0"],
        ] {
            let (message, _) = hint_of(&args);
            assert!(message.ends_with("or more: 20"), "{message}");
        }
    }

    #[test]
    fn letters_that_changed_places_find_their_command() {
        for (typed, meant) in [("lgo", "log"), ("sned", "send"), ("wh", "who")] {
            let (message, hint) = hint_of(&[typed]);
            assert_eq!(message, format!("unrecognized subcommand '{typed}'"));
            assert!(hint.contains(&format!("a similar subcommand exists: '{meant}'")), "{hint}");
        }
        assert_eq!(hint_of(&["xyzzy"]).1, "see `parlor --help`");
    }
}
