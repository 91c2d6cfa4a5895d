//! Making an export, a line at a time. Whoever calls it decides what is opened, and signs.

use data_encoding::BASE64;
use parlor_wire::{Data, PeerId, RoomId, Signature, TimeMs, domain};

use super::line::{self, Counts, EndLine, HeadLine};
use super::{FORMAT, Rules};

/// What the first line says.
#[derive(Debug, Clone)]
pub struct Head {
    /// The room.
    pub room: RoomId,
    /// What the exporter calls it.
    pub room_name: String,
    /// Who exports.
    pub exporter: PeerId,
    /// When.
    pub time_ms: TimeMs,
    /// Where chains begin that are not whole.
    pub since_ms: Option<TimeMs>,
}

impl Head {
    fn line(&self, signature: String) -> HeadLine {
        HeadLine {
            parlor_export: FORMAT,
            room: self.room.to_string(),
            room_name: self.room_name.clone(),
            exporter: self.exporter.to_string(),
            time_ms: self.time_ms,
            since_ms: self.since_ms,
            signature,
        }
    }
}

/// What a first line is signed over: itself, without the signature.
pub(super) fn head_message(line: &HeadLine) -> Vec<u8> {
    line::encode(&HeadLine { signature: String::new(), ..line.clone() })
}

/// What a last line is signed over.
pub(super) fn end_message(hash: &blake3::Hasher, counts: &Counts) -> Vec<u8> {
    [&hash.finalize().as_bytes()[..], &counts.bytes()].concat()
}

/// The hash over an export, nothing of it taken yet.
pub(super) fn hasher() -> blake3::Hasher {
    blake3::Hasher::new_derive_key(domain::EXPORT_HASH)
}

/// An export being made.
pub struct Writer {
    hash: blake3::Hasher,
    counts: Counts,
    messages: u64,
}

impl Writer {
    /// Begins one: the first line, signed by `sign` (a domain, a message).
    pub fn begin(head: &Head, sign: impl FnOnce(&[u8], &[u8]) -> Signature) -> (Self, Vec<u8>) {
        let bare = head.line(String::new());
        let signature = sign(domain::EXPORT_HEAD, &head_message(&bare));
        let bytes = line::encode(&head.line(BASE64.encode(&signature.0)));
        let mut writer = Self { hash: hasher(), counts: Counts::default(), messages: 0 };
        writer.hash.update(&bytes);
        (writer, bytes)
    }

    /// The lines of the control entries.
    pub fn control<'a>(&'a mut self, rules: &'a Rules) -> impl Iterator<Item = Vec<u8>> + 'a {
        rules.iter().map(|control| {
            self.counts.control += 1;
            let bytes = line::encode(&line::of_control(control));
            self.hash.update(&bytes);
            bytes
        })
    }

    /// The line of one data entry; chains by id, each by place and id. A key that does not open it is left out.
    pub fn data(&mut self, data: &Data, author: &PeerId, key: Option<&[u8; 32]>) -> Vec<u8> {
        let opened = key.and_then(|key| line::of_data(data, author, Some(key)));
        self.counts.entries += 1;
        self.counts.opened += u64::from(opened.is_some());
        self.messages += u64::from(opened.as_ref().is_some_and(line::DataLine::is_message));
        let bytes = match opened.or_else(|| line::of_data(data, author, None)) {
            Some(line) => line::encode(&line),
            None => Vec::new(),
        };
        self.hash.update(&bytes);
        bytes
    }

    /// How many of the opened entries so far are messages.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// The last line.
    pub fn end(self, sign: impl FnOnce(&[u8], &[u8]) -> Signature) -> (Counts, Vec<u8>) {
        let signature = sign(domain::EXPORT_END, &end_message(&self.hash, &self.counts));
        let line = EndLine { end: self.counts, signature: BASE64.encode(&signature.0) };
        (self.counts, line::encode(&line))
    }
}
