//! Finding each other on the LAN by multicast DNS. What is said there is this node's peer id, addresses and
//! port, and nothing else; what is heard is only ever an address to try, for the handshake proves who answers.
//! Must not dial.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use swarm_discovery::{Discoverer, DropGuard, IpClass, Peer, SpawnError};

use super::{Shared, addresses};
use parlor_wire::PeerId;

/// The service: nodes are found as `p….` under `_parlor._udp.local`.
const SERVICE: &str = "parlor";
/// The service of the carrier that stays in the local network: it has a port of its own.
const NEAR_SERVICE: &str = "parlor-lan";
/// How often the LAN is asked who is there, by whichever node comes first.
const CADENCE: Duration = Duration::from_secs(2);
/// How many answers a second the LAN bears.
const ANSWERS_PER_SECOND: f32 = 2.5;

/// Says and listens until the carrier stops. Multicast is sent on the interfaces there are, so that no default
/// route is needed; when they change it starts anew, so that a cable plugged in later works too.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut here = shared.here.subscribe();
    loop {
        let own = here.borrow_and_update().addresses.clone();
        let running = start(&shared, &own);
        shared.on_lan.send_replace(running.is_some());
        if here.changed().await.is_err() {
            return;
        }
    }
}

fn start(shared: &Arc<Shared>, own: &[SocketAddr]) -> Option<DropGuard> {
    let outside: Vec<SocketAddr> = own.iter().filter(|at| !at.ip().is_loopback()).copied().collect();
    if outside.is_empty() {
        tracing::debug!("there is no LAN now");
        return None;
    }
    match discoverer(shared, &outside) {
        Ok(running) => Some(running),
        Err(error) => {
            tracing::info!(%error, "peers on the LAN cannot be looked for now");
            None
        }
    }
}

fn discoverer(shared: &Arc<Shared>, outside: &[SocketAddr]) -> Result<DropGuard, Box<SpawnError>> {
    let interfaces: Vec<Ipv4Addr> = outside
        .iter()
        .filter_map(|at| match at.ip() {
            IpAddr::V4(v4) => Some(v4),
            IpAddr::V6(_) => None,
        })
        .collect();
    let class = if interfaces.is_empty() { IpClass::V6Only } else { IpClass::V4Only };
    let listener = Arc::clone(shared);
    let service = if shared.near { NEAR_SERVICE } else { SERVICE };
    let mut discoverer = Discoverer::new(service.to_owned(), shared.me.to_string())
        .with_cadence(CADENCE)
        .with_response_rate(ANSWERS_PER_SECOND)
        .with_ip_class(class)
        .with_multicast_interfaces_v4(interfaces)
        .with_callback(move |name, peer| heard(&listener, name, peer));
    for at in outside {
        discoverer = discoverer.with_addrs(at.port(), [at.ip()]);
    }
    discoverer.spawn(&shared.runtime).map_err(Box::new)
}

/// Somebody is there, or no longer.
fn heard(shared: &Shared, name: &str, peer: &Peer) {
    let Ok(id) = name.parse::<PeerId>() else { return };
    if id == shared.me {
        return;
    }
    let here = shared.here.borrow().addresses.clone();
    let named = peer.addrs().iter().map(|(ip, port)| SocketAddr::new(*ip, *port));
    let near: Vec<SocketAddr> = named.filter(|at| addresses::is_near(at, &here)).collect();
    shared.peers.seen(id, &near, &shared.relays);
}
