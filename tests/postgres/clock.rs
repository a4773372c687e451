//! Stamps, by a clock to set: `clef_now()` is replaced.

use axum_clef::{
    IdentityStore as _, Profile, ProviderSession, RevocationKey, Subject, Timestamp, User as _,
    UserStore as _, stores::PostgresUserStore,
};
use tokio::task::JoinSet;

use crate::database::Database;

const DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// A store whose clock stands still until it is set.
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

/// The id of a user who has just logged in.
async fn log_in(store: &PostgresUserStore) -> String {
    let user = store.find_or_create(&Profile::new(alex())).await;
    let id = user.unwrap().unwrap().id();
    store.log_in(&id).await.unwrap().unwrap();
    id
}

async fn logged_out_at(store: &PostgresUserStore, id: &str) -> Option<i64> {
    let user = store.load(id).await.unwrap().unwrap();
    user.logged_out_at().map(Timestamp::as_micros)
}

fn session(id: &str) -> RevocationKey {
    RevocationKey::Session(ProviderSession::new("https://id.test", id))
}

async fn revoke(store: &PostgresUserStore, ids: &[&str], keep_until: i64) {
    let keys: Vec<_> = ids.iter().map(|id| session(id)).collect();
    let keep_until = Timestamp::from_micros(keep_until);
    store.revoke(&keys, keep_until).await.unwrap();
}

async fn revoked_at(store: &PostgresUserStore, id: &str) -> Option<i64> {
    let stamp = store.revoked_at(&session(id)).await.unwrap();
    stamp.map(Timestamp::as_micros)
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_logout_is_now_or_later_and_never_earlier() {
    let database = Database::create().await;
    let store = with_clock(&database).await;
    let id = log_in(&store).await;
    assert_eq!(logged_out_at(&store, &id).await, None);
    // The login was at 0.
    for (now, stamp) in [(0, 1), (500, 500), (500, 501), (100, 502), (900, 900)] {
        set_clock(&store, now).await;
        assert!(store.log_out(&id).await.unwrap());
        assert_eq!(logged_out_at(&store, &id).await, Some(stamp));
    }
    assert_eq!(store.log_out_subject(&alex()).await.unwrap(), [&*id]);
    assert_eq!(logged_out_at(&store, &id).await, Some(901));
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_user_who_never_logged_in_can_be_logged_out() {
    let database = Database::create().await;
    let store = with_clock(&database).await;
    set_clock(&store, -5).await;
    let user = store.find_or_create(&Profile::new(alex())).await;
    let id = user.unwrap().unwrap().id();
    assert!(store.log_out(&id).await.unwrap());
    assert_eq!(logged_out_at(&store, &id).await, Some(-5));
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
    let id = log_in(&store).await;
    assert!(store.log_out(&id).await.unwrap());
    assert_eq!(logged_out_at(&store, &id).await, Some(60_000_001));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_hundred_logouts_at_once_raise_the_stamp_a_hundred_times() {
    let database = Database::create().await;
    let (here, there) = (with_clock(&database).await, database.open().await);
    set_clock(&here, 1_000).await;
    let id = log_in(&here).await;
    revoke(&here, &["a", "b"], DAY).await;
    let mut logouts = JoinSet::new();
    for number in 0..100 {
        let store = if number % 2 == 0 { &here } else { &there }.clone();
        let id = id.clone();
        logouts.spawn(async move {
            if number % 3 == 0 {
                assert_eq!(store.log_out_subject(&alex()).await.unwrap(), [id]);
            } else {
                assert!(store.log_out(&id).await.unwrap());
            }
            // In any order: the rows are locked in one.
            let ids = if number % 2 == 0 {
                ["a", "b"]
            } else {
                ["b", "a"]
            };
            revoke(&store, &ids, DAY).await;
        });
    }
    while let Some(logout) = logouts.join_next().await {
        logout.unwrap();
    }
    // The clock stands still since the login, so each had to be one above the one before.
    assert_eq!(logged_out_at(&here, &id).await, Some(1_100));
    for id in ["a", "b"] {
        assert_eq!(revoked_at(&here, id).await, Some(1_101));
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_revocation_is_later_than_every_login() {
    let database = Database::create().await;
    let store = with_clock(&database).await;
    assert_eq!(revoked_at(&store, "a").await, None);
    set_clock(&store, 60_000_000).await;
    revoke(&store, &["a"], DAY).await;
    assert_eq!(revoked_at(&store, "a").await, Some(60_000_000), "no users");

    set_clock(&store, 70_000_000).await;
    log_in(&store).await;
    set_clock(&store, 1_000_000).await;
    // One that was not revoked before, and one that was.
    revoke(&store, &["b", "a"], DAY).await;
    for id in ["b", "a"] {
        assert_eq!(revoked_at(&store, id).await, Some(70_000_001));
    }

    // However far ahead the clock was.
    let ahead = sqlx::query("update clef_users set last_login_at = $1").bind(400 * DAY);
    ahead.execute(store.pool()).await.unwrap();
    revoke(&store, &["c"], DAY).await;
    assert_eq!(revoked_at(&store, "c").await, Some(400 * DAY + 1));
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_revocation_is_kept_until_its_time() {
    let database = Database::create().await;
    let store = with_clock(&database).await;
    revoke(&store, &["old", "again"], DAY).await;
    revoke(&store, &["kept"], DAY + 1).await;
    revoke(&store, &["kept"], 1).await;
    set_clock(&store, DAY + 1).await;
    assert_eq!(revoked_at(&store, "old").await, Some(0));
    revoke(&store, &["again"], 2 * DAY).await;
    assert_eq!(revoked_at(&store, "old").await, None);
    assert_eq!(revoked_at(&store, "again").await, Some(DAY + 1));
    assert_eq!(revoked_at(&store, "kept").await, Some(1));
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_call_removes_a_bounded_number_of_old_revocations() {
    let database = Database::create().await;
    let store = with_clock(&database).await;
    let old = "insert into clef_revocations (kind, issuer, id, revoked_at, keep_until)
        select 'session', 'https://id.test', number::text, 0, 0
        from generate_series(1, 1000) as number";
    sqlx::raw_sql(old).execute(store.pool()).await.unwrap();
    set_clock(&store, 1).await;
    let count = async || -> i64 {
        let count =
            sqlx::query_scalar("select count(*) from clef_revocations where keep_until = 0");
        count.fetch_one(store.pool()).await.unwrap()
    };
    for left in [900, 800] {
        revoke(&store, &["new"], DAY).await;
        assert_eq!(count().await, left);
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn the_largest_stamp_does_not_break_the_store() {
    let database = Database::create().await;
    let store = database.open().await;
    let id = log_in(&store).await;
    revoke(&store, &["a"], i64::MAX).await;
    let spoil = "
        update clef_users
            set logged_out_at = 9223372036854775807, last_login_at = 9223372036854775807;
        update clef_revocations set revoked_at = 9223372036854775807
    ";
    sqlx::raw_sql(spoil).execute(store.pool()).await.unwrap();
    store.log_in(&id).await.unwrap();
    assert!(store.log_out(&id).await.unwrap());
    for id in ["a", "b"] {
        revoke(&store, &[id], i64::MAX).await;
        assert_eq!(revoked_at(&store, id).await, Some(i64::MAX));
    }
    assert_eq!(logged_out_at(&store, &id).await, Some(i64::MAX));
}
