//! Nodes of one site in one process, in a time that is turned.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{Method, Request, header},
    routing::get,
};
use axum_clef::{
    ClefLayer, IdentityStore, LoggedIn, Profile, Subject, User as _, UserStore as _,
    leased::Leased,
    stores::{Account, MemoryUserStore},
};
use tokio::task::JoinHandle;
use tower_sessions::MemoryStore;

use crate::{
    browser::{Answer, Browser, send, spawn},
    bus::{End, Wire},
    holds::Holds,
    provider::HeldProvider,
    users::Users,
};

pub const SITE: &str = "http://127.0.0.1:9";
pub const MILLISECOND: Duration = Duration::from_millis(1);
pub const LEASE: Duration = Duration::from_secs(1);
/// How long a logout waits for that.
pub const WAIT: Duration = Duration::from_nanos(1_020_202_020);

/// What the nodes of a site share.
pub struct World {
    pub store: MemoryUserStore,
    pub sessions: MemoryStore,
    pub provider: HeldProvider,
}

/// One node.
pub struct Node {
    pub router: Router,
    /// Its handle of the store, below the lease.
    pub users: Users,
    pub leased: Arc<Leased<Users>>,
}

impl World {
    pub fn new() -> Self {
        Self {
            store: MemoryUserStore::new(),
            sessions: MemoryStore::default(),
            provider: HeldProvider(Holds::default()),
        }
    }

    pub fn node(&self) -> Node {
        self.node_of(|users| Leased::new(users, LEASE))
    }

    pub fn node_at(&self, end: End) -> Node {
        self.node_of(|users| Leased::new(users, LEASE).bus(end))
    }

    pub fn node_of(&self, lease: impl FnOnce(Users) -> Leased<Users>) -> Node {
        let users = Users::new(self.store.clone());
        let leased = Arc::new(lease(users.clone()));
        let router = self.router(Arc::clone(&leased));
        Node {
            router,
            users,
            leased,
        }
    }

    pub fn router(&self, users: impl IdentityStore<User = Account>) -> Router {
        let layer = ClefLayer::builder(SITE, users, self.sessions.clone())
            .provider(self.provider.clone())
            .build();
        let layer = layer.unwrap();
        Router::new()
            .route("/account", get(account))
            .merge(layer.routes())
            .layer(layer)
    }
}

/// Two nodes with a bus between them.
pub async fn two_nodes_on(wire: &Wire) -> (World, [Node; 2], [End; 2]) {
    let world = World::new();
    let ends = [wire.end(), wire.end()];
    let nodes = ends.clone().map(|end| world.node_at(end));
    for node in &nodes {
        // The bus begins with the first use.
        node.leased.logout_news();
    }
    settle().await;
    assert_eq!(wire.listeners.lock().unwrap().len(), 2);
    (world, nodes, ends)
}

async fn account(LoggedIn(user): LoggedIn<Account>) -> String {
    user.profile().subject.id().to_owned()
}

pub fn subject(id: &str) -> Subject {
    Subject::new("https://clef.test", id)
}

/// A user of this subject who has just logged in, without a browser: the id.
pub async fn log_in(users: &impl IdentityStore, subject: &Subject) -> String {
    let user = users.find_or_create(&Profile::new(subject.clone())).await;
    let id = user.unwrap().unwrap().id();
    users.log_in(&id).await.unwrap().unwrap();
    id
}

impl Node {
    /// To the provider and back.
    pub async fn log_in(&self, browser: &mut Browser, subject: &str) {
        let answer = send(self, browser.request(Method::GET, "/clef/login")).await;
        browser.take(&answer);
        let (_, state) = answer.location.split_once('?').unwrap();
        let uri = format!("/clef/callback?code=code:{subject}&state={state}");
        let answer = send(self, browser.request(Method::GET, &uri)).await;
        assert_eq!(answer.status, 303, "the login of {subject}");
        browser.take(&answer);
    }

    /// A browser of a user who has just logged in.
    pub async fn browser_of(&self, subject: &str) -> Browser {
        let mut browser = Browser::default();
        self.log_in(&mut browser, subject).await;
        browser
    }

    /// The status of a page for users.
    pub async fn status(&self, browser: &Browser) -> u16 {
        let answer = send(self, browser.request(Method::GET, "/account")).await;
        answer.status.as_u16()
    }

    pub async fn serves(&self, browser: &Browser) -> bool {
        let answer = send(self, browser.request(Method::GET, "/account")).await;
        match answer.status.as_u16() {
            200 => true,
            401 => false,
            status => panic!("neither in nor out: {status} {}", answer.body),
        }
    }

    /// A request that is answered some time.
    pub fn request(&self, browser: &Browser) -> JoinHandle<Answer> {
        spawn(self, browser.request(Method::GET, "/account"))
    }

    /// A new logout notice, which is answered some time.
    pub fn notice(&self, subject: &str) -> JoinHandle<Answer> {
        let request = Request::post("/clef/logout")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(format!(
                "logout_token=token:{subject}:{:x}",
                rand::random::<u64>()
            )))
            .unwrap();
        spawn(self, request)
    }
}

/// Lets every task run as far as it can without waiting.
pub async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

/// Lets so much time pass.
pub async fn pass(time: Duration) {
    settle().await;
    tokio::time::advance(time).await;
    settle().await;
}
