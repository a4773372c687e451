//! The promise over real servers: users in PostgreSQL, sessions in Redis, and two nodes that share
//! nothing else.
//!
//! `POSTGRES_URL` and `REDIS_URL` name the servers; without them the tests fail. `.ci/run` sets
//! them and runs these.

use std::{env, sync::Arc, time::Duration};

use axum_clef::{ClefLayer, stores::PostgresUserStore};
use tokio::net::TcpListener;
use tower_sessions_redis_store::{
    RedisStore,
    fred::prelude::{ClientLike as _, Config, Pool},
};

use test_support::Database;

use crate::support::{Browser, Node, TestSessions, World};

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
    let (phone, laptop, other) = (Browser::new(), Browser::new(), Browser::new());
    phone.log_in(&here, "12345").await;
    laptop.log_in(&there, "12345").await;
    other.log_in(&there, "67890").await;
    for node in [&here, &there] {
        for browser in [&phone, &laptop, &other] {
            assert!(browser.is_in(node).await);
        }
    }

    assert_eq!(here.notice("token:12345").await, 200);

    for node in [&here, &there] {
        assert!(!phone.is_in(node).await);
        assert!(!laptop.is_in(node).await);
        assert!(other.is_in(node).await, "another user is untouched");
    }
    phone.log_in(&there, "12345").await;
    assert!(phone.is_in(&here).await, "a new login works at once");
    assert!(!laptop.is_in(&here).await);
    let response = phone.post(&here, "/auth/sign-out").send().await.unwrap();
    assert_eq!(response.status(), 303);
    assert!(!phone.is_in(&there).await);
    assert_eq!(there.notice("token:nobody").await, 404);
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL and Redis at REDIS_URL; .ci/run runs it"]
async fn a_logout_in_the_middle_of_a_login_refuses_it() {
    let (world, database) = (World::new(), Database::create().await);
    let (here, there) = two_nodes(&world, &database).await;
    let browser = Browser::new();
    browser.log_in(&here, "12345").await;

    let state = browser.begin(&here, "/").await;
    world.provider.during_exchange.set();
    let callback = browser.come_back(&here, "code:12345", &state);
    let notice = async {
        world.provider.during_exchange.reached().await;
        let status = there.notice("token:12345").await;
        world.provider.during_exchange.go();
        status
    };
    let (response, status) = tokio::join!(callback, notice);
    assert_eq!((response.status().as_u16(), status), (403, 200));
    assert!(!browser.is_in(&here).await);
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
        world.sessions.before_write.set();
        let in_flight = browser.get(&there, "/account").send();
        let end = async {
            world.sessions.before_write.reached().await;
            let status = match ending {
                "notice" => here.notice("token:12345").await,
                _ => {
                    let response = browser.post(&here, "/auth/sign-out").send().await;
                    response.unwrap().status().as_u16()
                }
            };
            world.sessions.before_write.go();
            status
        };
        let (response, ended) = tokio::join!(in_flight, end);
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
