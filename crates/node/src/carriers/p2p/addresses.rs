//! Addresses: where this node can be reached, and which addresses of others are worth a packet. Must not send.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use iroh::Watcher;

use parlor_core::engine::api::Places;

use super::Shared;
use crate::carriers::CarrierEvent;

/// Addresses kept of one node: more than one has interfaces that others can reach.
const MAX_ADDRESSES: usize = 8;

/// Follows the machine's interfaces until the carrier stops.
pub(super) async fn run(shared: Arc<Shared>, port: u16) {
    let mut watcher = shared.endpoint.watch_addr();
    loop {
        let (addresses, relays) = {
            let at = watcher.get();
            let relay = at.relay_urls().next().map(ToString::to_string).or_else(|| shared.relays.word());
            (ranked(at.ip_addrs().copied(), port), relay.into_iter().collect())
        };
        let here = Places { addresses, relays };
        let before = shared.here.send_replace(here.clone());
        if before != here {
            tracing::info!(?here, "this node is reached elsewhere");
            shared.tell(CarrierEvent::Moved).await;
        }
        if before.addresses != here.addresses {
            shared.retry.send_replace(());
        }
        if watcher.updated().await.is_err() {
            return;
        }
    }
}

/// This node's own addresses, best first; loopback is always there and last.
pub(super) fn ranked(interfaces: impl Iterator<Item = SocketAddr>, port: u16) -> Vec<SocketAddr> {
    let mut outside: Vec<SocketAddr> =
        interfaces.filter(|at| may_be_dialled(at) && !at.ip().is_loopback()).collect();
    outside.sort_by_key(|at| (rank(at.ip()), *at));
    outside.dedup();
    outside.truncate(MAX_ADDRESSES - 1);
    outside.push(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    outside
}

/// IPv4 before IPv6, private before public: who reads a ticket is most often near.
fn rank(ip: IpAddr) -> u8 {
    match ip {
        IpAddr::V4(v4) if v4.is_private() => 0,
        IpAddr::V4(_) => 1,
        IpAddr::V6(v6) if v6.is_unique_local() => 2,
        IpAddr::V6(_) => 3,
    }
}

/// Of addresses somebody named, those that can be one peer's; each once, and not too many.
pub(super) fn dialable(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let mut kept = Vec::new();
    for at in addresses.iter().map(plain).filter(may_be_dialled) {
        if kept.len() < MAX_ADDRESSES && !kept.contains(&at) {
            kept.push(at);
        }
    }
    kept
}

/// IPv4 addresses as such, wherever they come from.
fn plain(at: &SocketAddr) -> SocketAddr {
    SocketAddr::new(at.ip().to_canonical(), at.port())
}

fn may_be_dialled(at: &SocketAddr) -> bool {
    let one_host = match at.ip() {
        IpAddr::V4(v4) => !(v4.is_unspecified() || v4.is_multicast() || v4.is_broadcast()),
        // A link-local address says nothing without the interface, which differs on every machine.
        IpAddr::V6(v6) => !(v6.is_unspecified() || v6.is_multicast() || v6.is_unicast_link_local()),
    };
    one_host && at.port() != 0
}

/// Whether an address heard of on the LAN is on the LAN: nobody there may send us to the rest of the world.
pub(super) fn is_near(at: &SocketAddr, here: &[SocketAddr]) -> bool {
    match at.ip() {
        IpAddr::V4(v4) => {
            v4.is_private() || v4.is_link_local() || is_shared(v4) || here.iter().any(|own| beside(own, v4))
        }
        IpAddr::V6(v6) => v6.is_unique_local() || here.iter().any(|own| beside_v6(own, v6)),
    }
}

/// 100.64.0.0/10, which some local networks use.
fn is_shared(v4: Ipv4Addr) -> bool {
    v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64
}

/// In the same /24, as far as this can be told without the interface's mask.
fn beside(own: &SocketAddr, other: Ipv4Addr) -> bool {
    matches!(own.ip(), IpAddr::V4(own) if !own.is_loopback() && own.octets()[..3] == other.octets()[..3])
}

/// In the same /64.
fn beside_v6(own: &SocketAddr, other: Ipv6Addr) -> bool {
    matches!(own.ip(), IpAddr::V6(own) if own.segments()[..4] == other.segments()[..4])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().filter_map(|text| text.parse().ok()).collect()
    }

    #[test]
    fn own_addresses_are_ranked_and_loopback_is_last() {
        let interfaces = list(&["[fd00::1]:7", "8.8.4.4:7", "127.0.0.1:7", "192.168.1.5:7", "[fe80::1]:7"]);
        let here = ranked(interfaces.into_iter(), 7);
        assert_eq!(here, list(&["192.168.1.5:7", "8.8.4.4:7", "[fd00::1]:7", "127.0.0.1:7"]));
        assert_eq!(ranked(std::iter::empty(), 7), list(&["127.0.0.1:7"]));
    }

    #[test]
    fn addresses_that_are_nobodys_are_not_dialled() {
        let named = list(&[
            "0.0.0.0:7",
            "10.0.0.1:0",
            "224.0.0.251:5353",
            "255.255.255.255:7",
            "[fe80::1]:7",
            "[::ffff:10.0.0.2]:7",
            "10.0.0.2:7",
        ]);
        assert_eq!(dialable(&named), list(&["10.0.0.2:7"]));
        let many: Vec<SocketAddr> = (1..100).map(|port| SocketAddr::from(([10, 0, 0, 1], port))).collect();
        assert_eq!(dialable(&many).len(), MAX_ADDRESSES);
    }

    #[test]
    fn the_lan_cannot_name_addresses_elsewhere() {
        let here = list(&["203.0.113.7:9", "[2001:db8:1:2::7]:9", "127.0.0.1:9"]);
        for near in ["192.168.7.7:1", "100.64.1.1:1", "203.0.113.250:1", "[2001:db8:1:2::8]:1", "[fd12::1]:1"]
        {
            assert!(list(&[near]).iter().all(|at| is_near(at, &here)), "{near}");
        }
        for far in ["8.8.8.8:1", "203.0.114.1:1", "[2001:db8:1:3::8]:1", "127.0.0.1:1", "100.128.0.1:1"] {
            assert!(!list(&[far]).iter().any(|at| is_near(at, &here)), "{far}");
        }
    }
}
