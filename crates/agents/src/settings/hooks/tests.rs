//! Settings texts of every kind: what an install adds, that it adds nothing else, and that an uninstall gives the text back.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::jsonc::SyntaxError;
use crate::settings::{JsonSettings, Settings};

const COMMAND_LINE: &str = "/opt/parlor/parlor-hook";
const WAITING: &str = "/opt/parlor/parlor-hook claude --idle";
const EVENTS: [&str; 4] = ["SessionStart", "UserPromptSubmit", "SessionEnd", "SessionStart"];

fn three() -> JsonSettings {
    let fields = || vec![("timeout", json!(5))];
    let one = |event| Wanted { event, command: COMMAND_LINE.into(), fields: fields() };
    let waiting = Wanted { command: WAITING.into(), fields: vec![("async", json!(true))], ..one(EVENTS[3]) };
    let wanted = vec![one(EVENTS[0]), one(EVENTS[1]), one(EVENTS[2]), waiting];
    JsonSettings { hooks: Some(Hooks { wanted }), member: None }
}

fn install(text: Option<&str>) -> Result<Edited, SettingsError> {
    three().install(text)
}

fn entries(text: &str) -> Result<Vec<Entry>, SettingsError> {
    three().hooks.unwrap().entries(text)
}

fn installed(text: &str) -> String {
    install(Some(text)).unwrap().text
}

fn uninstalled(text: &str) -> String {
    three().uninstall(text, None).unwrap().text
}

fn plain(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_fresh_file_holds_the_wanted_hooks_and_nothing_else() {
    let fresh = install(None).unwrap();
    let group = json!([{ "hooks": [{ "type": "command", "command": COMMAND_LINE, "timeout": 5 }] }]);
    let waiting = json!({ "hooks": [{ "type": "command", "command": WAITING, "async": true }] });
    let mut wanted =
        json!({ "hooks": { "SessionStart": group, "UserPromptSubmit": group, "SessionEnd": group } });
    wanted["hooks"]["SessionStart"].as_array_mut().unwrap().push(waiting);
    assert_eq!(plain(&fresh.text), wanted);
    assert!(
        fresh.text.starts_with("{\n  \"hooks\": {\n    \"SessionStart\": [\n") && fresh.text.ends_with("}\n")
    );
    assert_eq!(fresh.changes.len(), 4);
}

#[test]
fn a_usual_file_keeps_its_style_and_other_tools_keep_their_hooks() {
    let before = "{\n\t\"model\": \"opus\",\n\t\"hooks\": {\n\t\t\"UserPromptSubmit\": [\n\t\t\t{\n\t\t\t\t\"hooks\": [\n\t\t\t\t\t{ \"type\": \"command\", \"command\": \"other\" }\n\t\t\t\t]\n\t\t\t}\n\t\t]\n\t}\n}\n";
    let after = installed(before);
    let groups = &plain(&after)["hooks"]["UserPromptSubmit"];
    assert_eq!(groups[0]["hooks"][0]["command"], "other");
    assert_eq!(groups[1]["hooks"][0]["command"], COMMAND_LINE);
    assert!(
        after.contains("\n\t\t\t{\n\t\t\t\t\"hooks\": [\n\t\t\t\t\t{\n\t\t\t\t\t\t\"type\": \"command\""),
        "{after}"
    );
    assert_eq!(uninstalled(&after), before);
}

#[test]
fn installing_twice_changes_nothing() {
    let once = installed("{\"a\": 1}");
    let twice = install(Some(&once)).unwrap();
    assert_eq!((twice.text, twice.changes), (once, vec![]));
}

#[test]
fn an_older_parlor_is_replaced_wherever_it_was() {
    let older = installed("{\"a\": 1}")
        .replace(COMMAND_LINE, "'/old path/parlor' --home /h hook")
        .replace("\"timeout\":5", "\"timeout\":60")
        .replace("\"SessionEnd\"", "\"Stop\"");
    let again = installed(&older);
    assert_eq!(plain(&again), plain(&installed("{\"a\": 1}")));
    let doubled = installed("{}").replace(
        "\"UserPromptSubmit\": [",
        "\"UserPromptSubmit\": [{\"hooks\": [{\"type\": \"command\", \"command\": \"parlor hook\"}]},",
    );
    assert_eq!(entries(&doubled).unwrap().len(), 5);
    assert_eq!(entries(&installed(&doubled)).unwrap().len(), 4);
}

#[test]
fn an_entry_that_shares_its_group_leaves_alone() {
    let shared = r#"{"hooks": {"SessionStart": [{"matcher": "startup", "hooks": [
        {"type": "command", "command": "other-one"}, // keep
        {"type": "command", "command": "/x/parlor-hook"},
        {"type": "command", "command": "other-two"}
    ]}]}}"#;
    let left = uninstalled(shared);
    assert_eq!(
        left,
        shared.replace("\n        {\"type\": \"command\", \"command\": \"/x/parlor-hook\"},", "")
    );
}

