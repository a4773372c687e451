use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
};

use async_trait::async_trait;
use axum_clef::{
    BoxError, Profile, ProviderSession, Subject, Timestamp, UserStore, stores::Account,
};

use super::Pause;

/// A user store that counts its calls and fails on demand.
#[derive(Clone)]
pub struct TestUsers {
    pub inner: Arc<dyn UserStore<User = Account>>,
    pub loads: Arc<AtomicUsize>,
    pub failing: Arc<AtomicBool>,
    /// Never answers.
    pub hanging: Arc<AtomicBool>,
    pub log_out_panics: Arc<AtomicBool>,
    /// Takes no logouts of sessions.
    pub log_out_session_fails: Arc<AtomicBool>,
    /// Keeps no sessions of providers.
    pub no_sessions: Arc<AtomicBool>,
    /// The clock alone.
    pub clock_failing: Arc<AtomicBool>,
    pub turning_away: Arc<AtomicBool>,
    /// How many logins are noted.
    pub log_ins: Arc<AtomicUsize>,
    /// Where `log_in` waits before it does anything.
    pub before_log_in: Pause,
    /// Where `log_out` waits after it has done everything.
    pub after_log_out: Pause,
}

impl TestUsers {
    pub fn new(inner: impl UserStore<User = Account>) -> Self {
        Self {
            inner: Arc::new(inner),
            loads: Arc::default(),
            failing: Arc::default(),
            hanging: Arc::default(),
            log_out_panics: Arc::default(),
            log_out_session_fails: Arc::default(),
            no_sessions: Arc::default(),
            clock_failing: Arc::default(),
            turning_away: Arc::default(),
            log_ins: Arc::default(),
            before_log_in: Pause::default(),
            after_log_out: Pause::default(),
        }
    }

    async fn works(&self) -> Result<(), BoxError> {
        if self.hanging.load(SeqCst) {
            std::future::pending::<()>().await;
        }
        if self.failing.load(SeqCst) {
            return Err("the user store is down".into());
        }
        Ok(())
    }
}

#[async_trait]
impl UserStore for TestUsers {
    type User = Account;

    async fn log_in(&self, profile: &Profile) -> Result<Option<Account>, BoxError> {
        self.works().await?;
        self.before_log_in.here().await;
        if self.turning_away.load(SeqCst) {
            return Ok(None);
        }
        let user = self.inner.log_in(profile).await;
        self.log_ins.fetch_add(1, SeqCst);
        user
    }

    async fn load(&self, id: &str) -> Result<Option<Account>, BoxError> {
        self.loads.fetch_add(1, SeqCst);
        self.works().await?;
        self.inner.load(id).await
    }

    async fn log_out(&self, subject: &Subject) -> Result<bool, BoxError> {
        assert!(!self.log_out_panics.load(SeqCst), "the user store panics");
        self.works().await?;
        let known = self.inner.log_out(subject).await;
        self.after_log_out.here().await;
        known
    }

    async fn log_out_session(&self, session: &ProviderSession) -> Result<bool, BoxError> {
        self.works().await?;
        if self.log_out_session_fails.load(SeqCst) {
            return Err("the sessions cannot be written".into());
        }
        if self.no_sessions.load(SeqCst) {
            return Ok(false);
        }
        self.inner.log_out_session(session).await
    }

    async fn session_logged_out_at(
        &self,
        session: &ProviderSession,
    ) -> Result<Option<Timestamp>, BoxError> {
        self.works().await?;
        self.inner.session_logged_out_at(session).await
    }

    async fn now(&self) -> Result<Timestamp, BoxError> {
        if self.clock_failing.load(SeqCst) {
            return Err("the clock cannot be read".into());
        }
        self.inner.now().await
    }
}
