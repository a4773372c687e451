//! The bus over Redis: news, and no more. Here time is real.

use std::{env, thread, time::Duration};

use axum_clef::{
    IdentityStore as _, LoginReference, Timestamp, User as _, UserStore as _,
    leased::{Leased, LogoutKey, LogoutNews, RedisLogoutBus},
    stores::MemoryUserStore,
};
use test_support::log;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    runtime::Runtime,
    sync::broadcast::Receiver,
    time::{Instant, timeout},
};
use tower_sessions_redis_store::fred::{
    clients::Client,
    prelude::{ClientLike as _, Config},
    types::{ClusterHash, CustomCommand, FromValue},
};

use crate::world::{log_in, subject};

/// Databases that nothing else uses, one for each test. News goes through all of them.
const DATABASES: [u8; 4] = [12, 13, 14, 15];
const LEASE: Duration = Duration::from_secs(1);
/// Longer than anything here takes.
const ETERNITY: Duration = Duration::from_secs(30);

type Node = Leased<MemoryUserStore>;

fn user_logged_out(id: &str) -> LogoutNews {
    LogoutNews::LoggedOut(LogoutKey::User(id.to_owned()))
}

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
    format!("clef:test:{:016x}", rand::random::<u64>())
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
    assert_eq!(begins, Ok(LogoutNews::Lagged), "what came before");
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
    let alex = subject("12345");
    let id = log_in(&here, &alex).await;
    let login = LoginReference::new(&id);
    let logged_out_at = async || {
        let check = there.check_login(login).await.unwrap().unwrap();
        check.user.logged_out_at()
    };
    assert_eq!(logged_out_at().await, None);
    let began_at = Instant::now();
    let logout = here.log_out_subject(&alex);
    let received = async {
        let received = timeout(ETERNITY, news.recv()).await.unwrap();
        assert!(logged_out_at().await.is_some());
        received
    };
    let (logged_out, received) = tokio::join!(logout, received);
    assert_eq!(logged_out.unwrap(), [&*id]);
    assert_eq!(received, Ok(user_logged_out(&id)));
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
        let receivers: i64 = command(&redis, &["PUBLISH", &channel, garbage]).await;
        assert_eq!(receivers, 2);
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
        let lagged = timeout(ETERNITY, news.recv()).await.unwrap();
        assert_eq!(lagged, Ok(LogoutNews::Lagged));
    }
    let id = log_in(&here, &subject("12345")).await;
    let published = async {
        loop {
            here.log_out(&id).await.unwrap();
        }
    };
    let received = async { while news.recv().await != Ok(user_logged_out(&id)) {} };
    let received = async {
        tokio::select! {
            () = published => {}
            () = received => {}
        }
    };
    timeout(ETERNITY, received).await.unwrap();
}

/// On one thread, of which the log is read.
#[tokio::test]
#[ignore = "needs Redis at REDIS_URL; .ci/run runs it"]
async fn the_heartbeats_of_a_node_are_no_news() {
    log::listen_to("axum_clef=warn");
    let (users, channel) = (MemoryUserStore::new(), channel());
    let (_here, mut news) = node(&users, (DATABASES[3], &channel)).await;
    // The first heartbeat is sent after two seconds.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(!log::text().contains("were rejected"));
    assert!(news.try_recv().is_err());
}

/// A user of Redis that may publish on one channel, and has no other right. It is deleted when this
/// is dropped.
struct Publisher {
    name: String,
    connection: BufReader<TcpStream>,
}

impl Publisher {
    async fn new(channel: &str) -> Self {
        let name = format!("clef_test_{:016x}", rand::random::<u64>());
        let (password, channel) = (format!(">{name}"), format!("&{channel}"));
        let rights = ["-@all", "+publish", "resetkeys", "resetchannels", &channel];
        let user = ["ACL", "SETUSER", &name, "on", &password];
        let _ok: String =
            command(&client(DATABASES[2]).await, &[&user[..], &rights].concat()).await;
        let url: url::Url = env::var("REDIS_URL").unwrap().parse().unwrap();
        let address = (url.host_str().unwrap(), url.port().unwrap_or(6379));
        let connection = BufReader::new(TcpStream::connect(address).await.unwrap());
        let mut publisher = Self { name, connection };
        let name = publisher.name.clone();
        assert_eq!(publisher.send(&["AUTH", &name, &name]).await, "+OK");
        publisher
    }

