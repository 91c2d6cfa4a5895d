//! Edits of JSON text, with or without comments, by the positions of its syntax tree: an item goes in or comes out, and every
//! other byte stays. Must not know what the text means, and never formats anything but what it adds.

use std::ops::Range;

use jsonc_parser::ast::{Array, Object, ObjectProp, Value};
use jsonc_parser::common::Ranged;
use jsonc_parser::tokens::Token;
use jsonc_parser::{CollectOptions, CommentCollectionStrategy, ParseOptions, parse_to_ast};
use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};

/// Text that is no JSON, even with comments and trailing commas allowed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("line {line}, column {column}: {detail}")]
pub struct SyntaxError {
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// What the parser said.
    pub detail: String,
}

/// What stands in the text beside whitespace and values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Comma,
    LineComment,
    BlockComment,
    Other,
}

/// A parsed text.
pub(crate) struct Document<'a> {
    text: &'a str,
    marks: Vec<(Mark, Range<usize>)>,
    root: Option<Value<'a>>,
}

/// An object or an array: where its brackets and its items are.
#[derive(Debug, Clone)]
pub(crate) struct Container {
    open: usize,
    close: usize,
    items: Vec<Range<usize>>,
}

impl From<&Object<'_>> for Container {
    fn from(object: &Object<'_>) -> Self {
        Self::of(object, object.properties.iter().map(span).collect())
    }
}

impl From<&Array<'_>> for Container {
    fn from(array: &Array<'_>) -> Self {
        Self::of(array, array.elements.iter().map(span).collect())
    }
}

impl Container {
    fn of(whole: &impl Ranged, items: Vec<Range<usize>>) -> Self {
        Self { open: whole.start(), close: whole.end() - 1, items }
    }
}

fn span(node: &impl Ranged) -> Range<usize> {
    node.start()..node.end()
}

/// Changes at positions of one text; applied together, so that none moves another.
type Edits = Vec<(Range<usize>, String)>;

fn apply(text: &str, mut edits: Edits) -> String {
    edits.sort_by_key(|(range, _)| range.start);
    let mut out = String::with_capacity(text.len() + 256);
    let mut done = 0;
    for (range, new) in edits {
        out.push_str(&text[done..range.start]);
        out.push_str(&new);
        done = range.end;
    }
    out.push_str(&text[done..]);
    out
}

impl<'a> Document<'a> {
    /// Parses text without a byte order mark. Comments and trailing commas are allowed, nothing else beside JSON.
    pub(crate) fn parse(text: &'a str) -> Result<Self, SyntaxError> {
        let collect = CollectOptions { comments: CommentCollectionStrategy::AsTokens, tokens: true };
        let parsed = parse_to_ast(text, &collect, &strict()).map_err(|error| SyntaxError {
            line: error.line_display(),
            column: error.column_display(),
            detail: error.kind().to_string(),
        })?;
        let marks = parsed.tokens.unwrap_or_default().into_iter().map(|piece| {
            let mark = match piece.token {
                Token::Comma => Mark::Comma,
                Token::CommentLine(_) => Mark::LineComment,
                Token::CommentBlock(_) => Mark::BlockComment,
                _ => Mark::Other,
            };
            (mark, piece.range.start..piece.range.end)
        });
        Ok(Self { text, marks: marks.collect(), root: parsed.value })
    }

