//! A user store that counts its reads, fails, and holds calls.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
};

use axum_clef::{
    BoxError, IdentityStore, LoginCheck, LoginReference, Profile, RevocationKey, Subject,
    Timestamp, UserStore,
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

    async fn write<T>(
        &self,
        write: impl Future<Output = Result<T, BoxError>> + Send,
    ) -> Result<T, BoxError> {
        self.holds.pass("write", String::new()).await;
        self.works()?;
        let written = write.await;
        self.holds.pass("written", String::new()).await;
        written
    }
}

/// What comes after the id of a subject that stands for the same user as the one without.
pub const AT_WORK: &str = " at work";

/// The subject by which the store below knows the user.
fn known(subject: &Subject) -> Subject {
    Subject::new(subject.issuer(), subject.id().trim_end_matches(AT_WORK))
}

impl UserStore for Users {
    type User = Account;

    async fn load(&self, id: &str) -> Result<Option<Account>, BoxError> {
        self.inner.load(id).await
    }

    async fn log_in(&self, id: &str) -> Result<Option<Account>, BoxError> {
        let user = self.inner.log_in(id).await;
        self.holds.pass("written", String::new()).await;
        user
    }

    async fn log_out(&self, id: &str) -> Result<bool, BoxError> {
        self.write(self.inner.log_out(id)).await
    }

    async fn now(&self) -> Result<Timestamp, BoxError> {
        self.inner.now().await
    }

    async fn check_login(
        &self,
        login: LoginReference<'_>,
    ) -> Result<Option<LoginCheck<Account>>, BoxError> {
        self.reads.fetch_add(1, SeqCst);
        let check = match self.works() {
            Ok(()) => self.inner.check_login(login).await,
            Err(error) => Err(error),
        };
        self.holds.pass("read", String::new()).await;
        check
    }

    fn keeps_revocations(&self) -> bool {
        true
    }

    async fn revoke(&self, keys: &[RevocationKey], keep_until: Timestamp) -> Result<(), BoxError> {
        self.write(self.inner.revoke(keys, keep_until)).await
    }

    async fn revoked_at(&self, key: &RevocationKey) -> Result<Option<Timestamp>, BoxError> {
        self.inner.revoked_at(key).await
    }
}

impl IdentityStore for Users {
    async fn find_or_create(&self, profile: &Profile) -> Result<Option<Account>, BoxError> {
        let mut profile = profile.clone();
        profile.subject = known(&profile.subject);
        self.inner.find_or_create(&profile).await
    }

    async fn log_out_subject(&self, subject: &Subject) -> Result<Vec<String>, BoxError> {
        self.write(self.inner.log_out_subject(&known(subject)))
            .await
    }
}
