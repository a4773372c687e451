//! The membership of a node, which allows it to cache users.

use std::{
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};

use sqlx::PgPool;
use tokio::{
    runtime::Handle,
    time::{Instant, timeout},
};

use super::{
    CALL_LIMIT, SHORTEST_PAUSE,
    envelope::{BusMessage, Envelope},
};
use crate::{BoxError, leased::listener::LogoutListener};

/// The number of heartbeats per lease.
const HEARTBEATS: u32 = 4;

/// Set before the lock, so that a machine that crashes with it does not block the heartbeats of
/// others.
const IDLE_TIMEOUT: &str = "set local idle_in_transaction_session_timeout = '2s'";

/// Taken to join, so that no other node joins at the same time.
const LOCK: &str = "lock table clef_members in share row exclusive mode";

/// Joins, unless a member has another lease.
const JOIN: &str = "
    insert into clef_members (member, lease)
    select $1, $2 where not exists (select from clef_members where lease <> $2)
";

/// Updates the row of this node and notifies its channel: if that does not arrive, other messages
/// do not either.
const HEARTBEAT: &str = "
    update clef_members set heartbeat = heartbeat + 1 where member = $1
    returning pg_notify($2, $3)::text
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
}

impl MembershipState {
    pub(super) fn name(&self) -> Option<Arc<str>> {
        self.read().name.clone()
    }

    /// Whether the row of this node exists. Then no node with another lease has joined.
    pub(super) fn may_cache(&self) -> bool {
        let deadline = self.read().deadline;
        deadline.is_some_and(|deadline| Instant::now() < deadline)
    }

    fn set_membership(&self, name: Option<Arc<str>>, deadline: Option<Instant>) {
        let mut state = self.write();
        (state.name, state.deadline) = (name, deadline);
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
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
        listener: &LogoutListener,
    ) -> Result<Self, BoxError> {
        let lease = listener.lease();
        let name: Arc<str> = format!("{:032x}", rand::random::<u128>()).into();
        // Created first, so that the row is deleted even if the response is lost.
        let membership = Self {
            state,
            pool,
            name,
            lease,
        };
        let mut logged = false;
        let started_at = loop {
            let started_at = Instant::now();
            if timeout(CALL_LIMIT, membership.insert()).await?? {
                break started_at;
            }
            if !logged {
                tracing::error!(
                    "other nodes have another lease; until they are gone, this node caches nothing and \
                     reads the store each time"
                );
                logged = true;
            }
            tokio::time::sleep(lease.max(SHORTEST_PAUSE)).await;
        };
        // Logouts do not wait for earlier reads.
        listener.lagged();
        let name = Arc::clone(&membership.name);
        state.set_membership(Some(name), Some(started_at + lease));
        Ok(membership)
    }

    async fn insert(&self) -> Result<bool, BoxError> {
        let lease = i64::try_from(self.lease.as_micros())?;
        let mut transaction = self.pool.begin().await?;
        for statement in [IDLE_TIMEOUT, LOCK] {
            sqlx::query(statement).execute(&mut *transaction).await?;
        }
        let joined = sqlx::query(JOIN)
            .bind(&*self.name)
            .bind(lease)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(joined.rows_affected() > 0)
    }

    /// Sends heartbeats to the database and to the channel of this node, until the row is gone.
    pub(super) async fn send_heartbeats(
        &self,
        envelope: &Envelope,
        channel: &str,
    ) -> Result<(), BoxError> {
        let pause = (self.lease / HEARTBEATS).max(SHORTEST_PAUSE);
        loop {
            tokio::time::sleep(pause).await;
            let started_at = Instant::now();
            let heartbeat = sqlx::query(HEARTBEAT)
                .bind(&*self.name)
                .bind(channel)
                .bind(envelope.seal(channel, &BusMessage::Heartbeat)?);
            let found = timeout(CALL_LIMIT, heartbeat.fetch_optional(self.pool)).await??;
            if found.is_none() {
                return Err(
                    "another node has evicted this one: no heartbeat for three leases".into(),
                );
            }
            self.state.write().deadline = Some(started_at + self.lease);
        }
    }
}

impl Drop for Membership<'_> {
    fn drop(&mut self) {
        // First: logouts do not wait for this node once the row is gone.
        self.state.set_membership(None, None);
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
