//! The statements, but for those of the tables beside `clef_users` and `clef_revocations`.

use super::logout_causes::user_columns;

/// `logged_out_at` and `last_login_at` are microseconds since the Unix epoch. A logout is written
/// above the last login, so a clock that steps back does no harm. `autoincrement` never reuses the
/// id of a deleted user, which logins may still carry.
pub(super) const USERS: &str = "
    create table if not exists clef_users (
        id            integer primary key autoincrement,
        issuer        text not null,
        subject       text not null,
        first_name    text,
        last_name     text,
        email         text,
        phone_number  text,
        last_login_at integer,
        logged_out_at integer,
        unique (issuer, subject)
    ) strict
";

/// Logouts of single logins, of a provider's and of all, each kept until those logins have ended
/// anyway.
pub(super) const REVOCATIONS: &str = "
    create table if not exists clef_revocations (
        kind       text not null,
        issuer     text not null,
        id         text not null,
        revoked_at integer not null,
        keep_until integer not null,
        primary key (kind, issuer, id)
    ) strict, without rowid
";

/// For the latest login of all users, above which a revocation is written, for old revocations, and for
/// [`LATEST`].
pub(super) const INDEXES: [&str; 4] = [
    "create index if not exists clef_users_last_login_at on clef_users (last_login_at)",
    "create index if not exists clef_users_logged_out_at on clef_users (logged_out_at)",
    "create index if not exists clef_revocations_keep_until on clef_revocations (keep_until)",
    "create index if not exists clef_revocations_revoked_at on clef_revocations (revoked_at)",
];

/// One statement, so that two concurrent first logins create one user. Fields that the provider
/// omits are kept.
pub(super) const FIND_OR_CREATE: &str = "
    insert into clef_users (issuer, subject, first_name, last_name, email, phone_number)
    values (?, ?, ?, ?, ?, ?)
    on conflict (issuer, subject) do update set
        first_name   = coalesce(excluded.first_name, first_name),
        last_name    = coalesce(excluded.last_name, last_name),
        email        = coalesce(excluded.email, email),
        phone_number = coalesce(excluded.phone_number, phone_number)
    returning id
";

pub(super) const LOAD: &str = concat!("select ", user_columns!(), " from clef_users where id = ?");

pub(super) const LOG_IN: &str = concat!(
    "update clef_users set last_login_at = max(?1, coalesce(last_login_at, ?1))
     where id = ?2
     returning ",
    user_columns!()
);

/// `Timestamp::raised_above`, also above the last login. The inner `min` avoids that SQLite
/// converts the largest integer to a floating-point number.
macro_rules! logged_out_at {
    () => {
        "max(?1, coalesce(min(max(
            coalesce(logged_out_at, last_login_at), coalesce(last_login_at, logged_out_at)
         ), 9223372036854775806) + 1, ?1))"
    };
}

macro_rules! log_out {
    ($condition:literal) => {
        concat!(
            "update clef_users set logged_out_at = ",
            logged_out_at!(),
            " where ",
            $condition,
            " returning id, logged_out_at"
        )
    };
}

pub(super) const LOG_OUT: &str = log_out!("id = ?2");

pub(super) const LOG_OUT_SUBJECT: &str = log_out!("issuer = ?2 and subject = ?3");

/// Both columns are set from the row as it was.
pub(super) const LOG_OUT_OTHERS: &str = concat!(
    "update clef_users set logged_out_at = ",
    logged_out_at!(),
    ", last_login_at = min(",
    logged_out_at!(),
    ", 9223372036854775806) + 1
     where id = ?2 and coalesce(logged_out_at < ?3, true)
     returning id, logged_out_at"
);

/// The user and every kind of revocation in one snapshot. Each is one look-up in the primary key.
pub(super) const CHECK_LOGIN: &str = concat!(
    "select ",
    user_columns!(),
    ",
        exists (
            select 1 from clef_revocations where kind = 'login' and issuer = '' and id = ?2
        ) as revoked,
        (
            select max(revoked_at) from (
                select revoked_at from clef_revocations
                where kind = ?3 and issuer = ?4 and id = ?5
                union all
                select revoked_at from clef_revocations
                where kind = 'issuer' and issuer = ?6 and id = ''
                union all
                select revoked_at from clef_revocations
                where kind = 'everyone' and issuer = '' and id = ''
            )
        ) as revoked_at
    from clef_users where id = ?1"
);

/// Like a logout of a user, but above the latest login of all users.
pub(super) const REVOKE: &str = "
    insert into clef_revocations (kind, issuer, id, revoked_at, keep_until)
    values (
        ?2, ?3, ?4,
        max(?1, coalesce(min((select max(last_login_at) from clef_users), 9223372036854775806) + 1, ?1)),
        ?5
    )
    on conflict (kind, issuer, id) do update set
        revoked_at = max(excluded.revoked_at, min(revoked_at, 9223372036854775806) + 1),
        keep_until = max(excluded.keep_until, keep_until)
";

/// Removes more than a call adds, but never so many that a logout takes long.
pub(super) const REMOVE_OLD: &str = "
    delete from clef_revocations where (kind, issuer, id) in (
        select kind, issuer, id from clef_revocations where keep_until < ?
        order by keep_until limit 100
    )
";

pub(super) const REVOKED_AT: &str =
    "select revoked_at from clef_revocations where kind = ? and issuer = ? and id = ?";

/// A write without an effect, which takes the write lock.
pub(super) const LOCK: &str = "update clef_users set id = id where false";

/// The latest time in the tables that a clock can have shown. An administrator may have written one
/// far in the future to lock a user out. Each `max` reads one entry of an index.
pub(super) const LATEST: &str = "
    select max(moment) from (
        select max(last_login_at) as moment from clef_users where last_login_at <= ?1
        union all
        select max(logged_out_at) from clef_users where logged_out_at <= ?1
        union all
        select max(revoked_at) from clef_revocations where revoked_at <= ?1
    )
";
