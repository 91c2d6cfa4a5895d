//! A small internet: a public network with one server in it, and homes behind routers that translate addresses.
//!
//! Everything is deleted at drop, and nothing leads out of it.

use std::net::Ipv4Addr;

use super::{INTERFACE, Namespace, cable};
use crate::run::find_program;
use crate::{Error, Result};

/// How a router chooses the outer port of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nat {
    /// The inner one, whoever is talked to: what most homes have. Two such can reach each other directly.
    Kept,
    /// Another for each that is talked to: no outer address can be told to a third.
    Random,
}

/// One home: a machine, and the router before it.
#[derive(Debug)]
struct Home {
    host: Namespace,
    router: Namespace,
}

/// The network.
#[derive(Debug)]
pub struct Internet {
    // Before the backbone, so that cables go with the hosts at their ends.
    homes: Vec<Home>,
    server: Namespace,
    backbone: Namespace,
}

impl Internet {
    /// A server and one home for each label, whose routers translate as told.
    pub fn new(homes: &[(&str, Nat)]) -> Result<Self> {
        let backbone = Namespace::new("backbone")?;
        backbone.ip(&["link", "add", "br0", "type", "bridge"])?;
        backbone.ip(&["link", "set", "br0", "up"])?;
        let server = Namespace::new("server")?;
        attach(&backbone, &server, INTERFACE, "server", Self::SERVER)?;
        let mut internet = Self { homes: Vec::new(), server, backbone };
        let (mut counters, mut rules) = (String::new(), String::new());
        for (index, (label, nat)) in homes.iter().enumerate() {
            let home = internet.home(index, label, *nat)?;
            internet.homes.push(home);
            counters += &format!("counter home{index} {{ }}\n");
            rules += &format!("ip saddr {} counter name home{index};\n", internet.outer(index));
        }
        let chain = format!("chain in {{ type filter hook input priority 0;\n{rules} }}");
        nft(&internet.server, &format!("table ip heard {{\n{counters}{chain}\n}}\n"))?;
        Ok(internet)
    }

    /// How many packets the server has had from a home.
    pub fn heard_by_server(&self, index: usize) -> Result<u64> {
        let nft = find_program("nft", "nftables")?.display().to_string();
        let listed = self.server.exec(&[&nft, "-j", "list", "counters", "table", "ip", "heard"]).ok()?.out();
        let wrong = || Error::Answer { what: "these are no counters", answer: listed.clone() };
        let all: serde_json::Value = serde_json::from_str(&listed).map_err(|_| wrong())?;
        let counters = all["nftables"].as_array().into_iter().flatten().map(|one| &one["counter"]);
        let name = format!("home{index}");
        let mine = counters.filter(|one| one["name"] == name.as_str());
        mine.filter_map(|one| one["packets"].as_u64()).next().ok_or_else(wrong)
    }

