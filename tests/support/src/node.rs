use std::{net::SocketAddr, time::Duration};

use axum::{
    Json, Router,
    middleware::from_extractor,
    response::Html,
    routing::{get, post},
};
use axum_clef::{
    ClefButton, ClefLayer, ClefLayerBuilder, LoggedIn, Login, Logouts, RecentLogin, SameOrigin,
    SessionKey, Sessions, SignOut, SignOutError, User as _, stores::Account,
};
use tokio::{net::TcpListener, task::JoinHandle};
use tower_sessions::MemoryStore;

use crate::{
    Browser, Hook, HookedUsers, Pause, ScriptedProvider, TestClock, TestSessions, TestUsers,
    browser::Served,
};

/// Everything that the nodes of one site share.
#[derive(Clone)]
#[allow(missing_docs)]
pub struct World {
    pub clock: TestClock,
    pub users: TestUsers,
    pub sessions: TestSessions,
    pub provider: ScriptedProvider,
    /// Where `/slow` waits, once it has the user.
    pub slow: Pause,
}

/// One process of the site.
#[allow(missing_docs)]
pub struct Node {
    pub address: SocketAddr,
    pub layer: ClefLayer,
    server: JoinHandle<()>,
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// A site without users, with everything in memory.
    pub fn new() -> Self {
        let clock = TestClock::new();
        Self {
            users: TestUsers::new(clock.users()),
            clock,
            sessions: TestSessions::new(MemoryStore::default()),
            provider: ScriptedProvider::default(),
            slow: Pause::default(),
        }
    }

    /// A site with one node over loopback.
    pub async fn with_node() -> (Self, Node) {
        let world = Self::new();
        let node = world.node().await;
        (world, node)
    }

    /// The same, and a browser in which this person is logged in.
    pub async fn logged_in(person: &str) -> (Self, Node, Browser) {
        let (world, node) = Self::with_node().await;
        let browser = Browser::new();
        browser.log_in(&node, person).await;
        (world, node, browser)
    }

    /// A site with one node without a socket.
    pub fn with_app() -> (Self, Router) {
        let world = Self::new();
        let app = world.app(&world.layer());
        (world, app)
    }

    /// The site's address as a load balancer would have it: the same for all nodes.
    pub const SITE: &str = "http://127.0.0.1:9";

    /// The key of [`sealed`](Self::sealed).
    pub fn key() -> SessionKey {
        SessionKey::from_bytes([7; 32])
    }

    /// Logins in the session store.
    pub fn stored(&self) -> Sessions {
        Sessions::from(self.sessions.clone())
    }

    /// Logins in cookies.
    pub fn sealed(&self) -> Sessions {
        Sessions::sealed([Self::key()])
    }

