//! The clock of the users, which a run moves: a microsecond later at every look.

use axum_clef::Timestamp;
use sqlx::PgPool;
use test_support::{MINUTE, SECOND, TestClock};

use crate::real_time::StoppedClock;

/// Replaces the clock of the server for one schema.
const IN_POSTGRES: &str = "
    create sequence test_clock;
    select setval('test_clock', $1, false);
    create or replace function clef_now() returns bigint
        language sql volatile as 'select nextval(''test_clock'')'
";

const NEXT: &str = "select last_value + is_called::int from test_clock";

const ADVANCE: &str = "select setval('test_clock', last_value + $1, is_called) from test_clock";

#[derive(Clone)]
pub enum Clock {
    Here(TestClock),
    /// Of a schema in PostgreSQL.
    There(PgPool),
}

impl Clock {
    /// Becomes the clock of the user store in a schema.
    pub async fn there(pool: &PgPool) -> Self {
        let now = Timestamp::now().as_micros().to_string();
        let statements = IN_POSTGRES.replace("$1", &now);
        sqlx::raw_sql(&statements).execute(pool).await.unwrap();
        Self::There(pool.clone())
    }

    /// What the next look returns, in microseconds.
    pub async fn next(&self) -> i64 {
        match self {
            Self::Here(clock) => clock.next(),
            Self::There(pool) => {
                let _clock = StoppedClock::new();
                sqlx::query_scalar(NEXT).fetch_one(pool).await.unwrap()
            }
        }
    }

    pub async fn advance(&self, seconds: i64) {
        let micros = seconds * SECOND;
        match self {
            Self::Here(clock) => clock.advance(micros),
            Self::There(pool) => {
                let _clock = StoppedClock::new();
                let advance = sqlx::query(ADVANCE).bind(micros);
                advance.execute(pool).await.unwrap();
            }
        }
    }
}

/// A clock at a node where it is off by so many minutes.
pub fn off_by(clock: &TestClock, minutes: i64) -> impl Fn() -> Timestamp + Send + Sync + use<> {
    let clock = clock.clone();
    move || Timestamp::from_micros(clock.read().as_micros() + minutes * MINUTE)
}
