//! The failure detector: evicts members whose heartbeat has stopped.

use std::{collections::HashMap, mem, time::Duration};

use sqlx::{
    Row as _,
    postgres::{PgListener, PgRow},
};
use tokio::time::{Instant, timeout};

use super::limits::CALL_LIMIT;
use crate::BoxError;

/// A member is evicted if its heartbeat has not changed for this many leases. Two suffice for its
/// lease to be over with any allowed clock rates; the third tolerates a slow node.
const LEASES: u32 = 3;
/// A member with a very short lease is evicted after this time, since its heartbeats are not
/// faster.
const SHORTEST: Duration = Duration::from_secs(1);

const MEMBERS: &str =
    "select member, heartbeat, lease from clef_members order by member limit 10000";

/// Evicts a member, unless it has sent a heartbeat since.
const EVICT: &str = "delete from clef_members where member = $1 and heartbeat = $2";

/// A member in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MemberRow {
    name: String,
    heartbeat: i64,
    lease: Duration,
}

/// The lease of a member.
fn member_lease(member: &PgRow) -> Result<Duration, sqlx::Error> {
    let micros: i64 = member.try_get("lease")?;
    Ok(Duration::from_micros(micros.max(0).unsigned_abs()))
}

/// The last heartbeat of each member, and since when it is unchanged.
#[derive(Default)]
pub(super) struct FailureDetector(HashMap<String, (i64, Instant)>);

impl FailureDetector {
    /// Records the members and returns those that have failed. `seen_at` is after the query.
    pub(super) fn record(&mut self, rows: Vec<MemberRow>, seen_at: Instant) -> Vec<MemberRow> {
        let mut known = mem::take(&mut self.0);
        let mut failed = Vec::new();
        for row in rows {
            let since = match known.remove(&row.name) {
                Some((heartbeat, since)) if heartbeat == row.heartbeat => since,
                _ => seen_at,
            };
            self.0.insert(row.name.clone(), (row.heartbeat, since));
            if seen_at.duration_since(since) >= (row.lease * LEASES).max(SHORTEST) {
                failed.push(row);
            }
        }
        failed
    }

    /// Evicts failed members. Called once per lease, whether this node is a member or not.
    ///
    /// Each call has the same connection: a server that lost heartbeats in a crash has ended it, and
    /// with it what was seen of them.
    pub(super) async fn evict_failed(
        &mut self,
        connection: &mut PgListener,
    ) -> Result<(), BoxError> {
        let members = sqlx::query(MEMBERS).fetch_all(&mut *connection);
        let members = timeout(CALL_LIMIT, members).await??;
        let seen_at = Instant::now();
        let mut rows = Vec::new();
        for member in members {
            rows.push(MemberRow {
                name: member.try_get("member")?,
                heartbeat: member.try_get("heartbeat")?,
                lease: member_lease(&member)?,
            });
        }
        for MemberRow {
            name, heartbeat, ..
        } in self.record(rows, seen_at)
        {
            let evict = sqlx::query(EVICT).bind(&name).bind(heartbeat);
            let evicted = timeout(CALL_LIMIT, evict.execute(&mut *connection)).await??;
            if evicted.rows_affected() > 0 {
                tracing::warn!(
                    member = name,
                    "a node has sent no heartbeat for three leases; it is evicted, so that logouts \
                     do not wait for it"
                );
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_fails_after_three_leases_without_a_heartbeat() {
        let start = Instant::now();
        let mut detector = FailureDetector::default();
        let row = |name: &str, heartbeat| MemberRow {
            name: name.to_owned(),
            heartbeat,
            lease: Duration::from_secs(1),
        };
        let mut record = |millis: u64, heartbeats: [i64; 2]| {
            let rows = vec![row("a", heartbeats[0]), row("b", heartbeats[1])];
            detector.record(rows, start + Duration::from_millis(millis))
        };
        assert_eq!(record(0, [5, 0]), []);
        assert_eq!(record(2_999, [5, 1]), []);
        assert_eq!(record(3_000, [5, 1]), [row("a", 5)]);
        assert_eq!(record(3_100, [6, 1]), [], "it is back");
        assert_eq!(record(6_099, [6, 2]), []);
        assert_eq!(record(6_100, [6, 2]), [row("a", 6)]);
    }

    #[test]
    fn a_member_with_a_very_short_lease_has_time_for_a_heartbeat() {
        let start = Instant::now();
        let mut detector = FailureDetector::default();
        for (millis, has_failed) in [(0, false), (999, false), (1_000, true)] {
            let row = MemberRow {
                name: "a".to_owned(),
                heartbeat: 5,
                lease: Duration::from_millis(1),
            };
            let seen_at = start + Duration::from_millis(millis);
            let failed = detector.record(vec![row], seen_at);
            assert_eq!(!failed.is_empty(), has_failed, "{millis}");
        }
    }
}
