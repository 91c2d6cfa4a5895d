//! Every local link of a document leads somewhere: to a file of the tree, and to a heading when it names one.
//! Links into the network are not followed.

use std::path::Path;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::{Finding, SourceFile};
use crate::workspace;

/// What a link's path leads to.
pub enum Target {
    Missing,
    /// A file or directory without headings to look for.
    Exists,
    /// A document, with its text.
    Document(String),
}

/// Look a path up in the tree.
pub fn target_text(path: &str, documents: &[&SourceFile]) -> Target {
    if let Some(document) = documents.iter().find(|d| d.path == path) {
        return Target::Document(document.text.clone());
    }
    if workspace::root().join(path).exists() { Target::Exists } else { Target::Missing }
}

/// Links of the document at `path` that lead nowhere.
pub fn broken(path: &str, text: &str, look_up: &dyn Fn(&str) -> Target) -> Vec<Finding> {
    let parser = Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter();
    let mut findings = Vec::new();
    for (event, range) in parser {
        let (Event::Start(Tag::Link { dest_url, .. }) | Event::Start(Tag::Image { dest_url, .. })) = event
        else {
            continue;
        };
        if let Some(problem) = problem_of(path, text, &dest_url, look_up) {
            let line = text[..range.start].matches('\n').count() + 1;
            findings.push(Finding::new(
                path,
                line,
                format!("{problem}: {dest_url}"),
                "links are relative to the document that holds them",
            ));
        }
    }
    findings
}

fn problem_of(path: &str, text: &str, url: &str, look_up: &dyn Fn(&str) -> Target) -> Option<&'static str> {
    if url.contains("://") || url.starts_with("mailto:") {
        return None;
    }
    let (file, heading) = url.split_once('#').map_or((url, None), |(file, heading)| (file, Some(heading)));
    let target = if file.is_empty() {
        Target::Document(text.to_owned())
    } else {
        match resolve(path, file) {
            Some(resolved) => look_up(&resolved),
            None => return Some("a link out of the tree"),
        }
    };
    match (target, heading) {
        (Target::Missing, _) => Some("a link to a file that is not there"),
        (Target::Document(text), Some(heading)) if !anchors(&text).contains(&heading.to_owned()) => {
            Some("a link to a heading that is not there")
        }
        _ => None,
    }
}

/// The path of `link`, found in the document `from`, relative to the root; none when it leaves the tree.
fn resolve(from: &str, link: &str) -> Option<String> {
    let mut parts: Vec<&str> = match link.strip_prefix('/') {
        Some(_) => Vec::new(),
        None => Path::new(from).parent()?.iter().filter_map(|part| part.to_str()).collect(),
    };
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            other => parts.push(other),
        }
    }
    Some(parts.join("/"))
}

/// The anchors of a document's headings, in the way code forges derive them.
fn anchors(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut heading: Option<String> = None;
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::Text(part) | Event::Code(part) => {
                if let Some(title) = heading.as_mut() {
                    title.push_str(&part);
                }
            }
            Event::End(TagEnd::Heading(_)) => {
                let slug = slug(&heading.take().unwrap_or_default());
                let earlier = found.iter().filter(|f| **f == slug).count();
                found.push(if earlier == 0 { slug } else { format!("{slug}-{earlier}") });
            }
            _ => {}
        }
    }
    found
}

fn slug(title: &str) -> String {
    let kept = title.to_lowercase();
    kept.chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn tree(path: &str) -> Target {
        match path {
            "docs/guide/start.md" => {
                Target::Document("# Start here\n\n## What it costs?\n\n## Start here\n".to_owned())
            }
            "LICENSE" | "docs/spec" => Target::Exists,
            _ => Target::Missing,
        }
    }

    fn problems(path: &str, text: &str) -> usize {
        broken(path, text, &tree).len()
    }

    #[test]
    fn links_that_lead_somewhere_pass() {
        let text = "# Top\n[a](guide/start.md) [b](../LICENSE) [c](spec/) [d](#top) [e](https://example.org/x)\n\
                    [f](guide/start.md#what-it-costs) [g](guide/start.md#start-here-1) `[no](link.md)`\n";
        assert_eq!(problems("docs/index.md", text), 0);
    }

    #[test]
    fn links_that_lead_nowhere_are_found_with_their_line() {
        let findings = broken("docs/index.md", "ok\n\nsee [a](missing.md)\n", &tree);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].line, 3);
        assert_eq!(problems("docs/index.md", "[a](guide/start.md#gone)"), 1);
        assert_eq!(problems("docs/index.md", "[a](#gone)"), 1);
        assert_eq!(problems("docs/index.md", "![picture](gone.png)"), 1);
        assert_eq!(problems("docs/index.md", "[ref][r]\n\n[r]: gone.md\n"), 1);
    }

    #[test]
    fn links_out_of_the_tree_are_found() {
        assert_eq!(problems("README.md", "[a](../elsewhere.md)"), 1);
        assert_eq!(problems("docs/index.md", "[a](../../elsewhere.md)"), 1);
    }
}
