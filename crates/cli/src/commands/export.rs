//! `parlor room export` and `parlor verify-export`: a room as one file that proves itself. The file is written beside its
//! place and put there when it is whole; nothing is written over.

use std::cell::RefCell;
use std::fs::File;
use std::io::{BufReader, BufWriter, ErrorKind as IoKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use parlor_api::{Cancel, ErrorKind, Event, Exported, Reply, Request};
use parlor_node::{ExportError, ExportReport, verify_export};
use tempfile::NamedTempFile;

use super::Context;
use crate::args::Export;
use crate::clock;
use crate::errors::{Failure, Outcome};
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::reach::Reach;
use crate::render::{columns, count, short};
use crate::telling::Progress;

const STDOUT: &str = "-";

pub fn export(context: &Context, export: Export, interrupt: &Interrupt) -> Outcome {
    let request = Request::RoomExport { room: export.which.room(), since_ms: export.since };
    let to_stdout = export.out.as_ref().is_some_and(|out| out.as_os_str() == STDOUT);
    if to_stdout {
        let exported =
            told(context, &request, interrupt, |line| context.out.line(line.trim_end_matches('\n')))?;
        context.out.flush()?;
        warn(context.out, &exported);
        return Ok(());
    }
    let place = export.out.clone().unwrap_or_else(|| PathBuf::from("."));
    let dir = if export.out.is_some() { directory(&place) } else { place };
    let file = NamedTempFile::new_in(&dir).map_err(|error| unwritable(&dir, &error))?;
    if let Some(out) = export.out.as_ref().filter(|out| out.exists()) {
        return Err(taken(out));
    }
    let writer = RefCell::new(BufWriter::new(&file));
    let write = |line: &str| {
        writer.borrow_mut().write_all(line.as_bytes()).map_err(|error| unwritable(file.path(), &error))
    };
    let exported = told(context, &request, interrupt, write)?;
    let flushed = writer.into_inner().flush().and_then(|()| file.as_file().sync_all());
    flushed.map_err(|error| unwritable(file.path(), &error))?;
    let out = export.out.unwrap_or_else(|| PathBuf::from(file_name(&exported)));
    let mode = file.as_file().set_permissions(PermissionsExt::from_mode(0o600));
    mode.map_err(|error| unwritable(&out, &error))?;
    file.persist_noclobber(&out).map_err(|error| match error.error.kind() {
        IoKind::AlreadyExists => taken(&out),
        _ => unwritable(&out, &error.error),
    })?;
    let mut answer = serde_json::to_value(&exported).map_err(|_| Failure::unexpected_reply())?;
    answer["file"] = out.display().to_string().into();
    context.out.answer(&answer, || vec![out.display().to_string()])?;
    warn(context.out, &exported);
    Ok(())
}

/// Has the room told line by line.
fn told(
    context: &Context,
    request: &Request,
    interrupt: &Interrupt,
    mut write: impl FnMut(&str) -> Outcome,
) -> Outcome<Exported> {
    let cancel = Cancel::default();
    let interrupted = cancel.clone();
    interrupt.on_interrupt(move || interrupted.cancel());
    let mut progress = Progress::new(context.out);
    let (mut lost, mut lines) = (None, 0u64);
    let end = Reach::new(&context.home)?.stream(request, &cancel, |event| {
        let Event::Line(line) = event else { return };
        lines += 1;
        progress.at(|| format!("{} written", count(lines, "entry", "entries")));
        if lost.is_none()
            && let Err(failure) = write(&line)
        {
            lost = Some(failure);
            cancel.cancel();
        }
    });
    match (lost, end?) {
        (Some(failure), _) => Err(failure),
        (None, Reply::Exported(exported)) => Ok(exported),
        (None, _) => {
            Err(Failure::new(ErrorKind::Interrupted, "the export was interrupted", "nothing was written"))
        }
    }
}

fn warn(out: &Output, exported: &Exported) {
    out.talk(&format!(
        "{} of {}: whoever has the file can read them. It proves who wrote what, by {}: `parlor verify-export FILE`.",
        count(exported.messages, "message", "messages"),
        exported.room_name,
        count(exported.entries, "signed entry", "signed entries"),
    ));
}

/// `payments-2026-11-21.parlor.jsonl`: of the name only what no file system minds.
fn file_name(exported: &Exported) -> String {
    let plain = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' };
    let name: String = exported.room_name.chars().map(plain).collect();
    format!("{name}-{}.parlor.jsonl", clock::today())
}

fn directory(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.into(),
        _ => ".".into(),
    }
}

fn taken(out: &Path) -> Failure {
    let message = format!("{} exists, and nothing is written over it", out.display());
    Failure::bad_input(message, "name another file with --out")
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::machine(
        format!("{} cannot be written: {error}", path.display()),
        "name another place with --out",
    )
}

/// Needs neither home nor node.
pub fn verify(out: &Output, path: &Path) -> Outcome {
    let unreadable = |error: &std::io::Error| {
        Failure::bad_input(
            format!("{} cannot be read: {error}", path.display()),
            "name the file of an export",
        )
    };
    let mut progress = Progress::new(out);
    let told = |lines: u64| progress.at(|| format!("{} verified", count(lines, "line", "lines")));
    let verified = match path.as_os_str() == STDOUT {
        true => verify_export(std::io::stdin().lock(), told),
        false => {
            let file = File::open(path).map_err(|error| unreadable(&error))?;
            verify_export(BufReader::with_capacity(1 << 16, file), told)
        }
    };
    match verified {
        Ok(report) => out.answer(&report, || report_lines(&report)),
        Err(ExportError::Io(error)) => Err(unreadable(&error)),
        Err(ExportError::Fault(fault)) => Err(Failure::bad_input(
            format!("{}: {fault}", path.display()),
            "do not rely on it: it was changed, damaged or cut off; ask for a new export",
        )),
    }
}

fn report_lines(report: &ExportReport) -> Vec<String> {
    let since =
        report.since.as_ref().map(|since| format!(", of what was said since {since}")).unwrap_or_default();
    let mut lines = vec![
        format!("sound: {} ({})", report.room_name, report.room),
        format!(
            "exported by {} ({}) at {}{since}",
            report.exporter, report.exporter_standing, report.exported
        ),
        format!(
            "{} in {} and {}",
            count(report.messages, "message", "messages"),
            count(report.entries, "entry", "entries"),
            count(report.control, "control entry", "control entries"),
        ),
    ];
    let row = |speaker: &parlor_node::ExportSpeaker| {
        vec![
            speaker.nick.clone().unwrap_or_else(|| short(&speaker.peer).to_owned()),
            speaker.standing.clone(),
            count(speaker.messages, "message", "messages"),
            speaker.peer.clone(),
        ]
    };
    lines.extend(columns(&report.speakers.iter().map(row).collect::<Vec<_>>()));
    lines
}
