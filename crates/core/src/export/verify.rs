//! Verifying an export, a line at a time, without anything but the file. What it holds grows with the control entries
//! and never with what was said. Nothing is believed: every line is worked out again from the entry it is of, and compared.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::BASE64;
use parlor_wire::{Control, Data, EntryId, PeerId, RoomId, Signature, TimeMs, domain, sign};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::line::{self, ControlLine, Counts, DataLine, EndLine, HeadLine};
use super::write::{end_message, hasher, head_message};
use super::{FORMAT, MAX_LINE_BYTES, Rules};
use crate::text::clean::CleanText;
use crate::text::names;

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct Fault {
    /// In which line, from 1.
    pub line: u64,
    /// What.
    pub why: String,
}

/// Somebody who speaks in an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Speaker {
    /// The last nick in the file that it gave itself.
    pub nick: Option<CleanText>,
    /// How it stands in the room: `owner`, `member`, `reader`, `left`, `removed` or `nobody`.
    pub standing: &'static str,
    /// Entries of its chains.
    pub entries: u64,
    /// Messages of it that can be read.
    pub messages: u64,
}

/// What a sound export says.
#[derive(Debug, Clone)]
pub struct Verified {
    /// The room.
    pub room: RoomId,
    /// What the exporter calls it.
    pub room_name: CleanText,
    /// Who exported.
    pub exporter: PeerId,
    /// How the exporter stands in the room.
    pub exporter_standing: &'static str,
    /// When, by the exporter's clock.
    pub time_ms: TimeMs,
    /// Where chains begin that are not whole.
    pub since_ms: Option<TimeMs>,
    /// How much it holds.
    pub counts: Counts,
    /// Who speaks.
    pub speakers: BTreeMap<PeerId, Speaker>,
}

/// An export being verified.
pub struct Verifier {
    line: u64,
    hash: blake3::Hasher,
    state: State,
}

enum State {
    Begin,
    Going(Box<Going>),
    Ended(Box<Going>),
}

struct Going {
    head: HeadLine,
    room: RoomId,
    exporter: PeerId,
    rules: Rules,
    counts: Counts,
    at: Option<Place>,
    speakers: BTreeMap<PeerId, Speaker>,
}

/// Where the data has come to.
struct Place {
    chain: EntryId,
    seq: u64,
    /// The entries at this place, in the order they came.
    here: Vec<EntryId>,
    /// The entries one place before; nothing where the file begins in the middle of the chain.
    before: Option<BTreeSet<EntryId>>,
}

type Check<T = ()> = Result<T, String>;

impl Default for Verifier {
    fn default() -> Self {
        Self { line: 0, hash: hasher(), state: State::Begin }
    }
}

impl Verifier {
    /// Takes the next line, its end included.
    pub fn line(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.line += 1;
        let line = self.line;
        self.take(bytes).map_err(|why| Fault { line, why })
    }

    /// The file has ended.
    pub fn end(self) -> Result<Verified, Fault> {
        let State::Ended(going) = self.state else {
            let why = "the file ends before its last line: something was cut off".into();
            return Err(Fault { line: self.line + 1, why });
        };
        Ok(Verified {
            room: going.room,
            room_name: names::room_name(&going.head.room_name),
            exporter: going.exporter,
            exporter_standing: going.rules.standing(&going.exporter),
            time_ms: going.head.time_ms,
            since_ms: going.head.since_ms,
            counts: going.counts,
            speakers: going.speakers,
        })
    }

    fn take(&mut self, bytes: &[u8]) -> Check {
        if bytes.len() > MAX_LINE_BYTES {
            return Err(format!("longer than the {MAX_LINE_BYTES} bytes a line may have"));
        }
        if !bytes.ends_with(b"\n") {
            return Err("it has no end: something was cut off".into());
        }
        match &mut self.state {
            State::Begin => self.state = State::Going(Box::new(begin(bytes)?)),
            State::Ended(_) => return Err("there is something behind the last line".into()),
            State::Going(going) => {
                if let Some(end) = read::<EndLine>(bytes) {
                    going.check_end(&end, &self.hash)?;
                    let State::Going(going) = std::mem::replace(&mut self.state, State::Begin) else {
                        return Ok(());
                    };
                    self.state = State::Ended(going);
                } else if let Some(line) = read::<DataLine>(bytes) {
                    going.take_data(&line)?;
                } else if let Some(line) = read::<ControlLine>(bytes) {
                    going.take_control(&line)?;
                } else {
                    return Err("not a line of an export in its one form".into());
                }
            }
        }
        self.hash.update(bytes);
        Ok(())
    }
}

/// A line of a kind, in the one form it has.
fn read<T: DeserializeOwned + Serialize>(bytes: &[u8]) -> Option<T> {
    let line: T = serde_json::from_slice(bytes).ok()?;
    (line::encode(&line) == bytes).then_some(line)
}

