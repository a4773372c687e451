//! The e-mail addresses that a provider has verified, in SQLite: for notices that name a user by one.
//!
//! In a table of its own, since a process of an earlier version reads every column of `clef_users`.

use sqlx::{SqliteConnection, SqlitePool};

use crate::Profile;

/// The table, and an index for its addresses. `nocase` folds ASCII alone.
pub(super) const TABLE: [&str; 2] = [
    "
    create table if not exists clef_verified_emails (
        user_id integer primary key,
        email   text not null collate nocase
    ) strict
    ",
    "create index if not exists clef_verified_emails_email on clef_verified_emails (email)",
];

const KEEP: &str = "
    insert into clef_verified_emails (user_id, email) values (?, ?)
    on conflict (user_id) do update set email = excluded.email
";

const FORGET: &str = "delete from clef_verified_emails where user_id = ?";

/// An address counts only while the user still has it. A process of an earlier version leaves one that
/// has changed.
const USERS: &str = "
    select clef_users.id from clef_verified_emails as verified
    join clef_users on clef_users.id = verified.user_id and clef_users.email = verified.email
    where verified.email = ? and clef_users.issuer = ?
    order by clef_users.id limit 101
";

/// Keeps whether the address of a user is verified, in the transaction that keeps the address.
pub(super) async fn keep(
    connection: &mut SqliteConnection,
    user_id: i64,
    profile: &Profile,
) -> Result<(), sqlx::Error> {
    let statement = match (&profile.email, profile.email_verified) {
        (Some(email), Some(true)) => sqlx::query(KEEP).bind(user_id).bind(email),
        // An address that the provider omits is kept as it is.
        (None, None | Some(true)) => return Ok(()),
        _ => sqlx::query(FORGET).bind(user_id),
    };
    statement.execute(connection).await?;
    Ok(())
}

/// The users of a provider with this address.
pub(super) async fn users(
    pool: &SqlitePool,
    issuer: &str,
    email: &str,
) -> Result<Vec<i64>, sqlx::Error> {
    let users = sqlx::query_scalar(USERS).bind(email).bind(issuer);
    users.fetch_all(pool).await
}
