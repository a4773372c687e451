//! Users in SQLite, and the worked example of a store over a table of one's own: one table,
//! one statement a method; and another table for the sessions of providers that name them.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use sqlx::{
    ConnectOptions as _, Connection as _, Row as _, Sqlite, SqlitePool, Transaction,
    sqlite::{
        SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
    },
};
use tokio::{
    sync::{Mutex, MutexGuard},
    time::timeout,
};

use super::{Account, Clock};
use crate::{BoxError, Profile, ProviderSession, Subject, Timestamp, UserStore};

/// How long to wait for a free connection.
const ACQUIRE_LIMIT: Duration = Duration::from_secs(4);
/// How long to wait for another process that is writing. Less than the five seconds that
/// an attempt to write a logout may take.
const BUSY_LIMIT: Duration = Duration::from_secs(4);

/// The columns that the promise rests on are the subject, unique, and `logged_out_at`, in
/// microseconds since the Unix epoch. `last_login_at` makes up for a clock that steps back.
/// The rest is what this site wants to know. `autoincrement`: the id of a user who is deleted
/// is in sessions still, and must never be another's.
const SCHEMA: &str = "
    create table if not exists clef_users (
        id            integer primary key autoincrement,
        issuer        text not null,
        subject       text not null,
        first_name    text,
        last_name     text,
        email         text,
        phone_number  text,
        last_login_at integer not null,
        logged_out_at integer,
        unique (issuer, subject)
    ) strict
";

/// Sessions at providers that were logged out, each for a month.
const SESSIONS_SCHEMA: &str = "
    create table if not exists clef_provider_sessions (
        issuer        text not null,
        session       text not null,
        logged_out_at integer not null,
        primary key (issuer, session)
    ) strict, without rowid
";

/// For the latest login of all, which a session's logout is raised above, and for the moment
/// from which they are forgotten.
const INDEXES: [&str; 2] = [
    "create index if not exists clef_users_last_login_at on clef_users (last_login_at)",
    "create index if not exists clef_provider_sessions_logged_out_at
        on clef_provider_sessions (logged_out_at)",
];

/// Finds or creates in one statement, so that two first logins at once make one user. What
/// the provider does not tell this time stays as it was.
const LOG_IN: &str = "
    insert into clef_users
        (issuer, subject, first_name, last_name, email, phone_number, last_login_at)
    values (?, ?, ?, ?, ?, ?, ?)
    on conflict (issuer, subject) do update set
        first_name   = coalesce(excluded.first_name, first_name),
        last_name    = coalesce(excluded.last_name, last_name),
        email        = coalesce(excluded.email, email),
        phone_number = coalesce(excluded.phone_number, phone_number),
        last_login_at = max(excluded.last_login_at, last_login_at)
    returning *
";

const LOAD: &str = "select * from clef_users where id = ?";

/// The rule of `Timestamp::raised_above`: it only rises, and above the last login too. (The
/// `min` keeps SQLite from turning the largest integer into a floating-point number.)
const LOG_OUT: &str = "
    update clef_users
    set logged_out_at = max(
        ?1,
        min(max(coalesce(logged_out_at, last_login_at), last_login_at), 9223372036854775806) + 1
    )
    where issuer = ?2 and subject = ?3
";

/// As a user's, above the latest login of all, for a session may be anybody's.
const LOG_OUT_SESSION: &str = "
    insert into clef_provider_sessions (issuer, session, logged_out_at)
    values (
        ?2, ?3,
        max(?1, coalesce(min((select max(last_login_at) from clef_users), 9223372036854775806) + 1, ?1))
    )
    on conflict (issuer, session) do update set
        logged_out_at = max(excluded.logged_out_at, min(logged_out_at, 9223372036854775806) + 1)
";

/// A write that changes nothing, for the write lock.
const LOCK: &str = "update clef_users set id = id where false";

const FORGET_SESSIONS: &str = "delete from clef_provider_sessions where logged_out_at < ?";

const SESSION_LOGGED_OUT_AT: &str =
    "select logged_out_at from clef_provider_sessions where issuer = ? and session = ?";

/// The latest moment in the tables, of those that a clock can have shown. (Somebody may have
/// written one far ahead by hand, to keep a user out.)
const LATEST: &str = "
    select max(moment) from (
        select last_login_at as moment from clef_users
        union all
        select logged_out_at from clef_users
        union all
        select logged_out_at from clef_provider_sessions
    ) where moment <= ?
";
/// How far a clock may have been set back between two runs, to go on from where it was.
const MOST_SET_BACK: Duration = Duration::from_secs(60 * 60);