    /// The outermost value, if there is one.
    pub(crate) fn root(&self) -> Option<&Value<'a>> {
        self.root.as_ref()
    }

    /// The text with `value` in place of `node`.
    pub(crate) fn replace(&self, node: &impl Ranged, value: &serde_json::Value) -> String {
        apply(self.text, vec![(span(node), value.to_string())])
    }

    /// The text with an item more at the end of the container: `"key": value` in an object, `value` in an array.
    pub(crate) fn append(
        &self,
        container: &Container,
        key: Option<&str>,
        value: &serde_json::Value,
    ) -> String {
        let layout = self.layout(container);
        let item = layout.render(key, value);
        let edits = match container.items.last() {
            Some(last) => self.append_after(container, last.end, &layout, &item),
            None => self.append_first(container, &layout, &item),
        };
        apply(self.text, edits)
    }

    fn append_after(&self, container: &Container, last_end: usize, layout: &Layout, item: &str) -> Edits {
        let comma = self.comma_between(last_end, container.close);
        let listed_end = comma.as_ref().map_or(last_end, |comma| comma.end);
        // A comment on the last item's line is about that item and stays beside it.
        let anchor = if layout.multiline {
            self.same_line_comments_end(listed_end, container.close)
        } else {
            listed_end
        };
        let before = layout.gap();
        match comma {
            Some(_) => vec![(anchor..anchor, format!("{before}{item},"))],
            None if anchor == last_end => vec![(anchor..anchor, format!(",{before}{item}"))],
            None => vec![(last_end..last_end, ",".into()), (anchor..anchor, format!("{before}{item}"))],
        }
    }

    fn append_first(&self, container: &Container, layout: &Layout, item: &str) -> Edits {
        let comments = self.marks_in(container.open + 1..container.close);
        let anchor = comments.last().map_or(container.open + 1, |(_, range)| range.end);
        if !layout.multiline {
            return vec![(anchor..anchor, item.into())];
        }
        let closed_on_own_line = self.text[anchor..container.close].contains('\n');
        let after = if closed_on_own_line { String::new() } else { layout.outer_gap() };
        vec![(anchor..anchor, format!("{}{item}{after}", layout.gap()))]
    }

    /// The text without the container's item at `index`: what [`Self::append`] added for it goes with it.
    pub(crate) fn remove(&self, container: &Container, index: usize) -> String {
        let Some(item) = container.items.get(index).cloned() else { return self.text.into() };
        let next = container.items.get(index + 1);
        let follow = next.map_or(container.close, |next| next.start);
        let comma_after = self.comma_between(item.end, follow);
        let mut edits: Edits = Vec::new();
        let mut end = item.end;
        match &comma_after {
            Some(comma) if self.blank(item.end..comma.start) => end = comma.end,
            Some(comma) => edits.push((comma.clone(), String::new())),
            None => {
                let earlier = index.checked_sub(1).and_then(|before| container.items.get(before));
                let comma = earlier.and_then(|earlier| self.comma_between(earlier.end, item.start));
                edits.extend(comma.map(|comma| (comma, String::new())));
            }
        }
        let mut start = item.start;
        if index == 0 && next.is_some() {
            if self.blank(end..follow) {
                end = follow;
            }
        } else {
            start = self.gap_start(item.start, end);
        }
        let empty_now = container.items.len() == 1
            && self.blank(container.open + 1..start)
            && self.blank(end..container.close);
        edits.push((if empty_now { container.open + 1..container.close } else { start..end }, String::new()));
        apply(self.text, edits)
    }

    /// Whether a comment stands anywhere in the container's item at `index`.
    pub(crate) fn has_comment_in(&self, container: &Container, index: usize) -> bool {
        let item = container.items.get(index).cloned().unwrap_or_default();
        self.marks_in(item).iter().any(|(mark, _)| matches!(mark, Mark::LineComment | Mark::BlockComment))
    }

    /// The comments, in order.
    #[cfg(test)]
    pub(crate) fn comments(&self) -> Vec<&'a str> {
        let comments =
            self.marks.iter().filter(|(mark, _)| matches!(mark, Mark::LineComment | Mark::BlockComment));
        comments.map(|(_, range)| &self.text[range.clone()]).collect()
    }

    /// Where the whitespace before an item begins, unless a line comment before it would then swallow what follows `end`.
    fn gap_start(&self, item_start: usize, end: usize) -> usize {
        let gap_start = self.text[..item_start].trim_end().len();
        let follows_line_comment =
            self.marks.iter().any(|(mark, range)| *mark == Mark::LineComment && range.end == gap_start);
        let rest = self.text[end..].trim_start_matches([' ', '\t']);
        if follows_line_comment && !rest.starts_with(['\n', '\r']) { item_start } else { gap_start }
    }

    fn comma_between(&self, from: usize, to: usize) -> Option<Range<usize>> {
        self.marks_in(from..to).iter().find(|(mark, _)| *mark == Mark::Comma).map(|(_, range)| range.clone())
    }

    fn marks_in(&self, range: Range<usize>) -> &[(Mark, Range<usize>)] {
        let from = self.marks.partition_point(|(_, mark)| mark.start < range.start);
        let to = self.marks.partition_point(|(_, mark)| mark.start < range.end);
        &self.marks[from..to.max(from)]
    }

    fn same_line_comments_end(&self, from: usize, to: usize) -> usize {
        let mut end = from;
        for (mark, range) in self.marks_in(from..to) {
            let comment = matches!(mark, Mark::LineComment | Mark::BlockComment);
            if !comment || self.text[end..range.end].contains('\n') {
                break;
            }
            end = range.end;
        }
        end
    }

    fn blank(&self, range: Range<usize>) -> bool {
        self.text[range].trim().is_empty()
    }

    fn layout(&self, container: &Container) -> Layout {
        let inside = &self.text[container.open + 1..container.close];
        let multiline = match container.items.first() {
            Some(first) => self.text[container.open..first.start].contains('\n'),
            None => {
                inside.contains('\n')
                    || container.open == self.root_start()
                    || self.text.trim().contains('\n')
            }
        };
        let outer = self.indent_at(container.open);
        let unit = self.indent_unit();
        let own_line = container.items.first().filter(|first| {
            let line = &self.text[self.line_start(first.start)..first.start];
            line.trim().is_empty()
        });
        let inner = own_line.map_or_else(|| format!("{outer}{unit}"), |first| self.indent_at(first.start));
        let newline = if self.text.contains("\r\n") { "\r\n" } else { "\n" };
        let first = container.items.is_empty();
        Layout { multiline, first, newline, outer, inner, unit }
    }

    fn root_start(&self) -> usize {
        self.root.as_ref().map_or(0, Ranged::start)
    }

    fn line_start(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |newline| newline + 1)
    }

    fn indent_at(&self, at: usize) -> String {
        let line = &self.text[self.line_start(at)..at];
        line[..line.len() - line.trim_start_matches([' ', '\t']).len()].into()
    }

    /// One step of indentation: that of the outermost object's first member, else two spaces.
    fn indent_unit(&self) -> String {
        let first = self.root.as_ref().and_then(Value::as_object).and_then(|root| root.properties.first());
        let indent = first.map(|first: &ObjectProp<'_>| self.indent_at(first.start())).unwrap_or_default();
        if indent.is_empty() { "  ".into() } else { indent }
    }
}

