//! The tables, however they come.

use axum_clef::{IdentityStore as _, Profile, Subject, stores::PostgresUserStore};
use test_support::Database;
use tokio::task::JoinSet;

/// Opens the store without its tables.
async fn without_tables(database: &Database) -> PostgresUserStore {
    PostgresUserStore::connect(database.url().as_str())
        .await
        .unwrap()
}

async fn works(store: &PostgresUserStore) {
    let profile = Profile::new(Subject::new("https://clef.test", "12345"));
    assert!(store.find_or_create(&profile).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn nodes_that_start_at_once_make_the_tables_once() {
    let database = Database::create().await;
    let mut nodes = JoinSet::new();
    for _ in 0..8 {
        let store = without_tables(&database).await;
        nodes.spawn(async move {
            store.migrate().await.unwrap();
            works(&store).await;
        });
    }
    while let Some(node) = nodes.join_next().await {
        node.unwrap();
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_file_that_was_applied_by_hand_is_not_applied_again() {
    let database = Database::create().await;
    let store = without_tables(&database).await;
    let file = include_str!("../../migrations/postgres/0001_users.sql");
    sqlx::raw_sql(file).execute(store.pool()).await.unwrap();
    store.migrate().await.unwrap();
    store.migrate().await.unwrap();
    works(&store).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_migration_that_fails_leaves_the_database_as_it_was() {
    let database = Database::create().await;
    let store = without_tables(&database).await;
    let in_the_way = sqlx::raw_sql("create table clef_revocations (x int)");
    in_the_way.execute(store.pool()).await.unwrap();
    assert!(store.migrate().await.is_err());
    let out_of_the_way = sqlx::raw_sql("drop table clef_revocations");
    out_of_the_way.execute(store.pool()).await.unwrap();
    store.migrate().await.unwrap();
    works(&store).await;
}
