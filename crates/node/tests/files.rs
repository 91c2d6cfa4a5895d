//! Who is given a file, asked for by the bare protocol: only a member, only in the room, only by the message that announced
//! it, and not any more once it is out.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::net::{Ipv4Addr, SocketAddr};

use iroh::endpoint::{PortmapperConfig, RelayMode, presets};
use iroh::{Endpoint, EndpointAddr, EndpointId, SecretKey};
use parlor_api::{Dropped, Reply, Request};
use parlor_wire::file::{ALPN, FileAnswer, FileRequest, SEALED_CHUNK_BYTES, sealed_len};
use parlor_wire::ids::{BodyHash, base32};
use parlor_wire::{EntryId, PeerId, RoomId};
use support::{TestNode, invite, send, texts, until};

const LENGTH: usize = 200_000;

/// Somebody who speaks the protocol by hand.
struct Caller {
    endpoint: Endpoint,
    alice: EndpointAddr,
    runtime: tokio::runtime::Runtime,
}

impl Caller {
    fn new(secret: [u8; 32], alice: PeerId, port: u16) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let endpoint = runtime.block_on(async {
            Endpoint::builder(presets::Minimal)
                .secret_key(SecretKey::from_bytes(&secret))
                .relay_mode(RelayMode::Disabled)
                .portmapper_config(PortmapperConfig::Disabled)
                .bind()
                .await
                .unwrap()
        });
        let id = EndpointId::from_bytes(&alice.0).unwrap();
        let alice = EndpointAddr::new(id).with_ip_addr(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        Self { endpoint, alice, runtime }
    }

    /// What it is answered, and what comes behind that.
    fn asks(&self, bytes: &[u8]) -> (Option<FileAnswer>, Vec<u8>) {
        self.runtime.block_on(async {
            let connection = self.endpoint.connect(self.alice.clone(), ALPN).await.unwrap();
            let (mut send, mut recv) = connection.open_bi().await.unwrap();
            send.write_all(bytes).await.unwrap();
            send.finish().unwrap();
            let came = recv.read_to_end(1 << 20).await.unwrap_or_default();
            (came.first().and_then(|byte| FileAnswer::of(*byte)), came.get(1..).unwrap_or_default().to_vec())
        })
    }
}

fn secret_of(node: &TestNode) -> [u8; 32] {
    let text = std::fs::read_to_string(node.home.identity()).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("secret ")).unwrap();
    base32().decode(line.trim().as_bytes()).unwrap().try_into().unwrap()
}

fn peer_of(node: &TestNode) -> PeerId {
    let Reply::Identity(identity) = node.client("cli").call(&Request::Identity).unwrap() else { panic!() };
    identity.peer.parse().unwrap()
}

fn port_of(node: &TestNode) -> u16 {
    let Reply::Status(status) = node.client("cli").call(&Request::Status).unwrap() else { panic!() };
    status.addresses.iter().find_map(|at| Some(at.parse::<SocketAddr>().ok()?.port())).unwrap()
}

fn drop_file(node: &TestNode, dir: &std::path::Path) -> Dropped {
    let path = dir.join("plan.bin");
    std::fs::write(&path, vec![7; LENGTH]).unwrap();
    let request = Request::FileDrop {
        path,
        room: None,
        to: None,
        request_id: "drop".into(),
        allow_secrets: false,
        wait_ms: 0,
    };
    let Reply::Dropped(dropped) = node.person(dir).call(&request).unwrap() else { panic!() };
    let Reply::Dropped(again) = node.person(dir).call(&request).unwrap() else { panic!() };
    assert_eq!(again.id, dropped.id, "asked again, it is the same announcement");
    dropped
}

/// The name of the one sealed file that is held.
fn blob_of(node: &TestNode) -> BodyHash {
    let held: Vec<_> =
        std::fs::read_dir(node.home.blobs().join("own")).unwrap().map(|one| one.unwrap()).collect();
    assert_eq!(held.len(), 1, "what was sealed once more for nothing is gone: {held:?}");
    let bytes = base32().decode(held[0].file_name().to_str().unwrap().as_bytes()).unwrap();
    BodyHash(bytes.as_slice().try_into().unwrap())
}

