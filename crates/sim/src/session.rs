//! A session's life in the world: it prompts, is given text, and its hook commits or dies. It keeps what it was
//! given, so that promises about giving can be checked. Must see messages only through the text it is given.

use std::collections::{BTreeMap, BTreeSet};

use parlor_core::engine::api::{Command, Moment, Outcome, RequestId, Take, TakeRoom};
use parlor_wire::RoomId;

use crate::world::World;

/// One session on one node, hearing one room.
#[derive(Debug, Clone)]
pub struct Session {
    /// Its node.
    pub node: usize,
    /// Its key.
    pub key: String,
    /// The room it hears.
    pub room: RoomId,
    /// The room's arrival number when it was bound.
    pub bound_at: u64,
    /// How often each message, known by its mark, stood in a text that was committed.
    pub given: BTreeMap<String, u32>,
    /// Marks in a text whose holder died, or whose commit was never answered: they may come again.
    pub maybe: BTreeSet<String>,
    /// How many texts with "Earlier" were surely committed.
    pub earlier: u32,
}

/// A text that was given and is not committed yet.
#[derive(Debug, Clone)]
pub struct Giving {
    /// What commits it.
    pub token: Option<u64>,
    /// The text.
    pub text: String,
    /// The marks in it.
    pub marks: Vec<String>,
    /// Who holds it.
    pub holder: u64,
}

/// The marks, like `#17#`, in a text, in order, each as often as it stands there.
pub fn marks_in(text: &str) -> Vec<String> {
    let mut marks = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('#') {
        let after = &rest[at + 1..];
        match after.find('#') {
            Some(end) if end > 0 && after[..end].chars().all(|c| c.is_ascii_digit()) => {
                marks.push(after[..end].to_owned());
                rest = &after[end + 1..];
            }
            _ => rest = after,
        }
    }
    marks
}

impl Session {
    /// A session bound to a room now.
    pub fn new(world: &World, node: usize, key: &str, room: RoomId) -> Self {
        let bound_at =
            world.nodes[node].engine.as_ref().and_then(|engine| engine.room(&room)).map_or(0, |r| r.arrivals);
        Self {
            node,
            key: key.into(),
            room,
            bound_at,
            given: BTreeMap::new(),
            maybe: BTreeSet::new(),
            earlier: 0,
        }
    }

    fn take_command(&self, holder: u64, moment: Moment) -> Command {
        Command::Take(Take {
            holder,
            session: self.key.clone(),
            label: Some(format!("label-{}", self.key)),
            rooms: vec![TakeRoom { room: self.room, bound_at: self.bound_at }],
            moment,
            ..Take::default()
        })
    }

    /// Asks for a text without waiting.
    pub fn begin(&self, world: &mut World, holder: u64) -> RequestId {
        world.tell(self.node, self.take_command(holder, Moment::Prompt))
    }

    /// Asks for unread messages; none when the node dies meanwhile.
    pub fn take(&mut self, world: &mut World, holder: u64) -> Option<Giving> {
        self.take_at(world, holder, Moment::Prompt)
    }

    /// The same at any moment.
    pub fn take_at(&mut self, world: &mut World, holder: u64, moment: Moment) -> Option<Giving> {
        match world.ask(self.node, self.take_command(holder, moment))? {
            Ok(Outcome::Taken(taken)) => Some(self.saw(world, taken, holder)),
            Ok(other) => world.fail(&format!("take: {other:?}")),
            Err(_) => None,
        }
    }

    /// Looks at a text: nothing in it was given before, nothing is the session's own.
    pub fn saw(&mut self, world: &World, taken: parlor_core::engine::api::Taken, holder: u64) -> Giving {
        let marks = marks_in(&taken.text);
        let mut seen = BTreeSet::new();
        for mark in &marks {
            if !seen.insert(mark) {
                world.fail(&format!(
                    "{}/{}: #{mark}# stands twice in one text:\n{}",
                    self.node, self.key, taken.text
                ));
            }
            if self.given.contains_key(mark) && !self.maybe.contains(mark) {
                world.fail(&format!(
                    "{}/{}: #{mark}# was given and committed before:\n{}",
                    self.node, self.key, taken.text
                ));
            }
        }
        if taken.text.contains("Earlier:") && self.earlier > 0 {
            world.fail(&format!("{}/{}: Earlier a second time", self.node, self.key));
        }
        Giving { token: taken.token, text: taken.text, marks, holder }
    }

    /// The hook has written the text: commits it. When the answer does not come, the text may come again. True when
    /// it came.
    pub fn commit(&mut self, world: &mut World, giving: &Giving) -> bool {
        let marks = giving.marks.iter().cloned();
        let Some(token) = giving.token else { return false };
        let answer = world.ask(self.node, Command::Commit { token });
        world.log(format!("{}/{}: commits {:?}: {answer:?}", self.node, self.key, giving.marks));
        for mark in marks {
            *self.given.entry(mark.clone()).or_insert(0) += 1;
            match answer {
                Some(Ok(_)) => drop(self.maybe.remove(&mark)),
                _ => drop(self.maybe.insert(mark)),
            }
        }
        let surely = matches!(answer, Some(Ok(_)));
        self.earlier += u32::from(surely && giving.text.contains("Earlier:"));
        surely
    }

    /// The hook died after writing, before committing.
    pub fn dies(&mut self, world: &mut World, giving: &Giving) {
        world.log(format!("{}/{}: dies with {:?}", self.node, self.key, giving.marks));
        for mark in &giving.marks {
            *self.given.entry(mark.clone()).or_insert(0) += 1;
            self.maybe.insert(mark.clone());
        }
        world.inform(self.node, Command::Release { holder: giving.holder });
    }

    /// Takes and commits until nothing is left; says what came.
    pub fn drain(&mut self, world: &mut World) -> Vec<String> {
        let mut all = Vec::new();
        for round in 0..10_000 {
            let Some(giving) = self.take(world, 1_000_000 + round) else { return all };
            if giving.token.is_none() {
                return all;
            }
            all.extend(giving.marks.iter().cloned());
            self.commit(world, &giving);
        }
        world.fail(&format!("{}/{}: taking never ends", self.node, self.key))
    }
}
