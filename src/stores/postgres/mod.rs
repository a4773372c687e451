//! Users in PostgreSQL, for a site on several machines: one statement per method, one clock.

mod cleaning;
mod connection;
mod migrations;
mod statements;
mod storable;

use std::fmt;

use sqlx::{PgPool, Row as _};

use self::{
    cleaning::Cleaning,
    storable::{can_store, can_store_subject, key_columns, storable, storable_id},
};
use super::{Account, cause_column, read_account, read_id, read_timestamp};
use crate::{
    BoxError, IdentityStore, LoginCheck, LoginReference, LogoutCause, Profile, ProviderSession,
    RevocationKey, Subject, SubjectIdentifier, Timestamp, UserStore,
    postgres_connection::{read, write},
};

/// A user store in PostgreSQL, with the tables `clef_users` and `clef_revocations`.
///
/// Any number of nodes can share a database, since they use the clock of the server.
///
/// ```no_run
/// use axum_clef::stores::PostgresUserStore;
///
/// # async fn open() -> Result<(), axum_clef::BoxError> {
/// let users = PostgresUserStore::connect("postgres://site@db.example.com/site?sslmode=verify-full").await?;
/// users.migrate().await?;
/// # Ok(())
/// # }
/// ```
///
/// # Requirements
///
/// - **The primary.** A replica with lag still has logins that have ended. [`connect`] rejects a
///   standby. [`new`] cannot, so do not pass a pool that reads from one.
/// - Encoding `UTF8`, and PostgreSQL 13 or newer.
/// - A synchronized clock. If it steps back, for example at a failover, no login outlives a logout.
///   But a user cannot log in until the clock has passed their last logout.
/// - `synchronous_commit` other than `off`, and other than `local` with a standby: [`connect`] raises
///   both to `on`. With several database servers, set `synchronous_standby_names`, so that acknowledged
///   logouts survive the loss of one. [`connect`] warns if there are only standbys that no logout waits
///   for.
///
/// After a restart of the server, each open connection fails one request with 503. Connections are
/// not tested before use, which would cost a round trip each time. Logouts are retried. A connection on
/// which a read is not answered within 2.5 seconds is closed: the server may be gone without a word.
///
/// [`connect`]: Self::connect
/// [`new`]: Self::new
#[derive(Clone)]
pub struct PostgresUserStore {
    pool: PgPool,
    revocations: Cleaning,
    sessions: Cleaning,
}

impl PostgresUserStore {
    /// Connects to a URL such as `postgres://user:password@host:5432/database`.
    ///
    /// The pool has up to ten connections. Environment variables of libpq such as `PGPASSWORD`
    /// apply. Without `sslmode=verify-full` in the URL, an attacker in the network can impersonate
    /// the server. Set `sslrootcert` for a private certificate authority.
    ///
    /// A call waits up to 2.5 seconds for a connection, and a statement is cancelled after 2
    /// seconds. It creates no tables: see [`migrate`](Self::migrate).
    ///
    /// # Errors
    ///
    /// Returns a [`sqlx::Error`] if the URL is invalid, or if the server cannot be reached in time,
    /// rejects the credentials or is a standby. Correct the URL or start the server.
    pub async fn connect(url: &str) -> Result<Self, sqlx::Error> {
        Ok(Self::new(connection::open(url).await?))
    }

    /// Creates a store over an existing pool, in the first schema of its `search_path`.
    ///
    /// Keep `acquire_timeout` and the server's `statement_timeout` together below five seconds, as
    /// [`connect`](Self::connect) does. An attempt to write a logout is abandoned after five
    /// seconds and retried. A statement that runs later would end newer logins.
    pub fn new(pool: PgPool) -> Self {
        Self {
            pool,
            revocations: Cleaning::new(),
            sessions: Cleaning::new(),
        }
    }

    /// Creates or updates the tables: applies the missing files of `migrations/postgres`.
    ///
    /// Several nodes may call it at once. It needs the right to create tables. Without that right,
    /// an administrator applies the files, which say how.
    ///
    /// # Errors
    ///
    /// Returns a [`sqlx::Error`] if a file cannot be applied. The database is unchanged; correct
    /// the cause and call it again.
    pub async fn migrate(&self) -> Result<(), sqlx::Error> {
        migrations::apply(&self.pool).await
    }

    /// The connection pool, for other tables in the same database.
    ///
    /// A connection to a server that has vanished keeps its place until TCP gives up, unless the
    /// statement is one of this store. Give a session store a pool of its own.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }
}

impl UserStore for PostgresUserStore {
    type User = Account;

    async fn load(&self, id: &str) -> Result<Option<Account>, BoxError> {
        let query = sqlx::query(statements::LOAD).bind(read_id(id));
        let row = read(&self.pool, async |from| query.fetch_optional(from).await).await?;
        Ok(row.as_ref().map(read_account).transpose()?)
    }

    async fn log_in(&self, id: &str) -> Result<Option<Account>, BoxError> {
        let query = sqlx::query(statements::LOG_IN).bind(read_id(id));
        let row = write(&self.pool, async |to| query.fetch_optional(to).await).await?;
        Ok(row.as_ref().map(read_account).transpose()?)
    }

    async fn log_out(&self, id: &str) -> Result<bool, BoxError> {
        self.log_out_with_cause(id, &LogoutCause::Unknown).await
    }

