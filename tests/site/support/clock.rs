use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering::SeqCst},
};

use axum_clef::Timestamp;

/// A clock that a test sets. Left alone it is strict: a microsecond later at every look.
#[derive(Clone)]
pub struct TestClock {
    now: Arc<AtomicI64>,
    step: Arc<AtomicI64>,
}

/// In microseconds.
pub const SECOND: i64 = 1_000_000;
pub const MINUTE: i64 = 60 * SECOND;
pub const DAY: i64 = 24 * 60 * MINUTE;

impl TestClock {
    pub fn new() -> Self {
        Self {
            now: Arc::new(AtomicI64::new(Timestamp::now().as_micros())),
            step: Arc::new(AtomicI64::new(1)),
        }
    }

    pub fn read(&self) -> Timestamp {
        Timestamp::from_micros(self.now.fetch_add(self.step.load(SeqCst), SeqCst))
    }

    /// Forwards, or backwards with a negative number of microseconds.
    pub fn advance(&self, micros: i64) {
        self.now.fetch_add(micros, SeqCst);
    }

    /// Stops: every look shows the same.
    pub fn freeze(&self) {
        self.step.store(0, SeqCst);
    }
}
