//! The bus over PostgreSQL: several nodes over a real server, each with connections of its own.
//!
//! The lease is the longest where a logout must be quicker than that, and short where it must be
//! waited for. Here time is real.

use std::{
    convert::Infallible,
    iter,
    sync::{Arc, mpsc as blocking},
    thread,
    time::Duration,
};

use axum_clef::{
    IdentityStore as _, LoginReference, Timestamp, User as _, UserStore as _,
    leased::{Leased, LogoutKey, LogoutNews, PostgresLogoutBus},
    stores::PostgresUserStore,
    testing::check_identity_store,
};
use sqlx::PgPool;
use test_support::{Cut, Database};
use tokio::{runtime, sync::mpsc, time::Instant};

use crate::world::{Users, log_in, subject};

pub type Node = Arc<Leased<PostgresUserStore>>;

const SHORT: Duration = Duration::from_millis(400);
pub const LONGEST: Duration = Leased::<Users>::LONGEST_LEASE;
/// Longer than anything here takes.
const ETERNITY: Duration = Duration::from_secs(30);

/// The connections that listen, by their last statement.
const LISTENS: &str = "query ~ '^LISTEN|heartbeat [+] 1|heartbeat, lease from'
    and pid <> pg_backend_pid()";

/// A node over this store, which joins with its first use.
pub fn leased(users: PostgresUserStore, lease: Duration) -> Node {
    let bus = PostgresLogoutBus::new(users.pool().clone());
    Arc::new(Leased::new(users, lease).bus(bus))
}

/// A node that is a member.
pub async fn node(database: &Database, lease: Duration) -> Node {
    let users = database.open().await;
    let before = memberships(users.pool()).await;
    let pool = users.pool().clone();
    let node = leased(users, lease);
    node.logout_news();
    until(async || memberships(&pool).await > before).await;
    node
}

/// A member in a thread of its own, which is stopped as a process is: nothing in it goes on.
pub struct Stoppable {
    steps: mpsc::Sender<()>,
    done: mpsc::Receiver<()>,
    wake: blocking::Sender<()>,
    thread: thread::JoinHandle<bool>,
}

impl Stoppable {
    /// A node that is a member.
    pub async fn start(database: &Database, lease: Duration) -> Self {
        let users = database.open().await;
        let before = memberships(users.pool()).await;
        let url = database.url();
        let (steps, mut step) = mpsc::channel(1);
        let (does, mut done) = mpsc::channel(1);
        let (wake, sleeps) = blocking::channel();
        let thread = thread::spawn(move || {
            let alone = runtime::Builder::new_current_thread().enable_all().build();
            alone.unwrap().block_on(async {
                let users = PostgresUserStore::connect(url.as_str()).await.unwrap();
                let pool = users.pool().clone();
                let node = leased(users, lease);
                node.logout_news();
                until(async || memberships(&pool).await > before).await;
                does.send(()).await.unwrap();
                step.recv().await.unwrap();
                let (stamp, id) = kept_login(&[&node], "12345").await;
                until(async || keeps(&node, &pool, &id).await).await;
                assert!(serves(&node, &id, stamp).await);
                does.send(()).await.unwrap();
                // The whole thread.
                sleeps.recv().unwrap();
                serves(&node, &id, stamp).await
            })
        });
        done.recv().await.unwrap();
        Self {
            steps,
            done,
            wake,
            thread,
        }
    }

    /// Stops it when it keeps a login of the person 12345.
    pub async fn stop(&mut self) {
        self.steps.send(()).await.unwrap();
        self.done.recv().await.unwrap();
    }

    /// Wakes it: whether it still serves that login.
    pub fn wake(self) -> bool {
        self.wake.send(()).unwrap();
        self.thread.join().unwrap()
    }
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
    let count = sqlx::query_scalar("select count(*) from clef_members");
    count.fetch_one(pool).await.unwrap()
}

async fn execute(pool: &PgPool, statement: &str) -> u64 {
    let done = sqlx::query(statement).execute(pool).await.unwrap();
    done.rows_affected()
}

/// A login of this subject that every node keeps: its stamp and the id of the user.
pub async fn kept_login(nodes: &[&Node], id: &str) -> (Timestamp, String) {
    let stamp = nodes[0].now().await.unwrap();
    let id = log_in(&**nodes[0], &subject(id)).await;
    for node in nodes {
        assert!(serves(node, &id, stamp).await);
    }
    (stamp, id)
}

