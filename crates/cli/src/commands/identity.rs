//! `parlor identity`: who one is, a backup of that under a passphrase, and back from there.

use parlor_api::{Reply, Request};
use parlor_node::{Backup, Restore, refuse_agents_here};
use serde_json::json;

use super::{Context, confirm};
use crate::args::{Identity, KeyFile};
use crate::errors::{Failure, Outcome};
use crate::interrupt::Interrupt;
use crate::{passphrase, render};

pub fn run(context: &Context, command: Identity, interrupt: &Interrupt) -> Outcome {
    match command {
        Identity::Show => show(context),
        Identity::Backup(to) => backup(context, &to, interrupt),
        Identity::Restore(from) => restore(context, &from, interrupt),
        Identity::Revoke { abandon, yes } => revoke(context, abandon, yes),
    }
}

fn revoke(context: &Context, abandon: bool, yes: bool) -> Outcome {
    refuse_agents_here("parlor identity revoke")?;
    if !yes {
        let asked =
            "All rooms are told that this identity is you no more, and are left. This cannot be taken back.";
        confirm(
            context,
            asked,
            "a revoked identity stays one: that cannot be taken back",
            "nothing was revoked",
        )?;
    }
    let Reply::Revoked(revoked) = context.ask(&Request::IdentityRevoke { abandon })? else {
        return Err(Failure::unexpected_reply());
    };
    context.out.answer(&revoked, || render::revoked(&revoked))?;
    context.out.talk(
        "Members are told as they are reached: let this node run until then. Whoever has a copy of the key can still write\n\
         where they were a member, and rule where they were an owner, until an owner of the room puts the identity out;\n\
         an owner's key nobody can put out: leave such a room for a new one. A new identity needs a new home: --home DIR.",
    );
    Ok(())
}

fn show(context: &Context) -> Outcome {
    let Reply::Identity(identity) = context.ask(&Request::Identity)? else {
        return Err(Failure::unexpected_reply());
    };
    context.out.answer(&identity, || render::identity(&identity))
}

fn backup(context: &Context, to: &KeyFile, interrupt: &Interrupt) -> Outcome {
    refuse_agents_here("parlor identity backup FILE")?;
    let backup = Backup::of(&context.home, &to.file).map_err(parlor_api::ApiError::from)?;
    let passphrase = passphrase::new(to.passphrase_fd, interrupt)?;
    let peer = backup.write(passphrase).map_err(parlor_api::ApiError::from)?.to_string();
    let file = std::path::absolute(&to.file).unwrap_or_else(|_| to.file.clone());
    let answer = json!({ "peer": peer, "file": file });
    context.out.answer(&answer, || vec![format!("{peer} is in {}", file.display())])?;
    context.out.talk(
        "Whoever has that file and the passphrase is you; without the passphrase nobody can open it, you neither.\n\
         Rooms, messages and what you call peers are not in it. `parlor identity restore FILE` brings the key back.",
    );
    Ok(())
}

fn restore(context: &Context, from: &KeyFile, interrupt: &Interrupt) -> Outcome {
    refuse_agents_here("parlor identity restore FILE")?;
    let restore = Restore::of(&context.home, &from.file).map_err(parlor_api::ApiError::from)?;
    let passphrase = passphrase::known(from.passphrase_fd, interrupt)?;
    let restored = restore.write(passphrase).map_err(parlor_api::ApiError::from)?;
    let (peer, home) = (restored.peer.to_string(), context.home.dir());
    let answer = json!({ "peer": peer, "home": home });
    context.out.answer(&answer, || vec![format!("{peer} is the identity of {}", home.display())])?;
    let rooms = if restored.has_store {
        "The store that was in this home is used as it is."
    } else {
        "Its rooms are not here: they were not in the backup. Ask somebody of each for a ticket, then `parlor join TICKET`."
    };
    context.out.talk(&format!(
        "{rooms}\nDo not run it here and on another machine at once: both would write as the same peer."
    ));
    Ok(())
}
