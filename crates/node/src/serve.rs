//! The local socket: accepts whoever is the same user, bounded in number. Must not wait for anything but
//! connections.

mod connection;
mod greeting;
mod reader;
mod writer;

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixListener;
use tokio::sync::Semaphore;

use crate::node::Node;

/// Open connections: some for each of many sessions.
const MAX_CONNECTIONS: usize = 512;
/// After the system refused a connection, mostly for want of descriptors.
const REFUSED_WAIT: Duration = Duration::from_millis(100);

/// Listens. Called under the home's lock, so a socket that is there is a dead node's.
pub(crate) fn listen(path: &Path) -> io::Result<UnixListener> {
    // Who answers there is no leftover, whatever the lock says: somebody may have removed its file.
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "another node answers there"));
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Serves until the node stops.
pub(crate) async fn serve(node: Arc<Node>, listener: UnixListener) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut holder = 0;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = node.life.stopping.cancelled() => return,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!("a connection was not accepted: {error}");
                tokio::time::sleep(REFUSED_WAIT).await;
                continue;
            }
        };
        holder += 1;
        let place = places.clone().try_acquire_owned().ok();
        let serving = connection::serve(node.clone(), stream, holder, place);
        node.life.connections.spawn(serving);
    }
}