    /// One command, and the first line of the answer.
    async fn send(&mut self, words: &[&str]) -> String {
        let mut text = format!("*{}\r\n", words.len());
        for word in words {
            text += &format!("${}\r\n{word}\r\n", word.len());
        }
        let connection = &mut self.connection;
        connection.write_all(text.as_bytes()).await.unwrap();
        let mut line = String::new();
        connection.read_line(&mut line).await.unwrap();
        line.trim_end().to_owned()
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        let name = self.name.clone();
        // In a thread, as the runtime of the test is busy waiting for this.
        let deleting = thread::spawn(move || {
            Runtime::new().unwrap().block_on(async {
                let admin = client(DATABASES[2]).await;
                let _deleted: i64 = command(&admin, &["ACL", "DELUSER", &name]).await;
            });
        });
        let _ = deleting.join();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis at REDIS_URL; .ci/run runs it"]
async fn a_client_that_may_only_publish_loosens_nothing() {
    let (users, channel) = (MemoryUserStore::new(), channel());
    let (here, _) = node(&users, (DATABASES[2], &channel)).await;
    let (there, mut news) = node(&users, (DATABASES[2], &channel)).await;
    let mut attacker = Publisher::new(&channel).await;
    for refused in [["SUBSCRIBE", &channel], ["GET", "x"]] {
        assert!(attacker.send(&refused).await.starts_with("-NOPERM"));
    }
    let alex = subject("12345");
    let id = log_in(&here, &alex).await;
    let login = LoginReference::new(&id);
    let new_login = async || {
        let stamp = here.now().await.unwrap();
        log_in(&here, &alex).await;
        stamp
    };
    let serves = async |node: &Node, stamp: Timestamp| {
        let check = node.check_login(login).await.unwrap().unwrap();
        stamp.outlives(check.user.logged_out_at())
    };
    let stamp = new_login().await;
    assert!(serves(&there, stamp).await);

    let names = r#"{"issuer":"https://clef.test","id":"12345"}"#;
    let forged = [
        format!(r#"{{"from":"x","ended":{{"logins":[{{"user":"{id}"}}]}}}}"#),
        format!(r#"{{"from":"x","ended":{{"logins":[{{"subject":{names}}}]}}}}"#),
        format!(r#"{{"from":"x","ended":{{"logins":[{{"revocation":{{"session":{names}}}}}]}}}}"#),
        r#"{"from":"x","ended":"any"}"#.to_owned(),
        "x".to_owned(),
        String::new(),
    ];
    assert_eq!(
        attacker.send(&["PUBLISH", &channel, &forged[0]]).await,
        ":2"
    );
    let received = timeout(ETERNITY, news.recv()).await.unwrap();
    assert_eq!(received, Ok(user_logged_out(&id)));
    for node in [&here, &there] {
        assert!(serves(node, stamp).await, "it logs no user out");
    }

    // A flood of everything, from before the logout until after it was answered.
    let flooding = tokio::spawn(async move {
        let until = Instant::now() + LEASE * 2;
        while Instant::now() < until {
            for text in &forged {
                attacker.send(&["PUBLISH", &channel, text]).await;
            }
        }
    });
    let began_at = Instant::now();
    assert!(here.log_out(&id).await.unwrap());
    assert!(began_at.elapsed() >= LEASE, "{:?}", began_at.elapsed());
    for node in [&here, &there] {
        assert!(!serves(node, stamp).await);
    }
    let stamp = new_login().await;
    for node in [&here, &there] {
        assert!(serves(node, stamp).await);
    }
    flooding.await.unwrap();
}
