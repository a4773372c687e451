//! Ready user stores: in memory for tests and trials, in SQLite (feature `sqlite`) for a
//! site on one machine, in PostgreSQL (feature `postgres`) for a site on several.
//!
//! An application with a users table of its own implements [`UserStore`](crate::UserStore)
//! for it; the SQLite store shows how.

mod account;
mod memory;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::sync::Arc;

#[cfg(feature = "postgres")]
pub use self::postgres::PostgresUserStore;
#[cfg(feature = "sqlite")]
pub use self::sqlite::SqliteUserStore;
pub use self::{account::Account, memory::MemoryUserStore};
use crate::Timestamp;

/// A clock that a test can hold still.
type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;
