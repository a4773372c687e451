//! Stamps, by a clock to set: `clef_now()` is replaced.

use axum_clef::Timestamp;
use test_support::Database;

use crate::checks::{self, Clock, DAY, Ready, all_checks, session};

/// In microseconds.
const HOUR: i64 = 60 * 60 * 1_000_000;

/// A store whose clock stands still until it is set.
async fn with_clock(database: &Database) -> Ready {
    let store = database.open().await;
    let replace = "
        create table test_clock (micros bigint);
        insert into test_clock values (0);
        create or replace function clef_now() returns bigint
            language sql volatile as 'select micros from test_clock'
    ";
    let pool = store.pool().clone();
    sqlx::raw_sql(replace).execute(&pool).await.unwrap();
    Ready::new(store, database.open().await, Clock::Postgres(pool))
}

macro_rules! tests {
    ($($check:ident)*) => {
        $(#[tokio::test(flavor = "multi_thread")]
        #[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
        async fn $check() {
            let database = Database::create().await;
            checks::$check(&with_clock(&database).await).await;
        })*
    };
}
all_checks!(tests);

fn pool(store: &Ready) -> &sqlx::PgPool {
    match &store.clock {
        Clock::Postgres(pool) => pool,
        Clock::Here(_) => unreachable!("it has a clock in PostgreSQL"),
    }
}

async fn revoke(store: &Ready, ids: &[&str], keep_until: i64) {
    let keys: Vec<_> = ids.iter().map(|id| session(id)).collect();
    store.revoke(&keys, keep_until).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_revocation_is_kept_until_its_time() {
    let database = Database::create().await;
    let store = with_clock(&database).await;
    revoke(&store, &["old", "again"], DAY).await;
    revoke(&store, &["kept"], DAY + 1).await;
    revoke(&store, &["kept"], 1).await;
    store.set_clock(DAY + 1).await;
    assert_eq!(store.revoked_at(&session("old")).await, Some(0));
    revoke(&store, &["again"], 2 * DAY).await;
    assert_eq!(store.revoked_at(&session("old")).await, None);
    assert_eq!(store.revoked_at(&session("again")).await, Some(DAY + 1));
    assert_eq!(store.revoked_at(&session("kept")).await, Some(1));
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_call_removes_a_bounded_number_of_old_revocations() {
    let database = Database::create().await;
    let store = with_clock(&database).await;
    let old = "insert into clef_revocations (kind, issuer, id, revoked_at, keep_until)
        select 'session', 'https://id.test', number::text, 0, 0
        from generate_series(1, 1000) as number";
    sqlx::raw_sql(old).execute(pool(&store)).await.unwrap();
    store.set_clock(1).await;
    let count = async || -> i64 {
        let count =
            sqlx::query_scalar("select count(*) from clef_revocations where keep_until = 0");
        count.fetch_one(pool(&store)).await.unwrap()
    };
    for left in [900, 800] {
        revoke(&store, &["new"], DAY).await;
        assert_eq!(count().await, left);
    }
}

/// Lets each statement that deletes old revocations fail with this error, or none.
async fn fail_deletions(store: &Ready, error: Option<&str>) {
    let error = error.map_or("null".to_owned(), |error| {
        format!("raise exception 'not deleted' using errcode = '{error}'")
    });
    let fail = format!(
        "create or replace function test_fail() returns trigger language plpgsql as $$
            begin {error}; return old; end
        $$;
        create or replace trigger test_fail before delete on clef_revocations
            for each row execute function test_fail()"
    );
    sqlx::raw_sql(&fail).execute(pool(store)).await.unwrap();
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn old_revocations_that_take_too_long_to_delete_hold_up_one_logout() {
    let database = Database::create().await;
    let store = with_clock(&database).await;
    revoke(&store, &["old"], 0).await;
    store.set_clock(1).await;
    let try_revoke = async |id: &str| {
        let keep_until = Timestamp::from_micros(i64::MAX);
        store.users.revoke(&[session(id)], keep_until).await.is_ok()
    };
    // By another failure nothing is known of the old ones.
    fail_deletions(&store, Some("lock_not_available")).await;
    for _ in 0..2 {
        assert!(!try_revoke("a").await);
    }
    fail_deletions(&store, Some("query_canceled")).await;
    assert!(!try_revoke("a").await);
    for id in ["a", "b"] {
        assert!(try_revoke(id).await);
    }
    // They are left for an hour, then tried again.
    fail_deletions(&store, None).await;
    for (clock, left) in [(HOUR, Some(0)), (HOUR + 1, Some(0)), (HOUR + 2, None)] {
        store.set_clock(clock).await;
        assert!(try_revoke("c").await);
        assert_eq!(store.revoked_at(&session("old")).await, left);
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn the_largest_stamp_does_not_break_the_store() {
    let database = Database::create().await;
    let store = with_clock(&database).await;
    let id = store.log_in("12345").await;
    revoke(&store, &["a"], i64::MAX).await;
    let spoil = "
        update clef_users
            set logged_out_at = 9223372036854775807, last_login_at = 9223372036854775807;
        update clef_revocations set revoked_at = 9223372036854775807
    ";
    sqlx::raw_sql(spoil).execute(pool(&store)).await.unwrap();
    store.log_in("12345").await;
    assert!(store.users.log_out(&id).await.unwrap());
    for id in ["a", "b"] {
        revoke(&store, &[id], i64::MAX).await;
        assert_eq!(store.revoked_at(&session(id)).await, Some(i64::MAX));
    }
    assert_eq!(store.logged_out_at(&id).await, Some(i64::MAX));
}
