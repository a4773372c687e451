//! The membership of a node, which allows it to cache users.

use std::{
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};

use sqlx::{PgPool, Postgres, Transaction, postgres::PgListener};
use tokio::{
    runtime::Handle,
    time::{Instant, timeout},
};

use super::limits::{CALL_LIMIT, SHORTEST_PAUSE};
use crate::BoxError;

/// The number of heartbeats per lease.
const HEARTBEATS: u32 = 4;
/// After this many leases without an answer to a heartbeat, the connection is considered broken; but
/// not before `SHORTEST_SILENCE`.
const SILENT_LEASES: u32 = 2;
const SHORTEST_SILENCE: Duration = Duration::from_secs(1);

/// Set before the lock, so that a machine that crashes with it does not block the joins of others.
const IDLE_TIMEOUT: &str = "set local idle_in_transaction_session_timeout = '2s'";

/// Taken to join or to leave, so that no other node joins at the same time. Heartbeats go on.
const LOCK: &str = "lock table clef_members in share update exclusive mode";

/// Joins, unless a member has another lease.
const JOIN: &str = "
    insert into clef_members (member, lease)
    select $1, $2 where not exists (select from clef_members where lease <> $2)
";

/// Updates the row of this node. It need not survive a crash of the server: what the other nodes have
/// seen of it ends with their connections.
const HEARTBEAT: &str = "
    update clef_members set heartbeat = heartbeat + 1
    where member = $1 and set_config('synchronous_commit', 'off', true) = 'off'
";

const LEAVE: &str = "delete from clef_members where member = $1";

/// What this node knows about the members of the site, for the tasks and calls of one bus.
#[derive(Default)]
pub(super) struct MembershipState(RwLock<State>);

#[derive(Default)]
struct State {
    /// The name of this node, if it is a member.
    name: Option<Arc<str>>,
    /// Until when this node may use its cache: its row existed at most one lease before.
    deadline: Option<Instant>,
    /// The lease in that row.
    lease: Duration,
    /// The name of the last row of this node. It may be gone, or a join may be adding it.
    row: Option<Arc<str>>,
}

impl State {
    /// Stops caching and acknowledging.
    fn end(&mut self) {
        self.name = None;
        self.deadline = None;
    }
}

impl MembershipState {
    pub(super) fn name(&self) -> Option<Arc<str>> {
        self.read().name.clone()
    }

    /// Whether the row of this node exists, with this lease. Then no node with another one has joined.
    pub(super) fn may_cache(&self, lease: Duration) -> bool {
        let state = self.read();
        let deadline = state.deadline.filter(|_| state.lease == lease);
        deadline.is_some_and(|deadline| Instant::now() < deadline)
    }

    /// Stops caching, and deletes the row of this node, also that of a membership which has just ended
    /// or of a join that has not. No join may begin any more.
    pub(super) async fn leave(&self, pool: &PgPool) -> Result<(), BoxError> {
        // First: logouts do not wait for this node once the row is gone.
        let row = {
            let mut state = self.write();
            state.end();
            state.row.clone()
        };
        if let Some(row) = row {
            timeout(CALL_LIMIT, delete_after_joins(pool, &row)).await??;
        }
        Ok(())
    }

    /// Extends the lease of this node, unless it has left meanwhile.
    fn extend(&self, name: &str, deadline: Instant) {
        let mut state = self.write();
        if state.name.as_deref() == Some(name) {
            state.deadline = Some(deadline);
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Begins a transaction after all joins that are under way, and before all others.
async fn begin_locked(pool: &PgPool) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    for statement in [IDLE_TIMEOUT, LOCK] {
        sqlx::query(statement).execute(&mut *transaction).await?;
    }
    Ok(transaction)
}

/// Deletes a row, also if a join that was dropped is still adding it.
async fn delete_after_joins(pool: &PgPool, row: &str) -> Result<(), sqlx::Error> {
    let mut transaction = begin_locked(pool).await?;
    let leave = sqlx::query(LEAVE).bind(row);
    leave.execute(&mut *transaction).await?;
    transaction.commit().await
}

/// The row of this node in `clef_members`. Dropping it deletes the row.
pub(super) struct Membership<'a> {
    state: &'a MembershipState,
    pool: &'a PgPool,
    name: Arc<str>,
    lease: Duration,
}

impl<'a> Membership<'a> {
    /// Joins as soon as there is no member with another lease.
    pub(super) async fn join(
        state: &'a MembershipState,
        pool: &'a PgPool,
        lease: Duration,
    ) -> Result<Self, BoxError> {
        let name: Arc<str> = format!("{:032x}", rand::random::<u128>()).into();
        state.write().row = Some(Arc::clone(&name));
        // Created first, so that the row is deleted even if the response is lost.
        let membership = Self {
            state,
            pool,
            name,
            lease,
        };
        let mut logged = false;
        while !timeout(CALL_LIMIT, membership.insert()).await?? {
            if !logged {
                tracing::error!(
                    "other nodes have another lease; until they are gone, this node caches nothing and \
                     reads the store each time"
                );
                logged = true;
            }
            tokio::time::sleep(lease.max(SHORTEST_PAUSE)).await;
        }
        Ok(membership)
    }

    /// Begins to acknowledge logouts. The node caches users from its first heartbeat on.
    pub(super) fn begin(&self) {
        let mut state = self.state.write();
        state.name = Some(Arc::clone(&self.name));
        state.deadline = None;
        state.lease = self.lease;
    }

    async fn insert(&self) -> Result<bool, BoxError> {
        let lease = i64::try_from(self.lease.as_micros())?;
        let mut transaction = begin_locked(self.pool).await?;
        let joined = sqlx::query(JOIN)
            .bind(&*self.name)
            .bind(lease)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(joined.rows_affected() > 0)
    }

    /// The pause between two heartbeats.
    pub(super) fn pause(&self) -> Duration {
        (self.lease / HEARTBEATS).max(SHORTEST_PAUSE)
    }

    /// Sends a heartbeat on the listening connection, so that a node whose connection is broken stops
    /// caching within its lease.
    pub(super) async fn send_heartbeat(&self, connection: &mut PgListener) -> Result<(), BoxError> {
        let limit = (self.lease * SILENT_LEASES).max(SHORTEST_SILENCE);
        let started_at = Instant::now();
        let heartbeat = sqlx::query(HEARTBEAT).bind(&*self.name);
        let found = timeout(limit, heartbeat.execute(connection)).await;
        let found = found.map_err(|_| "a heartbeat of this node was not answered")??;
        let is_member = self.state.name().as_deref() == Some(&*self.name);
        if found.rows_affected() == 0 && is_member {
            return Err("another node has evicted this one: no heartbeat for three leases".into());
        }
        self.state.extend(&self.name, started_at + self.lease);
        Ok(())
    }
}

impl Drop for Membership<'_> {
    fn drop(&mut self) {
        // First: logouts do not wait for this node once the row is gone.
        self.state.write().end();
        let (pool, name) = (self.pool.clone(), Arc::clone(&self.name));
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                let leave = sqlx::query(LEAVE).bind(&*name);
                // If this fails, another node deletes the row.
                let _ = timeout(CALL_LIMIT, leave.execute(&pool)).await;
            });
        }
    }
}
