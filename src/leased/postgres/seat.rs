//! The seat of a node: while it has one, it may keep what it reads.

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

use super::{CALL_LIMIT, SHORTEST_PAUSE, statements, term::Term};
use crate::{BoxError, leased::listener::LogoutListener};

/// How often the row is looked at, by its lease.
const BEATS: u32 = 4;

/// What the bus knows of the seat of this node.
pub(super) struct Place {
    /// While it lasts, the row was there a lease ago at the most.
    pub(super) term: Term,
    /// The longest lease of any seat, as they were last seen; in microseconds.
    longest_lease: AtomicU64,
    seat: Mutex<Option<Arc<str>>>,
}

impl Place {
    pub(super) fn new() -> Self {
        Self {
            term: Term::over(),
            // Nothing is known of them yet.
            longest_lease: AtomicU64::new(u64::MAX),
            seat: Mutex::default(),
        }
    }

    /// The name of the seat, if there is one.
    pub(super) fn seat(&self) -> Option<Arc<str>> {
        self.seat
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Notes the leases of all seats that there are.
    pub(super) fn note_leases(&self, leases: impl Iterator<Item = Duration>) {
        let longest = leases.max().unwrap_or_default().as_micros();
        let longest = u64::try_from(longest).unwrap_or(u64::MAX);
        self.longest_lease.store(longest, SeqCst);
    }

    pub(super) fn longest_lease(&self) -> Duration {
        Duration::from_micros(self.longest_lease.load(SeqCst))
    }

    fn set(&self, seat: Option<Arc<str>>) {
        *self.seat.lock().unwrap_or_else(PoisonError::into_inner) = seat;
    }
}

/// A seat that was taken. Dropped, it is left.
pub(super) struct Seat<'a> {
    place: &'a Place,
    pool: &'a PgPool,
    name: Arc<str>,
    lease: Duration,
}

impl<'a> Seat<'a> {
    /// Takes a seat, once nobody sits there with another lease.
    pub(super) async fn take(
        place: &'a Place,
        pool: &'a PgPool,
        listener: &LogoutListener,
    ) -> Result<Self, BoxError> {
        let lease = listener.lease();
        let name: Arc<str> = format!("{:032x}", rand::random::<u128>()).into();
        // From here on there may be a row, also if the answer is lost.
        let seat = Self {
            place,
            pool,
            name,
            lease,
        };
        let mut told = false;
        let asked_at = loop {
            let asked_at = Instant::now();
            if timeout(CALL_LIMIT, seat.insert()).await?? {
                break asked_at;
            }
            if !told {
                tracing::error!(
                    "other nodes have another lease; until they are gone, this one keeps nothing \
                     and asks the store each time"
                );
                told = true;
            }
            tokio::time::sleep(lease.max(SHORTEST_PAUSE)).await;
        };
        // What was read before this is not counted with.
        listener.missed();
        place.set(Some(Arc::clone(&seat.name)));
        place.term.prolong(asked_at + lease);
        Ok(seat)
    }

    async fn insert(&self) -> Result<bool, BoxError> {
        let lease = i64::try_from(self.lease.as_micros())?;
        let mut transaction = self.pool.begin().await?;
        for before in [statements::LET_GO, statements::LOCK] {
            sqlx::query(before).execute(&mut *transaction).await?;
        }
        let taken = sqlx::query(statements::TAKE_SEAT)
            .bind(&*self.name)
            .bind(lease)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(taken.rows_affected() > 0)
    }

    /// Finds the row still there, again and again, until it is not or cannot be found.
    pub(super) async fn keep(&self, node: &str) -> Result<(), BoxError> {
        let pause = (self.lease / BEATS).max(SHORTEST_PAUSE);
        loop {
            tokio::time::sleep(pause).await;
            let asked_at = Instant::now();
            let beat = sqlx::query(statements::BEAT).bind(&*self.name).bind(node);
            let found = timeout(CALL_LIMIT, beat.fetch_optional(self.pool)).await??;
            if found.is_none() {
                return Err(
                    "another node has taken the seat of this one away, which was not \
                     heard of for three leases"
                        .into(),
                );
            }
            self.place.term.prolong(asked_at + self.lease);
        }
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        // First: as soon as the row is gone, nobody waits for this node.
        self.place.term.end();
        self.place.set(None);
        let (pool, name) = (self.pool.clone(), Arc::clone(&self.name));
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                let leave = sqlx::query(statements::LEAVE).bind(&*name);
                // If it cannot: another takes it away.
                let _ = timeout(CALL_LIMIT, leave.execute(&pool)).await;
            });
        }
    }
}
