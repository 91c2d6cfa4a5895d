//! Giving back space: of the store on the driver's thread, which is its one writer, and of the index beside it.

use std::path::Path;
use std::time::Instant;

use parlor_api::{ApiError, Compacted, Reply};

use super::Asked;
use crate::errors;

pub(super) async fn compact(asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let node = asked.node;
    let (store, index) = (node.home.store(), node.home.index());
    let (store_before_bytes, index_before_bytes) = (bytes(&store), bytes(&index));
    let begun = Instant::now();
    node.driver.compact().await?;
    let blocked_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let of_node = node.index.clone();
    let compacted = tokio::task::spawn_blocking(move || of_node.write(|index| index.compact())).await;
    compacted
        .map_err(|_| errors::internal("compacting the index broke off"))?
        .map_err(|error| errors::of_store(&error))?;
    Ok(Reply::Compacted(Compacted {
        store_before_bytes,
        store_after_bytes: bytes(&store),
        index_before_bytes,
        index_after_bytes: bytes(&index),
        blocked_ms,
    }))
}

/// A file and its log.
fn bytes(path: &Path) -> u64 {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let len = |path: &Path| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    len(path) + len(Path::new(&log))
}
