//! The tables, in files that an operator can read, and what applies them.
//!
//! sqlx has a migrator too. Its notes are in one table for all who use it, under plain numbers,
//! and it refuses a database in which somebody else has made notes: an application could not
//! use it beside this store.

use sqlx::{Executor as _, PgPool};

/// The files, in their order. Each notes its own number in `clef_migrations`.
const FILES: [(i32, &str); 3] = [
    (
        1,
        include_str!("../../../migrations/postgres/0001_users.sql"),
    ),
    (
        2,
        include_str!("../../../migrations/postgres/0002_seats.sql"),
    ),
    (
        3,
        include_str!("../../../migrations/postgres/0003_bus_secret.sql"),
    ),
];

/// The lock at which nodes that start at once wait for each other, one for the whole database:
/// "clef" in ASCII, as it takes a number.
const LOCK: i64 = 0x636c_6566;

/// Applies the files that are missing, all of them or none.
pub(super) async fn migrate(pool: &PgPool) -> Result<(), sqlx::Error> {
    let mut transaction = pool.begin().await?;
    // Another node may take its time, and so may an index.
    sqlx::query("set local statement_timeout = 0")
        .execute(&mut *transaction)
        .await?;
    sqlx::query("select pg_advisory_xact_lock($1)")
        .bind(LOCK)
        .execute(&mut *transaction)
        .await?;
    let begun: bool = sqlx::query_scalar("select to_regclass('clef_migrations') is not null")
        .fetch_one(&mut *transaction)
        .await?;
    let applied: Vec<i32> = if begun {
        sqlx::query_scalar("select version from clef_migrations")
            .fetch_all(&mut *transaction)
            .await?
    } else {
        Vec::new()
    };
    for (version, file) in FILES {
        if !applied.contains(&version) {
            transaction.execute(file).await?;
        }
    }
    transaction.commit().await
}
