use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
};

use async_trait::async_trait;
use axum_clef::{
    BoxError, IdentityStore, LoginCheck, LoginReference, Profile, RevocationKey, Subject,
    Timestamp, UserStore, stores::Account,
};

use super::Pause;

/// A user store that counts its calls, fails on demand, and waits where a test holds it.
#[derive(Clone)]
pub struct TestUsers {
    pub inner: Arc<dyn AnyUsers>,
    /// Calls of any kind.
    pub calls: Arc<AtomicUsize>,
    /// Questions about a login.
    pub checks: Arc<AtomicUsize>,
    /// Noted logins.
    pub log_ins: Arc<AtomicUsize>,
    /// Logouts of users and subjects, by attempts.
    pub log_outs: Arc<AtomicUsize>,
    pub failing: Arc<AtomicBool>,
    /// Never answers.
    pub hanging: Arc<AtomicBool>,
    pub log_out_fails: Arc<AtomicBool>,
    pub log_out_panics: Arc<AtomicBool>,
    pub revoke_fails: Arc<AtomicBool>,
    /// Keeps no revocations.
    pub no_revocations: Arc<AtomicBool>,
    /// The clock alone.
    pub clock_failing: Arc<AtomicBool>,
    pub turning_away: Arc<AtomicBool>,
    /// Where `find_or_create` waits before it does anything.
    pub before_find: Pause,
    /// Where a logout waits before and after it is written.
    pub before_log_out: Pause,
    pub after_log_out: Pause,
    /// Where `revoke` waits before it does anything.
    pub before_revoke: Pause,
}

impl TestUsers {
    pub fn new(inner: impl IdentityStore<User = Account>) -> Self {
        Self {
            inner: Arc::new(inner),
            calls: Arc::default(),
            checks: Arc::default(),
            log_ins: Arc::default(),
            log_outs: Arc::default(),
            failing: Arc::default(),
            hanging: Arc::default(),
            log_out_fails: Arc::default(),
            log_out_panics: Arc::default(),
            revoke_fails: Arc::default(),
            no_revocations: Arc::default(),
            clock_failing: Arc::default(),
            turning_away: Arc::default(),
            before_find: Pause::default(),
            before_log_out: Pause::default(),
            after_log_out: Pause::default(),
            before_revoke: Pause::default(),
        }
    }

    async fn works(&self) -> Result<(), BoxError> {
        self.calls.fetch_add(1, SeqCst);
        if self.hanging.load(SeqCst) {
            std::future::pending::<()>().await;
        }
        match self.failing.load(SeqCst) {
            true => Err("the user store is down".into()),
            false => Ok(()),
        }
    }

    async fn logs_out(&self) -> Result<(), BoxError> {
        self.log_outs.fetch_add(1, SeqCst);
        assert!(!self.log_out_panics.load(SeqCst), "the user store panics");
        self.works().await?;
        if self.log_out_fails.load(SeqCst) {
            return Err("the user store accepts no logouts".into());
        }
        self.before_log_out.here().await;
        Ok(())
    }
}

impl UserStore for TestUsers {
    type User = Account;

    async fn load(&self, id: &str) -> Result<Option<Account>, BoxError> {
        self.works().await?;
        self.inner.load(id).await
    }

    async fn log_in(&self, id: &str) -> Result<Option<Account>, BoxError> {
        self.works().await?;
        let user = self.inner.log_in(id).await;
        self.log_ins.fetch_add(1, SeqCst);
        user
    }

    async fn log_out(&self, id: &str) -> Result<bool, BoxError> {
        self.logs_out().await?;
        let known = self.inner.log_out(id).await;
        self.after_log_out.here().await;
        known
    }

    async fn now(&self) -> Result<Timestamp, BoxError> {
        self.works().await?;
        if self.clock_failing.load(SeqCst) {
            return Err("the clock cannot be read".into());
        }
        self.inner.now().await
    }

