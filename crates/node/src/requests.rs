//! What surfaces ask, one function for each request. They speak to the engine through the driver and know no
//! socket.

mod ask;
mod convert;
mod direct;
mod doctor;
mod export;
mod far;
mod files;
mod hearing;
mod here;
pub(crate) mod hook;
mod log;
mod members;
pub(crate) mod moments;
mod peers;
pub(crate) mod place;
mod quiet;
pub(crate) mod relays;
mod retention;
mod rooms;
mod search;
mod status;
mod store;
mod talk;
mod tickets;
mod wait;
mod whom;

use std::future::Future;
use std::pin::Pin;

use parlor_api::{ApiError, Event, Reply, Request};
use tokio_util::sync::CancellationToken;

use crate::caller::Caller;
use crate::life::Ending;
use crate::node::Node;

/// Waiting for others longer than this is the caller's business, in milliseconds.
const MAX_WAIT_MS: u64 = 60_000;

/// Where the parts of an answer go that come before its end.
pub(crate) trait Events: Send + Sync {
    /// Passes one on when there is room for it; false when nobody takes it any more.
    fn emit(&self, event: Event) -> Pin<Box<dyn Future<Output = bool> + Send + '_>>;
}

/// One request being answered.
pub(crate) struct Asked<'a> {
    pub node: &'a Node,
    pub caller: &'a Caller,
    pub events: &'a dyn Events,
    /// Ends it before its end.
    pub cancel: &'a CancellationToken,
}

impl Asked<'_> {
    /// Refuses to an agent what a human decides.
    fn refuse_agents(&self, command: &str) -> Result<(), ApiError> {
        self.caller.refuse_agents(&self.node.sessions(), command)
    }

    /// The same where it is not about who hears whom: with what it does.
    fn refuse_agents_what(&self, what: &str, command: &str) -> Result<(), ApiError> {
        self.caller.refuse_agents_what(&self.node.sessions(), what, command)
    }
}

/// Answers.
pub(crate) async fn answer(asked: &Asked<'_>, request: Request) -> Result<Reply, ApiError> {
    match request {
        Request::Status => here::status(asked).await,
        Request::Here => here::here(asked).await,
        Request::Stop => here::end(asked, Ending::Stop).await,
        Request::Restart => here::restart(asked).await,
        Request::MayConfigure { command } => here::may_configure(asked, &command),
        Request::Nick { set } => here::nick(asked, set).await,
        Request::Identity => here::identity(asked).await,
        Request::IdentityRevoke { abandon } => here::revoke(asked, abandon).await,
        Request::PeerList => peers::list(asked).await,
        Request::PeerName { peer, name } => peers::name(asked, &peer, name).await,
        Request::PeerVerify { peer, mark } => peers::verify(asked, &peer, mark).await,
        Request::Start { name, dir, force, local, lan } => {
            rooms::start(asked, rooms::Wanted { name, dir, force, local, lan }).await
        }
        Request::Join { ticket, dir, force, wait_ms } => {
            rooms::join(asked, &ticket, dir, force, wait_ms).await
        }
        Request::Invite { room, expires_s, uses, role, approve } => {
            tickets::invite(asked, room, tickets::Wanted { expires_s, uses, role, approve }).await
        }
        Request::TicketList { room, all } => tickets::list(asked, room, all).await,
        Request::TicketClose { room, ticket } => tickets::close(asked, room, &ticket).await,
        Request::MemberList { room } => members::list(asked, room).await,
        Request::MemberApprove { room, peer } => members::approve(asked, room, &peer).await,
        Request::MemberRemove { room, peer, keep } => members::remove(asked, room, &peer, &keep).await,
        Request::MemberRole { room, peer, role } => members::role(asked, room, &peer, role).await,
        Request::RoomList => rooms::list(asked).await,
        Request::RoomShow { room } => rooms::show(asked, room).await,
        Request::RoomBind { room, dir, force } => rooms::bind(asked, &room, &dir, force).await,
        Request::RoomUnbind { room, dir } => rooms::unbind(asked, room, &dir).await,
        Request::RoomAlias { room, alias } => rooms::alias(asked, &room, alias).await,
        Request::RoomRename { room, name } => rooms::rename(asked, room, name).await,
        Request::RoomRekey { room } => rooms::rekey(asked, room).await,
        Request::RoomLeave { room, abandon } => rooms::leave(asked, room, abandon).await,
        Request::RoomRetention { room, days } => retention::retention(asked, room, days).await,
        Request::RoomExport { room, since_ms } => export::export(asked, room, since_ms).await,
        Request::Send { room, to, text, request_id, priority, form, wait_ms } => {
            talk::send(asked, talk::Said { room, to, text, request_id, priority, form, wait_ms }).await
        }
        Request::Ask { to, room, text, request_id, timeout_ms, wait_ms } => {
            ask::ask(asked, ask::Question { room, to, text, request_id, timeout_ms, wait_ms }).await
        }
        Request::Answers { entry, seen, wait_ms, give } => {
            ask::answers(asked, &entry, seen, wait_ms, give).await
        }
        Request::Answer { entry, text, request_id, wait_ms } => {
            ask::answer(asked, &entry, text, request_id, wait_ms).await
        }
        Request::Far { entries } => far::far(asked, &entries).await,
        Request::Wait { room, from, about, wait_ms, limit_chars } => {
            wait::wait(asked, wait::Wanted { room, from, about, wait_ms, limit_chars }).await
        }
        Request::Message { room, entry } => talk::message(asked, room, &entry).await,
        Request::Who { room } => talk::who(asked, room).await,
        Request::Unread => talk::unread(asked).await,
        Request::Log { room, limit, since_ms, follow } => {
            log::log(asked, log::Wanted { room, limit, since_ms, follow }).await
        }
        Request::Relays => relays::relays(asked).await,
        Request::RelaysTold => relays::relays_told(asked).await,
        Request::Search { text, room, within, limit, since_ms, brief_chars } => {
            search::search(asked, search::Wanted { text, room, within, limit, since_ms, brief_chars }).await
        }
        Request::StoreCompact => store::compact(asked).await,
        Request::Doctor => doctor::doctor(asked).await,
        Request::Hook { program, stdin, env, parent_pid: _, idle } => {
            hook::hook(asked, hook::Call { program, stdin, env, idle }).await
        }
        Request::Commit { token } => hook::commit(asked, token).await,
        Request::Check { room, limit_chars } => hook::check(asked, room, limit_chars).await,
        Request::SetSummary { summary } => hook::set_summary(asked, &summary).await,
        Request::Consent { what, whose, verdict } => {
            let wanted = what.zip(whose).zip(verdict).map(|((what, whose), verdict)| (what, whose, verdict));
            quiet::consent(asked, wanted).await
        }
        Request::RoomLevel { room, dir, level, mute } => {
            quiet::levels(asked, quiet::Wanted { room, dir, level, mute }).await
        }
        Request::Budget { room, set } => hearing::budget(asked, room, set).await,
        Request::Tags { dir, add, remove } => quiet::tags(asked, dir, add, remove).await,
        Request::SessionList => whom::list(asked).await,
        Request::FileDrop { path, room, to, request_id, allow_secrets, wait_ms } => {
            let announced = files::Dropping { path, room, to, request_id, allow_secrets, wait_ms };
            files::drop_file(asked, announced).await
        }
        Request::FileList { room } => files::list(asked, room).await,
        Request::FileGet { file, room, wait_ms } => files::get(asked, &file, room, wait_ms).await,
        Request::SessionStatus { session, set } => status::session(asked, session, set).await,
    }
}
