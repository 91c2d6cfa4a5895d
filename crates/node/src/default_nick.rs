//! What an identity calls itself while nobody has said: the user's name, as it was when the home was new. Must not change
//! by itself: others know somebody by it.

use parlor_core::persist::{Op, Snapshot, Table};
use parlor_store::{Store, StoreError};

/// Where in `Table::Own` it is kept: whoever starts the node another time may be called otherwise, or nothing.
const KEY: &[u8] = b"default nick";

/// That of config.toml, else the one kept, else the user's name, which is kept from then on. Empty where nothing is known.
pub(crate) fn of(
    configured: Option<&str>,
    snapshot: &Snapshot,
    store: &mut dyn Store,
) -> Result<String, StoreError> {
    if let Some(nick) = configured.map(String::from).or_else(|| kept(snapshot)) {
        return Ok(nick);
    }
    let Some(user) = user_name() else { return Ok(String::new()) };
    store.commit(&[Op::Put { table: Table::Own, key: KEY.to_vec(), value: user.clone().into_bytes() }])?;
    Ok(user)
}

fn kept(snapshot: &Snapshot) -> Option<String> {
    let (_, _, value) = snapshot.records.iter().find(|(table, key, _)| *table == Table::Own && key == KEY)?;
    String::from_utf8(value.clone()).ok()
}

/// By the environment, which says who logged in; a service or a container may have none, and the system knows all the same.
fn user_name() -> Option<String> {
    let said = |name: &&str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    ["USER", "LOGNAME"].iter().find_map(said).or_else(|| {
        let user = nix::unistd::User::from_uid(nix::unistd::geteuid());
        user.ok().flatten().map(|user| user.name)
    })
}