/// Users in a SQLite database, in the tables `clef_users` and `clef_provider_sessions`. Several
/// processes of one machine may share it: they share its clock.
///
/// ```
/// use axum_clef::{Profile, Subject, UserStore as _, stores::SqliteUserStore};
///
/// # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
/// let users = SqliteUserStore::connect("sqlite::memory:").await?;
/// let alex = Profile::new(Subject::new("https://clef.example.com", "12345"));
/// let user = users.log_in(&alex).await?.ok_or("turned away")?;
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
    clock: Clock,
    /// The latest moment that was in the table at the start, and every one given since while
    /// the clock was not past it: a clock that was set back between two runs goes on from here.
    floor: Arc<AtomicI64>,
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
            // An acknowledged logout must survive a power cut.
            .synchronous(SqliteSynchronous::Full);
        write_ahead(&options).await?;
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
        for statement in [SCHEMA, SESSIONS_SCHEMA].into_iter().chain(INDEXES) {
            sqlx::query(statement).execute(&pool).await?;
        }
        let latest: Option<i64> = sqlx::query(LATEST)
            .bind(micros_after(Timestamp::now(), MOST_SET_BACK))
            .fetch_one(&pool)
            .await?
            .try_get(0)?;
        Ok(Self {
            pool,
            writing: Arc::default(),
            clock: Arc::new(Timestamp::now),
            floor: Arc::new(AtomicI64::new(latest.unwrap_or(i64::MIN))),
        })
    }

    /// Another clock than the system's, for tests.
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

    /// Begins a transaction that holds the write lock, when it is its turn. The turn ends after it.
    ///
    /// `begin_with("begin immediate")` awaits once more after it has the lock. Dropped there, it
    /// returns the connection to the pool with the lock held, for good.
    async fn begin_write(
        &self,
    ) -> Result<(MutexGuard<'_, ()>, Transaction<'static, Sqlite>), sqlx::Error> {
        let turn = timeout(ACQUIRE_LIMIT, self.writing.lock()).await;
        let turn = turn.map_err(|_| sqlx::Error::PoolTimedOut)?;
        let mut transaction = self.pool.begin().await?;
        sqlx::query(LOCK).execute(&mut *transaction).await?;
        Ok((turn, transaction))
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
        // Committed before anybody is told: a statement alone, of which one row is read, says
        // nothing of a commit that fails, and the id of a user who is not kept is another's next.
        let (_turn, mut transaction) = self.begin_write().await?;
        let row = sqlx::query(LOG_IN)
            .bind(profile.subject.issuer())
            .bind(profile.subject.id())
            .bind(&profile.first_name)
            .bind(&profile.last_name)
            .bind(&profile.email)
            .bind(&profile.phone_number)
            .bind(self.time().as_micros())
            .fetch_one(&mut *transaction)
            .await?;
        transaction.commit().await?;
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
        let (_turn, mut transaction) = self.begin_write().await?;
        let now = self.time();
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
        Ok(self.time())
    }

    async fn log_out_session(&self, session: &ProviderSession) -> Result<bool, BoxError> {
        let (_turn, mut transaction) = self.begin_write().await?;
        let now = self.time();
        sqlx::query(LOG_OUT_SESSION)
            .bind(now.as_micros())
            .bind(session.issuer())
            .bind(session.id())
            .execute(&mut *transaction)
            .await?;
        let kept = i64::try_from(ProviderSession::KEPT.as_micros()).unwrap_or(i64::MAX);
        sqlx::query(FORGET_SESSIONS)
            .bind(now.as_micros().saturating_sub(kept))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(true)
    }

    async fn session_logged_out_at(
        &self,
        session: &ProviderSession,
    ) -> Result<Option<Timestamp>, BoxError> {
        let row = sqlx::query(SESSION_LOGGED_OUT_AT)
            .bind(session.issuer())
            .bind(session.id())
            .fetch_optional(&self.pool)
            .await?;
        let micros: Option<i64> = row.map(|row| row.try_get(0)).transpose()?;
        Ok(micros.map(Timestamp::from_micros))
    }
}

fn micros_after(moment: Timestamp, later: Duration) -> i64 {
    let later = i64::try_from(later.as_micros()).unwrap_or(i64::MAX);
    moment.as_micros().saturating_add(later)
}

/// Switches the database to a write-ahead log, so that readers and the writer do not wait for
/// each other. It stays so.
///
/// By one connection before all others, and again if another process is at it: the switch
/// needs the database for itself, and does not wait for it.
async fn write_ahead(options: &SqliteConnectOptions) -> Result<(), sqlx::Error> {
    let options = options.clone().journal_mode(SqliteJournalMode::Wal);
    let begun_at = Instant::now();
    loop {
        match options.connect().await {
            Ok(connection) => return connection.close().await,
            Err(error) if is_busy(&error) && begun_at.elapsed() < BUSY_LIMIT => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// `SQLITE_BUSY`, of which the extended codes keep the lowest byte.
fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    let code: Option<i32> = code.and_then(|code| code.parse().ok());
    code.is_some_and(|code| code & 0xff == 5)
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
        profile: profile.into(),
        last_login_at: Timestamp::from_micros(row.try_get("last_login_at")?),
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
