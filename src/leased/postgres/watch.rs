//! Evicting members whose heartbeat has stopped.

use std::time::Duration;

use sqlx::{PgPool, Row as _};
use tokio::time::{Instant, timeout};

use super::{
    CALL_LIMIT, SHORTEST_PAUSE,
    absent::{Absent, Row},
    membership::MembershipState,
    statements,
};
use crate::BoxError;

/// Looks every lease, whether this node is a member itself or not.
pub(super) async fn watch(
    state: &MembershipState,
    pool: &PgPool,
    lease: Duration,
) -> Result<(), BoxError> {
    let mut absent = Absent::default();
    loop {
        let members = sqlx::query(statements::MEMBERS).fetch_all(pool);
        let members = timeout(CALL_LIMIT, members).await??;
        // After the answer: the rows were so before.
        let seen_at = Instant::now();
        let mut rows = Vec::new();
        for member in members {
            rows.push(Row {
                seat: member.try_get("seat")?,
                beat: member.try_get("beat")?,
                lease: statements::lease(&member)?,
            });
        }
        state.note_leases(rows.iter().map(|row| row.lease));
        for Row { seat, beat, .. } in absent.note(rows, seen_at) {
            // Unless it has beaten since.
            let evict = sqlx::query(statements::EVICT).bind(&seat).bind(beat);
            let evicted = timeout(CALL_LIMIT, evict.execute(pool)).await??;
            if evicted.rows_affected() > 0 {
                tracing::warn!(
                    seat,
                    "the heartbeat of a node has stood still for three leases; its membership is \
                     ended, so that logouts do not wait for it"
                );
            }
        }
        tokio::time::sleep(lease.max(SHORTEST_PAUSE)).await;
    }
}
