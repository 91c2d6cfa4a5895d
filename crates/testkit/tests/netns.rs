//! Networks of their own: talk, cut, silence, restore, multicast, no way out, nothing left.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use parlor_testkit::claude::ClaudeHome;
use parlor_testkit::netns::{Lan, Namespace};
use parlor_testkit::stub_model::StubModel;

const SOON: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(300);

/// Whether a datagram from one host arrives at another within `patience`.
fn reaches(lan: &Lan, from: usize, to: usize, patience: Duration) -> bool {
    let here = lan.host(to).inside(|| UdpSocket::bind((lan.address(to), 0))).unwrap().unwrap();
    let there = lan.host(from).inside(|| UdpSocket::bind((lan.address(from), 0))).unwrap().unwrap();
    here.set_read_timeout(Some(patience)).unwrap();
    match there.send_to(b"hello", here.local_addr().unwrap()) {
        Ok(_) => here.recv(&mut [0; 8]).is_ok_and(|count| count == 5),
        Err(error) if error.kind() == ErrorKind::NetworkUnreachable => false,
        Err(error) => panic!("{error}"),
    }
}

fn namespaces() -> String {
    std::fs::read_dir("/run/netns")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap() + "\n")
        .collect()
}

#[test]
fn two_hosts_on_a_cable_talk_are_cut_and_talk_again() {
    let lan = Lan::pair("alice", "bob").unwrap();
    assert!(reaches(&lan, 0, 1, SOON) && reaches(&lan, 1, 0, SOON));
    lan.link_down(0).unwrap();
    assert!(!reaches(&lan, 0, 1, SHORT) && !reaches(&lan, 1, 0, SHORT));
    lan.link_up(0).unwrap();
    assert!(reaches(&lan, 0, 1, SOON) && reaches(&lan, 1, 0, SOON));
    assert!(lan.silence(0).is_err(), "a cable cannot be silent");
}

#[test]
fn a_switch_joins_three_and_can_silence_one_unseen() {
    let lan = Lan::switched(&["alice", "bob", "carol"]).unwrap();
    assert!(reaches(&lan, 0, 1, SOON) && reaches(&lan, 1, 2, SOON) && reaches(&lan, 2, 0, SOON));
    lan.silence(1).unwrap();
    assert!(!reaches(&lan, 0, 1, SHORT) && !reaches(&lan, 1, 2, SHORT));
    let carrier = lan.host(1).exec(&["cat", "/sys/class/net/eth0/carrier"]).ok().unwrap();
    assert_eq!(carrier.out().trim(), "1", "the silenced host sees no sign of it");
    assert!(reaches(&lan, 0, 2, SOON), "the others go on");
    lan.restore(1).unwrap();
    assert!(reaches(&lan, 0, 1, SOON));
}

#[test]
fn multicast_arrives_at_the_others() {
    let lan = Lan::switched(&["alice", "bob", "carol"]).unwrap();
    let group = Ipv4Addr::new(224, 0, 0, 251);
    let listen = |index: usize| {
        lan.host(index).inside(|| {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 5353)).unwrap();
            socket.join_multicast_v4(&group, &lan.address(index)).unwrap();
            socket.set_read_timeout(Some(SOON)).unwrap();
            socket
        })
    };
    let listeners = [listen(1).unwrap(), listen(2).unwrap()];
    let sender = lan.host(0).inside(|| UdpSocket::bind((lan.address(0), 0))).unwrap().unwrap();
    sender.send_to(b"who is there", (group, 5353)).unwrap();
    for listener in listeners {
        assert_eq!(listener.recv(&mut [0; 32]).unwrap(), 12);
    }
}

#[test]
fn there_is_no_way_out() {
    let lan = Lan::pair("alice", "bob").unwrap();
    let outside = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused = lan.host(0).inside(|| TcpStream::connect(outside)).unwrap().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused, "its loopback is another one");
    let away = SocketAddr::from(([192, 0, 2, 1], 80));
    let refused = lan.host(0).inside(|| TcpStream::connect_timeout(&away, SOON)).unwrap().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NetworkUnreachable);
    let routes = lan.host(1).exec(&["ip", "route"]).ok().unwrap().out();
    assert_eq!(routes.lines().count(), 1, "{routes}");
}

#[test]
fn names_are_unique_and_gone_at_drop() {
    let (one, two) = (Namespace::new("same").unwrap(), Namespace::new("same").unwrap());
    assert_ne!(one.name(), two.name());
    assert!(namespaces().contains(one.name()) && namespaces().contains(two.name()));
    let (one_name, two_name) = (one.name().to_owned(), two.name().to_owned());
    drop((one, two));
    assert!(!namespaces().contains(&one_name) && !namespaces().contains(&two_name));
}

#[test]
fn who_is_not_root_is_told_what_to_do() {
    if !rustix::process::geteuid().is_root() {
        let refused = Namespace::new("never").unwrap_err().to_string();
        assert_eq!(
            refused,
            "this test needs the right to make network namespaces (this process is not root): \
             run the tests as root, in a container with CAP_NET_ADMIN and CAP_SYS_ADMIN"
        );
        return;
    }
    // The same test again, as nobody, from a copy nobody may read.
    let dir = tempfile::Builder::new().prefix("pl-").tempdir_in("/tmp").unwrap();
    let copy = dir.path().join("test");
    std::fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(dir.path(), open).unwrap();
    let run =
        parlor_testkit::run::Run::new("setpriv").args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    let run = run.arg(&copy).args(["--exact", "who_is_not_root_is_told_what_to_do"]).cwd("/tmp");
    let output = run.ok().unwrap();
    assert!(output.out().contains("1 passed"), "{}", output.out());
}

#[test]
fn claude_code_runs_where_there_is_nothing_but_its_own_loopback() {
    let host = Namespace::new("alone").unwrap();
    let model = StubModel::start_in(&host).unwrap();
    let mut home = ClaudeHome::new(&model).unwrap();
    home.set_host(&host);
    assert_eq!(home.run_print("hello", &[]).unwrap().result, "ok");
    assert_eq!(model.conversations().len(), 1);
}
