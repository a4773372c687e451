use std::{net::SocketAddr, time::Duration};

use axum::{
    Json, Router,
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
    response::Response,
    routing::get,
};
use axum_clef::{
    ClefLayer, ClefLayerBuilder, LoggedIn, RecentLogin,
    oidc::Oidc,
    stores::{Account, MemoryUserStore},
};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::{
        Mutex,
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    },
    task::JoinHandle,
    time::timeout,
};
use tower_sessions::MemoryStore;

use crate::provider::RealProvider;

pub const CLIENT_ID: &str = "the site:1";
/// With all that a form encodes.
pub const CLIENT_SECRET: &str = "se cret:+%/&";

/// A site of two nodes over the same stores, each with an OpenID client of its own.
///
/// Its address is that of the first node, so browsers come back there and notices arrive there. The
/// second one knows only what stands in the stores.
pub struct Site {
    pub url: String,
    nodes: [Node; 2],
    notices: Mutex<UnboundedReceiver<Answered>>,
}

/// A logout notice that the site has answered.
#[derive(Debug, PartialEq)]
pub struct Answered {
    pub path: String,
    pub status: u16,
}

struct Node {
    address: SocketAddr,
    server: JoinHandle<()>,
}

/// What a node is made of before it serves.
pub struct Ground {
    pub url: String,
    users: MemoryUserStore,
    sessions: MemoryStore,
}

impl Site {
    /// A site of this provider's, which is still to learn of it.
    pub async fn start(provider: &RealProvider) -> Self {
        Self::start_with(provider, |client| client).await
    }

    /// Whose clients are set up in this way.
    pub async fn start_with(provider: &RealProvider, set_up: impl Fn(Oidc) -> Oidc) -> Self {
        Self::build(async |ground| {
            let client = set_up(client(provider).await);
            ground.builder().provider(client).build().unwrap()
        })
        .await
    }

    /// Of layers of its own kind, one for each node.
    pub async fn build(layer: impl AsyncFn(&Ground) -> ClefLayer) -> Self {
        Self::build_at("127.0.0.1", layer).await
    }

    /// The same under a name of this machine. To browsers, another name is another site.
    pub async fn build_at(host: &str, layer: impl AsyncFn(&Ground) -> ClefLayer) -> Self {
        let first = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let second = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ground = Ground {
            url: format!("http://{host}:{}", first.local_addr().unwrap().port()),
            users: MemoryUserStore::new(),
            sessions: MemoryStore::default(),
        };
        let (sender, notices) = unbounded_channel();
        let nodes = [
            Node::start(first, layer(&ground).await, sender.clone()),
            Node::start(second, layer(&ground).await, sender),
        ];
        Self {
            url: ground.url,
            nodes,
            notices: Mutex::new(notices),
        }
    }

    /// The next notice that the site has answered. Some providers send it after they have answered
    /// the logout.
    pub async fn answered(&self) -> Answered {
        let mut notices = self.notices.lock().await;
        let notice = timeout(Duration::from_secs(20), notices.recv()).await;
        notice.expect("a notice is sent within 20 seconds").unwrap()
    }

    /// Whether no other notice was answered.
    pub async fn has_no_other_notice(&self) -> bool {
        self.notices.lock().await.is_empty()
    }

    /// What a provider has to know of the site.
    pub fn metadata(&self) -> Value {
        self.metadata_under("/clef")
    }

    /// The same of routes that lie elsewhere.
    pub fn metadata_under(&self, path: &str) -> Value {
        let url = &self.url;
        json!({
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "redirect_uris": [format!("{url}{path}/callback")],
            "post_logout_redirect_uris": [format!("{url}{path}/signed-out")],
            "backchannel_logout_uri": format!("{url}{path}/logout"),
            "backchannel_logout_session_required": true,
        })
    }

    /// A path at each of the nodes.
    pub fn at_each_node(&self, path: &str) -> [String; 2] {
        let urls = self.nodes.each_ref();
        urls.map(|node| format!("http://{}{path}", node.address))
    }
}

/// The site's client, of which each node has one.
pub async fn client(provider: &RealProvider) -> Oidc {
    let client = Oidc::discover(provider.issuer(), CLIENT_ID, CLIENT_SECRET);
    client.await.unwrap()
}

impl Ground {
    pub fn builder(&self) -> ClefLayerBuilder<MemoryUserStore> {
        ClefLayer::builder(&self.url, self.users.clone(), self.sessions.clone())
    }
}

impl Node {
    fn start(listener: TcpListener, layer: ClefLayer, notices: UnboundedSender<Answered>) -> Self {
        let app = Router::new()
            .route("/", get(async || "the front page"))
            .route("/account", get(account))
            .route("/recent", get(async |_: RecentLogin<10>| "recent"))
            .merge(layer.routes())
            .layer(layer)
            .layer(from_fn_with_state(notices, note_notice));
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, server }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Notes the answer of the routes for notices, whose paths end so.
async fn note_notice(
    State(notices): State<UnboundedSender<Answered>>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    if path.ends_with("logout") {
        let status = response.status().as_u16();
        // The site may be gone.
        let _ = notices.send(Answered { path, status });
    }
    response
}

async fn account(LoggedIn(user): LoggedIn<Account>) -> Json<Value> {
    let profile = user.profile();
    Json(json!({
        "issuer": profile.subject.issuer(),
        "sub": profile.subject.id(),
        "name": profile.name(),
        "email": profile.email,
        "phone": profile.phone_number,
    }))
}
