//! Stamps, by a clock to set: `clef_now()` is replaced.

use axum_clef::{
    Profile, ProviderSession, Subject, Timestamp, User as _, UserStore as _,
    stores::{Account, PostgresUserStore},
};
use tokio::task::JoinSet;

use crate::database::Database;

const DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// A store whose clock stands still until it is told.
async fn with_clock(database: &Database) -> PostgresUserStore {
    let store = database.open().await;
    let replace = "
        create table test_clock (micros bigint);
        insert into test_clock values (0);
        create or replace function clef_now() returns bigint
            language sql volatile as 'select micros from test_clock'
    ";
    sqlx::raw_sql(replace).execute(store.pool()).await.unwrap();
    store
}

async fn set_clock(store: &PostgresUserStore, micros: i64) {
    let set = sqlx::query("update test_clock set micros = $1").bind(micros);
    set.execute(store.pool()).await.unwrap();
    assert_eq!(store.now().await.unwrap(), Timestamp::from_micros(micros));
}

fn alex() -> Subject {
    Subject::new("https://clef.test", "12345")
}

async fn log_in(store: &PostgresUserStore) -> Account {
    let profile = Profile::new(alex());
    store.log_in(&profile).await.unwrap().unwrap()
}

async fn logged_out_at(store: &PostgresUserStore) -> Option<i64> {
    let stamp = log_in(store).await.logged_out_at();
    stamp.map(Timestamp::as_micros)
}

fn session(id: &str) -> ProviderSession {
    ProviderSession::new("https://id.test", id)
}

async fn ended_at(store: &PostgresUserStore, id: &str) -> Option<i64> {
    let stamp = store.session_logged_out_at(&session(id)).await.unwrap();
    stamp.map(Timestamp::as_micros)
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_logout_is_now_or_later_and_never_earlier() {
    let database = Database::create().await;
    let store = with_clock(&database).await;
    assert_eq!(logged_out_at(&store).await, None);
    // The logins that look are at the same time or earlier, and the first one was at 0.
    for (now, stamp) in [(0, 1), (500, 500), (500, 501), (100, 502), (900, 900)] {
        set_clock(&store, now).await;
        assert!(store.log_out(&alex()).await.unwrap());
        set_clock(&store, 0).await;
        assert_eq!(logged_out_at(&store).await, Some(stamp));
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_clock_that_steps_back_lets_no_login_outlive_a_logout() {
    let database = Database::create().await;
    let store = with_clock(&database).await;
    set_clock(&store, 60_000_000).await;
    log_in(&store).await;
    // Another login, by the clock that stepped back, hides nothing of the first.
    set_clock(&store, 1_000_000).await;
    log_in(&store).await;
    assert!(store.log_out(&alex()).await.unwrap());
    assert_eq!(logged_out_at(&store).await, Some(60_000_001));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_hundred_logouts_at_once_raise_the_stamp_a_hundred_times() {
    let database = Database::create().await;
    let (here, there) = (with_clock(&database).await, database.open().await);
    set_clock(&here, 1_000).await;
    log_in(&here).await;
    assert!(here.log_out_session(&session("a")).await.unwrap());
    let mut logouts = JoinSet::new();
    for number in 0..100 {
        let store = if number % 2 == 0 { &here } else { &there }.clone();
        logouts.spawn(async move {
            assert!(store.log_out(&alex()).await.unwrap());
            assert!(store.log_out_session(&session("a")).await.unwrap());
        });
    }
    while let Some(logout) = logouts.join_next().await {
        logout.unwrap();
    }
    // The clock stands still since the login, so each had to be one above the one before.
    assert_eq!(logged_out_at(&here).await, Some(1_100));
    assert_eq!(ended_at(&here, "a").await, Some(1_101));
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn the_logout_of_a_session_is_later_than_every_login() {
    let database = Database::create().await;
    let store = with_clock(&database).await;
    assert_eq!(ended_at(&store, "a").await, None);
    set_clock(&store, 60_000_000).await;
    assert!(store.log_out_session(&session("a")).await.unwrap());
    assert_eq!(ended_at(&store, "a").await, Some(60_000_000), "nobody here");

    set_clock(&store, 70_000_000).await;
    log_in(&store).await;
    set_clock(&store, 1_000_000).await;
    // One that has not ended before, and one that has.
    for id in ["b", "a"] {
        assert!(store.log_out_session(&session(id)).await.unwrap());
        assert_eq!(ended_at(&store, id).await, Some(70_000_001));
    }

    // However far ahead the clock was.
    let ahead = sqlx::query("update clef_users set last_login_at = $1").bind(400 * DAY);
    ahead.execute(store.pool()).await.unwrap();
    assert!(store.log_out_session(&session("c")).await.unwrap());
    assert_eq!(ended_at(&store, "c").await, Some(400 * DAY + 1));
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn the_end_of_a_session_is_kept_for_31_days() {
    let database = Database::create().await;
    let store = with_clock(&database).await;
    for (now, id) in [(0, "old"), (0, "again"), (1, "kept")] {
        set_clock(&store, now).await;
        assert!(store.log_out_session(&session(id)).await.unwrap());
    }
    set_clock(&store, 31 * DAY + 1).await;
    assert_eq!(ended_at(&store, "old").await, Some(0));
    assert!(store.log_out_session(&session("again")).await.unwrap());
    assert_eq!(ended_at(&store, "old").await, None);
    assert_eq!(ended_at(&store, "again").await, Some(31 * DAY + 1));
    assert_eq!(ended_at(&store, "kept").await, Some(1));
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn the_largest_stamp_does_not_break_the_store() {
    let database = Database::create().await;
    let store = database.open().await;
    log_in(&store).await;
    assert!(store.log_out_session(&session("a")).await.unwrap());
    let spoil = "
        update clef_users
            set logged_out_at = 9223372036854775807, last_login_at = 9223372036854775807;
        update clef_provider_sessions set logged_out_at = 9223372036854775807
    ";
    sqlx::raw_sql(spoil).execute(store.pool()).await.unwrap();
    assert!(store.log_out(&alex()).await.unwrap());
    for id in ["a", "b"] {
        assert!(store.log_out_session(&session(id)).await.unwrap());
        assert_eq!(ended_at(&store, id).await, Some(i64::MAX));
    }
    assert_eq!(logged_out_at(&store).await, Some(i64::MAX));
}
