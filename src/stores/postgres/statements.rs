//! The statements, prepared once per connection. `migrations/postgres` defines the tables and
//! `clef_now()`, the clock of the server.

/// Listed, since a prepared `select *` fails when a migration adds a column.
///
/// A cause counts only for the logout with its stamp. A node of an earlier version, or a statement by
/// hand, leaves the cause of an earlier one.
macro_rules! columns {
    () => {
        "clef_users.id, clef_users.issuer, clef_users.subject, clef_users.first_name,
         clef_users.last_name, clef_users.email, clef_users.phone_number,
         case when clef_users.verified_email = clef_users.email then true end as email_verified,
         clef_users.last_login_at, clef_users.logged_out_at,
         case when clef_users.logout_cause_at = clef_users.logged_out_at
            then clef_users.logout_cause
         end as logout_cause"
    };
}

pub(super) const NOW: &str = "select clef_now()";

/// One statement, so that two concurrent first logins create one user. Fields that the provider
/// omits are kept. An address that is too long for the index is not verified.
pub(super) const FIND_OR_CREATE: &str = concat!(
    "insert into clef_users
        (issuer, subject, first_name, last_name, email, phone_number, verified_email)
     values ($1, $2, $3, $4, $5, $6, case when $7 and octet_length($5) <= 1000 then $5 end)
     on conflict (issuer, subject) do update set
        first_name   = coalesce(excluded.first_name, clef_users.first_name),
        last_name    = coalesce(excluded.last_name, clef_users.last_name),
        email        = coalesce(excluded.email, clef_users.email),
        phone_number = coalesce(excluded.phone_number, clef_users.phone_number),
        verified_email = case
            when $7 is false or excluded.email is not null then excluded.verified_email
            else clef_users.verified_email
        end
     returning ",
    columns!()
);

pub(super) const LOAD: &str = concat!("select ", columns!(), " from clef_users where id = $1");

pub(super) const LOG_IN: &str = concat!(
    "update clef_users set last_login_at = greatest(last_login_at, clef_now())
     where id = $1
     returning ",
    columns!()
);

/// The user, every kind of revocation and the clock. Each revocation is one look-up in the primary key.
pub(super) const CHECK_LOGIN: &str = concat!(
    "select ",
    columns!(),
    ", exists (
        select from clef_revocations where kind = 'login' and issuer = '' and id = $2
     ) as revoked, greatest((
        select revoked_at from clef_revocations where kind = $3 and issuer = $4 and id = $5
     ), (
        select revoked_at from clef_revocations where kind = 'issuer' and issuer = $6 and id = ''
     ), (
        select revoked_at from clef_revocations where kind = 'everyone' and issuer = '' and id = ''
     )) as revoked_at, clef_now() as now
     from clef_users where id = $1"
);

/// `Timestamp::raised_above`, also above the last login.
///
/// The row is locked before the clock is read, and one reading is the stamp of the logout and of its
/// cause. A plain `update` reads the clock before it waits for the lock, and again only if the row has
/// changed.
macro_rules! stamped {
    ($condition:literal) => {
        concat!(
            "with locked as materialized (
                select id, logged_out_at, last_login_at from clef_users where ",
            $condition,
            " for no key update
             ),
             stamped as materialized (
                select id, greatest(
                    clef_now(), clef_after(greatest(logged_out_at, last_login_at))
                ) as stamp
                from locked
             ) "
        )
    };
}

macro_rules! log_out {
    ($condition:literal, $cause:literal) => {
        concat!(
            stamped!($condition),
            "update clef_users
             set logged_out_at = stamp, logout_cause = ",
            $cause,
            ", logout_cause_at = stamp
             from stamped where clef_users.id = stamped.id
             returning clef_users.id"
        )
    };
}

pub(super) const LOG_OUT: &str = log_out!("id = $1", "$2");

pub(super) const LOG_OUT_SUBJECT: &str = log_out!("issuer = $1 and subject = $2", "$3");

/// A logout, if the stamp of the login that stays is still later than the one before.
pub(super) const LOG_OUT_OTHERS: &str = concat!(
    stamped!("id = $1 and coalesce(logged_out_at < $2, true)"),
    "update clef_users
     set logged_out_at = stamp, last_login_at = clef_after(stamp),
        logout_cause = $3, logout_cause_at = stamp
     from stamped where clef_users.id = stamped.id
     returning clef_users.logged_out_at"
);

