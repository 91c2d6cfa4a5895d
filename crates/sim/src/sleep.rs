//! Machines that sleep with everything that runs on them, networks that part, addresses that change. Must not tell an
//! engine: what it notices, it notices by its clock and its links.

use std::collections::BTreeSet;

use crate::world::{Happening, World};

impl World {
    /// A lid is closed: nothing runs on that machine, nothing is answered, nobody is told.
    pub fn suspend(&mut self, node: usize) {
        if !self.nodes[node].is_awake() {
            return;
        }
        self.log(format!("{node}: its machine sleeps"));
        self.nodes[node].suspended = Some(self.now_ms);
        self.cut_off(node);
    }

    /// It is opened again. The monotonic clock has gone on meanwhile, or stood still: systems differ.
    pub fn resume(&mut self, node: usize, stood_still: bool) {
        let Some(since) = self.nodes[node].suspended.take() else { return };
        self.log(format!("{node}: its machine wakes"));
        if stood_still {
            self.nodes[node].stood_ms += self.now_ms - since;
        }
        let state = &mut self.nodes[node];
        (state.tick_at, state.dial_at) = (None, None);
        for what in std::mem::take(&mut self.nodes[node].kept) {
            self.later(self.now_ms, what);
        }
        self.plan_tick(node);
        self.plan_dial(node, 1_000);
    }

    /// All links of a node break: it is elsewhere now.
    pub fn cut_off(&mut self, node: usize) {
        for cable in 0..self.net.cables.len() {
            let cable_of = &self.net.cables[cable];
            if cable_of.alive && cable_of.ends.iter().any(|end| end.node == node) {
                self.snap(cable);
            }
        }
    }

    /// These nodes reach each other and no one else; none: all reach all.
    pub fn part(&mut self, beyond: BTreeSet<usize>) {
        self.log(format!("{} nodes are parted from the others", beyond.len()));
        self.net.beyond = beyond;
        for cable in 0..self.net.cables.len() {
            let ends = self.net.cables[cable].ends;
            if self.net.cables[cable].alive && !self.net.reaches(ends[0].node, ends[1].node) {
                self.snap(cable);
            }
        }
    }

    /// What happens to a machine that sleeps happens when it wakes, but for what nobody repeats.
    pub(crate) fn keep_for_later(&mut self, what: Happening) -> Option<Happening> {
        let node = match &what {
            Happening::Loaded { node, .. } | Happening::Flush { node, .. } => *node,
            Happening::Tick { node, .. } | Happening::Dial { node, .. } => {
                return self.nodes[*node].suspended.is_none().then_some(what);
            }
            Happening::Down { cable, side } => self.net.cables[*cable].ends[*side].node,
            Happening::Frame { .. } | Happening::Up { .. } | Happening::Restart { .. } => return Some(what),
        };
        if self.nodes[node].suspended.is_none() {
            return Some(what);
        }
        self.nodes[node].kept.push(what);
        None
    }
}