fn strict() -> ParseOptions {
    ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    }
}

/// How a container is written, so that what is added looks like what is there.
struct Layout {
    multiline: bool,
    first: bool,
    newline: &'static str,
    outer: String,
    inner: String,
    unit: String,
}

impl Layout {
    fn gap(&self) -> String {
        match (self.multiline, self.first) {
            (true, _) => format!("{}{}", self.newline, self.inner),
            (false, true) => String::new(),
            (false, false) => " ".into(),
        }
    }

    fn outer_gap(&self) -> String {
        format!("{}{}", self.newline, self.outer)
    }

    fn render(&self, key: Option<&str>, value: &serde_json::Value) -> String {
        let body = if self.multiline { self.pretty(value) } else { value.to_string() };
        match key {
            Some(key) => format!("{}: {body}", serde_json::Value::from(key)),
            None => body,
        }
    }

    fn pretty(&self, value: &serde_json::Value) -> String {
        let mut bytes = Vec::new();
        let formatter = PrettyFormatter::with_indent(self.unit.as_bytes());
        // A `Value` always serialises, into UTF-8; the compact form is as good JSON should it not.
        let written = value.serialize(&mut Serializer::with_formatter(&mut bytes, formatter));
        let text =
            written.ok().and_then(|()| String::from_utf8(bytes).ok()).unwrap_or_else(|| value.to_string());
        text.replace('\n', &format!("{}{}", self.newline, self.inner))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn appended(text: &str) -> String {
        let document = Document::parse(text).unwrap();
        let root = document.root().unwrap().as_object().unwrap();
        document.append(&root.into(), Some("new"), &json!([1]))
    }

    fn removed(text: &str, index: usize) -> String {
        let document = Document::parse(text).unwrap();
        let root = document.root().unwrap().as_object().unwrap();
        document.remove(&root.into(), index)
    }

    #[test]
    fn what_is_added_looks_like_what_is_there() {
        assert_eq!(appended("{}"), "{\n  \"new\": [\n    1\n  ]\n}");
        assert_eq!(appended("{\"a\":1}"), "{\"a\":1, \"new\": [1]}");
        assert_eq!(appended("{\r\n\t\"a\": 1\r\n}"), "{\r\n\t\"a\": 1,\r\n\t\"new\": [\r\n\t\t1\r\n\t]\r\n}");
        assert_eq!(
            appended("{\n  \"a\": 1, // of a\n}"),
            "{\n  \"a\": 1, // of a\n  \"new\": [\n    1\n  ],\n}"
        );
        assert_eq!(
            appended("{\n  \"a\": 1 // of a\n}"),
            "{\n  \"a\": 1, // of a\n  \"new\": [\n    1\n  ]\n}"
        );
        assert_eq!(appended("{ // none yet\n}"), "{ // none yet\n  \"new\": [\n    1\n  ]\n}");
    }

    #[test]
    fn removing_what_was_appended_gives_the_text_back() {
        for text in [
            "{}",
            "{\"a\":1}",
            "{ \"a\" : 1 , }",
            "{\r\n\t\"a\": 1\r\n}\r\n",
            "{\n  \"a\": 1, // of a\n  // at the end\n}",
            "{\n  \"a\": 1 // of a\n}",
            "{\n \"a\": {\"b\": 2} /* x */ /* y\n z */ }",
            "{ // none yet\n}",
            "/* top */ {\"a\": 1 // of a\n} // end",
        ] {
            let longer = appended(text);
            let index = Document::parse(text).unwrap().root().unwrap().as_object().unwrap().properties.len();
            assert_eq!(removed(&longer, index), text, "through {longer}");
        }
    }

    #[test]
    fn removing_in_the_middle_keeps_the_neighbours_and_their_comments() {
        assert_eq!(removed("{\"a\": 1, \"b\": 2, \"c\": 3}", 1), "{\"a\": 1, \"c\": 3}");
        assert_eq!(removed("{\"a\": 1, \"b\": 2}", 0), "{\"b\": 2}");
        assert_eq!(removed("{\n  \"a\": 1,\n  \"b\": 2\n}", 0), "{\n  \"b\": 2\n}");
        assert_eq!(removed("{\"a\": 1 /* x */, // y\n \"b\": 2}", 0), "{ /* x */ // y\n \"b\": 2}");
        assert_eq!(removed("{\"a\": 1, // y\n \"b\": 2}", 1), "{\"a\": 1 // y\n }");
    }

    #[test]
    fn a_text_that_does_not_parse_is_located() {
        for (text, line, column) in
            [("{\n  \"a\": }", 2, 8), ("{\"a\": 1 \"b\": 2}", 1, 8), ("{'a': 1}", 1, 2)]
        {
            let error = Document::parse(text).err().unwrap();
            assert_eq!((error.line, error.column), (line, column), "{text}: {error}");
        }
    }

    #[test]
    fn deep_nesting_is_an_error_and_no_overflow() {
        assert!(Document::parse(&"[".repeat(1_000_000)).is_err());
    }
}
