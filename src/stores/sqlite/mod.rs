//! Users in SQLite: a table each for users, revocations and sessions, one transaction per method.
//!
//! It is also the example for a store over an application's own tables.

mod connection;
mod logout_causes;
mod sessions;
mod statements;
mod verified_emails;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use sqlx::{
    Row as _, Sqlite, SqlitePool, Transaction,
    query::Query,
    sqlite::{SqliteArguments, SqliteRow},
};
use tokio::{
    sync::{Mutex, MutexGuard},
    time::timeout,
};

use self::connection::ACQUIRE_LIMIT;
use super::{Account, Clock, read_account, read_id, read_timestamp};
use crate::{
    BoxError, IdentityStore, LoginCheck, LoginReference, LogoutCause, Profile, ProviderSession,
    RevocationKey, Subject, SubjectIdentifier, Timestamp, UserStore,
};

/// How far a clock may have been set back between two runs.
const MOST_SET_BACK: Duration = Duration::from_secs(60 * 60);

/// A user store in SQLite, with tables whose names begin with `clef_`.
///
/// Several processes on one machine can share a database, since they share the clock.
///
/// ```
/// use axum_clef::{IdentityStore as _, Profile, Subject, stores::SqliteUserStore};
///
/// # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
/// let users = SqliteUserStore::connect("sqlite::memory:").await?;
/// let alex = Profile::new(Subject::new("https://clef.example.com", "12345"));
/// let user = users.find_or_create(&alex).await?.ok_or("turned away")?;
/// assert_eq!(user.profile().subject, alex.subject);
/// # Ok::<(), axum_clef::BoxError>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct SqliteUserStore {
    pool: SqlitePool,
    /// One write at a time, first come, first served. SQLite alone has each look again after a
    /// pause, while it holds a connection, and some wait too long.
    writing: Arc<Mutex<()>>,
    /// One write of a login at a time waits for that, so that a logout never waits behind a crowd
    /// of them.
    logging_in: Arc<Mutex<()>>,
    clock: Clock,
    /// The latest time in the tables at the start. A clock that was set back between two runs
    /// counts from here until it has caught up.
    floor: Arc<AtomicI64>,
}

impl SqliteUserStore {
    /// Opens the database at a URL such as `sqlite://users.db`. Creates missing files and tables.
    ///
    /// # Errors
    ///
    /// Returns a [`sqlx::Error`] if the URL is invalid, or the file cannot be opened or is not a
    /// database. Correct the path or its permissions.
    pub async fn connect(url: &str) -> Result<Self, sqlx::Error> {
        Self::new(connection::open(url).await?).await
    }

    /// Creates a store over an existing pool. Creates missing tables.
    ///
    /// # Errors
    ///
    /// Returns a [`sqlx::Error`] if the tables cannot be created: the database is read-only, or
    /// older than SQLite 3.37.
    pub async fn new(pool: SqlitePool) -> Result<Self, sqlx::Error> {
        for statement in [statements::USERS, statements::REVOCATIONS]
            .into_iter()
            .chain(statements::INDEXES)
            .chain(sessions::TABLE)
            .chain([logout_causes::TABLE])
            .chain(verified_emails::TABLE)
        {
            sqlx::query(statement).execute(&pool).await?;
        }
        let latest: Option<i64> = sqlx::query(statements::LATEST)
            .bind(Timestamp::now().after(MOST_SET_BACK).as_micros())
            .fetch_one(&pool)
            .await?
            .try_get(0)?;
        Ok(Self {
            pool,
            writing: Arc::default(),
            logging_in: Arc::default(),
            clock: Arc::new(Timestamp::now),
            floor: Arc::new(AtomicI64::new(latest.unwrap_or(i64::MIN))),
        })
    }

