use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering::SeqCst},
};

use axum_clef::{
    BoxError, IdentityStore, LoginCheck, LoginReference, Profile, RevocationKey, Subject,
    Timestamp, UserStore,
    stores::{Account, MemoryUserStore},
};

/// A user store that takes no logouts on demand, and keeps the last profile it saw.
#[derive(Clone, Default)]
pub struct FailingUsers {
    inner: MemoryUserStore,
    pub failing: Arc<AtomicBool>,
    /// As a store that keeps no revocations.
    pub without_revocations: Arc<AtomicBool>,
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

impl UserStore for FailingUsers {
    type User = Account;

    async fn load(&self, id: &str) -> Result<Option<Account>, BoxError> {
        self.inner.load(id).await
    }

    async fn log_in(&self, id: &str) -> Result<Option<Account>, BoxError> {
        self.inner.log_in(id).await
    }

    async fn log_out(&self, id: &str) -> Result<bool, BoxError> {
        self.works()?;
        self.inner.log_out(id).await
    }

    async fn now(&self) -> Result<Timestamp, BoxError> {
        self.inner.now().await
    }

    async fn check_login(
        &self,
        login: LoginReference<'_>,
    ) -> Result<Option<LoginCheck<Account>>, BoxError> {
        self.inner.check_login(login).await
    }

    fn keeps_revocations(&self) -> bool {
        !self.without_revocations.load(SeqCst)
    }

    async fn revoke(&self, keys: &[RevocationKey], keep_until: Timestamp) -> Result<(), BoxError> {
        self.works()?;
        self.inner.revoke(keys, keep_until).await
    }

    async fn revoked_at(&self, key: &RevocationKey) -> Result<Option<Timestamp>, BoxError> {
        self.inner.revoked_at(key).await
    }
}

impl IdentityStore for FailingUsers {
    async fn find_or_create(&self, profile: &Profile) -> Result<Option<Account>, BoxError> {
        *self.last_profile.lock().unwrap() = Some(profile.clone());
        self.inner.find_or_create(profile).await
    }

    async fn log_out_subject(&self, subject: &Subject) -> Result<Vec<String>, BoxError> {
        self.works()?;
        self.inner.log_out_subject(subject).await
    }
}
