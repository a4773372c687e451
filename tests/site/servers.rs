//! The promise over real servers: users in PostgreSQL, sessions in Redis, and two nodes that share
//! nothing else.
//!
//! `POSTGRES_URL` and `REDIS_URL` name the servers; without them the tests fail. `.ci/run` sets
//! them and runs these.

use std::{env, sync::Arc, time::Duration};

use axum_clef::{
    ClefLayer, IdentityStore, Sessions,
    leased::{Leased, PostgresLogoutBus},
    stores::{Account, PostgresUserStore},
};
use tokio::net::TcpListener;
use tower_sessions_redis_store::{
    RedisStore,
    fred::prelude::{ClientLike as _, Config, Pool},
};

use test_support::Database;

use crate::{
    everybody::{self, Site},
    other_logins, revoked,
    support::{Browser, Node, TestSessions, World},
};

/// Connections to Redis, as one node has them.
async fn redis() -> Pool {
    let url = env::var("REDIS_URL")
        .expect("REDIS_URL is not set: write it like redis://127.0.0.1:6379, or run .ci/run");
    let config = Config::from_url(&url).unwrap();
    let pool = Pool::new(config, None, None, None, 2).unwrap();
    pool.init()
        .await
        .expect("the Redis server of REDIS_URL answers");
    pool
}

/// A node with connections of its own.
async fn node(world: &World, users: PostgresUserStore) -> Node {
    let sessions = TestSessions {
        inner: Arc::new(RedisStore::new(redis().await)),
        ..world.sessions.clone()
    };
    let layer = ClefLayer::builder(World::SITE, users, sessions)
        .provider(world.provider.clone())
        // What the tests leave behind is gone soon.
        .idle_expiry(Duration::from_secs(60))
        .build();
    world.node_with(layer.unwrap()).await
}

async fn two_nodes(world: &World, database: &Database) -> (Node, Node) {
    let here = node(world, database.open().await).await;
    (here, node(world, database.open().await).await)
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL and Redis at REDIS_URL; .ci/run runs it"]
async fn a_logout_told_to_one_node_holds_at_the_other() {
    let (world, database) = (World::new(), Database::create().await);
    let (here, there) = two_nodes(&world, &database).await;
    revoked::a_notice_ends_every_login_from_before(&here, &there).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL and Redis at REDIS_URL; .ci/run runs it"]
async fn a_logout_in_the_middle_of_a_login_refuses_it() {
    let (world, database) = (World::new(), Database::create().await);
    let (here, there) = two_nodes(&world, &database).await;
    revoked::a_notice_refuses_a_login_under_way(&world, &here, &there).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL and Redis at REDIS_URL; .ci/run runs it"]
async fn a_renewal_in_flight_brings_nothing_back() {
    let (world, database) = (World::new(), Database::create().await);
    let (here, there) = two_nodes(&world, &database).await;
    let (browser, copy) = (Browser::new(), Browser::new());
    for ending in ["notice", "sign-out"] {
        browser.log_in(&here, "12345").await;
        copy.set_cookie(&here, &browser.cookies(&here));
        // A twentieth of the idle time, after which a renewal is due.
        tokio::time::sleep(Duration::from_millis(3_100)).await;
        let in_flight = browser.get(&there, "/account").send();
        let end = async {
            match ending {
                "notice" => here.notice("token:12345").await,
                _ => {
                    let response = browser.post(&here, "/auth/sign-out").send().await;
                    response.unwrap().status().as_u16()
                }
            }
        };
        let (response, ended) = world.sessions.before_write.during(in_flight, end).await;
        assert_eq!(response.unwrap().status(), 200, "{ending}");
        assert!([200, 303].contains(&ended), "{ending}: {ended}");
        for node in [&here, &there] {
            assert!(!browser.is_in(node).await, "{ending}");
            assert!(!copy.is_in(node).await, "{ending}");
        }
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL and Redis at REDIS_URL; .ci/run runs it"]
async fn a_server_that_is_not_there_is_503_and_the_login_is_left_alone() {
    let (world, database) = (World::new(), Database::create().await);
    let users = database.open().await;
    let here = node(&world, users.clone()).await;
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let nowhere = format!("postgres://site@{address}/site").parse().unwrap();
    let unreachable = users.pool().options().clone().connect_lazy_with(nowhere);
    let there = node(&world, PostgresUserStore::new(unreachable)).await;
    let browser = Browser::new();
    browser.log_in(&here, "12345").await;

    assert_eq!(browser.status(&there, "/account").await, 503);
    assert_eq!(there.notice("token:12345").await, 503);
    assert!(browser.is_in(&here).await);
}

/// Nodes that read the users anew each time, and nodes that keep them for a lease.
#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL and Redis at REDIS_URL; .ci/run runs it"]
async fn logins_end_at_three_nodes_with_and_without_a_lease() {
    for kind in 0..2 {
        let (world, database) = (World::new(), Database::create().await);
        let stored = RedisStore::new(redis().await);
        let sessions = match kind {
            0 => Sessions::from(stored),
            _ => world.sealed(),
        };
        let plain = async || database.open().await;
        ends_at_three_nodes(&world, &sessions, plain).await;
        let leased = async || {
            let users = database.open().await;
            let bus = PostgresLogoutBus::new(users.pool().clone());
            Leased::new(users, Duration::from_secs(1)).bus(bus)
        };
        ends_at_three_nodes(&world, &sessions, leased).await;
    }
}

async fn ends_at_three_nodes<S: IdentityStore<User = Account>>(
    world: &World,
    sessions: &Sessions,
    users: impl AsyncFn() -> S,
) {
    let site = async || Site::new(world, users().await, sessions.clone());
    let nodes = [site().await, site().await, site().await];
    everybody::every_login_ends_on_every_node(world, &nodes).await;
    let node = async || other_logins::node(world, users().await, sessions.clone());
    other_logins::one_browser_stays(&[node().await, node().await, node().await]).await;
}