/// Like a logout of a user, but above the latest login of all users. Existing rows are locked
/// before the clock is read. It is read again for a row that another transaction has just written.
///
/// The keys have the collation of the table: two calls with the same keys lock old rows and insert new
/// ones in one order.
///
/// Some old rows are deleted: more than are added, but never so many that a logout takes long. Rows
/// of these keys are not, since a statement cannot change a row twice. Returns for [`Cleaning`] until
/// when all old rows are deleted.
///
/// [`Cleaning`]: super::cleaning::Cleaning
pub(super) const REVOKE: &str = "
    with clock as materialized (
        select clef_now() as now
    ),
    revoked as materialized (
        select distinct kind collate \"C\" as kind, issuer collate \"C\" as issuer, id collate \"C\" as id
        from unnest($1::text[], $2::text[], $3::text[]) as keys (kind, issuer, id)
    ),
    locked as materialized (
        select from clef_revocations where (kind, issuer, id) in (table revoked)
        order by kind, issuer, id for no key update
    ),
    old as materialized (
        select kind, issuer, id, keep_until from clef_revocations
        where keep_until >= $5 and keep_until < (select now from clock)
            and (kind, issuer, id) not in (table revoked)
        order by keep_until limit 100 for update skip locked
    ),
    removed as (
        delete from clef_revocations using old
        where clef_revocations.kind = old.kind
            and clef_revocations.issuer = old.issuer
            and clef_revocations.id = old.id
    ),
    latest as materialized (
        select max(last_login_at) as login from clef_users
    )
    insert into clef_revocations as earlier (kind, issuer, id, revoked_at, keep_until)
    select kind, issuer, id, greatest(clef_now(), clef_after(login)), $4
    from revoked cross join latest
    where (select count(*) from locked) >= 0
    order by kind, issuer, id
    on conflict (kind, issuer, id) do update set
        revoked_at = greatest(clef_now(), excluded.revoked_at, clef_after(earlier.revoked_at)),
        keep_until = greatest(excluded.keep_until, earlier.keep_until)
    returning (
        select case count(*) when 100 then max(keep_until) else (select now from clock) end from old
    )
";

pub(super) const REVOKED_AT: &str =
    "select revoked_at from clef_revocations where kind = $1 and issuer = $2 and id = $3";

/// Old rows are deleted as by [`REVOKE`].
pub(super) const NOTE_SESSION: &str = "
    with clock as materialized (
        select clef_now() as now
    ),
    old as materialized (
        select issuer, id, keep_until from clef_sessions
        where keep_until >= $5 and keep_until < (select now from clock)
            and (issuer, id) <> ($1, $2)
        order by keep_until limit 100 for update skip locked
    ),
    removed as (
        delete from clef_sessions using old
        where clef_sessions.issuer = old.issuer and clef_sessions.id = old.id
    )
    insert into clef_sessions as earlier (issuer, id, user_id, keep_until)
    values ($1, $2, $3, $4)
    on conflict (issuer, id) do update set
        user_id = excluded.user_id,
        keep_until = greatest(excluded.keep_until, earlier.keep_until)
    returning (
        select case count(*) when 100 then max(keep_until) else (select now from clock) end from old
    )
";

pub(super) const SESSION_USER: &str =
    "select user_id from clef_sessions where issuer = $1 and id = $2";

/// An address counts only while the user still has it. A node of an earlier version leaves one that has
/// changed.
pub(super) const USERS_OF_EMAIL: &str = "
    select id from clef_users
    where lower(verified_email collate \"C\") = lower($1 collate \"C\")
        and verified_email = email and issuer = $2
    order by id limit 101
";

/// Sets up a connection. A statement times out before its caller, so that no abandoned logout is
/// written late. `synchronous_commit` is never off, so that an acknowledged logout survives a power
/// failure, and never local, so that it survives on a synchronous standby too. Returns whether the server
/// is a standby, and whether it has only asynchronous ones: a role without more rights sees no more of
/// them than that they are there.
pub(super) const PREPARE: &str = "
    select
        set_config('statement_timeout', $1, false),
        set_config(
            'synchronous_commit',
            case
                when current_setting('synchronous_commit') in ('off', 'local') then 'on'
                else current_setting('synchronous_commit')
            end,
            false
        ),
        pg_is_in_recovery() as is_standby,
        current_setting('synchronous_standby_names') = ''
            and exists (select from pg_stat_replication) as loses_logouts
";
