//! One statement a method, prepared once for each connection. `clef_now()` is the clock of the
//! server; `migrations/postgres` has it, and the tables.

/// By name, as a statement that is prepared fails when a `*` comes to mean something else.
macro_rules! columns {
    () => {
        "clef_users.id, clef_users.issuer, clef_users.subject, clef_users.first_name,
         clef_users.last_name, clef_users.email, clef_users.phone_number,
         clef_users.last_login_at, clef_users.logged_out_at"
    };
}

pub(super) const NOW: &str = "select clef_now()";

/// Finds or creates in one statement, so that two first logins at once make one user. What
/// the provider does not tell this time stays as it was.
pub(super) const LOG_IN: &str = concat!(
    "insert into clef_users
        (issuer, subject, first_name, last_name, email, phone_number, last_login_at)
     values ($1, $2, $3, $4, $5, $6, clef_now())
     on conflict (issuer, subject) do update set
        first_name    = coalesce(excluded.first_name, clef_users.first_name),
        last_name     = coalesce(excluded.last_name, clef_users.last_name),
        email         = coalesce(excluded.email, clef_users.email),
        phone_number  = coalesce(excluded.phone_number, clef_users.phone_number),
        last_login_at = greatest(excluded.last_login_at, clef_users.last_login_at)
     returning ",
    columns!()
);

pub(super) const LOAD: &str = concat!("select ", columns!(), " from clef_users where id = $1");

/// The user and the clock, for a login that belongs to no session at a provider.
pub(super) const STANDING: &str = concat!(
    "select ",
    columns!(),
    ", null::bigint as session_logged_out_at, clef_now() as now from clef_users where id = $1"
);

/// The user, the session at the provider and the clock.
pub(super) const STANDING_IN_SESSION: &str = concat!(
    "select ",
    columns!(),
    ", (
        select ended.logged_out_at from clef_provider_sessions as ended
        where ended.issuer = $2 and ended.session = $3
     ) as session_logged_out_at, clef_now() as now from clef_users where id = $1"
);

/// The rule of `Timestamp::raised_above`: it only rises, and above the last login too. (The
/// `least` keeps the largest number from having one above it.)
///
/// First the row is locked, and then the clock is read. An `update` alone would read it before
/// it waits, and read it anew only if whoever had the lock has changed the row.
pub(super) const LOG_OUT: &str = "
    with locked as materialized (
        select id from clef_users where issuer = $1 and subject = $2 for no key update
    )
    update clef_users set logged_out_at = greatest(
        clef_now(),
        least(greatest(logged_out_at, last_login_at), 9223372036854775806) + 1
    )
    from locked where clef_users.id = locked.id
";

/// As a user's, above the latest login of all, for a session may be anybody's. The clock is read
/// again where somebody else has written the row, as that is after the wait for them.
///
/// Some of those that were kept long enough are forgotten: never so many that a logout takes
/// long, and more than come. Not the session itself, as no statement may change a row twice.
pub(super) const LOG_OUT_SESSION: &str = "
    with old as materialized (
        select issuer, session from clef_provider_sessions
        where logged_out_at < (select clef_now()) - $3 and (issuer, session) <> ($1, $2)
        order by logged_out_at limit 100 for update skip locked
    ),
    forgotten as (
        delete from clef_provider_sessions as kept using old
        where kept.issuer = old.issuer and kept.session = old.session
    ),
    latest as materialized (
        select max(last_login_at) as login from clef_users
    )
    insert into clef_provider_sessions as ended (issuer, session, logged_out_at)
    select $1, $2, greatest(
        clef_now(),
        case when login is not null then least(login, 9223372036854775806) + 1 end
    ) from latest
    on conflict (issuer, session) do update set logged_out_at = greatest(
        clef_now(),
        excluded.logged_out_at,
        least(ended.logged_out_at, 9223372036854775806) + 1
    )
";

pub(super) const SESSION_LOGGED_OUT_AT: &str =
    "select logged_out_at from clef_provider_sessions where issuer = $1 and session = $2";

/// What each connection is told at its start: to give up before the node does that waits for it,
/// so that no logout is written that nobody waits for any more; and to tell of no logout that a
/// power cut can still take back. Gives whether the server is a standby, which lags behind.
pub(super) const PREPARE: &str = "
    select
        set_config('statement_timeout', $1, false),
        set_config(
            'synchronous_commit',
            case current_setting('synchronous_commit')
                when 'off' then 'on'
                else current_setting('synchronous_commit')
            end,
            false
        ),
        pg_is_in_recovery() as is_standby
";
