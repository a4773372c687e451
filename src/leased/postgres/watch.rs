//! Taking seats away from nodes that are not heard of any more.

use std::time::Duration;

use sqlx::{PgPool, Row as _};
use tokio::time::{Instant, timeout};

use super::{
    CALL_LIMIT, SHORTEST_PAUSE,
    absent::{Absent, Row},
    seat::Place,
    statements,
};
use crate::BoxError;

/// Looks every lease, whether this node has a seat itself or not.
pub(super) async fn watch(place: &Place, pool: &PgPool, lease: Duration) -> Result<(), BoxError> {
    let mut absent = Absent::default();
    loop {
        let seats = sqlx::query(statements::SEATS).fetch_all(pool);
        let seats = timeout(CALL_LIMIT, seats).await??;
        // After the answer: the rows were so before.
        let seen_at = Instant::now();
        let mut rows = Vec::new();
        for seat in seats {
            rows.push(Row {
                seat: seat.try_get("seat")?,
                beat: seat.try_get("beat")?,
                lease: statements::lease(&seat)?,
            });
        }
        place.note_leases(rows.iter().map(|row| row.lease));
        for Row { seat, beat, .. } in absent.note(rows, seen_at) {
            // Unless it has beaten since.
            let take_away = sqlx::query(statements::TAKE_AWAY).bind(&seat).bind(beat);
            let taken = timeout(CALL_LIMIT, take_away.execute(pool)).await??;
            if taken.rows_affected() > 0 {
                tracing::warn!(
                    seat,
                    "a node was not heard of for three leases; its seat is taken away, so that \
                     logouts do not wait for it"
                );
            }
        }
        tokio::time::sleep(lease.max(SHORTEST_PAUSE)).await;
    }
}
