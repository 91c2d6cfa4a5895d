//! The sessions of agent programs that begin with `initialize`: those of the library, and no more than some. Must not
//! refuse a new one: the one of which nothing was heard longest is ended for it, and begins anew when it asks again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::Stream;
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::streamable_http_server::session::local::{
    LocalSessionManager, LocalSessionManagerError, SessionTransport,
};
use rmcp::transport::streamable_http_server::session::{ServerSseMessage, SessionId, SessionManager};

/// More than there are agents on one machine; each costs a few tasks and buffers.
pub(super) const SESSIONS_MAX: usize = 32;
/// A session of which nothing is heard so long is ended. Many agent programs do not begin anew by themselves, and their
/// people go home for the night.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// The sessions.
pub(super) struct Sessions {
    library: LocalSessionManager,
    used: Mutex<Used>,
}

/// When each was used last, counted in uses.
#[derive(Default)]
struct Used {
    uses: u64,
    last: HashMap<SessionId, u64>,
}

impl Used {
    fn note(&mut self, id: &SessionId) {
        self.uses += 1;
        self.last.insert(id.clone(), self.uses);
    }

    /// The one unused longest, if there are too many.
    fn one_too_many(&mut self) -> Option<SessionId> {
        let oldest = self.last.iter().min_by_key(|(_, last)| **last).map(|(id, _)| id.clone());
        let oldest = oldest.filter(|_| self.last.len() > SESSIONS_MAX)?;
        self.last.remove(&oldest);
        Some(oldest)
    }
}

impl Sessions {
    pub(super) fn new() -> Self {
        let mut library = LocalSessionManager::default();
        library.session_config.keep_alive = Some(KEPT);
        Self { library, used: Mutex::default() }
    }

    fn note<T>(&self, id: &SessionId, then: impl FnOnce(&mut Used) -> T) -> T {
        // Nothing below can panic half-way through a change.
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.note(id);
        then(&mut used)
    }

    fn forget(&self, id: &SessionId) {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).last.remove(id);
    }
}

impl SessionManager for Sessions {
    type Error = LocalSessionManagerError;
    type Transport = SessionTransport;

    async fn create_session(&self) -> Result<(SessionId, Self::Transport), Self::Error> {
        let (id, transport) = self.library.create_session().await?;
        if let Some(oldest) = self.note(&id, Used::one_too_many) {
            self.library.close_session(&oldest).await?;
        }
        Ok((id, transport))
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, Self::Error> {
        self.library.initialize_session(id, message).await
    }

    async fn has_session(&self, id: &SessionId) -> Result<bool, Self::Error> {
        self.library.has_session(id).await
    }

    async fn close_session(&self, id: &SessionId) -> Result<(), Self::Error> {
        self.forget(id);
        self.library.close_session(id).await
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        self.note(id, |_| ());
        self.library.create_stream(id, message).await
    }

    async fn accept_message(&self, id: &SessionId, message: ClientJsonRpcMessage) -> Result<(), Self::Error> {
        self.note(id, |_| ());
        self.library.accept_message(id, message).await
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        self.note(id, |_| ());
        self.library.create_standalone_stream(id).await
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        self.note(id, |_| ());
        self.library.resume(id, last_event_id).await
    }
}
