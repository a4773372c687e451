//! Users in memory.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Account, Clock};
use crate::{
    BoxError, IdentityStore, LoginCheck, LoginReference, LogoutCause, Profile, ProviderSession,
    RevocationKey, Subject, SubjectIdentifier, Timestamp, UserStore,
};

/// The fewest revocations or sessions at which old ones are removed.
const CLEANUP: usize = 1_024;

/// A user store in the memory of this process, for tests.
///
/// A restart loses users and logouts, so keep the logins in memory too.
///
/// ```
/// use axum_clef::{
///     IdentityStore as _, Profile, Subject, User as _, UserStore as _, stores::MemoryUserStore,
/// };
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let users = MemoryUserStore::new();
/// let alex = Profile::new(Subject::new("https://clef.example", "12345"));
/// let user = users.find_or_create(&alex).await?.ok_or("turned away")?;
/// assert_eq!(user.logged_out_at(), None);
///
/// assert!(users.log_out(&user.id()).await?);
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
    by_id: HashMap<String, Account>,
    ids: HashMap<Subject, String>,
    revocations: HashMap<RevocationKey, Revocation>,
    /// The number of revocations at which old ones are removed.
    cleanup_at: usize,
    /// The users of sessions at providers, and until when they are kept.
    sessions: HashMap<ProviderSession, (String, Timestamp)>,
    /// The number of sessions at which old ones are removed.
    session_cleanup_at: usize,
    /// The latest login of any user: a revocation may end any of them.
    last_login_at: Option<Timestamp>,
}

#[derive(Clone, Copy)]
struct Revocation {
    at: Timestamp,
    keep_until: Timestamp,
}

impl Accounts {
    fn revoked_at(&self, key: &RevocationKey) -> Option<Timestamp> {
        self.revocations.get(key).map(|revocation| revocation.at)
    }
}

impl MemoryUserStore {
    /// Creates a store without users.
    pub fn new() -> Self {
        Self {
            accounts: Arc::default(),
            clock: Arc::new(Timestamp::now),
        }
    }

    /// Replaces the system clock, for tests.
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

impl UserStore for MemoryUserStore {
    type User = Account;

    async fn load(&self, id: &str) -> Result<Option<Account>, BoxError> {
        Ok(self.accounts().by_id.get(id).cloned())
    }

    async fn log_in(&self, id: &str) -> Result<Option<Account>, BoxError> {
        let accounts = &mut *self.accounts();
        let now = Some((self.clock)());
        let Some(account) = accounts.by_id.get_mut(id) else {
            return Ok(None);
        };
        account.last_login_at = account.last_login_at.max(now);
        accounts.last_login_at = accounts.last_login_at.max(now);
        Ok(Some(account.clone()))
    }

    async fn log_out(&self, id: &str) -> Result<bool, BoxError> {
        self.log_out_with_cause(id, &LogoutCause::Unknown).await
    }

    async fn log_out_with_cause(&self, id: &str, cause: &LogoutCause) -> Result<bool, BoxError> {
        // The clock is read under the lock, so that no login comes in between.
        let mut accounts = self.accounts();
        let account = accounts.by_id.get_mut(id);
        Ok(account
            .map(|account| account.log_out((self.clock)(), cause))
            .is_some())
    }

    fn keeps_one_login(&self) -> bool {
        true
    }

    async fn log_out_others(
        &self,
        id: &str,
        stamp: Timestamp,
    ) -> Result<Option<Timestamp>, BoxError> {
        self.log_out_others_with_cause(id, stamp, &LogoutCause::Unknown)
            .await
    }

    async fn log_out_others_with_cause(
        &self,
        id: &str,
        stamp: Timestamp,
        cause: &LogoutCause,
    ) -> Result<Option<Timestamp>, BoxError> {
        let accounts = &mut *self.accounts();
        let now = (self.clock)();
        let Some(account) = accounts.by_id.get_mut(id) else {
            return Ok(None);
        };
        let logged_out_at = account.log_out_others(stamp, now, cause);
        accounts.last_login_at = accounts.last_login_at.max(account.last_login_at);
        Ok(logged_out_at)
    }

    async fn now(&self) -> Result<Timestamp, BoxError> {
        Ok((self.clock)())
    }

    async fn check_login(
        &self,
        login: LoginReference<'_>,
    ) -> Result<Option<LoginCheck<Account>>, BoxError> {
        let accounts = self.accounts();
        let Some(account) = accounts.by_id.get(login.user_id).cloned() else {
            return Ok(None);
        };
        let mut check = LoginCheck::new(account, (self.clock)());
        if !accounts.revocations.is_empty() {
            let id = login.id.map(RevocationKey::Login);
            check.revoked = id.is_some_and(|key| accounts.revocations.contains_key(&key));
            let keys = login.revocation_keys();
            check.revoked_at = keys.filter_map(|key| accounts.revoked_at(&key)).max();
        }
        Ok(Some(check))
    }

