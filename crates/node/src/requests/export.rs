//! A room as one file, told a line at a time: what core's `export` makes of what the store holds.

use parlor_api::{ApiError, Event, Exported, Reply};
use parlor_core::engine::Engine;
use parlor_core::export::{Head, Rules, Writer};
use parlor_core::persist::{DataRow, Loaded, Query};
use parlor_wire::{Data, EntryId, RoomId, Signature, limits};

use super::{Asked, place, talk};
use crate::clock;
use crate::driver::Driver;
use crate::errors;

/// Entries read and opened in one turn of the driver, and their bytes: little enough that nobody waits for it.
const PAGE_ROWS: u32 = 64;
const PAGE_BYTES: usize = 1024 * 1024;
/// All branches of one place fit into a page, or those behind its end would be left out.
const _: () =
    assert!(PAGE_BYTES > limits::MAX_TIPS * (limits::MAX_BODY_BYTES + limits::MAX_DATA_HEADER_BYTES + 256));

pub(super) async fn export(
    asked: &Asked<'_>,
    room: Option<String>,
    since_ms: Option<u64>,
) -> Result<Reply, ApiError> {
    asked.refuse_agents_what(
        "writes all that was said in a room to a file, signed with your human's identity",
        "parlor room export",
    )?;
    let node = asked.node;
    let room = place::room(node, asked.caller, room.as_deref()).await?;
    let turn = tokio::select! {
        turn = asked.caller.log_turn.acquire() => turn,
        () = asked.cancel.cancelled() => return Ok(Reply::Done),
    };
    let room_name = talk::room_name(node, room).await?;
    // What is not read here any more is not handed on either.
    let floor_ms = node.retention.floor_ms(&room);
    let since_ms = since_ms.max(Some(floor_ms).filter(|floor| *floor > 0));
    let held = node.driver.view(move |engine| engine.export_control(&room)).await?;
    let (control, chains) = held.ok_or_else(|| errors::internal("a room went missing"))?;
    let mut rules = Rules::new(room);
    for entry in control {
        rules.take(entry);
    }
    rules.settle();
    let head =
        Head { room, room_name: room_name.clone(), exporter: node.me, time_ms: clock::wall_ms(), since_ms };
    let begin =
        move |engine: &Engine| Writer::begin(&head, |domain, message| engine.sign_export(domain, message));
    let (mut writer, first) = node.driver.view(begin).await?;
    let told = Told { asked };
    let mut goes_on = told.line(first).await;
    let control: Vec<Vec<u8>> = writer.control(&rules).collect();
    for line in control {
        goes_on = goes_on && told.line(line).await;
    }
    let mut export = Export { driver: &node.driver, room, rules, writer, since_ms, floor_ms };
    for chain in chains {
        goes_on = goes_on && export.chain(&told, chain).await?;
    }
    if !goes_on {
        return Ok(Reply::Done);
    }
    let writer = export.writer;
    let messages = writer.messages();
    let end = move |engine: &Engine| {
        writer.end(|domain, message| -> Signature { engine.sign_export(domain, message) })
    };
    let (counts, last) = node.driver.view(end).await?;
    told.line(last).await;
    drop(turn);
    Ok(Reply::Exported(Exported {
        room: room.to_string(),
        room_name,
        exporter: node.me.to_string(),
        control: counts.control,
        entries: counts.entries,
        opened: counts.opened,
        messages,
    }))
}

/// Where the lines go.
struct Told<'a> {
    asked: &'a Asked<'a>,
}

impl Told<'_> {
    /// False when nobody wants more.
    async fn line(&self, line: Vec<u8>) -> bool {
        let Ok(text) = String::from_utf8(line) else { return false };
        tokio::select! {
            taken = self.asked.events.emit(Event::Line(text)) => taken,
            () = self.asked.cancel.cancelled() => false,
        }
    }
}

struct Export<'a> {
    driver: &'a Driver,
    room: RoomId,
    rules: Rules,
    writer: Writer,
    since_ms: Option<u64>,
    /// What is sorted before is not opened, wherever in a chain it stands.
    floor_ms: u64,
}

impl Export<'_> {
    async fn chain(&mut self, told: &Told<'_>, chain: EntryId) -> Result<bool, ApiError> {
        let Some(author) = self.rules.author(&chain) else { return Ok(true) };
        let Some(mut from) = self.first(chain).await? else { return Ok(true) };
        let mut last: Option<(u64, EntryId)> = None;
        loop {
            let rows = self.rows(chain, from).await?;
            let Some(end) = rows.last().map(|row| row.seq) else { return Ok(true) };
            // Branches of one place may stand on both sides of a page.
            let rows: Vec<DataRow> =
                rows.into_iter().filter(|row| last.is_none_or(|last| (row.seq, row.id) > last)).collect();
            let Some(newest) = rows.last().map(|row| (row.seq, row.id)) else {
                from = end + 1;
                continue;
            };
            last = Some(newest);
            for (data, key) in self.open(rows).await? {
                let key = key.filter(|_| self.rules.may_count(&data.header));
                if !told.line(self.writer.data(&data, &author, key.as_deref())).await {
                    return Ok(false);
                }
            }
            from = end;
        }
    }

    /// The place at which a chain begins in the file.
    async fn first(&self, chain: EntryId) -> Result<Option<u64>, ApiError> {
        let Some(since_ms) = self.since_ms else { return Ok(Some(0)) };
        let mut from = 0;
        loop {
            let rows = self.rows(chain, from).await?;
            if let Some(found) = rows.iter().find(|row| row.sort_ms >= since_ms) {
                return Ok(Some(found.seq));
            }
            let Some(last) = rows.last() else { return Ok(None) };
            from = last.seq + 1;
        }
    }

    async fn rows(&self, chain: EntryId, from_seq: u64) -> Result<Vec<DataRow>, ApiError> {
        let (room, to_seq) = (self.room, u64::MAX);
        let query = Query::Chain { room, chain, from_seq, to_seq, limit: PAGE_ROWS, limit_bytes: PAGE_BYTES };
        match self.driver.query(query).await? {
            Loaded::Rows(rows) => Ok(rows),
            _ => Err(errors::internal("the store answered something else than was asked")),
        }
    }

    async fn open(&self, rows: Vec<DataRow>) -> Result<Vec<Opened>, ApiError> {
        let floor_ms = self.floor_ms;
        let one = move |engine: &Engine, row: &DataRow| {
            let (data, key) = engine.export_entry(row)?;
            Some((data, key.filter(|_| row.sort_ms >= floor_ms)))
        };
        let open = move |engine: &Engine| -> Vec<Option<Opened>> {
            rows.iter().map(|row| one(engine, row)).collect()
        };
        let opened: Option<Vec<Opened>> = self.driver.view(open).await?.into_iter().collect();
        opened.ok_or_else(|| {
            ApiError::new(parlor_api::ErrorKind::Machine, "an entry in the store cannot be read")
                .hint("`parlor store check` says what is wrong with it")
        })
    }
}

type Opened = (Data, Option<zeroize::Zeroizing<[u8; 32]>>);