fn begin(bytes: &[u8]) -> Check<Going> {
    let head: HeadLine = read(bytes).ok_or("not the beginning of an export of Parlor")?;
    if head.parlor_export != FORMAT {
        return Err(format!("an export of form {}; this Parlor knows {FORMAT}", head.parlor_export));
    }
    let room: RoomId = head.room.parse().map_err(|_| "the room's id is none")?;
    let exporter: PeerId = head.exporter.parse().map_err(|_| "the exporter's id is none")?;
    signed(&exporter, domain::EXPORT_HEAD, &head_message(&head), &head.signature)?;
    Ok(Going {
        room,
        exporter,
        rules: Rules::new(room),
        counts: Counts::default(),
        at: None,
        speakers: BTreeMap::new(),
        head,
    })
}

fn signed(signer: &PeerId, domain: &[u8], message: &[u8], signature: &str) -> Check {
    let bytes = decode(signature)?;
    let signature = bytes.try_into().map(Signature).map_err(|_| "a signature has 64 bytes")?;
    sign::verify(signer, domain, message, &signature)
        .map_err(|_| "this is not what the exporter has signed".to_owned())
}

fn decode(text: &str) -> Check<Vec<u8>> {
    BASE64.decode(text.as_bytes()).map_err(|_| "not in base64".to_owned())
}

fn same(worked_out: bool) -> Check {
    if worked_out { Ok(()) } else { Err("what can be read in it is not what the entry holds".into()) }
}

impl Going {
    fn take_control(&mut self, line: &ControlLine) -> Check {
        if self.at.is_some() {
            return Err("a control entry behind data entries".into());
        }
        let control = Control::decode(&decode(&line.control)?).map_err(|error| error.to_string())?;
        if control.room() != self.room {
            return Err("a control entry of another room".into());
        }
        same(line::of_control(&control) == *line)?;
        if !self.rules.take(control) {
            return Err(
                "a control entry that does not follow what stands before it, or stands there twice".into()
            );
        }
        self.counts.control += 1;
        Ok(())
    }

    fn take_data(&mut self, line: &DataLine) -> Check {
        if self.at.is_none() {
            self.rules.settle();
        }
        let data = Data::decode(&decode(&line.entry)?).map_err(|error| error.to_string())?;
        if data.header.room != self.room {
            return Err("a data entry of another room".into());
        }
        let author =
            self.rules.author(&data.header.chain).ok_or("a data entry of a chain nobody has opened")?;
        data.verify(&author).map_err(|error| error.to_string())?;
        self.follow(&data)?;
        let key = match &line.key {
            None => None,
            Some(key) => Some(decode(key)?.try_into().map_err(|_| "a key has 32 bytes")?),
        };
        let worked_out =
            line::of_data(&data, &author, key.as_ref()).ok_or("it does not open with the key beside it")?;
        same(worked_out == *line)?;
        if key.is_some() && !self.rules.may_count(&data.header) {
            return Err("it is opened, and by the roster in this file it does not count".into());
        }
        self.count(author, &worked_out);
        Ok(())
    }

    /// Whether an entry stands where it belongs: chains by id, entries by place and id, each behind one it follows.
    fn follow(&mut self, data: &Data) -> Check {
        let header = &data.header;
        let wrong = || "it is not where it belongs: something was left out, put in or moved".to_owned();
        match &mut self.at {
            Some(at) if at.chain == header.chain && at.seq == header.seq => {
                if at.here.last().is_some_and(|last| *last >= data.id) {
                    return Err(wrong());
                }
                at.connects(data).then_some(()).ok_or_else(wrong)?;
                at.here.push(data.id);
            }
            Some(at) if at.chain == header.chain => {
                if at.seq.checked_add(1) != Some(header.seq) {
                    return Err(wrong());
                }
                at.before = Some(std::mem::take(&mut at.here).into_iter().collect());
                at.seq = header.seq;
                at.connects(data).then_some(()).ok_or_else(wrong)?;
                at.here.push(data.id);
            }
            at => {
                let ascends = at.as_ref().is_none_or(|at| at.chain < header.chain);
                let whole = header.seq == 0 || self.head.since_ms.is_some();
                if !ascends || !whole {
                    return Err(wrong());
                }
                *at = Some(Place { chain: header.chain, seq: header.seq, here: vec![data.id], before: None });
            }
        }
        Ok(())
    }

    fn count(&mut self, author: PeerId, line: &DataLine) {
        let standing = self.rules.standing(&author);
        let speaker =
            self.speakers.entry(author).or_insert(Speaker { nick: None, standing, entries: 0, messages: 0 });
        self.counts.entries += 1;
        speaker.entries += 1;
        let Some(says) = &line.says else { return };
        self.counts.opened += 1;
        speaker.messages += u64::from(line.is_message());
        if let Some(nick) = &says.nick {
            speaker.nick = Some(names::nick(nick));
        }
    }

    fn check_end(&self, end: &EndLine, hash: &blake3::Hasher) -> Check {
        if self.counts != end.end {
            return Err("it counts other entries than the file holds".into());
        }
        signed(&self.exporter, domain::EXPORT_END, &end_message(hash, &self.counts), &end.signature)
    }
}

impl Place {
    /// Whether an entry follows one at the place before.
    fn connects(&self, data: &Data) -> bool {
        match (&self.before, &data.header.prev) {
            (Some(before), Some(prev)) => before.contains(prev),
            // The first place in the file: what is before it is not in it.
            (None, _) => true,
            (Some(_), None) => false,
        }
    }
}
