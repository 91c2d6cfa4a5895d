//! The form of a control entry: what one entry must look like whatever stands beside it. Must not look at a signature
//! or at another entry.

use super::{Control, ControlBody, ControlError, Cut, Role, Seal, direct_room};
use crate::{WIRE_VERSION, limits};

impl Control {
    /// Everything the rules forbid that is seen in the entry alone.
    pub(super) fn check_form(&self) -> Result<(), ControlError> {
        let header = &self.header;
        let genesis = matches!(self.body, ControlBody::Genesis(_));
        // These come from outside: who has a ticket's text is no member yet.
        let enters = matches!(self.body, ControlBody::Join(_) | ControlBody::Request(_));
        let opens = genesis || matches!(self.body, ControlBody::Direct(_));
        form(genesis == header.room.is_none(), "only a genesis names no room")?;
        form(!genesis || header.after.is_empty(), "a genesis has no parents")?;
        form(opens || !header.after.is_empty(), "only what opens a room has no parents")?;
        form(header.after.len() <= limits::MAX_PARENTS, "too many parents")?;
        form(header.after.is_sorted_by(|a, b| a < b), "parents not sorted")?;
        form((opens || enters) == header.membership.is_none(), "acts as no membership")?;
        form(enters == self.ticket_signature.is_some(), "a ticket's signature where none belongs, or none")?;
        if let Some(card) = self.body.card() {
            form(card.card.identity == self.subject(), "a card of somebody else")?;
            form(card.card.v == WIRE_VERSION, "a card of another version")?;
        }
        self.check_direct()?;
        self.check_rule()?;
        self.check_keys()
    }

    /// What opens a direct room must be by one of the two whose room it is.
    fn check_direct(&self) -> Result<(), ControlError> {
        let ControlBody::Direct(direct) = &self.body else { return Ok(()) };
        let room = direct_room(&self.header.author, &direct.other);
        form(room.is_some() && room == self.header.room, "a direct room of others")?;
        form(direct.known.len() <= limits::MAX_CARDS, "too many cards")?;
        for known in &direct.known {
            form(known.card.identity == direct.other, "a card of somebody else")?;
            form(known.card.v == WIRE_VERSION, "a card of another version")?;
        }
        Ok(())
    }

    /// What entries that rule the room must look like.
    fn check_rule(&self) -> Result<(), ControlError> {
        match &self.body {
            ControlBody::Admit(admit) => {
                form(admit.request.header.room == self.header.room, "a request of another room")
            }
            ControlBody::Remove(remove) => {
                form(remove.memberships.len() <= limits::MAX_CHAINS_CUT, "too many memberships")?;
                form(remove.memberships.is_sorted_by(|a, b| a < b), "memberships not sorted")?;
                check_cuts(&remove.cuts)
            }
            ControlBody::Role(set) => {
                form(set.role != Role::Owner, "a role cannot make owners")?;
                form(set.role == Role::Reader || set.cuts.is_empty(), "cuts what is not to be cut")?;
                check_cuts(&set.cuts)
            }
            ControlBody::Want(want) => {
                form(!want.keys.is_empty(), "wants nothing")?;
                form(want.keys.len() <= limits::MAX_WANTED_KEYS, "wants too many keys")?;
                form(want.keys.is_sorted_by(|a, b| a < b), "wanted keys not sorted")
            }
            _ => Ok(()),
        }
    }

    fn check_keys(&self) -> Result<(), ControlError> {
        if let ControlBody::Ticket(ticket) = &self.body {
            form(ticket.role != Role::Owner, "a ticket cannot make owners")?;
        }
        let grants = self.body.grants();
        form(grants.len() <= limits::MAX_SEALS, "too many grants")?;
        for grant in grants {
            check_seals(&grant.seals)?;
        }
        if let Some(rekey) = self.body.rekey() {
            check_seals(&rekey.seals)?;
            form(rekey.wraps.len() <= limits::MAX_SEALS, "too many wraps")?;
            form(rekey.wraps.iter().all(|w| w.sealed.len() == 48), "a wrap of the wrong length")?;
        }
        Ok(())
    }
}

fn form(ok: bool, why: &'static str) -> Result<(), ControlError> {
    if ok { Ok(()) } else { Err(ControlError::Form(why)) }
}

fn check_cuts(cuts: &[Cut]) -> Result<(), ControlError> {
    form(cuts.len() <= limits::MAX_CHAINS_CUT, "too many cuts")?;
    form(cuts.is_sorted_by(|a, b| a < b), "cuts not sorted")
}

fn check_seals(seals: &[Seal]) -> Result<(), ControlError> {
    if seals.len() > limits::MAX_SEALS {
        return Err(ControlError::Form("too many seals"));
    }
    if seals.iter().any(|seal| seal.sealed.len() != 48) {
        return Err(ControlError::Form("a seal of the wrong length"));
    }
    Ok(())
}
