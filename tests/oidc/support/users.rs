use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering::SeqCst},
};

use async_trait::async_trait;
use axum_clef::{
    BoxError, Profile, ProviderSession, Subject, Timestamp, UserStore,
    stores::{Account, MemoryUserStore},
};

/// A user store that takes no logouts on demand, and keeps the last profile it saw.
#[derive(Clone, Default)]
pub struct FailingUsers {
    inner: MemoryUserStore,
    pub failing: Arc<AtomicBool>,
    /// As a store that keeps no sessions of providers.
    pub without_sessions: Arc<AtomicBool>,
    last_profile: Arc<Mutex<Option<Profile>>>,
}

impl FailingUsers {
    pub fn last_profile(&self) -> Profile {
        self.last_profile.lock().unwrap().clone().unwrap()
    }

    fn works(&self) -> Result<(), BoxError> {
        if self.failing.load(SeqCst) {
            return Err("the user store takes no logouts".into());
        }
        Ok(())
    }
}

#[async_trait]
impl UserStore for FailingUsers {
    type User = Account;

    async fn log_in(&self, profile: &Profile) -> Result<Option<Account>, BoxError> {
        *self.last_profile.lock().unwrap() = Some(profile.clone());
        self.inner.log_in(profile).await
    }

    async fn load(&self, id: &str) -> Result<Option<Account>, BoxError> {
        self.inner.load(id).await
    }

    async fn log_out(&self, subject: &Subject) -> Result<bool, BoxError> {
        self.works()?;
        self.inner.log_out(subject).await
    }

    async fn now(&self) -> Result<Timestamp, BoxError> {
        self.inner.now().await
    }

    async fn log_out_session(&self, session: &ProviderSession) -> Result<bool, BoxError> {
        self.works()?;
        if self.without_sessions.load(SeqCst) {
            return Ok(false);
        }
        self.inner.log_out_session(session).await
    }

    async fn session_logged_out_at(
        &self,
        session: &ProviderSession,
    ) -> Result<Option<Timestamp>, BoxError> {
        self.inner.session_logged_out_at(session).await
    }
}
