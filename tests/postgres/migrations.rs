//! The tables, however they come.

use axum_clef::{
    IdentityStore as _, LogoutCause, Profile, Subject, User as _, UserStore as _,
    stores::PostgresUserStore,
};
use sqlx::Connection as _;
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

/// A row and a logout as a node of an earlier version writes them, before and after the columns of
/// causes are there.
#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_node_of_an_earlier_version_goes_on_and_its_logout_has_no_earlier_cause() {
    let database = Database::create().await;
    let store = without_tables(&database).await;
    let file = include_str!("../../migrations/postgres/0001_users.sql");
    sqlx::raw_sql(file).execute(store.pool()).await.unwrap();
    let mut earlier = sqlx::PgConnection::connect(database.url().as_str())
        .await
        .unwrap();
    let insert = "insert into clef_users (issuer, subject) values ('https://clef.test', '12345')
        returning id";
    let id: i64 = sqlx::query_scalar(insert)
        .fetch_one(&mut earlier)
        .await
        .unwrap();
    let mut log_out = async || {
        let log_out = "update clef_users set logged_out_at = clef_now() where id = $1 returning id";
        let log_out = sqlx::query_scalar(log_out).bind(id).fetch_one(&mut earlier);
        let logged_out: i64 = log_out.await.unwrap();
        assert_eq!(logged_out, id);
    };
    log_out().await;
    store.migrate().await.unwrap();
    let user = async || store.load(&id.to_string()).await.unwrap().unwrap();
    assert!(user().await.logged_out_at().is_some());
    assert_eq!(user().await.logout_cause(), LogoutCause::Unknown);

    let cause = LogoutCause::provider("session-revoked");
    store
        .log_out_with_cause(&id.to_string(), &cause)
        .await
        .unwrap();
    let ours = user().await;
    assert_eq!(ours.logout_cause(), cause);
    log_out().await;
    let theirs = user().await;
    assert!(theirs.logged_out_at() > ours.logged_out_at());
    assert_eq!(theirs.logout_cause(), LogoutCause::Unknown);
}
