//! Built-in user stores: in memory for tests, in SQLite (feature `sqlite`) for a site on one
//! machine, in PostgreSQL (feature `postgres`) for a site on several.
//!
//! An application with its own users table implements [`UserStore`](crate::UserStore) for it. The
//! SQLite store is a complete example.

mod account;
mod memory;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::sync::Arc;

use self::account::read_id;
#[cfg(feature = "postgres")]
pub use self::postgres::PostgresUserStore;
#[cfg(feature = "sqlite")]
pub use self::sqlite::SqliteUserStore;
pub use self::{account::Account, memory::MemoryUserStore};
use crate::Timestamp;

/// A clock that tests can replace.
type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;
