//! What a connection is, and what is refused.

use std::time::{Duration, Instant};

use axum_clef::{UserStore as _, stores::PostgresUserStore};
use futures_util::future::join_all;
use test_support::{Database, log};
use tokio::net::TcpListener;

async fn setting(store: &PostgresUserStore, name: &str) -> String {
    let show = sqlx::query_scalar("select current_setting($1)").bind(name);
    show.fetch_one(store.pool()).await.unwrap()
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_logout_survives_a_power_cut_whatever_the_default() {
    let database = Database::create().await;
    for (default, setting_then) in [
        ("off", "on"),
        ("local", "on"),
        ("on", "on"),
        ("remote_apply", "remote_apply"),
    ] {
        let url = database.url_with(&format!("-c synchronous_commit={default}"));
        let store = PostgresUserStore::connect(url.as_str()).await.unwrap();
        assert_eq!(setting(&store, "synchronous_commit").await, setting_then);
        assert_eq!(setting(&store, "statement_timeout").await, "2s");
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_standby_is_refused() {
    let database = Database::create().await;
    let store = database.open().await;
    let pretend = "create function pg_is_in_recovery() returns boolean
                   language sql as 'select true'";
    sqlx::raw_sql(pretend).execute(store.pool()).await.unwrap();
    // Ours comes before the server's own.
    let path = format!("-c search_path={},pg_catalog", database.schema);
    let url = database.url_with(&path);
    let error = PostgresUserStore::connect(url.as_str()).await.unwrap_err();
    assert!(error.to_string().contains("standby"), "{error}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_error_that_says_so() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let url = format!("postgres://site:secret-word@{address}/site");
    let error = PostgresUserStore::connect(&url).await.unwrap_err();
    assert!(matches!(error, sqlx::Error::Io(_)), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("secret-word"));

    for url in ["sqlite::memory:", "postgres://127.0.0.1:port/site", "site"] {
        assert!(PostgresUserStore::connect(url).await.is_err(), "{url}");
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_an_error_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://site@{}/site", silent.local_addr().unwrap());
    let begun_at = Instant::now();
    assert!(PostgresUserStore::connect(&url).await.is_err());
    assert!(begun_at.elapsed() < Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_pool_whose_connections_are_lost_works_again() {
    let database = Database::create().await;
    let (proxy, store) = database.open_behind_proxy().await;
    // As many at once as the pool has connections.
    let reads = || join_all((0..10).map(|_| store.now()));
    proxy.lose_connections();
    assert!(reads().await.iter().any(Result::is_err), "none was lost");
    for read in reads().await {
        read.unwrap();
    }
}

/// The server may still run a write whose connection is lost, so its place is freed only once no commit
/// waits there.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn dropped_writes_over_lost_connections_give_their_places_back() {
    let database = Database::create().await;
    let (proxy, store) = database.open_behind_proxy().await;
    proxy.lose_connections();
    let limit = Duration::from_millis(100);
    let writes = (0..10).map(|_| tokio::time::timeout(limit, store.log_out("1")));
    let writes = join_all(writes).await;
    assert!(writes.iter().all(Result::is_err), "each has one of the ten");
    assert!(store.now().await.is_err(), "no connection is left");
    let until = Instant::now() + Duration::from_secs(60);
    while store.now().await.is_err() {
        assert!(Instant::now() < until);
    }
}

/// A logout that was acknowledged may be lost with the primary. The store says so once.
#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_standby_that_no_logout_waits_for_is_a_warning() {
    let database = Database::create().await;
    let warnings = |text: String| text.matches("no logout waits for them").count();
    log::listen_to("sqlx=debug,axum_clef=warn");
    let store = database.open().await;
    store.now().await.unwrap();
    assert_eq!(warnings(log::text()), 0, "there is none");
    let pretend = "create view pg_stat_replication as select 1";
    sqlx::raw_sql(pretend).execute(store.pool()).await.unwrap();
    // Ours comes before the server's own.
    let path = format!("-c search_path={},pg_catalog", database.schema);
    let url = database.url_with(&path);
    let store = PostgresUserStore::connect(url.as_str()).await.unwrap();
    store.now().await.unwrap();
    assert_eq!(warnings(log::text()), 1);
}