#[test]
fn a_file_is_given_to_members_by_its_announcement_and_to_nobody_by_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let (alice, mut bob) = (TestNode::named("alice"), TestNode::named("bob"));
    let started = alice.start_room("payments", Some(dir.path()));
    let other = alice.start_room("other", None);
    let said = send(&mut alice.person(dir.path()), Some("payments"), "no file", "s1");
    let dropped = drop_file(&alice, dir.path());
    let Reply::Invited(ticket) = alice.person(dir.path()).call(&invite(None)).unwrap() else { panic!() };
    let join =
        Request::Join { ticket: ticket.ticket, dir: Some(dir.path().into()), force: false, wait_ms: 10_000 };
    assert!(matches!(bob.client("cli").call(&join).unwrap(), Reply::Joined(_)));
    until("bob has heard of it", || {
        let log = support::log_of(&mut bob.person(dir.path()), Some("payments"));
        texts(&log).iter().any(|text| text.starts_with("[file plan.bin 195 KiB: parlor get m")).then_some(())
    });
    let (alice_id, bob_id) = (peer_of(&alice), peer_of(&bob));
    let (port, as_bob, as_carol) = (port_of(&alice), secret_of(&bob), [9; 32]);
    bob.stop();

    let room: RoomId = started.room.id.parse().unwrap();
    let entry: EntryId = dropped.id.parse().unwrap();
    let right = FileRequest { room, entry, blob: blob_of(&alice), chunk: 0 };
    let member = Caller::new(as_bob, alice_id, port);
    let (answer, came) = member.asks(&right.to_bytes());
    assert_eq!((answer, came.len() as u64), (Some(FileAnswer::Comes), sealed_len(LENGTH as u64)));
    let (_, rest) = member.asks(&FileRequest { chunk: 2, ..right.clone() }.to_bytes());
    assert_eq!(rest, came[2 * SEALED_CHUNK_BYTES..], "from a chunk on");
    assert_eq!(member.asks(&FileRequest { chunk: u64::MAX, ..right.clone() }.to_bytes()).1, b"");

    // As it is with a file that was dropped in another room and that a member announces in this one as well.
    let held_for = |room: &RoomId| {
        let blob = base32().encode(&right.blob.0);
        alice.home.blobs().join("rooms").join(blob).join(base32().encode(&room.0))
    };
    let elsewhere = held_for(&other.room.id.parse().unwrap());
    std::fs::rename(held_for(&room), &elsewhere).unwrap();
    assert_eq!(member.asks(&right.to_bytes()), (Some(FileAnswer::No), Vec::new()), "held for another room");
    std::fs::rename(&elsewhere, held_for(&room)).unwrap();
    assert_eq!(member.asks(&right.to_bytes()).0, Some(FileAnswer::Comes));

    let wrong = [
        ("another room", FileRequest { room: other.room.id.parse().unwrap(), ..right.clone() }),
        ("no such room", FileRequest { room: RoomId([1; 32]), ..right.clone() }),
        ("a message without a file", FileRequest { entry: said.id.parse().unwrap(), ..right.clone() }),
        ("no such message", FileRequest { entry: EntryId([1; 32]), ..right.clone() }),
        ("another name", FileRequest { blob: BodyHash([1; 32]), ..right.clone() }),
    ];
    for (what, request) in wrong {
        assert_eq!(member.asks(&request.to_bytes()), (Some(FileAnswer::No), Vec::new()), "{what}");
    }
    for garbage in [&b""[..], b"\0\x05hello", &[0xff; 300]] {
        assert_eq!(member.asks(garbage), (None, Vec::new()));
    }
    let stranger = Caller::new(as_carol, alice_id, port);
    assert_eq!(stranger.asks(&right.to_bytes()), (Some(FileAnswer::No), Vec::new()), "no member");

    let remove =
        Request::MemberRemove { room: Some("payments".into()), peer: bob_id.to_string(), keep: Vec::new() };
    assert!(matches!(alice.person(dir.path()).call(&remove).unwrap(), Reply::Removed(_)));
    assert_eq!(member.asks(&right.to_bytes()), (Some(FileAnswer::No), Vec::new()), "a member no more");
    assert_eq!(member.asks(&right.to_bytes()).0, Some(FileAnswer::No));
}
