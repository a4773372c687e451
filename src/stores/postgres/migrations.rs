//! Creating and updating the tables.

use sqlx::{Executor as _, PgPool};

/// The files in order. Each records its version in `clef_migrations`.
///
/// Not the migrator of sqlx: it has one table of versions per database and rejects unknown entries,
/// so an application could not use it beside this store.
const MIGRATIONS: [(i32, &str); 6] = [
    (
        1,
        include_str!("../../../migrations/postgres/0001_users.sql"),
    ),
    (
        2,
        include_str!("../../../migrations/postgres/0002_members.sql"),
    ),
    (
        3,
        include_str!("../../../migrations/postgres/0003_bus_secret.sql"),
    ),
    (
        4,
        include_str!("../../../migrations/postgres/0004_sessions.sql"),
    ),
    (
        5,
        include_str!("../../../migrations/postgres/0005_logout_causes.sql"),
    ),
    (
        6,
        include_str!("../../../migrations/postgres/0006_verified_emails.sql"),
    ),
];

/// The advisory lock for nodes that start at once: "clef" in ASCII.
const MIGRATION_LOCK: i64 = 0x636c_6566;

/// Applies the missing files, in one transaction.
pub(super) async fn apply(pool: &PgPool) -> Result<(), sqlx::Error> {
    let mut transaction = pool.begin().await?;
    // Another node or the creation of an index may take long.
    sqlx::query("set local statement_timeout = 0")
        .execute(&mut *transaction)
        .await?;
    sqlx::query("select pg_advisory_xact_lock($1)")
        .bind(MIGRATION_LOCK)
        .execute(&mut *transaction)
        .await?;
    let exists: bool = sqlx::query_scalar("select to_regclass('clef_migrations') is not null")
        .fetch_one(&mut *transaction)
        .await?;
    let applied: Vec<i32> = if exists {
        sqlx::query_scalar("select version from clef_migrations")
            .fetch_all(&mut *transaction)
            .await?
    } else {
        Vec::new()
    };
    for (version, file) in MIGRATIONS {
        if !applied.contains(&version) {
            transaction.execute(file).await?;
        }
    }
    transaction.commit().await
}
