//! The membership of a node, which allows it to cache users.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
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
    statements,
};
use crate::{BoxError, leased::listener::LogoutListener};

/// The number of heartbeats per lease.
const HEARTBEATS: u32 = 4;

/// The state of this node's membership.
pub(super) struct MembershipState {
    /// While it is ahead, the row of this node existed at most one lease ago.
    pub(super) deadline: LeaseDeadline,
    /// The longest lease of the last known members, in microseconds.
    longest_lease: AtomicU64,
    name: Mutex<Option<Arc<str>>>,
}

impl MembershipState {
    pub(super) fn new() -> Self {
        Self {
            deadline: LeaseDeadline::passed(),
            // Unknown until the members are read.
            longest_lease: AtomicU64::new(u64::MAX),
            name: Mutex::default(),
        }
    }

    /// The name of this node, if it is a member.
    pub(super) fn name(&self) -> Option<Arc<str>> {
        self.name
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Sets the leases of all members.
    pub(super) fn set_leases(&self, leases: impl Iterator<Item = Duration>) {
        let longest = leases.max().unwrap_or_default().as_micros();
        let longest = u64::try_from(longest).unwrap_or(u64::MAX);
        self.longest_lease.store(longest, SeqCst);
    }

    pub(super) fn longest_lease(&self) -> Duration {
        Duration::from_micros(self.longest_lease.load(SeqCst))
    }

    fn set_name(&self, name: Option<Arc<str>>) {
        *self.name.lock().unwrap_or_else(PoisonError::into_inner) = name;
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
        state.set_name(Some(Arc::clone(&membership.name)));
        state.deadline.extend(started_at + lease);
        Ok(membership)
    }

    async fn insert(&self) -> Result<bool, BoxError> {
        let lease = i64::try_from(self.lease.as_micros())?;
        let mut transaction = self.pool.begin().await?;
        for statement in [statements::IDLE_TIMEOUT, statements::LOCK] {
            sqlx::query(statement).execute(&mut *transaction).await?;
        }
        let joined = sqlx::query(statements::JOIN)
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
            let heartbeat = sqlx::query(statements::HEARTBEAT)
                .bind(&*self.name)
                .bind(channel)
                .bind(envelope.seal(channel, &BusMessage::Heartbeat)?);
            let found = timeout(CALL_LIMIT, heartbeat.fetch_optional(self.pool)).await??;
            if found.is_none() {
                return Err(
                    "another node has evicted this one: no heartbeat for three leases".into(),
                );
            }
            self.state.deadline.extend(started_at + self.lease);
        }
    }
}

impl Drop for Membership<'_> {
    fn drop(&mut self) {
        // First: logouts do not wait for this node once the row is gone.
        self.state.deadline.clear();
        self.state.set_name(None);
        let (pool, name) = (self.pool.clone(), Arc::clone(&self.name));
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                let leave = sqlx::query(statements::LEAVE).bind(&*name);
                // If this fails, another node deletes the row.
                let _ = timeout(CALL_LIMIT, leave.execute(&pool)).await;
            });
        }
    }
}

/// Until when a node may use its cache. It passes unless it is extended.
pub(super) struct LeaseDeadline {
    created_at: Instant,
    /// In nanoseconds since then; zero for a deadline that has passed.
    deadline: AtomicU64,
}

impl LeaseDeadline {
    fn passed() -> Self {
        Self {
            created_at: Instant::now(),
            deadline: AtomicU64::new(0),
        }
    }

    fn extend(&self, deadline: Instant) {
        let deadline = deadline
            .saturating_duration_since(self.created_at)
            .as_nanos();
        let deadline = u64::try_from(deadline).unwrap_or(u64::MAX);
        self.deadline.store(deadline, SeqCst);
    }

    fn clear(&self) {
        self.deadline.store(0, SeqCst);
    }

    pub(super) fn is_ahead(&self) -> bool {
        self.created_at.elapsed().as_nanos() < u128::from(self.deadline.load(SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_deadline_passes_unless_it_is_extended() {
        let deadline = LeaseDeadline::passed();
        assert!(!deadline.is_ahead());
        deadline.extend(Instant::now() + Duration::from_millis(10));
        assert!(deadline.is_ahead());
        tokio::time::advance(Duration::from_millis(10)).await;
        assert!(!deadline.is_ahead());
        deadline.extend(Instant::now() + Duration::from_millis(10));
        assert!(deadline.is_ahead());
        deadline.clear();
        assert!(!deadline.is_ahead());
    }
}