    /// Replaces the system clock, for tests.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    fn time(&self) -> Timestamp {
        let now = (self.clock)();
        if now.as_micros() > self.floor.load(Ordering::Acquire) {
            return now;
        }
        let last = self.floor.fetch_add(1, Ordering::AcqRel);
        Timestamp::from_micros(last.saturating_add(1))
    }

    /// Begins a transaction with the write lock. Writes of this process queue for it in order.
    ///
    /// Not `begin_with("begin immediate")`: dropped after it has the lock, it returns the
    /// connection to the pool with the lock held for good.
    async fn begin_write(
        &self,
    ) -> Result<(MutexGuard<'_, ()>, Transaction<'static, Sqlite>), sqlx::Error> {
        let guard = turn(&self.writing).await?;
        let mut transaction = self.pool.begin().await?;
        sqlx::query(statements::LOCK)
            .execute(&mut *transaction)
            .await?;
        Ok((guard, transaction))
    }

    /// Runs one statement in such a transaction, and returns its row once that is committed.
    ///
    /// The statement gets the time in microseconds, which SQLite's own clock does not have. It is
    /// read under the write lock: a login during the wait must be earlier than the logout.
    async fn write<'q>(
        &self,
        statement: impl FnOnce(i64) -> Query<'q, Sqlite, SqliteArguments<'q>>,
    ) -> Result<Option<SqliteRow>, sqlx::Error> {
        let (_guard, mut transaction) = self.begin_write().await?;
        let statement = statement(self.time().as_micros());
        let row = statement.fetch_optional(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(row)
    }

    /// Runs a logout as [`write`](Self::write) does, and keeps its cause in the same transaction.
    /// Returns the id of the user and the stamp.
    async fn write_logout<'q>(
        &self,
        statement: impl FnOnce(i64) -> Query<'q, Sqlite, SqliteArguments<'q>>,
        cause: &LogoutCause,
    ) -> Result<Option<(i64, Timestamp)>, sqlx::Error> {
        let (_guard, mut transaction) = self.begin_write().await?;
        let statement = statement(self.time().as_micros());
        let row = statement.fetch_optional(&mut *transaction).await?;
        let mut logged_out = None;
        if let Some(row) = row {
            let (id, stamp) = (row.try_get("id")?, row.try_get("logged_out_at")?);
            let kept = logout_causes::keep(&mut transaction, id, stamp, cause).await;
            if let Err(error) = kept {
                // The logout is written without it.
                let error = error.to_string();
                tracing::warn!(?error, "the cause of a logout could not be kept");
            }
            logged_out = Some((id, Timestamp::from_micros(stamp)));
        }
        transaction.commit().await?;
        Ok(logged_out)
    }

    /// The connection pool, for sessions or other tables in the same database.
    pub fn pool(&self) -> &SqlitePool {
        &self.pool
    }
}

impl UserStore for SqliteUserStore {
    type User = Account;

