//! How long the bus waits for PostgreSQL.

use std::time::Duration;

/// How long one statement may take.
pub(super) const CALL_LIMIT: Duration = Duration::from_secs(5);
/// The shortest pause between two heartbeats.
pub(super) const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
