//! Small networks of their own: namespaces joined by a cable or a switch, with no way out.
//!
//! Everything is deleted at drop. Nothing appears in the namespace of the test itself.

mod internet;

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::run::{Run, find_program};
use crate::{Error, Result};

pub use internet::{Internet, Nat};

static COUNT: AtomicU32 = AtomicU32::new(0);
/// The one network interface of a host, beside loopback.
pub const INTERFACE: &str = "eth0";

/// A network namespace, deleted at drop.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// A new one whose unique name ends in `label`, with loopback up. Needs root and `ip`.
    pub fn new(label: &str) -> Result<Self> {
        if !rustix::process::geteuid().is_root() {
            return Err(no_right("this process is not root"));
        }
        let name = format!("pl-{}-{}-{label}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        ip(&["netns", "add", &name]).map_err(|error| no_right(&error.to_string()))?;
        let namespace = Self { name };
        namespace.ip(&["link", "set", "lo", "up"])?;
        Ok(namespace)
    }

    /// Its name, as `ip netns` knows it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The words that, put before a command line, run it here.
    pub fn prefix(&self) -> Vec<String> {
        let ip = find_program("ip", "iproute2")
            .map_or_else(|_| "ip".to_owned(), |path| path.display().to_string());
        [ip.as_str(), "netns", "exec", &self.name].map(str::to_owned).to_vec()
    }

    /// `words` to be run here.
    pub fn exec(&self, words: &[&str]) -> Run {
        let (program, args) = words.split_first().unwrap_or((&"true", &[]));
        Run::new(program).args(args).behind(self.prefix())
    }

    /// Runs `act` on a thread that is in this namespace. Sockets made there stay there.
    pub fn inside<T: Send>(&self, act: impl FnOnce() -> T + Send) -> Result<T> {
        let path = format!("/run/netns/{}", self.name);
        let handle = std::fs::File::open(&path).map_err(Error::file("cannot open", &path))?;
        let entered = || {
            use std::os::fd::AsFd;
            move_into_link_name_space(handle.as_fd(), Some(LinkNameSpaceType::Network))
                .map_err(|error| Error::file("cannot enter", &path)(error.into()))?;
            Ok(act())
        };
        let joined = std::thread::scope(|scope| scope.spawn(entered).join());
        joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    fn ip(&self, args: &[&str]) -> Result<()> {
        ip(&[&["-n", self.name.as_str()], args].concat())
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = ip(&["netns", "del", &self.name]);
    }
}

/// Hosts in one network 10.77.0.0/24 without a route to anywhere else.
#[derive(Debug)]
pub struct Lan {
    hosts: Vec<Namespace>,
    switch: Option<Namespace>,
}

impl Lan {
    /// Two hosts joined by one cable.
    pub fn pair(first: &str, second: &str) -> Result<Self> {
        let hosts = vec![Namespace::new(first)?, Namespace::new(second)?];
        cable(&hosts[0], INTERFACE, &hosts[1], INTERFACE)?;
        let lan = Self { hosts, switch: None };
        lan.configure()?;
        Ok(lan)
    }

    /// Any number of hosts (at most 200) on one switch.
    pub fn switched(labels: &[&str]) -> Result<Self> {
        let switch = Namespace::new("switch")?;
        switch.ip(&["link", "add", "br0", "type", "bridge", "mcast_snooping", "0"])?;
        switch.ip(&["link", "set", "br0", "up"])?;
        let hosts = labels.iter().map(|label| Namespace::new(label)).collect::<Result<Vec<_>>>()?;
        for (index, host) in hosts.iter().enumerate() {
            let port = format!("port{index}");
            cable(host, INTERFACE, &switch, &port)?;
            switch.ip(&["link", "set", &port, "master", "br0", "up"])?;
        }
        let lan = Self { hosts, switch: Some(switch) };
        lan.configure()?;
        Ok(lan)
    }

    /// A host by its place in the constructor's order.
    pub fn host(&self, index: usize) -> &Namespace {
        &self.hosts[index]
    }

    /// The address of that host.
    pub fn address(&self, index: usize) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, 0, u8::try_from(index + 1).unwrap_or(u8::MAX))
    }

    /// Takes the interface of a host down; its neighbour on a cable loses carrier.
    pub fn link_down(&self, index: usize) -> Result<()> {
        self.hosts[index].ip(&["link", "set", INTERFACE, "down"])
    }

    /// Takes it up again.
    pub fn link_up(&self, index: usize) -> Result<()> {
        self.hosts[index].ip(&["link", "set", INTERFACE, "up"])
    }

    /// Makes the switch drop everything from and to a host, which sees no sign of it.
    pub fn silence(&self, index: usize) -> Result<()> {
        self.set_port(index, "disabled")
    }

    /// Ends [`Lan::silence`].
    pub fn restore(&self, index: usize) -> Result<()> {
        self.set_port(index, "forwarding")
    }

    fn set_port(&self, index: usize, state: &str) -> Result<()> {
        let Some(switch) = &self.switch else {
            return Err(Error::Answer {
                what: "only a switch can silence a host",
                answer: "use link_down".into(),
            });
        };
        let number = if state == "forwarding" { "3" } else { "0" };
        switch
            .exec(&["bridge", "link", "set", "dev", &format!("port{index}"), "state", number])
            .ok()
            .map(drop)
    }

    fn configure(&self) -> Result<()> {
        for (index, host) in self.hosts.iter().enumerate() {
            host.ip(&["addr", "add", &format!("{}/24", self.address(index)), "brd", "+", "dev", INTERFACE])?;
            host.ip(&["link", "set", INTERFACE, "multicast", "on", "up"])?;
        }
        Ok(())
    }
}

/// Made in place at both ends, so that no name of it ever appears in the test's own namespace.
fn cable(left: &Namespace, left_name: &str, right: &Namespace, right_name: &str) -> Result<()> {
    let ends = ["link", "add", left_name, "type", "veth", "peer", "name", right_name, "netns", &right.name];
    left.ip(&ends)
}

fn ip(args: &[&str]) -> Result<()> {
    Run::new(find_program("ip", "iproute2")?).args(args).ok().map(drop)
}

fn no_right(why: &str) -> Error {
    Error::Missing {
        what: format!("the right to make network namespaces ({why})"),
        install: "run the tests as root, in a container with CAP_NET_ADMIN and CAP_SYS_ADMIN".to_owned(),
    }
}
