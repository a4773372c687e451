//! The bus over PostgreSQL: several nodes over a real server, each with connections of its own.
//!
//! The lease is the longest where a logout must be quicker than that, and short where it must be
//! waited for. Here time is real.

use std::{sync::Arc, thread, time::Duration};

use axum_clef::{
    BoxError, LoginReference, LogoutNews, Profile, Subject, Timestamp, User as _, UserStore as _,
    leased::{Leased, PostgresLogoutBus},
    provider::LogoutScope,
    stores::{Account, PostgresUserStore},
    testing::check_user_store,
};
use sqlx::PgPool;
use tokio::{runtime, sync::oneshot, time::Instant};

use crate::{database::Database, users::Users, world::person};

pub type Node = Arc<Leased<PostgresUserStore>>;

const SHORT: Duration = Duration::from_millis(400);
pub const LONGEST: Duration = Leased::<Users>::LONGEST_LEASE;
/// Longer than anything here takes.
const ETERNITY: Duration = Duration::from_secs(30);

/// A node that is a member.
pub async fn node(database: &Database, lease: Duration) -> Node {
    let users = database.open().await;
    let before = memberships(users.pool()).await;
    let bus = PostgresLogoutBus::new(users.pool().clone());
    let pool = users.pool().clone();
    let node = Arc::new(Leased::new(users, lease).bus(bus));
    node.logout_news();
    until(async || memberships(&pool).await > before).await;
    node
}

pub async fn until(mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(ETERNITY, waiting).await;
    waited.expect("it comes about");
}

pub async fn memberships(pool: &PgPool) -> i64 {
    let count = sqlx::query_scalar("select count(*) from clef_seats");
    count.fetch_one(pool).await.unwrap()
}

async fn execute(pool: &PgPool, statement: &str) -> u64 {
    let done = sqlx::query(statement).execute(pool).await.unwrap();
    done.rows_affected()
}

/// Logs somebody in, and has every node keep them: the stamp of the login and the id.
pub async fn log_in(nodes: &[&Node], person: &Subject) -> (Timestamp, String) {
    let stamp = nodes[0].now().await.unwrap();
    let user = nodes[0]
        .log_in(&Profile::new(person.clone()))
        .await
        .unwrap();
    let id = user.unwrap().id();
    for node in nodes {
        assert!(serves(node, &id, person, stamp).await);
    }
    (stamp, id)
}

/// What the check of a request asks.
pub async fn serves(node: &Node, id: &str, person: &Subject, stamp: Timestamp) -> bool {
    let standing = node
        .standing(LoginReference::new(id, person))
        .await
        .unwrap();
    let user: Account = standing.unwrap().user;
    stamp.outlives(user.logged_out_at())
}

/// How long a logout takes.
pub async fn log_out(node: &Node, person: &Subject) -> Duration {
    let began_at = Instant::now();
    assert!(node.log_out(person).await.unwrap());
    began_at.elapsed()
}

