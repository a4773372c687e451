//! Calls over connections of a PostgreSQL pool that may be lost: the server is gone without a word, as
//! after a failover, or a firewall has forgotten them.
//!
//! The pool alone tests a connection that comes back without a limit, and keeps its place meanwhile. Once
//! every place is taken by a lost one, no call gets a connection until TCP gives up, after a quarter of
//! an hour.

use std::{io, ops::AsyncFnOnce, time::Duration};

use sqlx::{PgConnection, PgPool, Postgres, pool::PoolConnection};
use tokio::{runtime::Handle, time::timeout};

/// How long a read may take, and a connection to be ready again. Longer than a statement that the server
/// cancels.
const ANSWER_LIMIT: Duration = Duration::from_millis(2_500);

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
/// If it is dropped, its connection stays with the pool until the server answers. A write may wait for a
/// synchronous standby, which the server does not cancel. A closed connection would go on waiting there,
/// and each retry would take another one of the server.
pub(crate) async fn write<T>(
    pool: &PgPool,
    statement: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
) -> Result<T, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    let written = statement(&mut connection).await;
    drop(Released::new(connection));
    written
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
