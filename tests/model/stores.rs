//! Where users and logins are kept.

use std::{env, time::Duration};

use axum_clef::{
    leased::Leased,
    stores::{MemoryUserStore, PostgresUserStore},
};
use test_support::Database;
use tower_sessions_redis_store::fred::{
    interfaces::ClientLike as _,
    prelude::{Config, Pool},
};
use tower_sessions_sqlx_store::PostgresStore;

/// Most session stores upsert when they save, so a record that was deleted comes back with a renewal
/// that still had it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stores {
    Memory,
    /// Users in memory, and logins sealed in cookies.
    Sealed,
    Sqlite,
    /// Users in PostgreSQL, and logins in Redis.
    Postgres,
    /// The same, and every node keeps what it reads for a lease.
    LeasedMemory,
    LeasedSqlite,
    /// Users and logins in PostgreSQL, and the bus too.
    LeasedPostgres,
}

impl Stores {
    /// Whether a call takes real time, and does not end at once.
    pub fn take_time(self) -> bool {
        !matches!(self, Self::Memory | Self::Sealed | Self::LeasedMemory)
    }

    pub fn are_leased(self) -> bool {
        self.lease().is_some()
    }

    pub fn lease(self) -> Option<Duration> {
        match self {
            Self::Memory | Self::Sealed | Self::Sqlite | Self::Postgres => None,
            Self::LeasedMemory | Self::LeasedSqlite => Some(Duration::from_millis(500)),
            // A node that is no member any more waits for the longest, however short its own is.
            Self::LeasedPostgres => Some(Leased::<MemoryUserStore>::LONGEST_LEASE),
        }
    }

    /// Longer than a request waits for its logout, in seconds.
    pub fn patience(self) -> u64 {
        match self {
            Self::LeasedPostgres => 10,
            _ => 3,
        }
    }
}

/// Connections to Redis.
pub async fn redis() -> Pool {
    let url = env::var("REDIS_URL")
        .expect("REDIS_URL is not set: write it like redis://127.0.0.1:6379, or run .ci/run");
    let pool = Pool::new(Config::from_url(&url).unwrap(), None, None, None, 2).unwrap();
    let connected = pool.init().await;
    connected.expect("the Redis server of REDIS_URL answers");
    pool
}

/// Sessions in the schema of the users.
pub async fn postgres_sessions(users: &PostgresUserStore, database: &Database) -> PostgresStore {
    let sessions = PostgresStore::new(users.pool().clone());
    let sessions = sessions.with_schema_name(&database.schema).unwrap();
    sessions.migrate().await.unwrap();
    sessions
}
