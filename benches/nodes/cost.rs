//! What the server has done.

use std::time::Duration;

use sqlx::Row as _;
use tokio::time::Instant;

use crate::database::Database;

/// Sessions report their transactions once a second.
const REPORTED_AFTER: Duration = Duration::from_millis(1_500);

/// What it has done since it started.
#[derive(Clone, Copy)]
pub struct Cost {
    pub transactions: f64,
    /// Of WAL.
    pub bytes: f64,
    pub at: Instant,
}

impl Cost {
    pub async fn now(database: &Database) -> Self {
        let at = Instant::now();
        tokio::time::sleep(REPORTED_AFTER).await;
        let mut connection = database.connect("public").await;
        let cost = "select xact_commit::float8, (pg_current_wal_lsn() - '0/0')::float8
            from pg_stat_database where datname = current_database()";
        let row = sqlx::query(cost).fetch_one(&mut connection).await;
        let row = row.unwrap();
        Self {
            transactions: row.get(0),
            bytes: row.get(1),
            at,
        }
    }

    /// What it did a second until then.
    pub fn rate_until(&self, then: &Self) -> Rate {
        let seconds = (then.at - self.at).as_secs_f64();
        Rate {
            transactions: (then.transactions - self.transactions) / seconds,
            bytes: (then.bytes - self.bytes) / seconds,
        }
    }
}

/// What it did a second, or a logout.
#[derive(Clone, Copy)]
pub struct Rate {
    pub transactions: f64,
    pub bytes: f64,
}

impl Rate {
    pub fn less(self, other: Self) -> Self {
        Self {
            transactions: self.transactions - other.transactions,
            bytes: self.bytes - other.bytes,
        }
    }

    pub fn by(self, number: f64) -> Self {
        Self {
            transactions: self.transactions / number,
            bytes: self.bytes / number,
        }
    }
}
