//! Whose session at a provider it is, in SQLite: for notices that end all logins of its user.

use sqlx::{SqliteConnection, SqlitePool};

use crate::{ProviderSession, Timestamp};

/// The table, and an index for old sessions.
pub(super) const TABLE: [&str; 2] = [
    "
    create table if not exists clef_sessions (
        issuer     text not null,
        id         text not null,
        user_id    text not null,
        keep_until integer not null,
        primary key (issuer, id)
    ) strict, without rowid
    ",
    "create index if not exists clef_sessions_keep_until on clef_sessions (keep_until)",
];

const NOTE: &str = "
    insert into clef_sessions (issuer, id, user_id, keep_until) values (?, ?, ?, ?)
    on conflict (issuer, id) do update set
        user_id = excluded.user_id, keep_until = max(excluded.keep_until, keep_until)
";

/// Removes more than a call adds, but never so many that a login takes long.
const REMOVE_OLD: &str = "
    delete from clef_sessions where (issuer, id) in (
        select issuer, id from clef_sessions where keep_until < ? order by keep_until limit 100
    )
";

const USER: &str = "select user_id from clef_sessions where issuer = ? and id = ?";

/// Notes the user of a session, and removes old sessions.
pub(super) async fn note(
    connection: &mut SqliteConnection,
    session: &ProviderSession,
    user_id: &str,
    keep_until: Timestamp,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query(NOTE)
        .bind(session.issuer())
        .bind(session.id())
        .bind(user_id)
        .bind(keep_until.as_micros())
        .execute(&mut *connection)
        .await?;
    let remove_old = sqlx::query(REMOVE_OLD).bind(now.as_micros());
    remove_old.execute(connection).await?;
    Ok(())
}

/// The user of a session, if one is noted.
pub(super) async fn user(
    pool: &SqlitePool,
    session: &ProviderSession,
) -> Result<Option<String>, sqlx::Error> {
    let user = sqlx::query_scalar(USER)
        .bind(session.issuer())
        .bind(session.id());
    user.fetch_optional(pool).await
}