#[test]
fn what_was_empty_before_stays_when_it_is_known_and_comments_always_stay() {
    let before = "{\"hooks\": {\"SessionStart\": [], \"Stop\": []}, \"a\": 1}";
    let changed_since = installed(before).replace("\"a\": 1", "\"a\": 2");
    assert_eq!(
        three().uninstall(&changed_since, Some(before)).unwrap().text,
        before.replace("\"a\": 1", "\"a\": 2")
    );
    let commented = installed("{}").replace("\"hooks\": {\n", "\"hooks\": {\n    // mine\n");
    assert!(commented.contains("// mine"));
    assert!(uninstalled(&commented).contains("// mine"));
}

#[test]
fn wound_39_what_does_not_parse_or_has_another_shape_is_refused() {
    let syntax = install(Some("{\n  \"hooks\": {,}\n}")).unwrap_err();
    assert!(matches!(&syntax, SettingsError::Syntax(SyntaxError { line: 2, column: 13, .. })), "{syntax}");
    for shape in [
        "[]",
        "7",
        "{\"hooks\": []}",
        "{\"hooks\": null}",
        "{\"hooks\": {\"SessionStart\": {}}}",
        "{\"hooks\": {}, \"hooks\": {}}",
        "{\"hooks\": {\"Stop\": [], \"Stop\": []}}",
        "{\"hooks\": {\"Stop\": [{\"hooks\": [], \"hooks\": []}]}}",
    ] {
        assert!(matches!(install(Some(shape)), Err(SettingsError::Shape(_))), "{shape}");
    }
    for odd in [
        "{\"hooks\": {\"Stop\": 3}}",
        "{\"hooks\": {\"Stop\": [3, {}, {\"hooks\": 4}]}}",
        "",
        "\n\n",
        "// only\n",
    ] {
        assert_eq!(entries(&installed(odd)).unwrap().len(), 4, "{odd}");
    }
}

#[test]
fn a_byte_order_mark_and_carriage_returns_stay() {
    let before = "\u{feff}{\r\n  \"a\": 1\r\n}\r\n";
    let after = installed(before);
    assert!(after.starts_with('\u{feff}') && !after.replace("\r\n", "").contains('\n'), "{after:?}");
    assert_eq!(uninstalled(&after), before);
}

/// Writes a value as JSON with the spaces, line breaks and comments that `spice` says.
struct Writer<'s> {
    spice: std::iter::Cycle<std::slice::Iter<'s, u8>>,
    newline: &'static str,
    comments: bool,
}

impl Writer<'_> {
    fn next(&mut self) -> u8 {
        self.spice.next().copied().unwrap_or_default()
    }

    fn gap(&mut self, depth: usize) -> String {
        let newline = self.newline;
        match self.next() % 16 {
            0..=3 => String::new(),
            4..=5 => " ".into(),
            6..=10 => format!("{newline}{}", "  ".repeat(depth)),
            11 => format!("{newline}{newline}\t"),
            12 if self.comments => format!(" // c{}, \"hooks\": }}{newline}", self.next()),
            13 if self.comments => format!("/* b{} ] */", self.next()),
            14 if self.comments => format!(" /* m{newline} */ // e{newline} "),
            _ => "  ".into(),
        }
    }

    fn list(&mut self, brackets: (&str, &str), items: Vec<String>, depth: usize) -> String {
        let mut out = brackets.0.to_owned();
        let count = items.len();
        for (at, item) in items.into_iter().enumerate() {
            out += &self.gap(depth + 1);
            out += &item;
            let trailing = at + 1 == count;
            if !trailing || (self.comments && self.next().is_multiple_of(4)) {
                out += &self.gap(depth + 1);
                out += ",";
            }
        }
        out + &self.gap(depth) + brackets.1
    }

    fn write(&mut self, value: &Value, depth: usize) -> String {
        match value {
            Value::Array(items) => {
                let items = items.iter().map(|item| self.write(item, depth + 1)).collect();
                self.list(("[", "]"), items, depth)
            }
            Value::Object(fields) => {
                let fields = fields.iter().map(|(key, value)| {
                    let (before, after) = (self.gap(depth + 1), self.gap(depth + 1));
                    format!("{}{before}:{after}{}", json!(key), self.write(value, depth + 1))
                });
                let fields = fields.collect();
                self.list(("{", "}"), fields, depth)
            }
            plain => plain.to_string(),
        }
    }
}

fn a_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|value| json!(value)),
        any::<i32>().prop_map(|value| json!(value)),
        "[a-z\"\\\\ /{},é😀]{0,8}".prop_map(|value| json!(value)),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(|items| json!(items)),
            prop::collection::btree_map("[a-z]{1,4}", inner, 0..3).prop_map(|fields| json!(fields)),
        ]
    })
}

