use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::SeqCst},
    },
    time::Duration,
};

use axum_clef::{Timestamp, stores::MemoryUserStore};

/// A clock that a test sets. Every read returns a later time, by one microsecond.
#[derive(Clone)]
pub struct TestClock {
    now: Arc<AtomicI64>,
    step: Arc<AtomicI64>,
}

/// One second in microseconds.
pub const SECOND: i64 = 1_000_000;
/// One minute in microseconds.
pub const MINUTE: i64 = 60 * SECOND;
/// One day in microseconds.
pub const DAY: i64 = 24 * 60 * MINUTE;

impl Default for TestClock {
    fn default() -> Self {
        Self::new()
    }
}

impl TestClock {
    /// A clock that begins with the time of the system.
    pub fn new() -> Self {
        Self {
            now: Arc::new(AtomicI64::new(Timestamp::now().as_micros())),
            step: Arc::new(AtomicI64::new(1)),
        }
    }

    /// The time, which then moves on.
    pub fn read(&self) -> Timestamp {
        Timestamp::from_micros(self.now.fetch_add(self.step.load(SeqCst), SeqCst))
    }

    /// What the next read returns, in microseconds.
    pub fn next(&self) -> i64 {
        self.now.load(SeqCst)
    }

    /// Sets the clock forward, or back by a negative number of microseconds.
    pub fn advance(&self, micros: i64) {
        self.now.fetch_add(micros, SeqCst);
    }

    /// Sets the clock forward.
    pub fn advance_by(&self, time: Duration) {
        self.advance(i64::try_from(time.as_micros()).unwrap());
    }

    /// Stops the clock: every read returns the same time.
    pub fn freeze(&self) {
        self.step.store(0, SeqCst);
    }

    /// An empty user store in memory with this clock.
    pub fn users(&self) -> MemoryUserStore {
        let clock = self.clone();
        MemoryUserStore::new().with_clock(move || clock.read())
    }
}