    fn keeps_revocations(&self) -> bool {
        true
    }

    async fn revoke(&self, keys: &[RevocationKey], keep_until: Timestamp) -> Result<(), BoxError> {
        let mut accounts = self.accounts();
        let now = (self.clock)();
        if accounts.revocations.len() >= accounts.cleanup_at {
            let kept = |_: &_, revocation: &mut Revocation| revocation.keep_until >= now;
            accounts.revocations.retain(kept);
            accounts.cleanup_at = CLEANUP.max(2 * accounts.revocations.len());
        }
        for key in keys {
            let previous = accounts.revoked_at(key).max(accounts.last_login_at);
            let earlier = accounts.revocations.get(key).copied();
            let revocation = Revocation {
                at: now.raised_above(previous),
                keep_until: earlier
                    .map_or(keep_until, |earlier| earlier.keep_until.max(keep_until)),
            };
            accounts.revocations.insert(key.clone(), revocation);
        }
        Ok(())
    }

    async fn revoked_at(&self, key: &RevocationKey) -> Result<Option<Timestamp>, BoxError> {
        Ok(self.accounts().revoked_at(key))
    }
}

impl IdentityStore for MemoryUserStore {
    async fn find_or_create(&self, profile: &Profile) -> Result<Option<Account>, BoxError> {
        let accounts = &mut *self.accounts();
        // Tokens are for stores of the application.
        let profile = Arc::new(profile.clone().with_tokens(None));
        let next_id = i64::try_from(accounts.ids.len())? + 1;
        let id = accounts.ids.entry(profile.subject.clone());
        let id = id.or_insert_with(|| next_id.to_string());
        let account = accounts.by_id.entry(id.clone());
        let account = account.or_insert_with(|| Account {
            id: next_id,
            profile: Arc::clone(&profile),
            last_login_at: None,
            logged_out_at: None,
            logout_cause: LogoutCause::Unknown,
        });
        account.profile = profile;
        Ok(Some(account.clone()))
    }

    async fn log_out_subject(&self, subject: &Subject) -> Result<Vec<String>, BoxError> {
        self.log_out_subject_with_cause(subject, &LogoutCause::Unknown)
            .await
    }

    async fn log_out_subject_with_cause(
        &self,
        subject: &Subject,
        cause: &LogoutCause,
    ) -> Result<Vec<String>, BoxError> {
        let id = self.accounts().ids.get(subject).cloned();
        // A user keeps the id, so the lock need not be held meanwhile.
        let Some(id) = id else {
            return Ok(Vec::new());
        };
        self.log_out_with_cause(&id, cause).await?;
        Ok(vec![id])
    }

    fn notes_sessions(&self) -> bool {
        true
    }

    async fn note_session(
        &self,
        session: &ProviderSession,
        user_id: &str,
        keep_until: Timestamp,
    ) -> Result<(), BoxError> {
        let accounts = &mut *self.accounts();
        if accounts.sessions.len() >= accounts.session_cleanup_at {
            let now = (self.clock)();
            accounts.sessions.retain(|_, (_, kept)| *kept >= now);
            accounts.session_cleanup_at = CLEANUP.max(2 * accounts.sessions.len());
        }
        let noted = (user_id.to_owned(), keep_until);
        accounts.sessions.insert(session.clone(), noted);
        Ok(())
    }

    async fn session_user(&self, session: &ProviderSession) -> Result<Option<String>, BoxError> {
        let accounts = self.accounts();
        Ok(accounts.sessions.get(session).map(|(id, _)| id.clone()))
    }

    fn knows_identifiers(&self) -> bool {
        true
    }

    /// Those whose e-mail address their provider, at `issuer`, has verified. ASCII letters count in
    /// either case.
    async fn users_of(
        &self,
        issuer: &str,
        identifier: &SubjectIdentifier,
    ) -> Result<Vec<String>, BoxError> {
        let SubjectIdentifier::Email(email) = identifier else {
            return Ok(Vec::new());
        };
        let accounts = self.accounts();
        let users = accounts.by_id.iter().filter(|(_, account)| {
            let profile = &account.profile;
            let address = profile.email.as_deref().unwrap_or_default();
            profile.subject.issuer() == issuer
                && profile.email_verified == Some(true)
                && address.eq_ignore_ascii_case(email)
        });
        Ok(users.map(|(id, _)| id.clone()).collect())
    }
}

impl fmt::Debug for MemoryUserStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let accounts = self.accounts();
        formatter
            .debug_struct("MemoryUserStore")
            .field("accounts", &accounts.by_id.len())
            .field("revocations", &accounts.revocations.len())
            .field("sessions", &accounts.sessions.len())
            .finish_non_exhaustive()
    }
}
