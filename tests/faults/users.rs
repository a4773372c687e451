//! A user store with faults.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering::SeqCst},
};

use async_trait::async_trait;
use axum_clef::{
    BoxError, Profile, Subject, Timestamp, User as _, UserStore,
    stores::{Account, MemoryUserStore},
};

use crate::fault::{Call, Faults};

#[derive(Clone)]
pub struct FaultyUsers {
    pub inner: MemoryUserStore,
    faults: Faults,
    /// The ids of those whom `log_in` has given back, and not only made.
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

#[async_trait]
impl UserStore for FaultyUsers {
    type User = Account;

    async fn log_in(&self, profile: &Profile) -> Result<Option<Account>, BoxError> {
        if self.turning_away.load(SeqCst) {
            return Ok(None);
        }
        let work = self.inner.log_in(profile);
        let user = self.faults.pass(Call::LogIn, BoxError::from, work).await?;
        let id = user.iter().map(|user| user.id());
        self.returned.lock().unwrap().extend(id);
        Ok(user)
    }

    async fn load(&self, id: &str) -> Result<Option<Account>, BoxError> {
        let work = self.inner.load(id);
        self.faults.pass(Call::LoadUser, BoxError::from, work).await
    }

    async fn log_out(&self, subject: &Subject) -> Result<bool, BoxError> {
        let work = self.inner.log_out(subject);
        self.faults.pass(Call::LogOut, BoxError::from, work).await
    }

    async fn now(&self) -> Result<Timestamp, BoxError> {
        let work = self.inner.now();
        self.faults.pass(Call::Now, BoxError::from, work).await
    }
}
