//! The clock of the user store, which may be faster than the system clock.
//!
//! The end of a login is kept for a day after its lifetime. On a clock that is 48 times as fast, the tables
//! stop growing after half an hour.

use std::time::Duration;

use axum_clef::{BoxError, Timestamp, stores::PostgresUserStore};

#[derive(Debug, Clone, Copy)]
pub struct StoreClock {
    started_at: Timestamp,
    speed: u32,
}

impl StoreClock {
    pub fn new(speed: u32) -> Self {
        Self {
            started_at: Timestamp::now(),
            speed,
        }
    }

    pub fn now(self) -> Timestamp {
        let start = self.started_at.as_micros();
        let passed = Timestamp::now().as_micros() - start;
        Timestamp::from_micros(start + passed * i64::from(self.speed))
    }

    /// The time that passes on this clock within a time of the system clock.
    pub fn scaled(self, time: Duration) -> Duration {
        time * self.speed
    }

    /// Replaces the clock of a schema.
    ///
    /// # Errors
    ///
    /// When the server does not answer.
    pub async fn set(self, users: &PostgresUserStore) -> Result<(), BoxError> {
        let (start, speed) = (self.started_at.as_micros(), self.speed);
        let now = "(extract(epoch from clock_timestamp()) * 1000000)::bigint";
        let function = format!(
            "create or replace function clef_now() returns bigint
                language sql volatile parallel safe
                as 'select {start} + ({now} - {start}) * {speed}'"
        );
        sqlx::raw_sql(&function).execute(users.pool()).await?;
        Ok(())
    }
}
