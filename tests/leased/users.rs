//! A user store that counts its reads, fails, and holds whoever passes.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
};

use async_trait::async_trait;
use axum_clef::{
    BoxError, LoginReference, Profile, ProviderSession, Standing, Subject, Timestamp, UserStore,
    stores::{Account, MemoryUserStore},
};

use crate::holds::Holds;

/// One handle of the store, as a node has it.
#[derive(Clone)]
pub struct Users {
    pub inner: MemoryUserStore,
    pub reads: Arc<AtomicUsize>,
    pub failing: Arc<AtomicBool>,
    /// `read` is where a read waits that has its answer already, `write` where a logout waits
    /// before it writes. `written` is where a logout or login waits after that.
    pub holds: Holds,
}

impl Users {
    pub fn new(inner: MemoryUserStore) -> Self {
        Self {
            inner,
            reads: Arc::default(),
            failing: Arc::default(),
            holds: Holds::default(),
        }
    }

    pub fn reads(&self) -> usize {
        self.reads.load(SeqCst)
    }

    fn works(&self) -> Result<(), BoxError> {
        if self.failing.load(SeqCst) {
            return Err("the user store is down".into());
        }
        Ok(())
    }
}

#[async_trait]
impl UserStore for Users {
    type User = Account;

    async fn log_in(&self, profile: &Profile) -> Result<Option<Account>, BoxError> {
        let user = self.inner.log_in(profile).await;
        self.holds.pass("written", String::new()).await;
        user
    }

    async fn load(&self, id: &str) -> Result<Option<Account>, BoxError> {
        self.inner.load(id).await
    }

    async fn log_out(&self, subject: &Subject) -> Result<bool, BoxError> {
        self.holds.pass("write", String::new()).await;
        self.works()?;
        let found = self.inner.log_out(subject).await;
        self.holds.pass("written", String::new()).await;
        found
    }

    async fn now(&self) -> Result<Timestamp, BoxError> {
        self.inner.now().await
    }

    async fn standing(
        &self,
        login: LoginReference<'_>,
    ) -> Result<Option<Standing<Account>>, BoxError> {
        self.reads.fetch_add(1, SeqCst);
        let standing = match self.works() {
            Ok(()) => self.inner.standing(login).await,
            Err(error) => Err(error),
        };
        self.holds.pass("read", String::new()).await;
        standing
    }

    async fn log_out_session(&self, session: &ProviderSession) -> Result<bool, BoxError> {
        self.inner.log_out_session(session).await
    }

    async fn session_logged_out_at(
        &self,
        session: &ProviderSession,
    ) -> Result<Option<Timestamp>, BoxError> {
        self.inner.session_logged_out_at(session).await
    }
}