    async fn load(&self, id: &str) -> Result<Option<Account>, BoxError> {
        let row = sqlx::query(statements::LOAD)
            .bind(read_id(id))
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.as_ref().map(read_account).transpose()?)
    }

    async fn log_in(&self, id: &str) -> Result<Option<Account>, BoxError> {
        let _turn = turn(&self.logging_in).await?;
        let log_in = |now| sqlx::query(statements::LOG_IN).bind(now).bind(read_id(id));
        let row = self.write(log_in).await?;
        Ok(row.as_ref().map(read_account).transpose()?)
    }

    async fn log_out(&self, id: &str) -> Result<bool, BoxError> {
        self.log_out_with_cause(id, &LogoutCause::Unknown).await
    }

    async fn log_out_with_cause(&self, id: &str, cause: &LogoutCause) -> Result<bool, BoxError> {
        let log_out = |now| sqlx::query(statements::LOG_OUT).bind(now).bind(read_id(id));
        Ok(self.write_logout(log_out, cause).await?.is_some())
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
        let log_out = |now| {
            sqlx::query(statements::LOG_OUT_OTHERS)
                .bind(now)
                .bind(read_id(id))
                .bind(stamp.as_micros())
        };
        let logged_out = self.write_logout(log_out, cause).await?;
        Ok(logged_out.map(|(_, stamp)| stamp))
    }

    async fn now(&self) -> Result<Timestamp, BoxError> {
        Ok(self.time())
    }

    async fn check_login(
        &self,
        login: LoginReference<'_>,
    ) -> Result<Option<LoginCheck<Account>>, BoxError> {
        let key = login.provider_key.map(RevocationKey::from);
        let row = sqlx::query(statements::CHECK_LOGIN)
            .bind(read_id(login.user_id))
            .bind(login.id.map(|id| id.to_string()))
            .bind(key.as_ref().map(RevocationKey::kind))
            .bind(key.as_ref().map(RevocationKey::issuer))
            .bind(key.as_ref().map(RevocationKey::id))
            .bind(login.issuer)
            .fetch_optional(&self.pool)
            .await?;
        let Some(row) = row else {
            return Ok(None);
        };
        let check = LoginCheck::new(read_account(&row)?, self.time())
            .with_revoked(row.try_get("revoked")?)
            .with_revoked_at(read_timestamp(&row, "revoked_at")?);
        Ok(Some(check))
    }

    fn keeps_revocations(&self) -> bool {
        true
    }

    async fn revoke(&self, keys: &[RevocationKey], keep_until: Timestamp) -> Result<(), BoxError> {
        let (_guard, mut transaction) = self.begin_write().await?;
        let now = self.time().as_micros();
        for key in keys {
            sqlx::query(statements::REVOKE)
                .bind(now)
                .bind(key.kind())
                .bind(key.issuer())
                .bind(key.id())
                .bind(keep_until.as_micros())
                .execute(&mut *transaction)
                .await?;
        }
        sqlx::query(statements::REMOVE_OLD)
            .bind(now)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    async fn revoked_at(&self, key: &RevocationKey) -> Result<Option<Timestamp>, BoxError> {
        let micros: Option<i64> = sqlx::query_scalar(statements::REVOKED_AT)
            .bind(key.kind())
            .bind(key.issuer())
            .bind(key.id())
            .fetch_optional(&self.pool)
            .await?;
        Ok(micros.map(Timestamp::from_micros))
    }
}

impl IdentityStore for SqliteUserStore {
    async fn find_or_create(&self, profile: &Profile) -> Result<Option<Account>, BoxError> {
        let _turn = turn(&self.logging_in).await?;
        let (_guard, mut transaction) = self.begin_write().await?;
        let id: i64 = sqlx::query_scalar(statements::FIND_OR_CREATE)
            .bind(profile.subject.issuer())
            .bind(profile.subject.id())
            .bind(&profile.first_name)
            .bind(&profile.last_name)
            .bind(&profile.email)
            .bind(&profile.phone_number)
            .fetch_one(&mut *transaction)
            .await?;
        verified_emails::keep(&mut transaction, id, profile).await?;
        let load = sqlx::query(statements::LOAD).bind(id);
        let account = read_account(&load.fetch_one(&mut *transaction).await?)?;
        transaction.commit().await?;
        Ok(Some(account))
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
        let log_out = |now| {
            sqlx::query(statements::LOG_OUT_SUBJECT)
                .bind(now)
                .bind(subject.issuer())
                .bind(subject.id())
        };
        let logged_out = self.write_logout(log_out, cause).await?;
        Ok(logged_out.iter().map(|(id, _)| id.to_string()).collect())
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
        let _turn = turn(&self.logging_in).await?;
        let (_guard, mut transaction) = self.begin_write().await?;
        let now = self.time();
        sessions::note(&mut transaction, session, user_id, keep_until, now).await?;
        transaction.commit().await?;
        Ok(())
    }

    async fn session_user(&self, session: &ProviderSession) -> Result<Option<String>, BoxError> {
        Ok(sessions::user(&self.pool, session).await?)
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
        let ids = verified_emails::users(&self.pool, issuer, email).await?;
        Ok(ids.iter().map(i64::to_string).collect())
    }
}

/// Waits for a turn, first come, first served.
async fn turn(queue: &Mutex<()>) -> Result<MutexGuard<'_, ()>, sqlx::Error> {
    let turn = timeout(ACQUIRE_LIMIT, queue.lock()).await;
    turn.map_err(|_| sqlx::Error::PoolTimedOut)
}

impl fmt::Debug for SqliteUserStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SqliteUserStore")
            .finish_non_exhaustive()
    }
}
