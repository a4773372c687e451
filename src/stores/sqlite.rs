//! Users in SQLite, and the worked example of a store over a table of one's own: one table,
//! one statement a method.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use sqlx::{
    Row as _, SqlitePool,
    sqlite::{
        SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
    },
};

use super::{Account, Clock};
use crate::{BoxError, Profile, Subject, Timestamp, UserStore};

/// How long to wait for a free connection.
const ACQUIRE_LIMIT: Duration = Duration::from_secs(4);
/// How long to wait for another process that is writing. Less than the five seconds that
/// an attempt to write a logout may take.
const BUSY_LIMIT: Duration = Duration::from_secs(4);

/// The two columns that the promise rests on are the subject, unique, and `logged_out_at`,
/// in microseconds since the Unix epoch. The rest is what this site wants to know.
const SCHEMA: &str = "
    create table if not exists clef_users (
        id            integer primary key,
        issuer        text not null,
        subject       text not null,
        first_name    text,
        last_name     text,
        email         text,
        phone_number  text,
        logged_out_at integer,
        unique (issuer, subject)
    ) strict
";

/// Finds or creates in one statement, so that two first logins at once make one user. What
/// the provider does not tell this time stays as it was.
const LOG_IN: &str = "
    insert into clef_users (issuer, subject, first_name, last_name, email, phone_number)
    values (?, ?, ?, ?, ?, ?)
    on conflict (issuer, subject) do update set
        first_name   = coalesce(excluded.first_name, first_name),
        last_name    = coalesce(excluded.last_name, last_name),
        email        = coalesce(excluded.email, email),
        phone_number = coalesce(excluded.phone_number, phone_number)
    returning *
";

const LOAD: &str = "select * from clef_users where id = ?";

/// The rule of `Timestamp::raised_above`: it only rises.
const LOG_OUT: &str = "
    update clef_users
    set logged_out_at = max(?1, coalesce(logged_out_at + 1, ?1))
    where issuer = ?2 and subject = ?3
";

/// Users in a SQLite database, in the table `clef_users`. Several processes of one machine
/// may share it.
///
/// ```
/// use axum_clef::{Profile, Subject, UserStore as _, stores::SqliteUserStore};
///
/// # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
/// let users = SqliteUserStore::connect("sqlite::memory:").await?;
/// let alex = Profile::new(Subject::new("https://clef.io", "12345"));
/// let user = users.log_in(&alex).await?.ok_or("turned away")?;
/// assert_eq!(user.profile().subject, alex.subject);
/// # Ok::<(), axum_clef::BoxError>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct SqliteUserStore {
    pool: SqlitePool,
    clock: Clock,
}

impl SqliteUserStore {
    /// Opens the database at a URL such as `sqlite://users.db`, and makes file and table
    /// where they are missing.
    ///
    /// # Errors
    ///
    /// When the URL is none, or the file cannot be opened or is no database: correct the
    /// path or its permissions.
    pub async fn connect(url: &str) -> Result<Self, sqlx::Error> {
        let options: SqliteConnectOptions = url.parse()?;
        let options = options
            .create_if_missing(true)
            .busy_timeout(BUSY_LIMIT)
            .journal_mode(SqliteJournalMode::Wal)
            // An acknowledged logout must survive a power cut.
            .synchronous(SqliteSynchronous::Full);
        let pool = SqlitePoolOptions::new()
            .acquire_timeout(ACQUIRE_LIMIT)
            // A database in memory lives as long as a connection to it.
            .min_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options)
            .await?;
        Self::new(pool).await
    }

    /// Keeps users in a database that the application opened itself, and makes the table
    /// where it is missing.
    ///
    /// # Errors
    ///
    /// When the table cannot be made: the database is read-only or not SQLite 3.37 or newer.
    pub async fn new(pool: SqlitePool) -> Result<Self, sqlx::Error> {
        sqlx::query(SCHEMA).execute(&pool).await?;
        Ok(Self {
            pool,
            clock: Arc::new(Timestamp::now),
        })
    }

    /// Another clock than the system's, for tests.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The connections, to keep sessions or other tables in the same database.
    pub fn pool(&self) -> &SqlitePool {
        &self.pool
    }
}

#[async_trait]
impl UserStore for SqliteUserStore {
    type User = Account;

    async fn log_in(&self, profile: &Profile) -> Result<Option<Account>, BoxError> {
        let row = sqlx::query(LOG_IN)
            .bind(profile.subject.issuer())
            .bind(profile.subject.id())
            .bind(&profile.first_name)
            .bind(&profile.last_name)
            .bind(&profile.email)
            .bind(&profile.phone_number)
            .fetch_one(&self.pool)
            .await?;
        Ok(Some(account(&row)?))
    }

    async fn load(&self, id: &str) -> Result<Option<Account>, BoxError> {
        let Ok(id) = id.parse::<i64>() else {
            return Ok(None);
        };
        let row = sqlx::query(LOAD)
            .bind(id)
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.as_ref().map(account).transpose()?)
    }

    async fn log_out(&self, subject: &Subject) -> Result<bool, BoxError> {
        // SQLite's own clock counts milliseconds, too coarse to tell a login from a logout.
        // So the time comes from here, and the write lock is taken before it is read: else
        // a login made while this waits for the lock would be later than the logout.
        let mut transaction = self.pool.begin_with("begin immediate").await?;
        let now = (self.clock)();
        let written = sqlx::query(LOG_OUT)
            .bind(now.as_micros())
            .bind(subject.issuer())
            .bind(subject.id())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(written.rows_affected() > 0)
    }

    async fn now(&self) -> Result<Timestamp, BoxError> {
        Ok((self.clock)())
    }
}

fn account(row: &SqliteRow) -> Result<Account, sqlx::Error> {
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
        profile,
        logged_out_at: logged_out_at.map(Timestamp::from_micros),
    })
}

impl fmt::Debug for SqliteUserStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SqliteUserStore")
            .finish_non_exhaustive()
    }
}
