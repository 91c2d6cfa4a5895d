//! A peer that a test plays by hand, frame by frame: to say what no engine would. It has an identity and may have
//! been an honest member before. Must not help the engines it talks to.

use parlor_core::crypto::TicketKeys;
use parlor_core::engine::api::{Event, LinkId};
use parlor_core::identity::Identity;
use parlor_wire::frame::{Frame, Hello, Open, Proof, proof_message};
use parlor_wire::{RoomId, Salt, WIRE_VERSION, domain};
use zeroize::Zeroizing;

use crate::world::World;

impl World {
    /// From now on a test plays this node.
    pub fn make_puppet(&mut self, node: usize) {
        self.put_to_sleep(node);
        // Its old links are noticed to be gone, so that nothing of before speaks for it.
        let notice = self.faults.unnoticed_ms + 1;
        self.pass(notice);
        self.nodes[node].puppet = Some(Default::default());
        self.nodes[node].run += 1;
    }

    /// The identity of a node, to sign with.
    pub fn identity(&self, node: usize) -> Identity {
        Identity::new(&self.nodes[node].identity, Zeroizing::new([0; 32]))
    }

    /// A puppet dials a node. Returns its link.
    pub fn puppet_dials(&mut self, puppet: usize, to: usize, room: RoomId) -> LinkId {
        let link = self.nodes[puppet].next_link;
        self.connect(puppet, to, room);
        self.pass(5);
        link
    }

    /// A puppet says something.
    pub fn puppet_says(&mut self, puppet: usize, link: LinkId, frame: &Frame) {
        self.transmit(puppet, link, frame.encode());
        self.pass(5);
    }

    /// A puppet sends any bytes.
    pub fn puppet_sends(&mut self, puppet: usize, link: LinkId, bytes: Vec<u8>) {
        self.transmit(puppet, link, bytes);
        self.pass(5);
    }

    /// A puppet sends any bytes and does not wait for an answer.
    pub fn puppet_throws(&mut self, puppet: usize, link: LinkId, bytes: Vec<u8>) {
        self.transmit(puppet, link, bytes);
    }

    /// What a puppet has heard on a link since it last asked.
    pub fn puppet_hears(&mut self, puppet: usize, link: LinkId) -> Vec<Frame> {
        let Some(inbox) = &mut self.nodes[puppet].puppet else { return Vec::new() };
        let events = std::mem::take(inbox);
        let frames = events.into_iter().filter_map(|event| match event {
            Event::Frame { link: of, bytes } if of == link => Frame::decode(&bytes).ok(),
            _ => None,
        });
        frames.collect()
    }

    /// Whether a puppet's link still stands.
    pub fn puppet_is_linked(&self, puppet: usize, link: LinkId) -> bool {
        self.nodes[puppet].links.contains_key(&link)
    }

    /// Dials, greets and names the room, with the proof of a ticket's text if there is one. Returns the link.
    pub fn puppet_opens(
        &mut self,
        puppet: usize,
        to: usize,
        room: RoomId,
        ticket: Option<&TicketKeys>,
    ) -> LinkId {
        let link = self.puppet_dials(puppet, to, room);
        self.puppet_says(
            puppet,
            link,
            &Frame::Hello(Hello { v: WIRE_VERSION, nonce: Salt([1; 16]), knows: 0 }),
        );
        let heard = self.puppet_hears(puppet, link);
        let nonce = heard.iter().find_map(|frame| match frame {
            Frame::Hello(hello) => Some(hello.nonce),
            _ => None,
        });
        let Some(nonce) = nonce else { self.fail("the puppet was not greeted") };
        let message = proof_message(&self.nodes[puppet].peer, &self.nodes[to].peer, &room, &nonce);
        let proof = ticket.map(|keys| Proof {
            signing_key: keys.signing_key(),
            signature: keys.sign(domain::LINK_PROOF, &message),
        });
        self.puppet_says(puppet, link, &Frame::Open(Open { room, proof }));
        link
    }
}