    /// Where the server is.
    pub const SERVER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);

    /// The server's machine.
    pub fn server(&self) -> &Namespace {
        &self.server
    }

    /// The machine in a home.
    pub fn host(&self, index: usize) -> &Namespace {
        &self.homes[index].host
    }

    /// The outer address of a home.
    pub fn outer(&self, index: usize) -> Ipv4Addr {
        Ipv4Addr::new(203, 0, 113, u8::try_from(index + 11).unwrap_or(u8::MAX))
    }

    fn inner(&self, index: usize, last: u8) -> Ipv4Addr {
        Ipv4Addr::new(192, 168, u8::try_from(index + 1).unwrap_or(u8::MAX), last)
    }

    fn home(&self, index: usize, label: &str, nat: Nat) -> Result<Home> {
        let (host, router) = (Namespace::new(label)?, Namespace::new(&format!("{label}-router"))?);
        attach(&self.backbone, &router, "wan", &format!("home{index}"), self.outer(index))?;
        cable(&host, INTERFACE, &router, "lan")?;
        let inside = self.inner(index, 1);
        router.ip(&["addr", "add", &format!("{inside}/24"), "dev", "lan"])?;
        router.ip(&["link", "set", "lan", "up"])?;
        let home = Home { host, router };
        home.move_to(self.inner(index, 2), inside)?;
        home.router.exec(&["sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"]).ok()?;
        let how = if nat == Nat::Random { "masquerade fully-random" } else { "masquerade" };
        let rules = format!(
            "table ip home {{\n\
             chain out {{ type nat hook postrouting priority 100; oifname wan {how}; }}\n\
             chain through {{ type filter hook forward priority 0; policy drop;\n\
             iifname lan accept; ct state established,related accept; }}\n\
             chain to_us {{ type filter hook input priority 0; policy drop; iifname != wan accept;\n\
             ct state established,related accept; }}\n\
             chain lost {{ type filter hook prerouting priority -300; }}\n}}\n"
        );
        home.nft(&rules)?;
        Ok(home)
    }

    /// Gives the machine in a home another address, as when it comes to another network.
    pub fn roam(&self, index: usize, last: u8) -> Result<()> {
        let home = &self.homes[index];
        home.host.ip(&["addr", "flush", "dev", INTERFACE])?;
        home.move_to(self.inner(index, last), self.inner(index, 1))
    }

    /// Loses everything that one home sends straight to another; the other way it goes through.
    pub fn cut_one_way(&self, from: usize, to: usize) -> Result<()> {
        let source = self.outer(from);
        self.homes[to].nft(&format!("add rule ip home lost iifname wan ip saddr {source} drop\n"))
    }

    /// Gives a home no more than so much, both ways.
    pub fn limit(&self, index: usize, kilobits_s: u32) -> Result<()> {
        let rate = format!("{kilobits_s}kbit");
        for interface in ["wan", "lan"] {
            let limit = ["tc", "qdisc", "add", "dev", interface, "root", "tbf", "rate", &rate];
            let rest = ["burst", "16kb", "latency", "400ms"];
            self.homes[index].router.exec(&[&limit[..], &rest[..]].concat()).ok()?;
        }
        Ok(())
    }
}

impl Home {
    fn move_to(&self, address: Ipv4Addr, router: Ipv4Addr) -> Result<()> {
        self.host.ip(&["addr", "add", &format!("{address}/24"), "brd", "+", "dev", INTERFACE])?;
        self.host.ip(&["link", "set", INTERFACE, "multicast", "on", "up"])?;
        self.host.ip(&["route", "replace", "default", "via", &router.to_string()])
    }

    fn nft(&self, rules: &str) -> Result<()> {
        nft(&self.router, rules)
    }
}

fn nft(host: &Namespace, rules: &str) -> Result<()> {
    let nft = find_program("nft", "nftables")?.display().to_string();
    host.exec(&[&nft, "-f", "-"]).stdin(rules).ok().map(drop)
}

/// Joins a machine to the backbone, at an address.
fn attach(backbone: &Namespace, host: &Namespace, name: &str, port: &str, at: Ipv4Addr) -> Result<()> {
    cable(host, name, backbone, port)?;
    backbone.ip(&["link", "set", port, "master", "br0", "up"])?;
    host.ip(&["addr", "add", &format!("{at}/24"), "brd", "+", "dev", name])?;
    host.ip(&["link", "set", name, "up"])
}

impl Namespace {
    /// Bytes that came in and went out by an interface.
    pub fn traffic(&self, interface: &str) -> Result<(u64, u64)> {
        let read = |what: &str| {
            let path = format!("/sys/class/net/{interface}/statistics/{what}_bytes");
            let out = self.exec(&["cat", &path]).ok()?.out();
            let wrong = |_| Error::Answer { what: "this is no count of bytes", answer: out.clone() };
            out.trim().parse().map_err(wrong)
        };
        Ok((read("rx")?, read("tx")?))
    }
}
