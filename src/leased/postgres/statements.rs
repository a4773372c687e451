//! What the bus says to PostgreSQL. `migrations/postgres/0002_seats.sql` has the table.
//!
//! The channel has the number of the table in its name, so the sites of one database, each with a
//! table in a schema of its own, do not hear each other.

use std::time::Duration;

use sqlx::{Row as _, postgres::PgRow};

/// The channels to listen at: the site's, and this node's own.
pub(super) const CHANNELS: &str =
    "select 'clef_logouts_' || 'clef_seats'::regclass::oid, 'clef_node_' || $1";

/// Before the lock: a machine that dies while it has it does not keep the others from beating.
pub(super) const LET_GO: &str = "set local idle_in_transaction_session_timeout = '2s'";

/// Before a seat is taken: nobody else takes one meanwhile.
pub(super) const LOCK: &str = "lock table clef_seats in share row exclusive mode";

/// Takes a seat, unless somebody sits there with another lease.
pub(super) const TAKE_SEAT: &str = "
    insert into clef_seats (seat, lease)
    select $1, $2 where not exists (select from clef_seats where lease <> $2)
";

/// Finds the own seat still there, and tells this node so over its own channel: if it does not hear
/// that, it does not hear the others either.
pub(super) const BEAT: &str = "
    update clef_seats set beat = beat + 1 where seat = $1
    returning pg_notify('clef_node_' || $2, 'beat')::text
";

pub(super) const SEATS: &str = "select seat, beat, lease from clef_seats order by seat limit 10000";

/// Takes a seat away from whoever has not been heard of since that beat.
pub(super) const TAKE_AWAY: &str = "delete from clef_seats where seat = $1 and beat = $2";

pub(super) const LEAVE: &str = "delete from clef_seats where seat = $1";

/// Tells of a logout, and gives the seats as they are after it was written; one row of null where
/// there are none. All of them: one that is left out is one that is not waited for.
pub(super) const TELL: &str = "
    with told as materialized (
        select pg_notify('clef_logouts_' || 'clef_seats'::regclass::oid, $1)
    )
    select clef_seats.seat, clef_seats.lease from told left join clef_seats on true
";

/// Tells the node that has told a logout that it has arrived here.
pub(super) const HEARD: &str = "select pg_notify('clef_node_' || $1, $2)::text";

/// The lease of a seat.
pub(super) fn lease(seat: &PgRow) -> Result<Duration, sqlx::Error> {
    let micros: i64 = seat.try_get("lease")?;
    Ok(Duration::from_micros(micros.max(0).unsigned_abs()))
}
