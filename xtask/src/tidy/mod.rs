//! `cargo xtask tidy`: what the compiler does not check. Each check is a plain function from text to findings,
//! with its own tests; this file only reads the tree and feeds them. Changes nothing, fixes nothing.

mod attacks;
mod edges;
mod links;
mod manifests;
mod sources;
mod words;

use std::collections::BTreeSet;
use std::fmt;

use crate::mutants::list;
use crate::{Result, complain, say, workspace};

/// One thing that is not as it should be.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    line: usize,
    message: String,
    hint: &'static str,
}

impl Finding {
    fn new(path: &str, line: usize, message: impl Into<String>, hint: &'static str) -> Self {
        Self { path: path.to_owned(), line, message: message.into(), hint }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}\n    hint: {}", self.path, self.line, self.message, self.hint)
    }
}

/// A text file of the tree, its path relative to the root.
struct SourceFile {
    path: String,
    text: String,
}

/// Read the tree, run every check, print what was found. True when nothing was.
pub fn run() -> Result<bool> {
    let mut findings = Vec::new();
    let files = read_tree(&mut findings)?;
    for file in &files {
        check_file(file, &mut findings);
    }
    check_tree(&files, &mut findings);
    check_mutants(&files, &mut findings)?;
    check_graph(&files, &mut findings)?;

    findings.sort();
    findings.dedup();
    for finding in &findings {
        say(&finding.to_string());
    }
    if findings.is_empty() {
        say(&format!("tidy: {} files, nothing found", files.len()));
    } else {
        complain(&format!("tidy: {} findings in {} files", findings.len(), files.len()));
    }
    Ok(findings.is_empty())
}

fn read_tree(findings: &mut Vec<Finding>) -> Result<Vec<SourceFile>> {
    let mut files = Vec::new();
    for (path, tracked) in workspace::files()? {
        let bytes = std::fs::read(workspace::root().join(&path))?;
        if tracked {
            findings.extend(sources::size(&path, bytes.len()));
        }
        // What is not UTF-8 has no lines to check.
        if let Ok(text) = String::from_utf8(bytes) {
            files.push(SourceFile { path, text });
        }
    }
    Ok(files)
}

/// The checks that look at one file alone.
fn check_file(file: &SourceFile, findings: &mut Vec<Finding>) {
    let (path, text) = (file.path.as_str(), file.text.as_str());
    findings.extend(words::foreign(path, text));
    findings.extend(words::glossary(path, text));
    if path.ends_with(".rs") {
        findings.extend(sources::module_doc(path, text));
        findings.extend(sources::length(path, text));
        findings.extend(sources::ignored_tests(path, text));
        findings.extend(sources::sleeps(path, text));
    }
    if path == "Cargo.toml" {
        findings.extend(manifests::root(path, text));
    } else if manifests::is_member(path) {
        findings.extend(manifests::member(path, text));
    }
}

/// The checks that look at files beside each other.
fn check_tree(files: &[SourceFile], findings: &mut Vec<Finding>) {
    let sources = files.iter().filter(|f| f.path.ends_with(".rs"));
    let functions: BTreeSet<&str> = sources.flat_map(|f| attacks::functions(&f.text)).collect();
    let documents: Vec<&SourceFile> = files.iter().filter(|f| f.path.ends_with(".md")).collect();
    if !documents.iter().any(|d| d.path == attacks::TABLE) {
        findings.push(attacks::no_table());
    }
    for document in &documents {
        let (path, text) = (document.path.as_str(), document.text.as_str());
        findings.extend(links::broken(path, text, &|target| links::target_text(target, &documents)));
        if path == attacks::TABLE {
            findings.extend(attacks::table(path, text, &functions));
        }
        if path == attacks::TABLE || path == "SECURITY.md" {
            findings.extend(attacks::cited(path, text, &functions));
        }
    }
}

/// Every mutant still applies: what it replaces is where it says, once.
fn check_mutants(files: &[SourceFile], findings: &mut Vec<Finding>) -> Result<()> {
    let text_of = |path: &str| files.iter().find(|file| file.path == path).map(|file| file.text.as_str());
    let text = text_of(list::LIST).ok_or(format!("there is no {}", list::LIST))?;
    for (title, why) in list::stale(&list::parse(text)?, &text_of) {
        let name = title.split(' ').next_back().unwrap_or_default();
        findings.push(Finding::new(
            list::LIST,
            line_of(text, &format!("\"{name}\"")),
            format!("the mutant {title} does not apply: {why}"),
            "break the same rule where it is kept now, and see it caught: `cargo xtask mutants NAME`",
        ));
    }
    Ok(())
}

/// The checks that ask cargo for the dependency graph.
fn check_graph(files: &[SourceFile], findings: &mut Vec<Finding>) -> Result<()> {
    let text = workspace::output(workspace::cargo().args(["metadata", "--format-version=1", "--no-deps"]))?;
    let packages = edges::packages(&serde_json::from_str(&text)?);
    let manifest = |path: &str| files.iter().find(|f| f.path == path).map_or("", |f| f.text.as_str());
    findings.extend(edges::forbidden(&packages, &manifest));

    let pure = packages.iter().filter(|p| edges::PURE.contains(&p.name.as_str()));
    for package in pure {
        // One package at a time: features unify only over what is asked for, so these are its default features.
        let tree = workspace::output(workspace::cargo().args([
            "tree",
            "--package",
            &package.name,
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ]))?;
        findings.extend(edges::runtimes(package, &tree, manifest(&package.manifest)));
    }
    Ok(())
}

/// The number of the first line holding `needle`; 1 when none does, so that a finding always has a place.
fn line_of(text: &str, needle: &str) -> usize {
    text.lines().position(|line| line.contains(needle)).map_or(1, |index| index + 1)
}
