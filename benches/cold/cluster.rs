//! Nodes over one PostgreSQL that count their reads.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderValue, Request, header},
    routing::get,
};
use axum_clef::{
    ClefLayer, LoggedIn, SessionKey, Sessions,
    leased::{Leased, PostgresLogoutBus},
    stores::Account,
};
use rand::RngExt as _;
use test_support::{Call, Calls, Database, HookedUsers, Jar, ScriptedProvider, World};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};
use tower::ServiceExt as _;

const LEASE: Duration = Duration::from_secs(1);
const LOGINS: usize = 300;
/// How long a node takes at the least from its layer to its first request.
const UNTIL_REQUESTS: Duration = Duration::from_millis(100);
/// How many tasks ask a node, and how long each rests between two requests.
const TASKS: usize = 32;
const REST: Duration = Duration::from_millis(5);

/// One node.
struct Node {
    app: Router,
    calls: Calls,
}

/// A node, and what a further one needs to join it.
pub struct Cluster<'a> {
    database: &'a Database,
    first: Node,
    cookies: Arc<[HeaderValue]>,
}

/// What happened in a second.
pub struct Reads {
    pub requests: u64,
    /// Of the user store.
    pub reads: u64,
}

impl Node {
    async fn start(database: &Database) -> Self {
        let store = database.open().await;
        let bus = PostgresLogoutBus::new(store.pool().clone());
        let calls = Calls::default();
        let users = Leased::new(HookedUsers::with(store, calls.clone()), LEASE).bus(bus);
        let sessions = Sessions::sealed([SessionKey::from_bytes([1; 32])]);
        let layer = ClefLayer::builder(World::SITE, users, sessions)
            .provider(ScriptedProvider::default())
            .build()
            .unwrap();
        let app = Router::new()
            .route("/account", get(|_: LoggedIn<Account>| async { "yours" }))
            .merge(layer.routes())
            .layer(layer)
            .with_state(());
        Self { app, calls }
    }

    fn reads(&self) -> u64 {
        self.calls.of(Call::CheckLogin)
    }
}

impl<'a> Cluster<'a> {
    /// One node, at which everybody logs in.
    pub async fn start(database: &'a Database) -> Self {
        let first = Node::start(database).await;
        let mut cookies = Vec::with_capacity(LOGINS);
        for person in 0..LOGINS {
            let jar = Jar::logged_in(&first.app, &person.to_string()).await;
            cookies.push(jar.header());
        }
        Self {
            database,
            first,
            cookies: cookies.into(),
        }
    }

    /// The reads of so many requests of one login at once, at a new node or at one that was asked
    /// before.
    pub async fn stampede(&self, requests: usize, is_warm: bool) -> u64 {
        let node = Node::start(self.database).await;
        sleep(UNTIL_REQUESTS).await;
        let cookies = &self.cookies[0];
        if is_warm {
            ask(&node.app, cookies).await;
            sleep(2 * LEASE).await;
        }
        let before = node.reads();
        let mut asking = JoinSet::new();
        for _ in 0..requests {
            let (app, cookies) = (node.app.clone(), cookies.clone());
            asking.spawn(async move { ask(&app, &cookies).await });
        }
        asking.join_all().await;
        node.reads() - before
    }

    /// Starts a further node, with requests to both. Returns what happened at the new one in each
    /// second.
    pub async fn join(&self, seconds: u64) -> Vec<Reads> {
        let node = Node::start(self.database).await;
        sleep(UNTIL_REQUESTS).await;
        let (requests, begun) = (Arc::<AtomicU64>::default(), Instant::now());
        let ends_at = begun + Duration::from_secs(seconds);
        let mut asking = JoinSet::new();
        for (app, requests) in [
            (&self.first.app, Arc::default()),
            (&node.app, Arc::clone(&requests)),
        ] {
            for _ in 0..TASKS {
                let (app, cookies) = (app.clone(), Arc::clone(&self.cookies));
                let requests = Arc::clone(&requests);
                asking.spawn(async move {
                    while Instant::now() < ends_at {
                        let login = rand::rng().random_range(0..LOGINS);
                        ask(&app, &cookies[login]).await;
                        requests.fetch_add(1, Relaxed);
                        sleep(REST).await;
                    }
                });
            }
        }
        let mut minute = Vec::new();
        let mut before = 0;
        for second in 1..=seconds {
            sleep_until(begun + Duration::from_secs(second)).await;
            let reads = node.reads();
            minute.push(Reads {
                requests: requests.swap(0, Relaxed),
                reads: reads - before,
            });
            before = reads;
        }
        asking.join_all().await;
        minute
    }
}

/// Asks for the page of the user.
pub async fn ask(app: &Router, cookies: &HeaderValue) {
    let request = Request::get("/account").header(header::COOKIE, cookies);
    let request = request.body(Body::empty()).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    drop(to_bytes(response.into_body(), 1_000).await.unwrap());
}
