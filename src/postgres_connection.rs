//! Calls over connections of a PostgreSQL pool that may be lost: the server is gone without a word, as
//! after a failover, or a firewall has forgotten them.
//!
//! The pool alone tests a connection that comes back without a limit, and keeps its place meanwhile. Once
//! every place is taken by a lost one, no call gets a connection until TCP gives up, after a quarter of
//! an hour.

use std::{io, ops::AsyncFnOnce, pin::pin, sync::Arc, time::Duration};

use sqlx::{
    ConnectOptions as _, Connection as _, PgConnection, PgPool, Postgres, pool::PoolConnection,
    postgres::PgConnectOptions,
};
use tokio::{runtime::Handle, time::timeout};

/// How long a read may take, and a connection to be ready again. Longer than a statement that the server
/// cancels.
const ANSWER_LIMIT: Duration = Duration::from_millis(2_500);
/// The pause between two questions whether a dropped write still runs.
const WRITE_PAUSE: Duration = Duration::from_secs(5);

/// Longer than the server lets a statement of the store run. A commit is not cancelled.
const STALLED_COMMITS: &str = "
    select exists (
        select from pg_stat_activity
        where usename = session_user and lower(wait_event) in ('syncrep', 'walsync', 'walwrite')
            and query_start < clock_timestamp() - interval '2.5 seconds'
    )
";

/// Runs a statement that writes nothing. A connection that does not answer in time is closed.
pub(crate) async fn read<T>(
    pool: &PgPool,
    statement: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
) -> Result<T, sqlx::Error> {
    let mut connection = Released::new(pool.acquire().await?);
    let answer = timeout(ANSWER_LIMIT, statement(&mut connection.inner)).await;
    answer.unwrap_or_else(|_| {
        connection.is_lost = true;
        Err(io::Error::from(io::ErrorKind::TimedOut).into())
    })
}

/// Runs a statement that may write.
///
/// If it is dropped, its connection keeps its place in the pool while the server may still run it. A write
/// may wait for a synchronous standby, which the server does not cancel. A closed connection would go on
/// waiting there, and each retry would take another one of the server.
pub(crate) async fn write<T>(
    pool: &PgPool,
    statement: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
) -> Result<T, sqlx::Error> {
    let mut write = DroppableWrite {
        connection: Some(pool.acquire().await?),
        options: pool.connect_options(),
    };
    let Some(connection) = &mut write.connection else {
        return Err(sqlx::Error::PoolClosed);
    };
    let written = statement(connection).await;
    drop(write.connection.take().map(Released::new));
    written
}

/// A connection with a write, which may be dropped.
struct DroppableWrite {
    /// Until the write has ended.
    connection: Option<PoolConnection<Postgres>>,
    options: Arc<PgConnectOptions>,
}

impl Drop for DroppableWrite {
    fn drop(&mut self) {
        if let Some(mut connection) = self.connection.take()
            && let Ok(runtime) = Handle::try_current()
        {
            let options = Arc::clone(&self.options);
            runtime.spawn(async move {
                let mut returned = pin!(connection.return_to_pool());
                while timeout(WRITE_PAUSE, &mut returned).await.is_err()
                    && dropped_write_may_run(&options).await
                {}
            });
        }
    }
}

/// Whether the server may still run a dropped write: a commit of this role waits for a standby or for the
/// disk. Also while no server answers, as a place in the pool is then of no use.
async fn dropped_write_may_run(options: &PgConnectOptions) -> bool {
    let asked = async {
        let mut connection = options.connect().await?;
        let runs = sqlx::query_scalar(STALLED_COMMITS);
        let runs: bool = runs.fetch_one(&mut connection).await?;
        connection.close().await?;
        Ok::<_, sqlx::Error>(runs)
    };
    let asked = timeout(ANSWER_LIMIT, asked).await;
    !matches!(asked, Ok(Ok(false)))
}

/// A connection that goes back to its pool in time, or is closed.
struct Released {
    inner: PoolConnection<Postgres>,
    is_lost: bool,
}

impl Released {
    fn new(inner: PoolConnection<Postgres>) -> Self {
        Self {
            inner,
            is_lost: false,
        }
    }
}

impl Drop for Released {
    fn drop(&mut self) {
        if self.is_lost {
            self.inner.close_on_drop();
        } else if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(timeout(ANSWER_LIMIT, self.inner.return_to_pool()));
        }
    }
}
