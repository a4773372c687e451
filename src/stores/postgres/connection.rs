//! Opening connections to the primary.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use sqlx::{
    ConnectOptions as _, Connection as _, PgConnection, PgPool, Row as _,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use super::statements;

/// Together with `STATEMENT_LIMIT`, less than the five seconds that an attempt to write a logout
/// may take. So no abandoned attempt is written late, which could end a newer login.
const ACQUIRE_LIMIT: Duration = Duration::from_millis(2_500);
const STATEMENT_LIMIT: &str = "2s";
const MOST_CONNECTIONS: u32 = 10;

/// A pool at a URL, once a connection was made.
pub(super) async fn open(url: &str) -> Result<PgPool, sqlx::Error> {
    let options: PgConnectOptions = url.parse()?;
    // Once for the pool, at its start or when a standby has come by a later connection.
    let warned = Arc::<AtomicBool>::default();
    // Not through the pool, which retries until its timeout and hides the reason.
    tokio::time::timeout(ACQUIRE_LIMIT, test_connection(&options, &warned))
        .await
        .unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
    Ok(PgPoolOptions::new()
        .max_connections(MOST_CONNECTIONS)
        .acquire_timeout(ACQUIRE_LIMIT)
        // No warning for each request of a flood. The layer logs those that fail, once a second.
        .acquire_slow_threshold(ACQUIRE_LIMIT)
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            let warned = Arc::clone(&warned);
            Box::pin(async move { prepare(connection, &warned).await })
        })
        .connect_lazy_with(options))
}

async fn test_connection(
    options: &PgConnectOptions,
    warned: &AtomicBool,
) -> Result<(), sqlx::Error> {
    let mut connection = options.connect().await?;
    prepare(&mut connection, warned).await?;
    connection.close().await
}

/// Sets up a new connection.
async fn prepare(connection: &mut PgConnection, warned: &AtomicBool) -> Result<(), sqlx::Error> {
    let row = sqlx::query(statements::PREPARE)
        .bind(STATEMENT_LIMIT)
        .fetch_one(connection)
        .await?;
    if row.try_get("is_standby")? {
        let advice = "the server is a standby, which may lag: connect to the primary";
        return Err(sqlx::Error::Configuration(advice.into()));
    }
    if row.try_get("loses_logouts")? && !warned.swap(true, Relaxed) {
        tracing::warn!(
            "other servers copy this PostgreSQL, and no logout waits for them: if one takes over, logouts \
             that were acknowledged may be lost; set `synchronous_standby_names`"
        );
    }
    Ok(())
}
