//! What must hold of a set of control entries, whoever wrote them: the fold says what the rules say to the letter,
//! and nobody who was put out is in. Writes nothing.

use std::collections::{BTreeMap, BTreeSet};

use parlor_wire::control::Role;
use parlor_wire::roster::{Dag, Extent, Roster};
use parlor_wire::{EntryId, PeerId};

use super::oracle::{Counted, Kept, Oracle, Standing};

/// What the fold says of every membership that counts, or did until it ended.
pub fn counted(roster: &Roster) -> BTreeMap<EntryId, Counted> {
    let standings = [
        (&roster.memberships, Standing::Live),
        (&roster.left, Standing::Left),
        (&roster.removed, Standing::Removed),
    ];
    let each = standings.into_iter().flat_map(|(of, standing)| {
        of.iter().map(move |(id, m)| (*id, (m.identity, m.role, m.ticket, standing)))
    });
    each.collect()
}

fn kept(extent: &Extent) -> Kept {
    match extent {
        Extent::All => None,
        Extent::Upto(cuts) => Some(cuts.clone()),
    }
}

/// The fold of what is in says what the oracle says.
pub fn agrees(dag: &Dag, oracle: &Oracle) {
    let roster = Roster::fold(dag);
    assert_eq!(dag.heads(), &oracle.heads());
    assert!(dag.iter().map(|entry| entry.id).collect::<BTreeSet<_>>().iter().eq(oracle.entries.keys()));
    let expected = oracle.memberships();
    assert_eq!(&counted(&roster), &expected);
    let mut roles: BTreeMap<PeerId, Role> = BTreeMap::new();
    for (who, role, _, _) in expected.values().filter(|m| m.3 == Standing::Live) {
        let held = roles.entry(*who).or_insert(*role);
        *held = (*held).max(*role);
    }
    assert_eq!(
        roster.members.iter().map(|(peer, member)| (*peer, member.role)).collect::<BTreeMap<_, _>>(),
        roles
    );
    assert_eq!(roster.abandoned, oracle.abandoned());
    assert!(roster.tickets.keys().eq(oracle.tickets().keys()));
    for (id, state) in &roster.tickets {
        assert_eq!(state.closed, !oracle.closers(id).is_empty());
        let came = expected.values().filter(|m| m.2 == Some(*id) && m.3 != Standing::Removed);
        assert_eq!(state.joins as usize, came.map(|m| m.0).collect::<BTreeSet<_>>().len());
    }
    let chains: BTreeMap<EntryId, (PeerId, Kept, Kept)> = roster
        .chains
        .iter()
        .map(|(id, state)| (*id, (state.author, kept(&state.content), kept(&state.receipts))))
        .collect();
    assert_eq!(chains, oracle.chains());
}

/// R7: nobody is in by what knew less than every remove of them.
pub fn nobody_removed_is_in(dag: &Dag, roster: &Roster, oracle: &Oracle) {
    for (id, membership) in roster.memberships.iter().chain(&roster.left) {
        let Some((ticket, since)) = oracle.came_by(id) else {
            assert_eq!(membership.role, Role::Owner, "nobody removes an owner");
            continue;
        };
        assert!(ticket == since || *id == since);
        for (remove, _) in oracle.removes(&membership.identity) {
            assert!(dag.past([since]).contains(&remove));
        }
    }
}