    async fn log_out_with_cause(&self, id: &str, cause: &LogoutCause) -> Result<bool, BoxError> {
        let query = sqlx::query(statements::LOG_OUT)
            .bind(read_id(id))
            .bind(cause_column(cause));
        let written = write(&self.pool, async |to| query.execute(to).await).await?;
        Ok(written.rows_affected() > 0)
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
        let query = sqlx::query_scalar(statements::LOG_OUT_OTHERS)
            .bind(read_id(id))
            .bind(stamp.as_micros())
            .bind(cause_column(cause));
        let micros: Option<i64> =
            write(&self.pool, async |to| query.fetch_optional(to).await).await?;
        Ok(micros.map(Timestamp::from_micros))
    }

    /// The clock of the server. Only concurrent calls can return the same time.
    async fn now(&self) -> Result<Timestamp, BoxError> {
        let query = sqlx::query_scalar(statements::NOW);
        let micros = read(&self.pool, async |from| query.fetch_one(from).await).await?;
        Ok(Timestamp::from_micros(micros))
    }

    async fn check_login(
        &self,
        login: LoginReference<'_>,
    ) -> Result<Option<LoginCheck<Account>>, BoxError> {
        let key = login.provider_key.map(RevocationKey::from);
        let key = key.as_ref().map(key_columns);
        let issuer = login.issuer.map(storable_id);
        let query = sqlx::query(statements::CHECK_LOGIN)
            .bind(read_id(login.user_id))
            .bind(login.id.map(|id| id.to_string()))
            .bind(key.as_ref().map(|(kind, ..)| kind))
            .bind(key.as_ref().map(|(_, issuer, _)| issuer))
            .bind(key.as_ref().map(|(.., id)| id))
            .bind(issuer);
        let row = read(&self.pool, async |from| query.fetch_optional(from).await).await?;
        let Some(row) = row else {
            return Ok(None);
        };
        let now = Timestamp::from_micros(row.try_get("now")?);
        let check = LoginCheck::new(read_account(&row)?, now)
            .with_revoked(row.try_get("revoked")?)
            .with_revoked_at(read_timestamp(&row, "revoked_at")?);
        Ok(Some(check))
    }

    fn keeps_revocations(&self) -> bool {
        true
    }

    async fn revoke(&self, keys: &[RevocationKey], keep_until: Timestamp) -> Result<(), BoxError> {
        let (mut kinds, mut issuers, mut ids) = (Vec::new(), Vec::new(), Vec::new());
        for (kind, issuer, id) in keys.iter().map(key_columns) {
            kinds.push(kind);
            issuers.push(issuer);
            ids.push(id);
        }
        let revoke = sqlx::query_scalar(statements::REVOKE)
            .bind(kinds)
            .bind(issuers)
            .bind(ids)
            .bind(keep_until.as_micros());
        Ok(self.revocations.run(revoke, &self.pool).await?)
    }

    async fn revoked_at(&self, key: &RevocationKey) -> Result<Option<Timestamp>, BoxError> {
        let (kind, issuer, id) = key_columns(key);
        let query = sqlx::query_scalar(statements::REVOKED_AT)
            .bind(kind)
            .bind(issuer)
            .bind(id);
        let micros: Option<i64> =
            read(&self.pool, async |from| query.fetch_optional(from).await).await?;
        Ok(micros.map(Timestamp::from_micros))
    }
}

impl IdentityStore for PostgresUserStore {
    async fn find_or_create(&self, profile: &Profile) -> Result<Option<Account>, BoxError> {
        if !can_store_subject(&profile.subject) {
            return Ok(None);
        }
        let query = sqlx::query(statements::FIND_OR_CREATE)
            .bind(profile.subject.issuer())
            .bind(profile.subject.id())
            .bind(storable(&profile.first_name))
            .bind(storable(&profile.last_name))
            .bind(storable(&profile.email))
            .bind(storable(&profile.phone_number))
            .bind(profile.email_verified);
        let row = write(&self.pool, async |to| query.fetch_one(to).await).await?;
        Ok(Some(read_account(&row)?))
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
        if !can_store_subject(subject) {
            return Ok(Vec::new());
        }
        let query = sqlx::query_scalar(statements::LOG_OUT_SUBJECT)
            .bind(subject.issuer())
            .bind(subject.id())
            .bind(cause_column(cause));
        let ids: Vec<i64> = write(&self.pool, async |to| query.fetch_all(to).await).await?;
        Ok(ids.iter().map(i64::to_string).collect())
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
        let (_, issuer, id) = key_columns(&RevocationKey::Session(session.clone()));
        let note = sqlx::query_scalar(statements::NOTE_SESSION)
            .bind(issuer)
            .bind(id)
            .bind(user_id)
            .bind(keep_until.as_micros());
        Ok(self.sessions.run(note, &self.pool).await?)
    }

    async fn session_user(&self, session: &ProviderSession) -> Result<Option<String>, BoxError> {
        let (_, issuer, id) = key_columns(&RevocationKey::Session(session.clone()));
        let query = sqlx::query_scalar(statements::SESSION_USER)
            .bind(issuer)
            .bind(id);
        Ok(read(&self.pool, async |from| query.fetch_optional(from).await).await?)
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
        if !can_store(email) || !can_store(issuer) {
            return Ok(Vec::new());
        }
        let query = sqlx::query_scalar(statements::USERS_OF_EMAIL)
            .bind(email)
            .bind(issuer);
        let ids: Vec<i64> = read(&self.pool, async |from| query.fetch_all(from).await).await?;
        Ok(ids.iter().map(i64::to_string).collect())
    }
}

impl fmt::Debug for PostgresUserStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PostgresUserStore")
            .finish_non_exhaustive()
    }
}
