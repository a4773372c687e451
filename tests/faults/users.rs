//! A user store with faults.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering::SeqCst},
};

use axum_clef::{
    BoxError, IdentityStore, LoginCheck, LoginReference, Profile, RevocationKey, Subject,
    Timestamp, User as _, UserStore,
    stores::{Account, MemoryUserStore},
};

use crate::fault::{Call, Faults};

/// It answers the check of a login in one call, as the ready stores do.
#[derive(Clone)]
pub struct FaultyUsers {
    pub inner: MemoryUserStore,
    faults: Faults,
    /// The ids of the users that `log_in` has returned.
    pub returned: Arc<Mutex<Vec<String>>>,
    pub turning_away: Arc<AtomicBool>,
}

impl FaultyUsers {
    pub fn new(inner: MemoryUserStore, faults: Faults) -> Self {
        Self {
            inner,
            faults,
            returned: Arc::default(),
            turning_away: Arc::default(),
        }
    }
}

impl UserStore for FaultyUsers {
    type User = Account;

    async fn load(&self, id: &str) -> Result<Option<Account>, BoxError> {
        let work = self.inner.load(id);
        self.faults.pass(Call::LoadUser, BoxError::from, work).await
    }

    async fn log_in(&self, id: &str) -> Result<Option<Account>, BoxError> {
        let work = self.inner.log_in(id);
        let user = self.faults.pass(Call::LogIn, BoxError::from, work).await?;
        let id = user.iter().map(|user| user.id());
        self.returned.lock().unwrap().extend(id);
        Ok(user)
    }

    async fn log_out(&self, id: &str) -> Result<bool, BoxError> {
        let work = self.inner.log_out(id);
        self.faults.pass(Call::LogOut, BoxError::from, work).await
    }

    async fn now(&self) -> Result<Timestamp, BoxError> {
        let work = self.inner.now();
        self.faults.pass(Call::Now, BoxError::from, work).await
    }

    async fn check_login(
        &self,
        login: LoginReference<'_>,
    ) -> Result<Option<LoginCheck<Account>>, BoxError> {
        let work = self.inner.check_login(login);
        self.faults
            .pass(Call::CheckLogin, BoxError::from, work)
            .await
    }

    fn keeps_revocations(&self) -> bool {
        true
    }

    async fn revoke(&self, keys: &[RevocationKey], keep_until: Timestamp) -> Result<(), BoxError> {
        let work = self.inner.revoke(keys, keep_until);
        self.faults.pass(Call::Revoke, BoxError::from, work).await
    }

    async fn revoked_at(&self, key: &RevocationKey) -> Result<Option<Timestamp>, BoxError> {
        let work = self.inner.revoked_at(key);
        self.faults
            .pass(Call::RevokedAt, BoxError::from, work)
            .await
    }
}

impl IdentityStore for FaultyUsers {
    async fn find_or_create(&self, profile: &Profile) -> Result<Option<Account>, BoxError> {
        if self.turning_away.load(SeqCst) {
            return Ok(None);
        }
        let work = self.inner.find_or_create(profile);
        self.faults
            .pass(Call::FindOrCreate, BoxError::from, work)
            .await
    }

    async fn log_out_subject(&self, subject: &Subject) -> Result<Vec<String>, BoxError> {
        let work = self.inner.log_out_subject(subject);
        self.faults
            .pass(Call::LogOutSubject, BoxError::from, work)
            .await
    }
}

/// The same without a `check_login` of its own: the default asks in parts.
#[derive(Clone)]
pub struct InParts(pub FaultyUsers);

impl UserStore for InParts {
    type User = Account;

    async fn load(&self, id: &str) -> Result<Option<Account>, BoxError> {
        self.0.load(id).await
    }

    async fn log_in(&self, id: &str) -> Result<Option<Account>, BoxError> {
        self.0.log_in(id).await
    }

    async fn log_out(&self, id: &str) -> Result<bool, BoxError> {
        self.0.log_out(id).await
    }

    async fn now(&self) -> Result<Timestamp, BoxError> {
        self.0.now().await
    }

    fn keeps_revocations(&self) -> bool {
        true
    }

    async fn revoke(&self, keys: &[RevocationKey], keep_until: Timestamp) -> Result<(), BoxError> {
        self.0.revoke(keys, keep_until).await
    }

    async fn revoked_at(&self, key: &RevocationKey) -> Result<Option<Timestamp>, BoxError> {
        self.0.revoked_at(key).await
    }
}

impl IdentityStore for InParts {
    async fn find_or_create(&self, profile: &Profile) -> Result<Option<Account>, BoxError> {
        self.0.find_or_create(profile).await
    }

    async fn log_out_subject(&self, subject: &Subject) -> Result<Vec<String>, BoxError> {
        self.0.log_out_subject(subject).await
    }
}
