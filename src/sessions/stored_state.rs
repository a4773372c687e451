//! Reading the state of a stored login outside of a request (feature `live`).

use std::time::Duration;

use tower_sessions::session::Id;

use super::{
    Kind, LoginRecord, SessionBackend,
    presented::{PresentedLogin, Source},
    stored,
};
use crate::{BoxError, LoginId, Timestamp};

/// A stored login, to read later without a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SessionHandle(Id);

/// The state of a stored login, read without renewing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StoredState {
    /// It ends after this time without a request.
    Active(Duration),
    /// Its idle time is over.
    Idle,
    /// The store has no such login.
    Missing,
    /// The login is sealed in the browser's cookie.
    NotStored,
}

impl PresentedLogin {
    /// Where the login is stored; `None` for a sealed one.
    pub(crate) fn handle(&self) -> Option<SessionHandle> {
        match &self.source {
            Source::Stored(record) => Some(SessionHandle(record.id)),
            Source::Sealed => None,
        }
    }
}

impl SessionBackend {
    /// Reads the state of a stored login without renewing it.
    ///
    /// # Errors
    ///
    /// When the session store cannot answer.
    pub(crate) async fn stored_state(
        &self,
        handle: SessionHandle,
        id: LoginId,
        now: Timestamp,
    ) -> Result<StoredState, BoxError> {
        let Kind::Stored(store) = &self.kind else {
            return Ok(StoredState::NotStored);
        };
        let Some(record) = stored::load_record(&**store, &handle.0).await? else {
            return Ok(StoredState::Missing);
        };
        let Some((last_seen_at, login)) = stored::read_login(&record) else {
            return Ok(StoredState::Missing);
        };
        if LoginRecord::read(&login).is_none_or(|login| login.id != id) {
            return Ok(StoredState::Missing);
        }
        Ok(match self.idle_left(Some(last_seen_at), now) {
            Some(left) => StoredState::Active(left),
            None => StoredState::Idle,
        })
    }
}
