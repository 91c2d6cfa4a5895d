//! `parlor store`: whether what is stored is sound, how much there is, and giving back space. `check` and `stats` read the file,
//! whether a node runs or not, and start none.

use parlor_api::{Compacted, ErrorKind, Reply, Request};
use parlor_node::{StoreError, StoreReport, StoreStats, store_check, store_stats};

use super::Context;
use crate::args::Store;
use crate::clock;
use crate::errors::{Failure, Outcome};
use crate::render::{columns, count, short};
use crate::telling::Progress;

/// Exit code when something is wrong with the store.
const UNSOUND: u8 = 7;
/// Whoever compacts a large store waits for its whole file to be written.
const COMPACT_WAIT_MS: u64 = 60_000;

pub fn run(context: &Context, command: Store) -> Outcome {
    match command {
        Store::Check => check(context),
        Store::Stats => stats(context),
        Store::Compact => compact(context),
    }
}

fn failed(error: StoreError) -> Failure {
    let kind = if matches!(error, StoreError::Missing(_)) { ErrorKind::NotFound } else { ErrorKind::Machine };
    Failure::new(kind, error.to_string(), "`parlor doctor` looks at the home as a whole")
}

fn check(context: &Context) -> Outcome {
    let mut progress = Progress::new(context.out);
    let told = |entries: u64| match entries {
        0 => context.out.talk("Reading the whole store: this takes as long as its disk takes."),
        _ => progress.at(|| format!("{} checked", count(entries, "entry", "entries"))),
    };
    let report = store_check(&context.home, told).map_err(failed)?;
    context.out.answer(&report, || check_lines(&report))?;
    if report.problems == 0 {
        return Ok(());
    }
    context.out.talk(
        "What to do: stop the node and keep a copy of the home as it is. If the others of these rooms have what is said, move \
         store.db away and join again by new tickets: they give you all of it. Then look at the disk.",
    );
    Err(Failure::Said(UNSOUND))
}

fn check_lines(report: &StoreReport) -> Vec<String> {
    let looked = format!(
        "{}, {}, {} checked",
        count(report.rooms, "room", "rooms"),
        count(report.control, "control entry", "control entries"),
        count(report.entries, "entry", "entries"),
    );
    if report.problems == 0 {
        return vec![format!("sound: {looked}")];
    }
    let mut lines = vec![format!("NOT SOUND: {}; {looked}", count(report.problems, "problem", "problems"))];
    lines.extend(report.named.iter().map(|problem| {
        let room = problem.room.as_ref().map(|id| match &problem.room_name {
            Some(name) => format!("room {name} ({})", short(id)),
            None => format!("room {}", short(id)),
        });
        let entry = problem.entry.as_ref().map(|id| format!("entry {}", short(id)));
        let place: Vec<String> = [room, entry].into_iter().flatten().collect();
        if place.is_empty() {
            problem.what.clone()
        } else {
            format!("{}: {}", place.join(", "), problem.what)
        }
    }));
    if report.problems > report.named.len() as u64 {
        lines.push("and more".into());
    }
    lines
}

fn stats(context: &Context) -> Outcome {
    let stats = store_stats(&context.home).map_err(failed)?;
    context.out.answer(&stats, || stats_lines(&stats))
}

/// A size as people say it.
fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} KiB", bytes / 1024),
        _ => format!("{} MiB", bytes / 1_048_576),
    }
}

fn stats_lines(stats: &StoreStats) -> Vec<String> {
    let mut lines = vec![
        format!(
            "store  {}, {} of it unused; log {}",
            size(stats.store_bytes),
            size(stats.free_bytes),
            size(stats.log_bytes)
        ),
        format!("index  {}", size(stats.index_bytes)),
    ];
    let day = |at: &Option<String>| at.as_deref().map(clock::stamp_of).unwrap_or_default();
    let rows = stats.rooms.iter().map(|room| {
        vec![
            room.name.clone(),
            count(room.people, "person", "people"),
            count(room.messages, "message", "messages"),
            format!("{} indexed", room.indexed),
            format!(
                "{} and {}",
                count(room.entries, "entry", "entries"),
                count(room.control, "control entry", "control entries")
            ),
            count(room.chains, "chain", "chains"),
            size(room.bytes),
            format!("transcripts {}", size(room.transcript_bytes)),
            if room.oldest.is_some() {
                format!("{} to {}", day(&room.oldest), day(&room.newest))
            } else {
                String::new()
            },
        ]
    });
    lines.extend(columns(&rows.collect::<Vec<_>>()));
    lines
}

fn compact(context: &Context) -> Outcome {
    context.out.talk(
        "Compacting. A large store that has much unused space is copied, and everything waits for that.",
    );
    let Reply::Compacted(done) = context.ask_waiting(&Request::StoreCompact, COMPACT_WAIT_MS)? else {
        return Err(Failure::unexpected_reply());
    };
    let one = |what: &str, before: u64, after: u64| format!("{what}  {} → {}", size(before), size(after));
    let lines = |done: &Compacted| {
        vec![
            one("store", done.store_before_bytes, done.store_after_bytes),
            one("index", done.index_before_bytes, done.index_after_bytes),
            format!("everything else waited {} ms", done.blocked_ms),
        ]
    };
    context.out.answer(&done, || lines(&done))
}
