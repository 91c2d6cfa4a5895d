//! Relays are contacted only after a person has been told which: here a surface asks, and says that it has told.

use parlor_api::{ApiError, Relays, Reply};
use parlor_core::engine::api::Command;
use parlor_core::persist::{Snapshot, Table};

use super::Asked;

/// Where in `Table::Own` it is kept that a person was told of these relays.
const TOLD_KEY: &[u8] = b"relays told";

/// The relays that a person was told of, in an earlier run.
pub(crate) fn told(snapshot: &Snapshot) -> Option<String> {
    let found = snapshot.records.iter().find(|(table, key, _)| *table == Table::Own && key == TOLD_KEY);
    found.map(|(_, _, value)| String::from_utf8_lossy(value).into_owned())
}

pub(super) async fn relays(asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let node = asked.node;
    let needed = node.driver.view(|engine| engine.relayed_rooms().is_some()).await?;
    let urls = node.carrier.set_relays();
    let told = urls.is_empty() || node.relays_told(&urls);
    let by = node.carrier.relays_are_default().then(|| "n0".to_owned());
    Ok(Reply::Relays(Relays { urls, by, told, needed }))
}

/// A person was told: from now on they may be contacted.
pub(super) async fn relays_told(asked: &Asked<'_>) -> Result<Reply, ApiError> {
    asked.refuse_agents_what("lets relays be contacted", "parlor")?;
    let node = asked.node;
    let value = node.carrier.set_relays().join(" ");
    let put = Command::PutRecord {
        table: Table::Own,
        key: TOLD_KEY.to_vec(),
        value: Some(value.clone().into_bytes()),
    };
    node.driver.command(put).await?;
    node.note_relays_told(value);
    node.carrier.allow_relays();
    Ok(Reply::Done)
}
