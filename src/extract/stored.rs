//! The session of a request is loaded once, whether the check asks for it first or the handler.

use std::{
    fmt, mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use tower_sessions::{
    SessionStore,
    session::{Id, Record},
    session_store::{Error, Result},
};

use super::Visit;
use crate::{LoginEnding, session::Keeper};

/// What the check has loaded, until the session asks for it.
#[derive(Default)]
pub(super) struct Loaded(Mutex<State>);

#[derive(Default)]
enum State {
    /// Nobody has asked yet.
    #[default]
    Nothing,
    /// The check has, before the session.
    Record(Option<Record>),
    /// The session has: it is what counts from now on.
    BySession,
}

impl Loaded {
    /// Whether the session knows nothing yet that the store does not.
    pub(super) fn is_nothing(&self) -> bool {
        matches!(*self.state(), State::Nothing)
    }

    /// Keeps what the store has answered, unless the session has asked it meanwhile.
    pub(super) fn keep(&self, record: Option<Record>) {
        let mut state = self.state();
        if !matches!(*state, State::BySession) {
            *state = State::Record(record);
        }
    }

    /// Hands over what was kept, once.
    fn take(&self) -> Option<Option<Record>> {
        match mem::replace(&mut *self.state(), State::BySession) {
            State::Record(record) => Some(record),
            State::Nothing | State::BySession => None,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is one step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The store of the session of this request.
#[async_trait]
impl SessionStore for Visit {
    async fn create(&self, record: &mut Record) -> Result<()> {
        self.keeper()?.store().create(record).await
    }

    async fn save(&self, record: &Record) -> Result<()> {
        self.keeper()?.store().save(record).await
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        if let Some(record) = self.loaded.take()
            && record.as_ref().is_none_or(|record| record.id == *id)
        {
            return Ok(record);
        }
        self.keeper()?.store().load(id).await
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.keeper()?.store().delete(id).await?;
        // Or its id is another from now on; which of the two, only the next request shows.
        let live = &self.gate.live;
        live.session_over(*id, LoginEnding::SessionGone);
        Ok(())
    }
}

impl Visit {
    fn keeper(&self) -> Result<&Keeper> {
        let keeper = self.gate.keeper.as_deref();
        keeper.ok_or_else(|| Error::Backend("the application keeps its sessions itself".to_owned()))
    }
}

impl fmt::Debug for Visit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Visit").finish_non_exhaustive()
    }
}
