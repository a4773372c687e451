//! Who or what caused the latest logout of a user, in SQLite.
//!
//! In a table of its own, since a process of an earlier version reads every column of `clef_users`: it
//! would fail once there is another.

use sqlx::SqliteConnection;

use crate::{LogoutCause, stores::cause_column};

/// A cause counts only for the logout with its stamp. A process of an earlier version, or a statement by
/// hand, leaves the cause of an earlier one.
pub(super) const TABLE: &str = "
    create table if not exists clef_logout_causes (
        user_id       integer primary key,
        logged_out_at integer not null,
        cause         text not null
    ) strict
";

/// The columns of a user, with those of the other tables. Listed, since a prepared `select *` of sqlx fails once another
/// process has added a column.
macro_rules! user_columns {
    () => {
        "clef_users.id, clef_users.issuer, clef_users.subject, clef_users.first_name,
         clef_users.last_name, clef_users.email, clef_users.phone_number, (
            select true from clef_verified_emails
            where user_id = clef_users.id and email = clef_users.email
         ) as email_verified,
         clef_users.last_login_at, clef_users.logged_out_at, (
            select cause from clef_logout_causes
            where user_id = clef_users.id and logged_out_at = clef_users.logged_out_at
         ) as logout_cause"
    };
}
pub(super) use user_columns;

const KEEP: &str = "
    insert into clef_logout_causes (user_id, logged_out_at, cause) values (?, ?, ?)
    on conflict (user_id) do update set
        logged_out_at = excluded.logged_out_at, cause = excluded.cause
";

/// Keeps the cause of a logout, in its transaction.
pub(super) async fn keep(
    connection: &mut SqliteConnection,
    user_id: i64,
    logged_out_at: i64,
    cause: &LogoutCause,
) -> Result<(), sqlx::Error> {
    let Some(cause) = cause_column(cause) else {
        return Ok(());
    };
    sqlx::query(KEEP)
        .bind(user_id)
        .bind(logged_out_at)
        .bind(cause)
        .execute(connection)
        .await?;
    Ok(())
}
