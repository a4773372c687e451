use std::ops::Deref;

use axum::{Router, routing::get};
use axum_clef::{
    ClefLayer, ClefLayerBuilder, LoggedIn, Login, RecentLogin, oidc::Oidc, stores::Account,
};
use reqwest::{Client, RequestBuilder, header::HeaderMap};
use serde_json::Value;
use test_support::{TestUsers, World};
use tower_sessions::MemoryStore;

use super::{Browser, OpenIdProvider, Person};

/// What the nodes of a site share.
#[derive(Clone)]
pub struct Site {
    pub provider: OpenIdProvider,
    pub users: TestUsers,
    sessions: MemoryStore,
}

/// One process of the site.
pub struct Node(test_support::Node);

impl Deref for Node {
    type Target = test_support::Node;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// What the sender of a notice hears.
pub struct Heard {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Site {
    /// The site's address as a load balancer would have it: the same for all nodes.
    pub const ADDRESS: &str = World::SITE;

    pub async fn start() -> Self {
        Self::at(OpenIdProvider::start().await)
    }

    /// A site with one node.
    pub async fn with_node() -> (Self, Node) {
        let site = Self::start().await;
        let node = site.node().await;
        (site, node)
    }

    /// The same, and a browser in which this person is logged in.
    pub async fn logged_in(person: Person) -> (Self, Node, Browser) {
        let (site, node) = Self::with_node().await;
        let browser = Browser::new();
        browser.log_in(&node, &site.provider, person).await;
        (site, node, browser)
    }

    pub fn at(provider: OpenIdProvider) -> Self {
        Self {
            provider,
            users: TestUsers::default(),
            sessions: MemoryStore::default(),
        }
    }

    pub async fn node(&self) -> Node {
        self.node_with(self.provider.client()).await
    }

    pub async fn node_with(&self, client: Oidc) -> Node {
        self.node_of(|layer| layer.provider(client)).await
    }

    /// A node with these settings.
    pub async fn node_of(
        &self,
        set: impl FnOnce(ClefLayerBuilder<TestUsers>) -> ClefLayerBuilder<TestUsers>,
    ) -> Node {
        let (users, sessions) = (self.users.clone(), self.sessions.clone());
        let layer = ClefLayer::builder(Self::ADDRESS, users, sessions);
        let layer = set(layer).build().unwrap();
        let app = Router::new()
            .route("/account", get(account))
            .route("/recent", get(recent))
            .route("/lasts", get(lasts))
            .merge(layer.routes())
            .layer(layer.clone());
        Node(test_support::Node::serve(app, layer).await)
    }
}

/// What needs a login within ten minutes.
async fn recent(_: RecentLogin<10>) {}

async fn account(LoggedIn(user): LoggedIn<Account>) -> String {
    user.profile().subject.id().to_owned()
}

/// How long this browser's login lasts at the most.
async fn lasts(login: Login) -> String {
    let ends_at = login.ends_at().unwrap();
    let micros = ends_at.as_micros() - login.logged_in_at().as_micros();
    format!("{} s", micros / 1_000_000)
}

impl Node {
    pub async fn serve(app: Router, layer: ClefLayer) -> Self {
        Self(test_support::Node::serve(app, layer).await)
    }

    /// A request to the back channel, as yet without a body.
    pub fn back_channel(&self) -> RequestBuilder {
        let client = Client::builder().no_proxy().build().unwrap();
        client.post(self.url("/clef/logout"))
    }

    /// Sends a logout token as the conformance suite does.
    pub async fn notice(&self, token: &str) -> Heard {
        let form = [("logout_token", token), ("ignored_parameter", "ignored")];
        Heard::from(self.back_channel().form(&form)).await
    }
}

impl Heard {
    pub async fn from(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        assert_eq!(headers["cache-control"], "no-store");
        assert!(!headers.contains_key("set-cookie"));
        let body = response.text().await.unwrap();
        Self {
            status,
            headers,
            body,
        }
    }

    /// The `error` of the JSON body.
    pub fn error(&self) -> String {
        assert_eq!(self.headers["content-type"], "application/json");
        let body: Value = serde_json::from_str(&self.body).unwrap();
        assert!(body["error_description"].is_string());
        body["error"].as_str().unwrap().to_owned()
    }
}
