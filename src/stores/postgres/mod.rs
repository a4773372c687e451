//! Users in PostgreSQL, for a site on several machines: one table, one statement a method, one
//! clock.

mod migrations;
mod statements;

use std::{fmt, time::Duration};

use async_trait::async_trait;
use sqlx::{
    ConnectOptions as _, Connection as _, PgConnection, PgPool, Row as _,
    postgres::{PgConnectOptions, PgPoolOptions, PgRow},
};

use super::Account;
use crate::{
    BoxError, LoginReference, Profile, ProviderSession, Standing, Subject, Timestamp, UserStore,
};

/// How long to wait for a connection, and then for the server (`STATEMENT_LIMIT`): together less
/// than the five seconds that an attempt to write a logout may take. So none is written that was
/// given up, and that could end a login from after the attempt that held.
const ACQUIRE_LIMIT: Duration = Duration::from_millis(2_500);
const STATEMENT_LIMIT: &str = "2s";
const MOST_CONNECTIONS: u32 = 10;
/// The longest id, in bytes: an index takes two of them. More than the 255 characters that OpenID
/// Connect allows.
const LONGEST_ID: usize = 1_024;

/// Users in a PostgreSQL database, in the tables `clef_users` and `clef_provider_sessions`, for
/// any number of nodes: they share the clock of the server.
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
/// # What it asks of the database
///
/// - **The primary.** A replica that lags behind still has logins that are over. [`connect`]
///   refuses a standby; [`new`] cannot, so give it no pool that reads from one.
/// - Encoding `UTF8`, and PostgreSQL 13 or newer.
/// - A clock that is kept right. If it steps back, as it may when a standby takes over, no login
///   outlives a logout; people may be unable to log in for as long as it is behind the last
///   logout of theirs.
/// - `synchronous_commit` that is not off. Where several machines keep the data, acknowledged
///   logouts survive the loss of one only if it waits for another: `synchronous_standby_names`.
///
/// A restarted server costs each connection that was open one request, which is answered with
/// 503: connections are not tried before they are used, as that is a round trip each time. A
/// logout is tried again.
///
/// [`connect`]: Self::connect
/// [`new`]: Self::new
#[derive(Clone)]
pub struct PostgresUserStore {
    pool: PgPool,
}

impl PostgresUserStore {
    /// Opens the database at a URL such as `postgres://user:password@host:5432/database`, by up
    /// to ten connections. What libpq takes from the environment, like `PGPASSWORD`, is taken
    /// from there here too.
    ///
    /// Without `sslmode=verify-full` in the URL, whoever is in between can be the server. The
    /// authorities of the web are known; another one goes into `sslrootcert`.
    ///
    /// It waits two and a half seconds for a connection, and the server ends a statement after
    /// two. It makes no tables: see [`migrate`](Self::migrate).
    ///
    /// # Errors
    ///
    /// When the URL is none, or the server cannot be reached in time, turns this user away or is
    /// a standby.
    pub async fn connect(url: &str) -> Result<Self, sqlx::Error> {
        let options: PgConnectOptions = url.parse()?;
        // Once without the pool, which would try until its time is up and not say why it failed.
        tokio::time::timeout(ACQUIRE_LIMIT, try_out(&options))
            .await
            .unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
        let pool = PgPoolOptions::new()
            .max_connections(MOST_CONNECTIONS)
            .acquire_timeout(ACQUIRE_LIMIT)
            .test_before_acquire(false)
            .after_connect(|connection, _| Box::pin(prepare(connection)))
            .connect_lazy_with(options);
        Ok(Self::new(pool))
    }

    /// Keeps users in a database that the application opened itself, in the schema that comes
    /// first in the `search_path` of its connections.
    ///
    /// Let the wait for a connection (`acquire_timeout`) and the server's `statement_timeout`
    /// together stay below five seconds, as those of [`connect`](Self::connect) do. An attempt
    /// to write a logout is given up after five and made again: a statement that still waits for
    /// its turn then would end the logins of the time since.
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Makes the tables, or changes those of an earlier version: the files of
    /// `migrations/postgres`, all that are missing or none. Several nodes may call it at once.
    ///
    /// It needs the right to make tables. A site whose role has none leaves it out, and somebody
    /// else applies the files, which say how.
    ///
    /// # Errors
    ///
    /// When a file cannot be applied. The database is as it was.
    pub async fn migrate(&self) -> Result<(), sqlx::Error> {
        migrations::migrate(&self.pool).await
    }

    /// The connections, to keep other tables in the same database.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }
}

#[async_trait]
impl UserStore for PostgresUserStore {
    type User = Account;

    async fn log_in(&self, profile: &Profile) -> Result<Option<Account>, BoxError> {
        if !can_keep_person(&profile.subject) {
            return Ok(None);
        }
        let row = sqlx::query(statements::LOG_IN)
            .bind(profile.subject.issuer())
            .bind(profile.subject.id())
            .bind(told(&profile.first_name))
            .bind(told(&profile.last_name))
            .bind(told(&profile.email))
            .bind(told(&profile.phone_number))
            .fetch_one(&self.pool)
            .await?;
        Ok(Some(account(&row)?))
    }