    async fn check_login(
        &self,
        login: LoginReference<'_>,
    ) -> Result<Option<LoginCheck<Account>>, BoxError> {
        self.checks.fetch_add(1, SeqCst);
        self.works().await?;
        if self.clock_failing.load(SeqCst) {
            return Err("the clock cannot be read".into());
        }
        self.inner.check_login(login).await
    }

    fn keeps_revocations(&self) -> bool {
        !self.no_revocations.load(SeqCst) && self.inner.keeps_revocations()
    }

    async fn revoke(&self, keys: &[RevocationKey], keep_until: Timestamp) -> Result<(), BoxError> {
        self.works().await?;
        if self.revoke_fails.load(SeqCst) {
            return Err("the revocations cannot be written".into());
        }
        self.before_revoke.here().await;
        self.inner.revoke(keys, keep_until).await
    }

    async fn revoked_at(&self, key: &RevocationKey) -> Result<Option<Timestamp>, BoxError> {
        self.works().await?;
        self.inner.revoked_at(key).await
    }
}

impl IdentityStore for TestUsers {
    async fn find_or_create(&self, profile: &Profile) -> Result<Option<Account>, BoxError> {
        self.works().await?;
        self.before_find.here().await;
        if self.turning_away.load(SeqCst) {
            return Ok(None);
        }
        self.inner.find_or_create(profile).await
    }

    async fn log_out_subject(&self, subject: &Subject) -> Result<Vec<String>, BoxError> {
        self.logs_out().await?;
        let users = self.inner.log_out_subject(subject).await;
        self.after_log_out.here().await;
        users
    }
}

/// Any of the stores with an [`Account`], as an object.
#[async_trait]
pub trait AnyUsers: Send + Sync {
    async fn load(&self, id: &str) -> Result<Option<Account>, BoxError>;
    async fn log_in(&self, id: &str) -> Result<Option<Account>, BoxError>;
    async fn log_out(&self, id: &str) -> Result<bool, BoxError>;
    async fn now(&self) -> Result<Timestamp, BoxError>;
    async fn check_login(
        &self,
        login: LoginReference<'_>,
    ) -> Result<Option<LoginCheck<Account>>, BoxError>;
    fn keeps_revocations(&self) -> bool;
    async fn revoke(&self, keys: &[RevocationKey], keep_until: Timestamp) -> Result<(), BoxError>;
    async fn revoked_at(&self, key: &RevocationKey) -> Result<Option<Timestamp>, BoxError>;
    async fn find_or_create(&self, profile: &Profile) -> Result<Option<Account>, BoxError>;
    async fn log_out_subject(&self, subject: &Subject) -> Result<Vec<String>, BoxError>;
}

#[async_trait]
impl<S: IdentityStore<User = Account>> AnyUsers for S {
    async fn load(&self, id: &str) -> Result<Option<Account>, BoxError> {
        UserStore::load(self, id).await
    }

    async fn log_in(&self, id: &str) -> Result<Option<Account>, BoxError> {
        UserStore::log_in(self, id).await
    }

    async fn log_out(&self, id: &str) -> Result<bool, BoxError> {
        UserStore::log_out(self, id).await
    }

    async fn now(&self) -> Result<Timestamp, BoxError> {
        UserStore::now(self).await
    }

    async fn check_login(
        &self,
        login: LoginReference<'_>,
    ) -> Result<Option<LoginCheck<Account>>, BoxError> {
        UserStore::check_login(self, login).await
    }

    fn keeps_revocations(&self) -> bool {
        UserStore::keeps_revocations(self)
    }

    async fn revoke(&self, keys: &[RevocationKey], keep_until: Timestamp) -> Result<(), BoxError> {
        UserStore::revoke(self, keys, keep_until).await
    }

    async fn revoked_at(&self, key: &RevocationKey) -> Result<Option<Timestamp>, BoxError> {
        UserStore::revoked_at(self, key).await
    }

    async fn find_or_create(&self, profile: &Profile) -> Result<Option<Account>, BoxError> {
        IdentityStore::find_or_create(self, profile).await
    }

    async fn log_out_subject(&self, subject: &Subject) -> Result<Vec<String>, BoxError> {
        IdentityStore::log_out_subject(self, subject).await
    }
}
