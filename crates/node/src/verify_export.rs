//! Verifying an export without node, home or store: only the file is read, a line at a time.

use std::io::{self, BufRead, Read};

use parlor_core::export::{Fault, MAX_LINE_BYTES, Verifier};
use parlor_core::text::time::rfc3339;
use serde::Serialize;

/// Why a file is not vouched for.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It is not what it says it is.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// What a sound export says.
#[derive(Debug, Serialize)]
pub struct ExportReport {
    /// The room.
    pub room: String,
    /// What its exporter calls it.
    pub room_name: String,
    /// Who exported.
    pub exporter: String,
    /// How the exporter stands in the room.
    pub exporter_standing: String,
    /// When, by the exporter's clock.
    pub exported: String,
    /// Since when chains are in it; absent: from their beginning.
    pub since: Option<String>,
    /// Control entries.
    pub control: u64,
    /// Data entries.
    pub entries: u64,
    /// Of these, those that can be read and are what opens: messages, and what members say of themselves and the room.
    pub opened: u64,
    /// Of these, messages.
    pub messages: u64,
    /// Who speaks.
    pub speakers: Vec<ExportSpeaker>,
}

/// Somebody who speaks in an export.
#[derive(Debug, Serialize)]
pub struct ExportSpeaker {
    /// Who.
    pub peer: String,
    /// What it calls itself.
    pub nick: Option<String>,
    /// How it stands in the room by the control entries of the file.
    pub standing: String,
    /// Its entries.
    pub entries: u64,
    /// Its messages that can be read.
    pub messages: u64,
}

/// Verifies an export. `progress` is told of the lines read so far.
pub fn verify_export(
    mut file: impl BufRead,
    mut progress: impl FnMut(u64),
) -> Result<ExportReport, ExportError> {
    let mut verifier = Verifier::default();
    let mut line = Vec::new();
    for lines in 1.. {
        line.clear();
        // One byte more than a line may have shows that it is too long.
        file.by_ref().take(MAX_LINE_BYTES as u64 + 1).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            break;
        }
        verifier.line(&line)?;
        progress(lines);
    }
    let verified = verifier.end()?;
    let messages = verified.speakers.values().map(|speaker| speaker.messages).sum();
    let speakers = verified.speakers.into_iter().map(|(peer, speaker)| ExportSpeaker {
        peer: peer.to_string(),
        nick: speaker.nick.map(|nick| nick.into_string()),
        standing: speaker.standing.into(),
        entries: speaker.entries,
        messages: speaker.messages,
    });
    Ok(ExportReport {
        room: verified.room.to_string(),
        room_name: verified.room_name.into_string(),
        exporter: verified.exporter.to_string(),
        exporter_standing: verified.exporter_standing.into(),
        exported: rfc3339(verified.time_ms),
        since: verified.since_ms.map(rfc3339),
        control: verified.counts.control,
        entries: verified.counts.entries,
        opened: verified.counts.opened,
        messages,
        speakers: speakers.collect(),
    })
}
