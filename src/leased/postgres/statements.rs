//! The statements of the bus. `migrations/postgres/0002_members.sql` and `0003_bus_secret.sql`
//! define the tables.
//!
//! The channel name contains the oid of the table, so several sites in one database, each with its
//! own schema, do not receive each other's messages.

use std::time::Duration;

use sqlx::{Row as _, postgres::PgRow};

/// The channel of the site, and the secret of its messages.
pub(super) const SITE: &str =
    "select 'clef_logouts_' || 'clef_members'::regclass::oid, secret from clef_bus_secret";

/// Set before the lock, so that a machine that crashes with it does not block the heartbeats of
/// others.
pub(super) const IDLE_TIMEOUT: &str = "set local idle_in_transaction_session_timeout = '2s'";

/// Taken to join, so that no other node joins at the same time.
pub(super) const LOCK: &str = "lock table clef_members in share row exclusive mode";

/// Joins, unless a member has another lease.
pub(super) const JOIN: &str = "
    insert into clef_members (member, lease)
    select $1, $2 where not exists (select from clef_members where lease <> $2)
";

/// Updates the row of this node and notifies its channel: if that does not arrive, other messages
/// do not either.
pub(super) const HEARTBEAT: &str = "
    update clef_members set heartbeat = heartbeat + 1 where member = $1
    returning pg_notify($2, $3)::text
";

pub(super) const MEMBERS: &str =
    "select member, heartbeat, lease from clef_members order by member limit 10000";

/// Evicts a member, unless it has sent a heartbeat since.
pub(super) const EVICT: &str = "delete from clef_members where member = $1 and heartbeat = $2";

pub(super) const LEAVE: &str = "delete from clef_members where member = $1";

/// Publishes a logout and returns all members after its write, or one row of nulls without members.
/// It has no limit, since a logout does not wait for a member that is missing here.
pub(super) const PUBLISH: &str = "
    with published as materialized (select pg_notify($1, $2))
    select clef_members.member, clef_members.lease from published left join clef_members on true
";

/// Acknowledges a logout on the channel of its publisher.
pub(super) const ACKNOWLEDGE: &str = "select pg_notify($1, $2)::text";

/// The lease of a member.
pub(super) fn lease(member: &PgRow) -> Result<Duration, sqlx::Error> {
    let micros: i64 = member.try_get("lease")?;
    Ok(Duration::from_micros(micros.max(0).unsigned_abs()))
}
