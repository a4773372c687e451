//! The bus over Redis: news, and no more. Here time is real.

use std::{env, time::Duration};

use axum_clef::{
    LoginReference, LogoutNews, Profile, UserStore as _,
    leased::{Leased, RedisLogoutBus},
    provider::LogoutScope,
    stores::MemoryUserStore,
};
use tokio::{
    sync::broadcast::Receiver,
    time::{Instant, timeout},
};
use tower_sessions_redis_store::fred::{
    clients::Client,
    prelude::{ClientLike as _, Config},
    types::{ClusterHash, CustomCommand, FromValue},
};

use crate::world::person;

/// In which nobody else has anything, one for each test. News goes through all of them.
const DATABASES: [u8; 2] = [12, 13];
const LEASE: Duration = Duration::from_secs(1);
/// Longer than anything here takes.
const ETERNITY: Duration = Duration::from_secs(30);

type Node = Leased<MemoryUserStore>;

async fn client(database: u8) -> Client {
    let url = env::var("REDIS_URL")
        .expect("REDIS_URL is not set: write it like redis://127.0.0.1:6379, or run .ci/run");
    let mut config = Config::from_url(&url).unwrap();
    config.database = Some(database);
    let client = Client::new(config, None, None, None);
    let connected = client.init().await;
    connected.expect("the Redis server of REDIS_URL answers");
    client
}

fn channel() -> String {
    format!("clef test {:016x}", rand::random::<u64>())
}

/// A node that listens, and its news from then on.
async fn node(
    users: &MemoryUserStore,
    (database, channel): (u8, &str),
) -> (Node, Receiver<LogoutNews>) {
    let bus = RedisLogoutBus::new(client(database).await, channel);
    let node = Leased::new(users.clone(), LEASE).bus(bus);
    let mut news = node.logout_news().unwrap();
    let begins = timeout(ETERNITY, news.recv()).await.expect("it listens");
    assert_eq!(begins, Ok(LogoutNews::Missed), "what came before");
    (node, news)
}

async fn command<T: FromValue>(client: &Client, words: &[&str]) -> T {
    let command = CustomCommand::new(words[0], ClusterHash::FirstKey, false);
    client.custom(command, words[1..].to_vec()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis at REDIS_URL; .ci/run runs it"]
async fn a_logout_is_seen_before_it_is_answered_and_waits_for_the_lease() {
    let (users, channel) = (MemoryUserStore::new(), channel());
    let (here, _) = node(&users, (DATABASES[0], &channel)).await;
    let (there, mut news) = node(&users, (DATABASES[0], &channel)).await;
    let alex = person("12345");
    let login = LoginReference::new("1", &alex);
    here.log_in(&Profile::new(alex.clone())).await.unwrap();
    let logged_out_at = async || {
        let standing = there.standing(login).await.unwrap().unwrap();
        axum_clef::User::logged_out_at(&standing.user)
    };
    assert_eq!(logged_out_at().await, None);
    let began_at = Instant::now();
    let logout = here.log_out(&alex);
    let heard = async {
        let heard = timeout(ETERNITY, news.recv()).await.unwrap();
        assert!(logged_out_at().await.is_some());
        heard
    };
    let (logged_out, heard) = tokio::join!(logout, heard);
    assert!(logged_out.unwrap());
    assert_eq!(
        heard,
        Ok(LogoutNews::LoggedOut(LogoutScope::Person(alex.clone())))
    );
    assert!(began_at.elapsed() >= LEASE, "Redis proves nothing");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis at REDIS_URL; .ci/run runs it"]
async fn garbage_is_no_news_and_a_lost_connection_is_made_again() {
    let (users, channel) = (MemoryUserStore::new(), channel());
    // By it, the connections to break are known from those of others at this server.
    let database = format!(" db={} ", DATABASES[1]);
    let (here, _) = node(&users, (DATABASES[1], &channel)).await;
    let (_there, mut news) = node(&users, (DATABASES[1], &channel)).await;
    let redis = client(DATABASES[1]).await;
    for garbage in ["", "x", "{}", &"x".repeat(100_000)] {
        let heard_by: i64 = command(&redis, &["PUBLISH", &channel, garbage]).await;
        assert_eq!(heard_by, 2);
    }
    let clients: String = command(&redis, &["CLIENT", "LIST", "TYPE", "pubsub"]).await;
    let ours = clients.lines().filter(|client| client.contains(&database));
    let ids: Vec<_> = ours
        .filter_map(|client| client.split_whitespace().next()?.strip_prefix("id="))
        .collect();
    assert_eq!(ids.len(), 2, "{clients}");
    for id in ids {
        let _killed: i64 = command(&redis, &["CLIENT", "KILL", "ID", id]).await;
    }
    for _ in 0..2 {
        // Once when it is lost, and once when it listens again.
        let missed = timeout(ETERNITY, news.recv()).await.unwrap();
        assert_eq!(missed, Ok(LogoutNews::Missed));
    }
    let alex = person("12345");
    here.log_in(&Profile::new(alex.clone())).await.unwrap();
    let told = async {
        loop {
            here.log_out(&alex).await.unwrap();
        }
    };
    let scope = LogoutScope::Person(alex.clone());
    let heard = async { while news.recv().await != Ok(LogoutNews::LoggedOut(scope.clone())) {} };
    let heard = async {
        tokio::select! {
            () = told => {}
            () = heard => {}
        }
    };
    timeout(ETERNITY, heard).await.unwrap();
}
