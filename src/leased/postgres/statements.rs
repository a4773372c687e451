//! The statements of the bus. `migrations/postgres/0002_seats.sql` and `0003_bus_secret.sql` have
//! the tables.
//!
//! The channel of a site has the number of its table in its name, so the sites of one database,
//! each with tables in a schema of its own, do not receive each other's messages.

use std::time::Duration;

use sqlx::{Row as _, postgres::PgRow};

/// The channel of the site, and the secret of its messages.
pub(super) const SITE: &str =
    "select 'clef_logouts_' || 'clef_seats'::regclass::oid, secret from clef_bus_secret";

/// Before the lock: a machine that dies while it has it does not keep the others from their
/// heartbeats.
pub(super) const LET_GO: &str = "set local idle_in_transaction_session_timeout = '2s'";

/// Before a node joins: no other joins meanwhile.
pub(super) const LOCK: &str = "lock table clef_seats in share row exclusive mode";

/// Becomes a member, unless there is one with another lease.
pub(super) const JOIN: &str = "
    insert into clef_seats (seat, lease)
    select $1, $2 where not exists (select from clef_seats where lease <> $2)
";

/// Finds the own row still there, and notifies the channel of this node: if that does not arrive,
/// the messages of others do not either.
pub(super) const HEARTBEAT: &str = "
    update clef_seats set beat = beat + 1 where seat = $1
    returning pg_notify($2, $3)::text
";

pub(super) const MEMBERS: &str =
    "select seat, beat, lease from clef_seats order by seat limit 10000";

/// Ends the membership of a node whose heartbeat has stood still.
pub(super) const EVICT: &str = "delete from clef_seats where seat = $1 and beat = $2";

pub(super) const LEAVE: &str = "delete from clef_seats where seat = $1";

/// Publishes a logout, and gives the members as they are after it was written; one row of null
/// where there are none. All of them: one that is left out is one that is not waited for.
pub(super) const PUBLISH: &str = "
    with published as materialized (select pg_notify($1, $2))
    select clef_seats.seat, clef_seats.lease from published left join clef_seats on true
";

/// Acknowledges a logout on the channel of the node that has published it.
pub(super) const ACKNOWLEDGE: &str = "select pg_notify($1, $2)::text";

/// The lease of a member.
pub(super) fn lease(member: &PgRow) -> Result<Duration, sqlx::Error> {
    let micros: i64 = member.try_get("lease")?;
    Ok(Duration::from_micros(micros.max(0).unsigned_abs()))
}