    /// Both places where logins can be.
    pub fn both(&self) -> [(&'static str, Sessions); 2] {
        [("stored", self.stored()), ("sealed", self.sealed())]
    }

    /// The settings of a node that stores its logins.
    pub fn builder(&self) -> ClefLayerBuilder<TestUsers> {
        self.builder_over(self.stored())
    }

    /// The settings of a node that keeps its logins there.
    pub fn builder_over(&self, sessions: Sessions) -> ClefLayerBuilder<TestUsers> {
        self.builder_at(Self::SITE, sessions)
    }

    /// The settings of a node of the site with this URL.
    pub fn builder_at(&self, site: &str, sessions: Sessions) -> ClefLayerBuilder<TestUsers> {
        ClefLayer::builder(site, self.users.clone(), sessions).provider(self.provider.clone())
    }

    /// Settings over another store of users.
    pub fn builder_of<H: Hook>(&self, users: &HookedUsers<H>) -> ClefLayerBuilder<HookedUsers<H>> {
        ClefLayer::builder(Self::SITE, users.clone(), self.stored()).provider(self.provider.clone())
    }

    /// The layer of a node that stores its logins.
    pub fn layer(&self) -> ClefLayer {
        self.builder().build().unwrap()
    }

    /// A node without a socket.
    pub fn app_over(&self, sessions: Sessions) -> Router {
        self.app_of(self.builder_over(sessions))
    }

    /// A node without a socket, with these settings.
    pub fn app_of(&self, builder: ClefLayerBuilder<TestUsers>) -> Router {
        self.app(&builder.build().unwrap())
    }

    /// A node over loopback.
    pub async fn node(&self) -> Node {
        self.node_with(self.layer()).await
    }

    /// A node over loopback with this layer.
    pub async fn node_with(&self, layer: ClefLayer) -> Node {
        let app = self.app(&layer);
        self.serve(app, layer).await
    }

    /// The site's router.
    pub fn app(&self, layer: &ClefLayer) -> Router {
        self.pages(layer.routes()).layer(layer.clone())
    }

    /// Its pages and these routes, and no layer around them.
    pub fn pages(&self, routes: Router) -> Router {
        let slow = self.slow.clone();
        Router::new()
            .route("/members/one", get(|| async { "for members" }))
            .route_layer(from_extractor::<LoggedIn<Account>>())
            .route("/", get(home))
            .route("/account", get(account).post(account))
            .route("/public", get(public))
            .route("/twice", get(twice))
            .route("/button", get(button))
            .route("/recent", get(recent).post(recent))
            .route("/recent/perhaps", get(perhaps_recent))
            .route(
                "/slow",
                get(move |_: LoggedIn<Account>| async move { slow.here().await }),
            )
            .route("/leave", post(leave))
            .route("/everywhere", post(everywhere))
            .route("/same-origin", post(same_origin).get(same_origin))
            .route("/wrong", get(wrong))
            .route("/wrong/perhaps", get(perhaps_wrong))
            .merge(routes)
    }

    /// Serves an application on a free port.
    pub async fn serve(&self, app: Router, layer: ClefLayer) -> Node {
        Node::serve(app, layer).await
    }
}

impl Node {
    /// Serves an application on a free port.
    pub async fn serve(app: Router, layer: ClefLayer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self {
            address,
            layer,
            server,
        }
    }

    /// The URL of a path at this node.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Sends a logout notice, as the provider does: without a cookie. Gives the status.
    pub async fn notice(&self, token: &str) -> u16 {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client
            .post(self.url("/clef/logout"))
            .form(&[("logout_token", token)])
            .timeout(Duration::from_secs(30));
        request.send().await.unwrap().status().as_u16()
    }
}

impl Served for Node {
    fn url(&self, path: &str) -> String {
        Self::url(self, path)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn home(user: Option<LoggedIn<Account>>) -> String {
    user.map_or("unauthenticated".to_owned(), |user| user.id())
}

async fn account(LoggedIn(user): LoggedIn<Account>) -> Json<String> {
    Json(user.profile().subject.id().to_owned())
}

async fn twice(
    _first: LoggedIn<Account>,
    _second: Option<LoggedIn<Account>>,
    _third: axum_clef::Login,
) -> &'static str {
    "asked three times"
}

async fn button(button: ClefButton) -> Html<String> {
    Html(button.html())
}

/// What needs a login within ten minutes.
async fn recent(login: RecentLogin<10>, LoggedIn(user): LoggedIn<Account>) -> String {
    assert_eq!(login.user_id(), user.id());
    format!("{} proved it recently", user.profile().subject.id())
}

async fn perhaps_recent(login: Option<RecentLogin<10>>) -> &'static str {
    match login {
        Some(_) => "recent",
        None => "not recent",
    }
}

async fn public() -> ([(&'static str, &'static str); 1], &'static str) {
    ([("cache-control", "public")], "the same for all")
}

async fn everywhere(login: Login, logouts: Logouts) -> String {
    format!("{:?}", logouts.log_out_user(login.user_id()).await)
}

/// A sign-out of the application's own.
async fn leave(_: SameOrigin, sign_out: SignOut) -> Result<&'static str, SignOutError> {
    sign_out.end().await?;
    Ok("goodbye")
}

/// A form of the application's own.
async fn same_origin(_: SameOrigin, LoggedIn(_): LoggedIn<Account>) -> &'static str {
    "taken"
}

/// A handler that asks for a user which is not the store's.
async fn wrong(_: LoggedIn<OtherUser>) {}

async fn perhaps_wrong(_: Option<LoggedIn<OtherUser>>) {}

#[derive(Clone)]
struct OtherUser;

impl axum_clef::User for OtherUser {
    fn id(&self) -> String {
        String::new()
    }

    fn logged_out_at(&self) -> Option<axum_clef::Timestamp> {
        None
    }
}