    async fn load(&self, id: &str) -> Result<Option<Account>, BoxError> {
        let Ok(id) = id.parse::<i64>() else {
            return Ok(None);
        };
        let row = sqlx::query(statements::LOAD)
            .bind(id)
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.as_ref().map(account).transpose()?)
    }

    async fn log_out(&self, subject: &Subject) -> Result<bool, BoxError> {
        if !can_keep_person(subject) {
            return Ok(false);
        }
        let written = sqlx::query(statements::LOG_OUT)
            .bind(subject.issuer())
            .bind(subject.id())
            .execute(&self.pool)
            .await?;
        Ok(written.rows_affected() > 0)
    }

    /// The clock of the server. It can show the same twice only to two that ask at once: one
    /// who asks after an answer is later by the way of that answer.
    async fn now(&self) -> Result<Timestamp, BoxError> {
        let micros = sqlx::query_scalar(statements::NOW)
            .fetch_one(&self.pool)
            .await?;
        Ok(Timestamp::from_micros(micros))
    }

    /// One statement, one round trip.
    async fn standing(
        &self,
        login: LoginReference<'_>,
    ) -> Result<Option<Standing<Account>>, BoxError> {
        let Ok(id) = login.user_id.parse::<i64>() else {
            return Ok(None);
        };
        let statement = match login.session.filter(|session| can_keep_session(session)) {
            None => sqlx::query(statements::STANDING).bind(id),
            Some(session) => sqlx::query(statements::STANDING_IN_SESSION)
                .bind(id)
                .bind(session.issuer())
                .bind(session.id()),
        };
        let Some(row) = statement.fetch_optional(&self.pool).await? else {
            return Ok(None);
        };
        let now = Timestamp::from_micros(row.try_get("now")?);
        let session_logged_out_at: Option<i64> = row.try_get("session_logged_out_at")?;
        let standing = Standing::new(account(&row)?, now)
            .with_session_logged_out_at(session_logged_out_at.map(Timestamp::from_micros));
        Ok(Some(standing))
    }

    async fn log_out_session(&self, session: &ProviderSession) -> Result<bool, BoxError> {
        if !can_keep_session(session) {
            return Ok(false);
        }
        let kept = i64::try_from(ProviderSession::KEPT.as_micros()).unwrap_or(i64::MAX);
        sqlx::query(statements::LOG_OUT_SESSION)
            .bind(session.issuer())
            .bind(session.id())
            .bind(kept)
            .execute(&self.pool)
            .await?;
        Ok(true)
    }

    async fn session_logged_out_at(
        &self,
        session: &ProviderSession,
    ) -> Result<Option<Timestamp>, BoxError> {
        if !can_keep_session(session) {
            return Ok(None);
        }
        let micros: Option<i64> = sqlx::query_scalar(statements::SESSION_LOGGED_OUT_AT)
            .bind(session.issuer())
            .bind(session.id())
            .fetch_optional(&self.pool)
            .await?;
        Ok(micros.map(Timestamp::from_micros))
    }
}

async fn try_out(options: &PgConnectOptions) -> Result<(), sqlx::Error> {
    let mut connection = options.connect().await?;
    prepare(&mut connection).await?;
    connection.close().await
}

/// Sets up a connection that was just made.
async fn prepare(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let row = sqlx::query(statements::PREPARE)
        .bind(STATEMENT_LIMIT)
        .fetch_one(connection)
        .await?;
    if row.try_get("is_standby")? {
        let advice = "the server is a standby, which lags behind: connect to the primary";
        return Err(sqlx::Error::Configuration(advice.into()));
    }
    Ok(())
}

/// Whether PostgreSQL can keep this person. One whom it cannot is turned away and is nobody here:
/// an error would be tried again for ever.
fn can_keep_person(subject: &Subject) -> bool {
    can_keep_id(subject.issuer()) && can_keep_id(subject.id())
}

/// Whether it can keep this session. Of one that it cannot, the person is logged out everywhere.
fn can_keep_session(session: &ProviderSession) -> bool {
    can_keep_id(session.issuer()) && can_keep_id(session.id())
}

fn can_keep_id(id: &str) -> bool {
    id.len() <= LONGEST_ID && can_keep(id)
}

/// PostgreSQL has no text with this character.
fn can_keep(text: &str) -> bool {
    !text.contains('\0')
}

/// What the provider tells. What cannot be kept counts as not told.
fn told(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| can_keep(text))
}

fn account(row: &PgRow) -> Result<Account, sqlx::Error> {
    let subject = Subject::new(
        row.try_get::<String, _>("issuer")?,
        row.try_get::<String, _>("subject")?,
    );
    let mut profile = Profile::new(subject);
    profile.first_name = row.try_get("first_name")?;
    profile.last_name = row.try_get("last_name")?;
    profile.email = row.try_get("email")?;
    profile.phone_number = row.try_get("phone_number")?;
    let logged_out_at: Option<i64> = row.try_get("logged_out_at")?;
    Ok(Account {
        id: row.try_get("id")?,
        profile: profile.into(),
        last_login_at: Timestamp::from_micros(row.try_get("last_login_at")?),
        logged_out_at: logged_out_at.map(Timestamp::from_micros),
    })
}

impl fmt::Debug for PostgresUserStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PostgresUserStore")
            .finish_non_exhaustive()
    }
}
