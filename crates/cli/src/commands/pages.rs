//! `parlor completions` and `parlor man`: what shells and `man` are told of the command line, made from its own
//! definition. Need no home and start nothing.

use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use serde_json::json;

use super::Context;
use crate::args::Cli;
use crate::errors::{Failure, Outcome};

const NAME: &str = "parlor";

pub fn completions(context: &Context, shell: Shell) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), NAME, &mut script);
    let script = text(script)?;
    let answer = json!({ "shell": shell.to_string(), "script": script });
    context.out.answer(&answer, || vec![script.trim_end().to_owned()])
}

pub fn man(context: &Context, words: &[String], dir: Option<PathBuf>) -> Outcome {
    let pages = pages()?;
    if let Some(dir) = dir {
        let written = write(&pages, &dir)?;
        let answers: Vec<_> = written.iter().map(|file| json!({ "file": file })).collect();
        return context
            .out
            .list(&answers, || written.iter().map(|file| file.display().to_string()).collect());
    }
    let name = std::iter::once(NAME).chain(words.iter().map(String::as_str)).collect::<Vec<_>>().join("-");
    let Some(page) = pages.iter().find(|page| page.name == name) else {
        let words = words.join(" ");
        return Err(Failure::usage(format!("there is no command `parlor {words}`"), "see `parlor --help`"));
    };
    let answer = json!({ "name": page.name, "page": page.text });
    context.out.answer(&answer, || vec![page.text.trim_end().to_owned()])
}

/// One page, of one command.
struct Page {
    /// As `man` finds it.
    name: String,
    text: String,
}

/// Those of all commands, each after those below it.
fn pages() -> Outcome<Vec<Page>> {
    // `parlor help room` says what `parlor room --help` says.
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    let mut pages = Vec::new();
    collect(&root, &mut pages)?;
    Ok(pages)
}

fn collect(command: &Command, pages: &mut Vec<Page>) -> Outcome {
    command
        .get_subcommands()
        .filter(|below| !below.is_hide_set())
        .try_for_each(|below| collect(below, pages))?;
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    let man =
        Man::new(command.clone()).source(concat!("Parlor ", env!("CARGO_PKG_VERSION"))).manual("Parlor");
    let mut page = Vec::new();
    man.render(&mut page).map_err(|_| Failure::unexpected_reply())?;
    pages.push(Page { name, text: text(page)? });
    Ok(())
}

fn write(pages: &[Page], dir: &Path) -> Outcome<Vec<PathBuf>> {
    let failed = |path: &Path, error: std::io::Error| {
        Failure::machine(
            format!("{} cannot be written: {error}", path.display()),
            "name a directory of yours",
        )
    };
    std::fs::create_dir_all(dir).map_err(|error| failed(dir, error))?;
    let write = |page: &Page| {
        let file = dir.join(format!("{}.1", page.name));
        std::fs::write(&file, &page.text).map_err(|error| failed(&file, error))?;
        Ok(file)
    };
    pages.iter().map(write).collect()
}

fn text(bytes: Vec<u8>) -> Outcome<String> {
    String::from_utf8(bytes).map_err(|_| Failure::unexpected_reply())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn names(command: &Command, path: &str, names: &mut Vec<String>) {
        names.push(path.to_owned());
        for below in command.get_subcommands() {
            self::names(below, &format!("{path}-{}", below.get_name()), names);
        }
    }

    #[test]
    fn every_command_has_a_page_that_names_its_options() {
        let pages = pages().unwrap();
        let mut commands = Vec::new();
        names(&Cli::command(), NAME, &mut commands);
        for name in &commands {
            let page = pages.iter().find(|page| page.name == *name).unwrap_or_else(|| panic!("{name}"));
            for section in [".TH ", ".SH NAME", ".SH SYNOPSIS", ".SH OPTIONS"] {
                assert!(page.text.contains(section), "{name}: {section}");
            }
            assert!(page.text.contains("\\-\\-json"), "{name}");
        }
        assert_eq!(pages.len(), commands.len());
        let invite = pages.iter().find(|page| page.name == "parlor-invite").unwrap();
        assert!(invite.text.contains("\\-\\-approve"), "{}", invite.text);
    }

    #[test]
    fn every_shell_is_told_of_every_command() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Elvish, Shell::PowerShell] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), NAME, &mut script);
            let script = text(script).unwrap();
            for command in Cli::command().get_subcommands() {
                assert!(script.contains(command.get_name()), "{shell}: {}", command.get_name());
            }
        }
    }
}