/// What the check of a request asks.
pub async fn serves(node: &Node, id: &str, stamp: Timestamp) -> bool {
    let check = node.check_login(LoginReference::new(id)).await;
    stamp.outlives(check.unwrap().unwrap().user.logged_out_at())
}

/// How long a logout takes.
pub async fn log_out(node: &Node, id: &str) -> Duration {
    let began_at = Instant::now();
    assert!(node.log_out(id).await.unwrap());
    began_at.elapsed()
}

pub fn user_logged_out(id: &str) -> LogoutNews {
    LogoutNews::LoggedOut(LogoutKey::User(id.to_owned()))
}

/// Whether the node keeps what it reads: the row is changed behind its back.
pub async fn keeps(node: &Node, pool: &PgPool, id: &str) -> bool {
    let name = async || {
        let check = node.check_login(LoginReference::new(id)).await;
        let user = check.unwrap().unwrap().user;
        user.profile().first_name.clone()
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
async fn a_logout_is_answered_as_soon_as_every_node_has_invalidated() {
    let database = Database::create().await;
    let mut nodes = Vec::new();
    for _ in 0..3 {
        nodes.push(node(&database, LONGEST).await);
    }
    for name in ["12345", "a \"name\" in several\nlines \u{1F30A}"] {
        let (stamp, id) = kept_login(&[&nodes[0], &nodes[1], &nodes[2]], name).await;
        let began_at = Instant::now();
        let users = nodes[0].log_out_subject(&subject(name)).await.unwrap();
        assert_eq!(users, [&*id]);
        let took = began_at.elapsed();
        assert!(took < LONGEST, "{took:?}");
        for node in &nodes {
            assert!(!serves(node, &id, stamp).await);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_node_that_is_stopped_and_wakes_hands_out_nothing_old() {
    let database = Database::create().await;
    let (here, pool) = (node(&database, SHORT).await, pool_of(&database).await);
    let mut there = Stoppable::start(&database, SHORT).await;
    let (_, id) = kept_login(&[&here], "12345").await;
    there.stop().await;
    // The first logout waits for it. Then its membership is ended, and no logout waits any more.
    let took = log_out(&here, &id).await;
    assert!(took >= SHORT, "{took:?}");
    kept_login(&[&here], "12345").await;
    until(async || memberships(&pool).await == 1).await;
    log_out(&here, &id).await;
    assert!(!there.wake(), "it wakes and hands out what it kept");
}

pub async fn pool_of(database: &Database) -> PgPool {
    database.open().await.pool().clone()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_node_whose_membership_is_gone_invalidates_and_joins_anew() {
    let database = Database::create().await;
    let (here, pool) = (node(&database, SHORT).await, pool_of(&database).await);
    let (_, id) = kept_login(&[&here], "12345").await;
    until(async || keeps(&here, &pool, &id).await).await;
    // No node can join meanwhile.
    let mut transaction = pool.begin().await.unwrap();
    let lock = sqlx::query("lock table clef_members in exclusive mode");
    lock.execute(&mut *transaction).await.unwrap();
    let lock = sqlx::query("delete from clef_members");
    assert_eq!(
        lock.execute(&mut *transaction)
            .await
            .unwrap()
            .rows_affected(),
        1
    );
    tokio::time::sleep(SHORT * 2).await;
    assert!(!keeps(&here, &pool, &id).await, "it cannot find its row");
    transaction.commit().await.unwrap();
    until(async || memberships(&pool).await == 1).await;
    until(async || keeps(&here, &pool, &id).await).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_node_whose_membership_was_ended_keeps_nothing_without_another() {
    let database = Database::create().await;
    let (here, pool) = (node(&database, SHORT).await, pool_of(&database).await);
    let (_, id) = kept_login(&[&here], "12345").await;
    until(async || keeps(&here, &pool, &id).await).await;
    // The member now has another lease, so this one cannot join.
    let taken = "with gone as (delete from clef_members)
        insert into clef_members (member, lease) values ('other', 60000000)";
    execute(&pool, taken).await;
    tokio::time::sleep(SHORT * 11 / 10).await;
    for _ in 0..20 {
        assert!(!keeps(&here, &pool, &id).await);
        tokio::time::sleep(SHORT / 20).await;
    }
    execute(&pool, "delete from clef_members where member = 'other'").await;
    until(async || keeps(&here, &pool, &id).await).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_dead_nodes_membership_is_waited_for_and_then_ended() {
    let database = Database::create().await;
    let (here, pool) = (node(&database, SHORT).await, pool_of(&database).await);
    let (_, id) = kept_login(&[&here], "12345").await;
    // Three of its leases are longer than a member is watched at least.
    let lease = Duration::from_secs(1);
    let micros = lease.as_micros();
    let died_at = Instant::now();
    let dead = format!("insert into clef_members (member, lease) values ('dead', {micros})");
    assert_eq!(execute(&pool, &dead).await, 1);
    let took = log_out(&here, &id).await;
    assert!(took >= SHORT, "{took:?}");
    until(async || {
        let heartbeat = "update clef_members set heartbeat = heartbeat where member = 'dead'";
        execute(&pool, heartbeat).await == 0
    })
    .await;
    assert!(died_at.elapsed() >= lease * 3, "{:?}", died_at.elapsed());
    assert_eq!(memberships(&pool).await, 1, "its own is there");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_node_that_stops_ends_its_membership() {
    let database = Database::create().await;
    let (here, pool) = (node(&database, LONGEST).await, pool_of(&database).await);
    let there = node(&database, LONGEST).await;
    let (_, id) = kept_login(&[&here, &there], "12345").await;
    drop(there);
    until(async || memberships(&pool).await == 1).await;
    assert!(log_out(&here, &id).await < LONGEST);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn no_logout_waits_for_a_node_that_has_left() {
    let database = Database::create().await;
    let (here, pool) = (node(&database, LONGEST).await, pool_of(&database).await);
    let users = database.open().await;
    let bus = PostgresLogoutBus::new(users.pool().clone());
    let there = Arc::new(Leased::new(users, LONGEST).bus(bus.clone()));
    there.logout_news();
    until(async || memberships(&pool).await == 2).await;
    let (stamp, id) = kept_login(&[&here, &there], "12345").await;
    until(async || keeps(&there, &pool, &id).await).await;

    // However often, and while the membership ends by itself.
    let leave = async || {
        bus.leave().await.unwrap();
        assert_eq!(memberships(&pool).await, 1, "once it is answered");
    };
    tokio::join!(leave(), leave(), leave());
    assert!(!keeps(&there, &pool, &id).await);
    assert!(log_out(&here, &id).await < LONGEST);
    assert!(!serves(&there, &id, stamp).await);
    // Its own logouts need no lease either, and it joins no more.
    let (_, id) = kept_login(&[&here, &there], "12345").await;
    assert!(log_out(&there, &id).await < LONGEST);
    bus.leave().await.unwrap();
    assert!(!keeps(&there, &pool, &id).await);
    assert_eq!(memberships(&pool).await, 1);
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
    let listeners = format!(
        "select pg_terminate_backend(pid) from pg_stat_activity
         where application_name = '{}' and {LISTENS}",
        database.schema
    );
    let names = "select string_agg(member, ' ' order by member) from clef_members";
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
        memberships(&pool).await == 2 && before.split(' ').all(|member| !now.contains(member))
    })
    .await;
    let (stamp, id) = kept_login(&[&here, &there], "12345").await;
    let mut news = there.logout_news().unwrap();
    let took = log_out(&here, &id).await;
    assert!(took < LONGEST, "{took:?}");
    assert!(!serves(&there, &id, stamp).await);
    // Once: the store is not subscribed from before any more.
    let received = iter::from_fn(|| news.try_recv().ok());
    let received = received.filter(|news| *news != LogoutNews::Lagged);
    assert_eq!(received.collect::<Vec<_>>(), [user_logged_out(&id)]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_node_with_another_lease_keeps_nothing_until_it_is_alone() {
    let database = Database::create().await;
    let (here, pool) = (node(&database, LONGEST).await, pool_of(&database).await);
    let other = leased(database.open().await, SHORT);
    let (_, id) = kept_login(&[&here], "12345").await;
    for _ in 0..20 {
        assert!(!keeps(&other, &pool, &id).await);
        tokio::time::sleep(SHORT / 10).await;
    }
    assert_eq!(memberships(&pool).await, 1);
    drop(here);
    until(async || keeps(&other, &pool, &id).await).await;
    // Also where the other died and left its row.
    drop(other);
    until(async || memberships(&pool).await == 0).await;
    let dead = "insert into clef_members (member, lease) values ('dead', 100000)";
    execute(&pool, dead).await;
    let another = leased(database.open().await, SHORT);
    until(async || keeps(&another, &pool, &id).await).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_logout_at_a_node_with_a_shorter_lease_waits_for_the_longer() {
    for lease in [SHORT, Duration::ZERO] {
        let database = Database::create().await;
        let here = database.open().await;
        let id = log_in(&here, &subject("12345")).await;
        let mut there = Stoppable::start(&database, LONGEST).await;
        there.stop().await;
        let here = leased(here, lease);
        log_out(&here, &id).await;
        assert!(!there.wake(), "{lease:?}");
    }
}

/// The lease changes to a longer one while the bus of an old node has lost its connections.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_node_that_is_no_member_any_more_waits_for_the_longest_lease() {
    let database = Database::create().await;
    let (pool, of_bus) = (pool_of(&database).await, pool_of(&database).await);
    let bus = PostgresLogoutBus::new(of_bus.clone());
    let old: Node = Arc::new(Leased::new(database.open().await, SHORT).bus(bus));
    old.logout_news();
    until(async || memberships(&pool).await == 1).await;
    let (_, id) = kept_login(&[&old], "12345").await;
    until(async || keeps(&old, &pool, &id).await).await;
    // Longer than it takes to read the members once.
    tokio::time::sleep(SHORT * 2).await;
    of_bus.close().await;
    until(async || !keeps(&old, &pool, &id).await).await;
    // As a node does that finds no heartbeat.
    execute(&pool, "delete from clef_members").await;
    let new = node(&database, LONGEST).await;
    let (stamp, id) = kept_login(&[&new], "12345").await;
    until(async || keeps(&new, &pool, &id).await).await;
    log_out(&old, &id).await;
    assert!(!serves(&new, &id, stamp).await);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_node_that_keeps_nothing_is_no_member_and_receives_news() {
    let database = Database::create().await;
    let users = database.open().await;
    let pool = users.pool().clone();
    let nothing = leased(users, Duration::ZERO);
    let mut news = nothing.logout_news().unwrap();
    let listeners =
        format!("select count(*) from pg_stat_activity where application_name = $1 and {LISTENS}");
    until(async || {
        let count = sqlx::query_scalar(&listeners).bind(&database.schema);
        let count: i64 = count.fetch_one(&pool).await.unwrap();
        count > 0
    })
    .await;
    let there = node(&database, LONGEST).await;
    let (_, id) = kept_login(&[&there], "12345").await;
    until(async || keeps(&there, &pool, &id).await).await;
    assert_eq!(memberships(&pool).await, 1);
    assert!(log_out(&there, &id).await < LONGEST);
    assert_eq!(news.recv().await, Ok(user_logged_out(&id)));
    assert!(log_out(&nothing, &id).await < LONGEST);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn what_is_read_before_a_membership_is_not_kept() {
    let database = Database::create().await;
    let users = database.open().await;
    let pool = users.pool().clone();
    // No node can join for now.
    let mut transaction = pool.begin().await.unwrap();
    let lock = sqlx::query("lock table clef_members in access exclusive mode");
    lock.execute(&mut *transaction).await.unwrap();
    let here = leased(users, LONGEST);
    let (_, id) = kept_login(&[&here], "12345").await;
    assert!(!keeps(&here, &pool, &id).await);
    transaction.rollback().await.unwrap();
    until(async || keeps(&here, &pool, &id).await).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn news_of_another_schema_does_not_arrive_and_garbage_is_no_news() {
    let (database, other) = (Database::create().await, Database::create().await);
    let here = node(&database, LONGEST).await;
    let there = node(&other, LONGEST).await;
    let pool = pool_of(&database).await;
    let (_, id) = kept_login(&[&here], "12345").await;
    let (_, id_there) = kept_login(&[&there], "12345").await;
    let mut news = here.logout_news().unwrap();
    let took = log_out(&there, &id_there).await;
    assert!(took < LONGEST, "{took:?}");
    let garbage = "select pg_notify('clef_logouts_' || 'clef_members'::regclass::oid, text) from
        unnest(array['', 'x', 'x 1 y', repeat('f', 32) || ' 1 {}', repeat('f', 7000)]) as text";
    execute(&pool, garbage).await;
    // Seen by way of what comes after: another node of this site.
    let third = node(&database, LONGEST).await;
    log_out(&third, &id).await;
    assert_eq!(news.recv().await, Ok(user_logged_out(&id)));
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
        let name = round.to_string();
        let (stamp, id) = kept_login(&[&nodes[0], &nodes[1]], &name).await;
        let there = Arc::clone(&nodes[1]);
        // Asks all along, so that reads overlap the logout in every way.
        let asked_id = id.clone();
        let asking = tokio::spawn(async move {
            loop {
                serves(&there, &asked_id, stamp).await;
                tokio::task::yield_now().await;
            }
        });
        log_out(&nodes[0], &id).await;
        for node in &nodes {
            assert!(!serves(node, &id, stamp).await);
        }
        asking.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn leased_users_keep_the_contract() {
    let database = Database::create().await;
    let lease = Duration::from_secs(1);
    let open = async || Ok::<_, Infallible>(leased(database.open().await, lease));
    check_identity_store(open).await.unwrap();
}

/// A node whose other connections work: it could find its row by them.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_node_that_receives_nothing_keeps_nothing_within_its_lease() {
    let database = Database::create().await;
    let pool = pool_of(&database).await;
    let (proxy, users) = database.open_behind_proxy().await;
    let here = leased(users, SHORT);
    let (_, id) = kept_login(&[&here], "12345").await;
    until(async || keeps(&here, &pool, &id).await).await;
    proxy.cut(Cut::Listening);
    tokio::time::sleep(SHORT * 11 / 10).await;
    for _ in 0..10 {
        assert!(!keeps(&here, &pool, &id).await);
        tokio::time::sleep(SHORT / 20).await;
    }
    proxy.cut(Cut::None);
    until(async || keeps(&here, &pool, &id).await).await;
}

/// Idle ones too: the bus tries none of them first.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_node_whose_connections_are_lost_joins_again() {
    let database = Database::create().await;
    let pool = pool_of(&database).await;
    let (proxy, users) = database.open_behind_proxy().await;
    let here = leased(users, SHORT);
    here.logout_news();
    until(async || memberships(&pool).await == 1).await;
    let name = async || -> Option<String> {
        let name = sqlx::query_scalar("select member from clef_members");
        name.fetch_optional(&pool).await.unwrap()
    };
    let before = name().await;
    proxy.lose_connections();
    until(async || name().await.is_some_and(|now| Some(now) != before)).await;
}

/// The server commits one transaction at a time that notifies, of all databases.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_node_notifies_when_it_joins_and_for_logouts_alone() {
    let database = Database::create().await;
    let pool = pool_of(&database).await;
    let count = "create sequence notifications;
        create function pg_notify(text, text) returns void language sql as
            'select pg_catalog.pg_notify($1, $2) from nextval(''notifications'')'";
    sqlx::raw_sql(count).execute(&pool).await.unwrap();
    let notifications = async || -> i64 {
        let last = "select case when is_called then last_value else 0 end from notifications";
        sqlx::query_scalar(last).fetch_one(&pool).await.unwrap()
    };
    // Ours comes before the server's own.
    let path = format!("-c search_path={},pg_catalog", database.schema);
    let mut nodes = Vec::new();
    for number in [1, 2] {
        let users = PostgresUserStore::connect(database.url_with(&path).as_str()).await;
        let node = leased(users.unwrap(), SHORT);
        node.logout_news();
        until(async || memberships(&pool).await == number).await;
        nodes.push(node);
    }
    let heartbeats = async || -> i64 {
        let least = sqlx::query_scalar("select min(heartbeat) from clef_members");
        least.fetch_one(&pool).await.unwrap()
    };
    until(async || heartbeats().await >= 8).await;
    assert_eq!(notifications().await, 2);
    let (_, id) = kept_login(&[&nodes[0], &nodes[1]], "12345").await;
    log_out(&nodes[0], &id).await;
    assert_eq!(
        notifications().await,
        4,
        "the logout and its acknowledgement"
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn the_stores_of_a_process_are_one_member() {
    let database = Database::create().await;
    let pool = pool_of(&database).await;
    let bus = PostgresLogoutBus::new(pool_of(&database).await);
    let mut stores: Vec<Node> = Vec::new();
    for bus in [bus.clone(), bus] {
        stores.push(Arc::new(
            Leased::new(database.open().await, LONGEST).bus(bus),
        ));
    }
    let there = node(&database, LONGEST).await;
    let (_, id) = kept_login(&[&stores[0], &stores[1], &there], "12345").await;
    for store in &stores {
        until(async || keeps(store, &pool, &id).await).await;
    }
    assert_eq!(memberships(&pool).await, 2);
    for at in [&stores[0], &stores[1], &there] {
        let all = [&stores[0], &stores[1], &there];
        let (stamp, id) = kept_login(&all, "12345").await;
        let took = log_out(at, &id).await;
        assert!(took < LONGEST, "{took:?}");
        for node in all {
            assert!(!serves(node, &id, stamp).await);
        }
    }

    // The one that runs the connection stops, and the other goes on.
    let other = stores.pop().unwrap();
    drop(stores);
    until(async || keeps(&other, &pool, &id).await).await;
    until(async || memberships(&pool).await == 2).await;
    let (stamp, id) = kept_login(&[&other, &there], "12345").await;
    let took = log_out(&there, &id).await;
    assert!(took < LONGEST, "{took:?}");
    assert!(!serves(&other, &id, stamp).await);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_store_with_another_lease_than_its_process_keeps_nothing() {
    let database = Database::create().await;
    let pool = pool_of(&database).await;
    let bus = PostgresLogoutBus::new(pool_of(&database).await);
    let of = async |lease, bus| {
        let users = database.open().await;
        Arc::new(Leased::new(users, lease).bus(bus))
    };
    let first = of(LONGEST, bus.clone()).await;
    let (_, id) = kept_login(&[&first], "12345").await;
    until(async || keeps(&first, &pool, &id).await).await;
    let second = of(SHORT, bus).await;
    for _ in 0..10 {
        assert!(!keeps(&second, &pool, &id).await);
        tokio::time::sleep(SHORT / 20).await;
    }
    drop(first);
    until(async || keeps(&second, &pool, &id).await).await;
}

/// The server wakes every node for each transaction that notifies.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn logouts_at_once_are_published_and_acknowledged_together() {
    const LOGOUTS: usize = 30;
    let database = Database::create().await;
    let pool = pool_of(&database).await;
    let (schema, lock) = (&database.schema, rand::random::<i64>());
    let count = format!(
        "create table notifying (transaction bigint);
         create function pg_notify(text, text) returns void language sql as $$
             insert into notifying select txid_current()
             from pg_advisory_xact_lock_shared({lock});
             select pg_catalog.pg_notify($1, $2)
         $$"
    );
    sqlx::raw_sql(&count).execute(&pool).await.unwrap();
    // Ours comes before the server's own.
    let url = database.url_with(&format!("-c search_path={schema},pg_catalog"));
    let mut nodes = Vec::new();
    for number in [1, 2] {
        let users = PostgresUserStore::connect(url.as_str()).await;
        let node = leased(users.unwrap(), LONGEST);
        node.logout_news();
        until(async || memberships(&pool).await == number).await;
        nodes.push(node);
    }
    let (_, first) = kept_login(&[&nodes[0], &nodes[1]], "first").await;
    until(async || keeps(&nodes[1], &pool, &first).await).await;
    let mut ids = Vec::new();
    for number in 0..LOGOUTS {
        ids.push(log_in(&*nodes[0], &subject(&number.to_string())).await);
    }
    execute(&pool, "delete from notifying").await;
    let logged_out = async || -> i64 {
        let count = "select count(*) from clef_users where logged_out_at is not null";
        sqlx::query_scalar(count).fetch_one(&pool).await.unwrap()
    };
    let log_out_in_task = |id: &String| {
        let (node, id) = (Arc::clone(&nodes[0]), id.clone());
        tokio::spawn(async move { log_out(&node, &id).await })
    };

    // The first one is on its way when the others come.
    let mut transaction = pool.begin().await.unwrap();
    let hold = sqlx::query("select pg_advisory_xact_lock($1)").bind(lock);
    hold.execute(&mut *transaction).await.unwrap();
    let mut logouts = vec![log_out_in_task(&first)];
    until(async || logged_out().await == 1).await;
    logouts.extend(ids.iter().map(log_out_in_task));
    until(async || logged_out().await as usize == 1 + LOGOUTS).await;
    transaction.rollback().await.unwrap();
    for logout in logouts {
        let took = logout.await.unwrap();
        assert!(took < LONGEST, "{took:?}");
    }
    let counts = "select count(*), count(distinct transaction) from notifying";
    let (messages, transactions): (i64, i64) =
        sqlx::query_as(counts).fetch_one(&pool).await.unwrap();
    assert_eq!(messages as usize, 2 * (1 + LOGOUTS));
    assert!(transactions <= 10, "{transactions}");
}