/// Whether the node keeps what it reads: the row is changed behind its back.
pub async fn keeps(node: &Node, pool: &PgPool, id: &str, person: &Subject) -> bool {
    let name = async || {
        let login = LoginReference::new(id, person);
        let standing = node.standing(login).await.unwrap().unwrap();
        standing.user.profile().first_name.clone()
    };
    let before = name().await;
    let text = format!("{:x}", rand::random::<u64>());
    let change = sqlx::query("update clef_users set first_name = $1 where id = $2");
    let change = change.bind(text).bind(id.parse::<i64>().unwrap());
    change.execute(pool).await.unwrap();
    name().await == before
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_logout_is_answered_as_soon_as_every_node_has_forgotten() {
    let database = Database::create().await;
    let mut nodes = Vec::new();
    for _ in 0..3 {
        nodes.push(node(&database, LONGEST).await);
    }
    for id in ["12345", "a \"name\" in several\nlines \u{1F30A}"] {
        let alex = person(id);
        let (stamp, id) = log_in(&[&nodes[0], &nodes[1], &nodes[2]], &alex).await;
        let took = log_out(&nodes[0], &alex).await;
        assert!(took < LONGEST, "{took:?}");
        for node in &nodes {
            assert!(!serves(node, &id, &alex, stamp).await);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_node_that_is_stopped_and_wakes_hands_out_nothing_old() {
    let database = Database::create().await;
    let here = node(&database, SHORT).await;
    let pool = pool_of(&database).await;
    let (url, alex) = (database.url(), person("12345"));
    let stamp = here.now().await.unwrap();
    here.log_in(&Profile::new(alex.clone())).await.unwrap();

    // A process of its own, as far as it takes one: nothing in it goes on while it is stopped.
    let (kept, is_kept) = oneshot::channel();
    let (wake, sleeps) = std::sync::mpsc::channel::<()>();
    let (stop, stops) = std::sync::mpsc::channel::<()>();
    let stopped = thread::spawn(move || {
        let alone = runtime::Builder::new_current_thread().enable_all().build();
        alone.unwrap().block_on(async {
            let users = PostgresUserStore::connect(url.as_str()).await.unwrap();
            let pool = users.pool().clone();
            let bus = PostgresLogoutBus::new(pool.clone());
            let there = Arc::new(Leased::new(users, SHORT).bus(bus));
            there.logout_news();
            until(async || memberships(&pool).await == 2).await;
            let alex = person("12345");
            assert!(serves(&there, "1", &alex, stamp).await);
            kept.send(()).unwrap();
            // The whole thread.
            sleeps.recv().unwrap();
            let serves_it = serves(&there, "1", &alex, stamp).await;
            stops.recv().unwrap();
            serves_it
        })
    });
    is_kept.await.unwrap();
    // The first logout waits for it. Then its seat is taken away, and no logout waits any more.
    let took = log_out(&here, &person("12345")).await;
    assert!(took >= SHORT, "{took:?}");
    let again = here.now().await.unwrap();
    here.log_in(&Profile::new(alex.clone())).await.unwrap();
    assert!(serves(&here, "1", &alex, again).await);
    until(async || memberships(&pool).await == 1).await;
    log_out(&here, &alex).await;
    wake.send(()).unwrap();
    stop.send(()).unwrap();
    assert!(
        !stopped.join().unwrap(),
        "it wakes and hands out what it kept"
    );
}

pub async fn pool_of(database: &Database) -> PgPool {
    database.open().await.pool().clone()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_node_whose_seat_is_gone_forgets_and_takes_another() {
    let database = Database::create().await;
    let (here, pool) = (node(&database, SHORT).await, pool_of(&database).await);
    let alex = person("12345");
    let (_, id) = log_in(&[&here], &alex).await;
    until(async || keeps(&here, &pool, &id, &alex).await).await;
    // Nobody can take one meanwhile.
    let mut transaction = pool.begin().await.unwrap();
    let lock = sqlx::query("delete from clef_seats");
    assert_eq!(
        lock.execute(&mut *transaction)
            .await
            .unwrap()
            .rows_affected(),
        1
    );
    tokio::time::sleep(SHORT * 2).await;
    assert!(
        !keeps(&here, &pool, &id, &alex).await,
        "it cannot find its row"
    );
    transaction.commit().await.unwrap();
    until(async || memberships(&pool).await == 1).await;
    until(async || keeps(&here, &pool, &id, &alex).await).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_node_whose_seat_was_taken_away_keeps_nothing_without_another() {
    let database = Database::create().await;
    let (here, pool) = (node(&database, SHORT).await, pool_of(&database).await);
    let alex = person("12345");
    let (_, id) = log_in(&[&here], &alex).await;
    until(async || keeps(&here, &pool, &id, &alex).await).await;
    // Whoever sits there now has another lease, so it gets none.
    let taken = "with gone as (delete from clef_seats)
        insert into clef_seats (seat, lease) values ('other', 60000000)";
    execute(&pool, taken).await;
    tokio::time::sleep(SHORT * 11 / 10).await;
    for _ in 0..20 {
        assert!(!keeps(&here, &pool, &id, &alex).await);
        tokio::time::sleep(SHORT / 20).await;
    }
    execute(&pool, "delete from clef_seats where seat = 'other'").await;
    until(async || keeps(&here, &pool, &id, &alex).await).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_dead_nodes_seat_is_waited_for_and_then_taken_away() {
    let database = Database::create().await;
    let (here, pool) = (node(&database, SHORT).await, pool_of(&database).await);
    let alex = person("12345");
    log_in(&[&here], &alex).await;
    let micros = SHORT.as_micros();
    let died_at = Instant::now();
    let dead = format!("insert into clef_seats (seat, lease) values ('dead', {micros})");
    assert_eq!(execute(&pool, &dead).await, 1);
    let took = log_out(&here, &alex).await;
    assert!(took >= SHORT, "{took:?}");
    until(async || {
        let beats = "update clef_seats set beat = beat where seat = 'dead'";
        execute(&pool, beats).await == 0
    })
    .await;
    assert!(died_at.elapsed() >= SHORT * 3, "{:?}", died_at.elapsed());
    assert_eq!(memberships(&pool).await, 1, "its own is there");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_node_that_goes_leaves_its_seat() {
    let database = Database::create().await;
    let (here, pool) = (node(&database, LONGEST).await, pool_of(&database).await);
    let there = node(&database, LONGEST).await;
    let alex = person("12345");
    log_in(&[&here, &there], &alex).await;
    drop(there);
    until(async || memberships(&pool).await == 1).await;
    assert!(log_out(&here, &alex).await < LONGEST);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_node_whose_connection_breaks_listens_again() {
    let database = Database::create().await;
    let (here, there) = (
        node(&database, LONGEST).await,
        node(&database, LONGEST).await,
    );
    let pool = pool_of(&database).await;
    let alex = person("12345");
    let listeners = format!(
        "select pg_terminate_backend(pid) from pg_stat_activity
         where application_name = '{}' and query like 'LISTEN%'",
        database.schema
    );
    let names = "select string_agg(seat, ' ' order by seat) from clef_seats";
    let names = async || -> String {
        let names = sqlx::query_scalar(names)
            .fetch_optional(&pool)
            .await
            .unwrap();
        let names: Option<Option<String>> = names;
        names.flatten().unwrap_or_default()
    };
    let before = names().await;
    assert_eq!(execute(&pool, &listeners).await, 2);
    until(async || {
        let now = names().await;
        memberships(&pool).await == 2 && before.split(' ').all(|seat| !now.contains(seat))
    })
    .await;
    let (stamp, id) = log_in(&[&here, &there], &alex).await;
    let took = log_out(&here, &alex).await;
    assert!(took < LONGEST, "{took:?}");
    assert!(!serves(&there, &id, &alex, stamp).await);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_node_with_another_lease_keeps_nothing_until_it_is_alone() {
    let database = Database::create().await;
    let (here, pool) = (node(&database, LONGEST).await, pool_of(&database).await);
    let users = database.open().await;
    let bus = PostgresLogoutBus::new(users.pool().clone());
    let other = Arc::new(Leased::new(users, SHORT).bus(bus));
    let alex = person("12345");
    let (_, id) = log_in(&[&here], &alex).await;
    for _ in 0..20 {
        assert!(!keeps(&other, &pool, &id, &alex).await);
        tokio::time::sleep(SHORT / 10).await;
    }
    assert_eq!(memberships(&pool).await, 1);
    drop(here);
    until(async || keeps(&other, &pool, &id, &alex).await).await;
    // Also where the other died and left its row.
    drop(other);
    until(async || memberships(&pool).await == 0).await;
    let dead = "insert into clef_seats (seat, lease) values ('dead', 100000)";
    execute(&pool, dead).await;
    let users = database.open().await;
    let bus = PostgresLogoutBus::new(pool.clone());
    let another = Arc::new(Leased::new(users, SHORT).bus(bus));
    until(async || keeps(&another, &pool, &id, &alex).await).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_logout_at_a_node_with_a_shorter_lease_waits_for_the_longer() {
    for lease in [SHORT, Duration::ZERO] {
        let database = Database::create().await;
        let here = database.open().await;
        let (url, alex) = (database.url(), person("12345"));
        let stamp = here.now().await.unwrap();
        here.log_in(&Profile::new(alex.clone())).await.unwrap();

        // A node that does not hear anything while it is stopped.
        let (kept, is_kept) = oneshot::channel();
        let (wake, sleeps) = std::sync::mpsc::channel::<()>();
        let stopped = thread::spawn(move || {
            let alone = runtime::Builder::new_current_thread().enable_all().build();
            alone.unwrap().block_on(async {
                let users = PostgresUserStore::connect(url.as_str()).await.unwrap();
                let pool = users.pool().clone();
                let there = Leased::new(users, LONGEST).bus(PostgresLogoutBus::new(pool.clone()));
                let there = Arc::new(there);
                there.logout_news();
                until(async || memberships(&pool).await == 1).await;
                let alex = person("12345");
                until(async || keeps(&there, &pool, "1", &alex).await).await;
                assert!(serves(&there, "1", &alex, stamp).await);
                kept.send(()).unwrap();
                sleeps.recv().unwrap();
                serves(&there, "1", &alex, stamp).await
            })
        });
        is_kept.await.unwrap();
        let bus = PostgresLogoutBus::new(here.pool().clone());
        let here = Arc::new(Leased::new(here, lease).bus(bus));
        log_out(&here, &alex).await;
        wake.send(()).unwrap();
        assert!(!stopped.join().unwrap(), "{lease:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_node_that_keeps_nothing_takes_no_seat_and_hears_all_the_same() {
    let database = Database::create().await;
    let users = database.open().await;
    let pool = users.pool().clone();
    let bus = PostgresLogoutBus::new(users.pool().clone());
    let nothing = Arc::new(Leased::new(users, Duration::ZERO).bus(bus));
    let mut news = nothing.logout_news().unwrap();
    let listeners = "select count(*) from pg_stat_activity
        where application_name = $1 and query like 'LISTEN%'";
    until(async || {
        let count = sqlx::query_scalar(listeners).bind(&database.schema);
        let count: i64 = count.fetch_one(&pool).await.unwrap();
        count > 0
    })
    .await;
    let there = node(&database, LONGEST).await;
    let alex = person("12345");
    let (_, id) = log_in(&[&there], &alex).await;
    until(async || keeps(&there, &pool, &id, &alex).await).await;
    assert_eq!(memberships(&pool).await, 1);
    assert!(log_out(&there, &alex).await < LONGEST);
    let scope = LogoutScope::Person(alex.clone());
    assert_eq!(news.recv().await, Ok(LogoutNews::LoggedOut(scope)));
    assert!(log_out(&nothing, &alex).await < LONGEST);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn what_is_read_before_there_is_a_seat_is_not_kept() {
    let database = Database::create().await;
    let users = database.open().await;
    let pool = users.pool().clone();
    // Nobody can take one for now.
    let mut transaction = pool.begin().await.unwrap();
    let lock = sqlx::query("lock table clef_seats in access exclusive mode");
    lock.execute(&mut *transaction).await.unwrap();
    let bus = PostgresLogoutBus::new(pool.clone());
    let here = Arc::new(Leased::new(users, LONGEST).bus(bus));
    let alex = person("12345");
    let (_, id) = log_in(&[&here], &alex).await;
    assert!(!keeps(&here, &pool, &id, &alex).await);
    transaction.rollback().await.unwrap();
    until(async || keeps(&here, &pool, &id, &alex).await).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_site_of_another_schema_is_not_heard_and_garbage_is_no_news() {
    let (database, other) = (Database::create().await, Database::create().await);
    let here = node(&database, LONGEST).await;
    let there = node(&other, LONGEST).await;
    let pool = pool_of(&database).await;
    let alex = person("12345");
    log_in(&[&here], &alex).await;
    log_in(&[&there], &alex).await;
    let mut news = here.logout_news().unwrap();
    let took = log_out(&there, &alex).await;
    assert!(took < LONGEST, "{took:?}");
    let garbage = "select pg_notify('clef_logouts_' || 'clef_seats'::regclass::oid, text) from
        unnest(array['', 'x', 'x 1 y', repeat('f', 32) || ' 1 {}', repeat('f', 7000)]) as text";
    execute(&pool, garbage).await;
    // Seen by way of what comes after: another node of this site.
    let third = node(&database, LONGEST).await;
    log_out(&third, &alex).await;
    let scope = LogoutScope::Person(alex);
    let heard = news.recv().await.unwrap();
    assert_eq!(heard, LogoutNews::LoggedOut(scope));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn no_node_serves_a_login_once_its_logout_is_answered() {
    let database = Database::create().await;
    let nodes = [
        node(&database, LONGEST).await,
        node(&database, LONGEST).await,
    ];
    for round in 0..50 {
        let alex = person(&round.to_string());
        let (stamp, id) = log_in(&[&nodes[0], &nodes[1]], &alex).await;
        let there = Arc::clone(&nodes[1]);
        // Asks all along, so that reads overlap the logout in every way.
        let (asks_for, asked_by) = (id.clone(), alex.clone());
        let asking = tokio::spawn(async move {
            loop {
                serves(&there, &asks_for, &asked_by, stamp).await;
                tokio::task::yield_now().await;
            }
        });
        log_out(&nodes[0], &alex).await;
        for node in &nodes {
            assert!(!serves(node, &id, &alex, stamp).await);
        }
        asking.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn leased_users_keep_the_contract() {
    let database = Database::create().await;
    let open = async || -> Result<_, BoxError> {
        let users = database.open().await;
        let bus = PostgresLogoutBus::new(users.pool().clone());
        Ok(Leased::new(users, Duration::from_secs(1)).bus(bus))
    };
    check_user_store(open).await.unwrap();
}
