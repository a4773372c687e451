//! Opening a database.

use std::time::{Duration, Instant};

use sqlx::{
    ConnectOptions as _, Connection as _, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

/// How long to wait for a connection from the pool.
pub(super) const ACQUIRE_LIMIT: Duration = Duration::from_secs(4);
/// How long to wait for another process that writes. Less than the five seconds that an attempt to
/// write a logout may take.
const BUSY_LIMIT: Duration = Duration::from_secs(4);

/// Opens the database at a URL, and creates a missing file.
pub(super) async fn open(url: &str) -> Result<SqlitePool, sqlx::Error> {
    let options: SqliteConnectOptions = url.parse()?;
    let options = options
        .create_if_missing(true)
        .busy_timeout(BUSY_LIMIT)
        // An acknowledged logout must survive a power failure.
        .synchronous(SqliteSynchronous::Full);
    write_ahead(&options).await?;
    SqlitePoolOptions::new()
        .acquire_timeout(ACQUIRE_LIMIT)
        // No warning for each request of a flood. The layer logs those that fail, once a second.
        .acquire_slow_threshold(ACQUIRE_LIMIT)
        // An in-memory database lives as long as its connection.
        .min_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options)
        .await
}

/// Switches the database to a write-ahead log permanently, so that readers and the writer do not
/// block each other.
///
/// The switch needs exclusive access and ignores the busy timeout. So one connection does it before
/// all others, and retries while another process does the same.
async fn write_ahead(options: &SqliteConnectOptions) -> Result<(), sqlx::Error> {
    let options = options.clone().journal_mode(SqliteJournalMode::Wal);
    let started_at = Instant::now();
    loop {
        match options.connect().await {
            Ok(connection) => return connection.close().await,
            Err(error) if is_busy(&error) && started_at.elapsed() < BUSY_LIMIT => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Whether it is `SQLITE_BUSY`, which is the lowest byte of the extended codes.
fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    let code: Option<i32> = code.and_then(|code| code.parse().ok());
    code.is_some_and(|code| code & 0xff == 5)
}
