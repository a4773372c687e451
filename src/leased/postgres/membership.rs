//! The membership of a node: while it has one, it may keep what it reads.

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
    envelope::{Envelope, Message},
    statements,
    term::Term,
};
use crate::{BoxError, leased::listener::LogoutListener};

/// How many heartbeats there are in a lease.
const HEARTBEATS: u32 = 4;

/// What the bus knows of the membership of this node.
pub(super) struct MembershipState {
    /// While it lasts, the row was there a lease ago at the most.
    pub(super) term: Term,
    /// The longest lease of any member, as they were last seen; in microseconds.
    longest_lease: AtomicU64,
    name: Mutex<Option<Arc<str>>>,
}

impl MembershipState {
    pub(super) fn new() -> Self {
        Self {
            term: Term::over(),
            // Nothing is known of them yet.
            longest_lease: AtomicU64::new(u64::MAX),
            name: Mutex::default(),
        }
    }

    /// The name of this node among the members, if it is one.
    pub(super) fn name(&self) -> Option<Arc<str>> {
        self.name
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Notes the leases of all members.
    pub(super) fn note_leases(&self, leases: impl Iterator<Item = Duration>) {
        let longest = leases.max().unwrap_or_default().as_micros();
        let longest = u64::try_from(longest).unwrap_or(u64::MAX);
        self.longest_lease.store(longest, SeqCst);
    }

    pub(super) fn longest_lease(&self) -> Duration {
        Duration::from_micros(self.longest_lease.load(SeqCst))
    }

    fn set(&self, name: Option<Arc<str>>) {
        *self.name.lock().unwrap_or_else(PoisonError::into_inner) = name;
    }
}

/// A row of `clef_seats`, which is deleted when this is dropped.
pub(super) struct Membership<'a> {
    state: &'a MembershipState,
    pool: &'a PgPool,
    name: Arc<str>,
    lease: Duration,
}

impl<'a> Membership<'a> {
    /// Becomes a member, once there is none with another lease.
    pub(super) async fn join(
        state: &'a MembershipState,
        pool: &'a PgPool,
        listener: &LogoutListener,
    ) -> Result<Self, BoxError> {
        let lease = listener.lease();
        let name: Arc<str> = format!("{:032x}", rand::random::<u128>()).into();
        // From here on there may be a row, also if the answer is lost.
        let membership = Self {
            state,
            pool,
            name,
            lease,
        };
        let mut logged = false;
        let asked_at = loop {
            let asked_at = Instant::now();
            if timeout(CALL_LIMIT, membership.insert()).await?? {
                break asked_at;
            }
            if !logged {
                tracing::error!(
                    "other nodes have another lease; until they are gone, this one keeps nothing \
                     and asks the store each time"
                );
                logged = true;
            }
            tokio::time::sleep(lease.max(SHORTEST_PAUSE)).await;
        };
        // No logout waits for what was read before this.
        listener.lagged();
        state.set(Some(Arc::clone(&membership.name)));
        state.term.prolong(asked_at + lease);
        Ok(membership)
    }

    async fn insert(&self) -> Result<bool, BoxError> {
        let lease = i64::try_from(self.lease.as_micros())?;
        let mut transaction = self.pool.begin().await?;
        for before in [statements::LET_GO, statements::LOCK] {
            sqlx::query(before).execute(&mut *transaction).await?;
        }
        let joined = sqlx::query(statements::JOIN)
            .bind(&*self.name)
            .bind(lease)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(joined.rows_affected() > 0)
    }

    /// Finds the row still there, again and again, until it is not or cannot be found. Each time
    /// it sends a heartbeat to the channel of this node.
    pub(super) async fn keep(&self, envelope: &Envelope, channel: &str) -> Result<(), BoxError> {
        let pause = (self.lease / HEARTBEATS).max(SHORTEST_PAUSE);
        loop {
            tokio::time::sleep(pause).await;
            let asked_at = Instant::now();
            let heartbeat = sqlx::query(statements::HEARTBEAT)
                .bind(&*self.name)
                .bind(channel)
                .bind(envelope.seal(channel, &Message::Heartbeat)?);
            let found = timeout(CALL_LIMIT, heartbeat.fetch_optional(self.pool)).await??;
            if found.is_none() {
                return Err(
                    "another node has ended the membership of this one, whose heartbeat stood \
                     still for three leases"
                        .into(),
                );
            }
            self.state.term.prolong(asked_at + self.lease);
        }
    }
}

impl Drop for Membership<'_> {
    fn drop(&mut self) {
        // First: as soon as the row is gone, no logout waits for this node.
        self.state.term.end();
        self.state.set(None);
        let (pool, name) = (self.pool.clone(), Arc::clone(&self.name));
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                let leave = sqlx::query(statements::LEAVE).bind(&*name);
                // If it cannot: another node deletes the row.
                let _ = timeout(CALL_LIMIT, leave.execute(&pool)).await;
            });
        }
    }
}
