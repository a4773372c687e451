//! Stores that count how often they are asked: each time is a round trip.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use async_trait::async_trait;
use axum_clef::{
    BoxError, IdentityStore, LoginCheck, LoginReference, Profile, RevocationKey, SessionStore,
    Subject, Timestamp, UserStore,
    stores::{Account, PostgresUserStore},
};
use tower_sessions::{
    session::{Id, Record},
    session_store::Result as SessionResult,
};
use tower_sessions_redis_store::{RedisStore, fred::prelude::Pool};

/// How often they were asked, at all nodes together.
#[derive(Debug, Clone, Default)]
pub struct Calls {
    pub users: Arc<AtomicU64>,
    pub sessions: Arc<AtomicU64>,
}

pub struct CountedUsers {
    pub inner: PostgresUserStore,
    pub calls: Calls,
}

impl CountedUsers {
    fn ask(&self) -> &PostgresUserStore {
        self.calls.users.fetch_add(1, Relaxed);
        &self.inner
    }
}

impl UserStore for CountedUsers {
    type User = Account;

    async fn load(&self, id: &str) -> Result<Option<Account>, BoxError> {
        self.ask().load(id).await
    }

    async fn log_in(&self, id: &str) -> Result<Option<Account>, BoxError> {
        self.ask().log_in(id).await
    }

    async fn log_out(&self, id: &str) -> Result<bool, BoxError> {
        self.ask().log_out(id).await
    }

    async fn now(&self) -> Result<Timestamp, BoxError> {
        self.ask().now().await
    }

    async fn check_login(
        &self,
        login: LoginReference<'_>,
    ) -> Result<Option<LoginCheck<Account>>, BoxError> {
        self.ask().check_login(login).await
    }

    fn keeps_revocations(&self) -> bool {
        self.inner.keeps_revocations()
    }

    async fn revoke(&self, keys: &[RevocationKey], keep_until: Timestamp) -> Result<(), BoxError> {
        self.ask().revoke(keys, keep_until).await
    }

    async fn revoked_at(&self, key: &RevocationKey) -> Result<Option<Timestamp>, BoxError> {
        self.ask().revoked_at(key).await
    }
}

impl IdentityStore for CountedUsers {
    async fn find_or_create(&self, profile: &Profile) -> Result<Option<Account>, BoxError> {
        self.ask().find_or_create(profile).await
    }

    async fn log_out_subject(&self, subject: &Subject) -> Result<Vec<String>, BoxError> {
        self.ask().log_out_subject(subject).await
    }
}

#[derive(Debug, Clone)]
pub struct CountedSessions {
    inner: RedisStore<Pool>,
    calls: Calls,
    /// Those that there are, to delete them at the end.
    ids: Arc<Mutex<HashSet<Id>>>,
}

impl CountedSessions {
    pub fn new(inner: RedisStore<Pool>, calls: Calls) -> Self {
        Self {
            inner,
            calls,
            ids: Arc::default(),
        }
    }

    /// The same sessions by other connections.
    pub fn by_way_of(&self, inner: RedisStore<Pool>) -> Self {
        Self {
            inner,
            ..self.clone()
        }
    }

    pub fn ids(&self) -> Vec<Id> {
        self.known().iter().copied().collect()
    }

    fn known(&self) -> MutexGuard<'_, HashSet<Id>> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self) -> &RedisStore<Pool> {
        self.calls.sessions.fetch_add(1, Relaxed);
        &self.inner
    }
}

#[async_trait]
impl SessionStore for CountedSessions {
    async fn create(&self, record: &mut Record) -> SessionResult<()> {
        self.ask().create(record).await?;
        self.known().insert(record.id);
        Ok(())
    }

    async fn save(&self, record: &Record) -> SessionResult<()> {
        self.known().insert(record.id);
        self.ask().save(record).await
    }

    async fn load(&self, id: &Id) -> SessionResult<Option<Record>> {
        self.ask().load(id).await
    }

    async fn delete(&self, id: &Id) -> SessionResult<()> {
        self.ask().delete(id).await?;
        self.known().remove(id);
        Ok(())
    }
}
