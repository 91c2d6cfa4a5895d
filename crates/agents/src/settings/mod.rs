//! What Parlor puts into the text of a settings file and takes out again. Text in, text out; must not touch the disk, nor any
//! byte that is not Parlor's, and knows no agent program.

pub(crate) mod files;
pub(crate) mod hooks;
pub(crate) mod member;
pub(crate) mod toml_table;
pub(crate) mod whole;

use jsonc_parser::ast::{Object, ObjectProp, Value};

use self::hooks::Hooks;
use self::member::Member;
use crate::jsonc::{Container, Document, SyntaxError};

const BYTE_ORDER_MARK: char = '\u{feff}';

/// Why a text is not edited.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum SettingsError {
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    #[error("{0}")]
    Shape(String),
}

/// A text after an edit, with what changed, a line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edited {
    pub(crate) text: String,
    pub(crate) changes: Vec<String>,
}

/// All that Parlor has in one file.
pub(crate) trait Settings {
    /// The text with Parlor in it. Without a text: one with nothing else.
    fn install(&self, text: Option<&str>) -> Result<Edited, SettingsError>;

    /// The text without anything of Parlor's, nor what became empty by that and was not there in `earlier`.
    fn uninstall(&self, text: &str, earlier: Option<&str>) -> Result<Edited, SettingsError>;

    /// Whether anything of Parlor's is in it.
    fn is_in(&self, text: &str) -> Result<bool, SettingsError>;

    /// Whether `text` is what an install makes of `original`, but for the wording of Parlor's own.
    fn comes_from(&self, text: &str, original: Option<&str>) -> bool {
        let bare = |text: &str| self.uninstall(text, None).map(|edited| edited.text);
        let again = self.install(original).and_then(|edited| bare(&edited.text));
        matches!((bare(text), again), (Ok(one), Ok(other)) if one == other)
    }
}

/// A text, parted from a byte order mark before it.
pub(crate) fn split_mark(text: &str) -> (&str, &str) {
    let mark = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len_utf8() } else { 0 };
    text.split_at(mark)
}

/// What an uninstall leaves although it is empty, because it was there before the install.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Keep(serde_json::Value);

impl Keep {
    /// Keeps what stands in this text.
    pub(crate) fn standing_in(text: &str) -> Result<Self, SettingsError> {
        let document = Document::parse(split_mark(text).1)?;
        Ok(Self(document.root().cloned().map_or(serde_json::Value::Null, Into::into)))
    }

    pub(crate) fn has(&self, path: &[&str]) -> bool {
        path.iter().try_fold(&self.0, |value, key| value.get(key)).is_some_and(|value| !value.is_null())
    }
}

/// Parlor's parts of a JSON file, comments and trailing commas allowed.
pub(crate) struct JsonSettings {
    pub(crate) hooks: Option<Hooks>,
    pub(crate) member: Option<Member>,
}

impl Settings for JsonSettings {
    fn install(&self, text: Option<&str>) -> Result<Edited, SettingsError> {
        let (mark, body) = split_mark(text.unwrap_or_default());
        let mut now = Edited { text: with_root(body)?, changes: Vec::new() };
        if let Some(hooks) = &self.hooks {
            now = then(now, |text| hooks.put(text))?;
        }
        if let Some(member) = &self.member {
            now = then(now, |text| member.put(text))?;
        }
        if now.changes.is_empty() {
            now.text = body.into();
        }
        now.text.insert_str(0, mark);
        Ok(now)
    }

    fn uninstall(&self, text: &str, earlier: Option<&str>) -> Result<Edited, SettingsError> {
        let (mark, body) = split_mark(text);
        let keep = earlier.and_then(|text| Keep::standing_in(text).ok()).unwrap_or_default();
        let mut now = Edited { text: body.into(), changes: Vec::new() };
        if let Some(member) = &self.member {
            now = then(now, |text| member.take(text, &keep))?;
        }
        if let Some(hooks) = &self.hooks {
            now = then(now, |text| hooks.take(text, &keep))?;
        }
        now.text.insert_str(0, mark);
        Ok(now)
    }

    fn is_in(&self, text: &str) -> Result<bool, SettingsError> {
        let hooks = self.hooks.as_ref().map_or(Ok(Vec::new()), |hooks| hooks.entries(text))?;
        let member = self.member.as_ref().map(|member| member.look(text)).transpose()?;
        Ok(!hooks.is_empty() || matches!(member, Some(member::Standing::Ours(_))))
    }
}

fn then(
    now: Edited,
    edit: impl FnOnce(&str) -> Result<Edited, SettingsError>,
) -> Result<Edited, SettingsError> {
    let mut next = edit(&now.text)?;
    next.changes.splice(0..0, now.changes);
    Ok(next)
}

fn with_root(body: &str) -> Result<String, SettingsError> {
    if Document::parse(body)?.root().is_some() {
        return Ok(body.into());
    }
    let newline = if body.contains("\r\n") { "\r\n" } else { "\n" };
    let gap = if body.is_empty() || body.ends_with('\n') { "" } else { newline };
    Ok(format!("{body}{gap}{{}}{newline}"))
}

/// The text without the empty item that `find` gives by the container around it, unless a comment is in it: that is somebody's.
fn without_empty(
    text: String,
    keep: bool,
    find: impl Fn(&Document<'_>) -> Result<Option<(Container, usize)>, SettingsError>,
) -> Result<String, SettingsError> {
    let document = Document::parse(&text)?;
    match find(&document)? {
        Some((around, at)) if !keep && !document.has_comment_in(&around, at) => {
            Ok(document.remove(&around, at))
        }
        _ => Ok(text),
    }
}

fn root<'d, 'a>(document: &'d Document<'a>) -> Result<Option<&'d Object<'a>>, SettingsError> {
    match document.root() {
        None => Ok(None),
        Some(Value::Object(root)) => Ok(Some(root)),
        Some(_) => Err(SettingsError::Shape("its outermost value is not an object".into())),
    }
}

/// The property of that name. Twice the same name is refused: which one counts is for its author to say.
fn property_named<'d, 'a>(
    object: &'d Object<'a>,
    key: &str,
    around: &str,
) -> Result<Option<&'d ObjectProp<'a>>, SettingsError> {
    let mut named = object.properties.iter().filter(|property| name(property) == key);
    let first = named.next();
    if named.next().is_some() {
        return Err(SettingsError::Shape(format!("{key:?} stands twice in {around}")));
    }
    Ok(first)
}

fn name<'d>(property: &'d ObjectProp<'_>) -> &'d str {
    property.name.as_str()
}

fn nothing_there() -> SettingsError {
    SettingsError::Shape("it does not hold what it held a moment ago".into())
}
