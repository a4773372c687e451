//! Users in memory.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;

use super::{Account, Clock};
use crate::{
    BoxError, LoginReference, Profile, ProviderSession, Standing, Subject, Timestamp, UserStore,
};

/// Users in the memory of this process: for tests and trials. They are gone when it ends,
/// and so are their logouts, so keep the sessions in memory too.
///
/// ```
/// use axum_clef::{Profile, Subject, User as _, UserStore as _, stores::MemoryUserStore};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let users = MemoryUserStore::new();
/// let alex = Subject::new("https://clef.example.com", "12345");
/// let user = users.log_in(&Profile::new(alex.clone())).await?.ok_or("turned away")?;
/// assert_eq!(user.logged_out_at(), None);
///
/// assert!(users.log_out(&alex).await?);
/// let user = users.load(&user.id()).await?.ok_or("gone")?;
/// assert!(user.logged_out_at().is_some());
/// # Ok::<(), axum_clef::BoxError>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct MemoryUserStore {
    accounts: Arc<Mutex<Accounts>>,
    clock: Clock,
}

#[derive(Default)]
struct Accounts {
    by_id: HashMap<i64, Account>,
    ids: HashMap<Subject, i64>,
    /// When sessions at providers were logged out.
    sessions: HashMap<ProviderSession, Timestamp>,
    /// No login of anybody began later: a session may be anybody's.
    last_login_at: Option<Timestamp>,
}

impl MemoryUserStore {
    /// A store without users.
    pub fn new() -> Self {
        Self {
            accounts: Arc::default(),
            clock: Arc::new(Timestamp::now),
        }
    }

    /// Another clock than the system's, for tests.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    fn accounts(&self) -> MutexGuard<'_, Accounts> {
        // Each change is one step that cannot panic halfway.
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryUserStore {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl UserStore for MemoryUserStore {
    type User = Account;

    async fn log_in(&self, profile: &Profile) -> Result<Option<Account>, BoxError> {
        let mut accounts = self.accounts();
        let now = (self.clock)();
        let profile = Arc::new(profile.clone());
        let next_id = i64::try_from(accounts.ids.len())? + 1;
        let id = *accounts
            .ids
            .entry(profile.subject.clone())
            .or_insert(next_id);
        let account = accounts.by_id.entry(id).or_insert_with(|| Account {
            id,
            profile: Arc::clone(&profile),
            last_login_at: now,
            logged_out_at: None,
        });
        account.profile = profile;
        account.last_login_at = account.last_login_at.max(now);
        let account = account.clone();
        accounts.last_login_at = accounts.last_login_at.max(Some(now));
        Ok(Some(account))
    }

    async fn load(&self, id: &str) -> Result<Option<Account>, BoxError> {
        let Ok(id) = id.parse() else {
            return Ok(None);
        };
        Ok(self.accounts().by_id.get(&id).cloned())
    }

    async fn log_out(&self, subject: &Subject) -> Result<bool, BoxError> {
        let mut accounts = self.accounts();
        let Some(id) = accounts.ids.get(subject).copied() else {
            return Ok(false);
        };
        let Some(account) = accounts.by_id.get_mut(&id) else {
            return Ok(false);
        };
        // The clock is read under the lock: no login can slip in between.
        let previous = account.logged_out_at.max(Some(account.last_login_at));
        account.logged_out_at = Some((self.clock)().raised_above(previous));
        Ok(true)
    }

    async fn now(&self) -> Result<Timestamp, BoxError> {
        Ok((self.clock)())
    }

    async fn standing(
        &self,
        login: LoginReference<'_>,
    ) -> Result<Option<Standing<Account>>, BoxError> {
        let Ok(id) = login.user_id.parse() else {
            return Ok(None);
        };
        let accounts = self.accounts();
        let Some(account) = accounts.by_id.get(&id).cloned() else {
            return Ok(None);
        };
        let session = login
            .session
            .and_then(|session| accounts.sessions.get(session));
        let standing = Standing::new(account, (self.clock)());
        Ok(Some(standing.with_session_logged_out_at(session.copied())))
    }

    async fn log_out_session(&self, session: &ProviderSession) -> Result<bool, BoxError> {
        let mut accounts = self.accounts();
        let now = (self.clock)();
        accounts
            .sessions
            .retain(|_, logged_out_at| now.since(*logged_out_at) < ProviderSession::KEPT);
        let previous = accounts.sessions.get(session).copied();
        let logged_out_at = now.raised_above(previous.max(accounts.last_login_at));
        accounts.sessions.insert(session.clone(), logged_out_at);
        Ok(true)
    }

    async fn session_logged_out_at(
        &self,
        session: &ProviderSession,
    ) -> Result<Option<Timestamp>, BoxError> {
        Ok(self.accounts().sessions.get(session).copied())
    }
}

impl fmt::Debug for MemoryUserStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("MemoryUserStore")
            .field("accounts", &self.accounts().by_id.len())
            .finish_non_exhaustive()
    }
}
