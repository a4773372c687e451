//! Opening connections to the primary.

use std::time::Duration;

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
    // Not through the pool, which retries until its timeout and hides the reason.
    tokio::time::timeout(ACQUIRE_LIMIT, test_connection(&options))
        .await
        .unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
    Ok(PgPoolOptions::new()
        .max_connections(MOST_CONNECTIONS)
        .acquire_timeout(ACQUIRE_LIMIT)
        .test_before_acquire(false)
        .after_connect(|connection, _| Box::pin(prepare(connection)))
        .connect_lazy_with(options))
}

async fn test_connection(options: &PgConnectOptions) -> Result<(), sqlx::Error> {
    let mut connection = options.connect().await?;
    prepare(&mut connection).await?;
    connection.close().await
}

/// Sets up a new connection.
async fn prepare(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let row = sqlx::query(statements::PREPARE)
        .bind(STATEMENT_LIMIT)
        .fetch_one(connection)
        .await?;
    if row.try_get("is_standby")? {
        let advice = "the server is a standby, which may lag: connect to the primary";
        return Err(sqlx::Error::Configuration(advice.into()));
    }
    Ok(())
}