fn a_hooks_object() -> impl Strategy<Value = Value> {
    let hook = "[a-z /]{1,10}".prop_map(|command| json!({ "type": "command", "command": command }));
    let group =
        (prop::option::of("[a-z]{0,5}"), prop::collection::vec(hook, 0..3)).prop_map(|(matcher, hooks)| {
            match matcher {
                Some(matcher) => json!({ "matcher": matcher, "hooks": hooks }),
                None => json!({ "hooks": hooks }),
            }
        });
    let event =
        prop::sample::select(vec!["SessionStart", "UserPromptSubmit", "SessionEnd", "Stop", "PreToolUse"]);
    let groups = prop::collection::vec(group, 0..3).prop_map(|groups| json!(groups));
    prop::collection::btree_map(event, groups, 0..4).prop_map(|events| json!(events))
}

/// A settings text, and whether nothing in it that an install adds to is empty: then the text alone says what to give back.
fn a_text() -> impl Strategy<Value = (String, bool)> {
    let spice = prop::collection::vec(any::<u8>(), 1..60);
    let fields =
        prop::collection::vec((prop::sample::select(vec!["a", "b", "model", "env"]), a_value()), 0..4);
    let hooks = prop::option::of((a_hooks_object(), 0..4_usize));
    let style = (any::<bool>(), any::<bool>(), any::<bool>());
    (fields, hooks, spice, style).prop_map(|(fields, hooks, spice, (mark, carriage, comments))| {
        let mut root = serde_json::Map::new();
        root.extend(fields.into_iter().map(|(key, value)| (key.to_owned(), value)));
        let mut told = !root.is_empty();
        if let Some((hooks, at)) = hooks {
            let empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty);
            let events = hooks.as_object().unwrap();
            told = !events.is_empty() && !EVENTS.iter().any(|event| events.get(*event).is_some_and(empty));
            root.shift_insert(at.min(root.len()), "hooks".into(), hooks);
        }
        let newline = if carriage { "\r\n" } else { "\n" };
        let mut writer = Writer { spice: spice.iter().cycle(), newline, comments };
        let body = writer.write(&Value::Object(root), 0);
        let (before, after) = (writer.gap(0), writer.gap(0));
        (format!("{}{before}{body}{after}", if mark { "\u{feff}" } else { "" }), told)
    })
}

/// What stands before and after the value of `hooks`.
fn around_hooks(text: &str) -> Option<(String, String)> {
    let (mark, body) = split_mark(text);
    let document = Document::parse(body).unwrap();
    let range = hooks(&document).unwrap()?.range;
    Some((format!("{mark}{}", &body[..range.start]), body[range.end..].to_owned()))
}

/// Whether `longer` is `shorter` with insertions only.
fn is_part_of(shorter: &str, longer: &str) -> bool {
    let mut rest = longer.chars();
    shorter.chars().all(|wanted| rest.any(|c| c == wanted))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn an_install_changes_nothing_outside_hooks((before, _) in a_text()) {
        let after = installed(&before);
        match around_hooks(&before) {
            Some(around) => prop_assert_eq!(around_hooks(&after), Some(around)),
            None => prop_assert!(is_part_of(&before, &after), "{} became {}", before, after),
        }
        prop_assert_eq!(entries(&after).unwrap().len(), EVENTS.len());
        let again = install(Some(&after)).unwrap();
        prop_assert_eq!((again.text, again.changes.len()), (after, 0));
    }

    #[test]
    fn wound_39_install_then_uninstall_gives_the_bytes_back((before, told) in a_text()) {
        let after = installed(&before);
        prop_assert!(three().comes_from(&after, Some(&before)), "{} became {}", before, after);
        if told {
            prop_assert_eq!(uninstalled(&after), before);
        }
    }

    #[test]
    fn wound_39_an_uninstall_after_other_changes_takes_only_ours((before, _) in a_text(), extra in a_value()) {
        let after = installed(&before);
        let (_, body) = split_mark(&after);
        let document = Document::parse(body).unwrap();
        prop_assert_eq!(document.comments(), Document::parse(split_mark(&before).1).unwrap().comments());
        let changed = document.append(&root(&document).unwrap().unwrap().into(), Some("since"), &extra);
        let left = uninstalled(&changed);
        prop_assert_eq!(others(&left).unwrap(), others(&changed).unwrap());
        prop_assert_eq!(entries(&left).unwrap(), vec![]);
        prop_assert_eq!(Document::parse(&left).unwrap().comments(), Document::parse(&changed).unwrap().comments());
    }

    #[test]
    fn no_text_makes_it_panic(text in "[\\[\\]{}:,\"a/*\\n ]{0,40}|\\PC{0,40}") {
        if let Ok(edited) = install(Some(&text)) {
            prop_assert!(three().comes_from(&edited.text, Some(&text)));
        }
    }
}
