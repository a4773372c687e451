//! Front-channel logout (OpenID Connect Front-Channel Logout 1.0): what a frame of the provider's
//! logout page ends, and what it cannot.

use std::sync::atomic::Ordering::SeqCst;

use axum::{Router, routing::get};
use axum_clef::{
    BoxError, BuildError, ClefLayer, IdentityStore, LoggedIn, Login, LoginCheck, LoginReference,
    LogoutCause, Profile, ProviderSession, RevocationKey, Subject, Timestamp, UserStore,
    provider::{LogoutEndpoint as _, LogoutMessage},
    stores::{Account, MemoryUserStore},
};
use reqwest::{Client, Method, Response};
use test_support::{SubjectsAlone, TestUsers};
use tower_sessions::MemoryStore;

use crate::support::{ALEX, Browser, Node, OpenIdProvider, Person, RSA, Site};

const PATH: &str = "/clef/front-channel-logout";

const DESK: Person = Person {
    subject: "alex",
    session: "desk",
};

/// A site at a provider of which a frame ends sessions, with Alex logged in twice.
struct Scene {
    provider: OpenIdProvider,
    users: MemoryUserStore,
    nodes: [Node; 2],
    phone: Browser,
    desk: Browser,
}

fn layer(provider: &OpenIdProvider, users: impl IdentityStore) -> Result<ClefLayer, BuildError> {
    let client = provider.client();
    ClefLayer::builder(Site::ADDRESS, users, MemoryStore::default())
        .logout_endpoint(PATH, client.front_channel_logout())
        .provider(client)
        .build()
}

async fn node(provider: &OpenIdProvider, users: &MemoryUserStore, sessions: &MemoryStore) -> Node {
    let client = provider.client();
    let layer = ClefLayer::builder(Site::ADDRESS, users.clone(), sessions.clone())
        .logout_endpoint(PATH, client.front_channel_logout())
        .provider(client)
        .build()
        .unwrap();
    let app = Router::new()
        .route("/account", get(account))
        .merge(layer.routes())
        .layer(layer.clone());
    Node::serve(app, layer).await
}

async fn account(LoggedIn(user): LoggedIn<Account>, _: Login) -> String {
    user.profile().subject.id().to_owned()
}

impl Scene {
    async fn new() -> Self {
        let provider = OpenIdProvider::start_at("/tenant/v2.0").await;
        let (users, sessions) = (MemoryUserStore::new(), MemoryStore::default());
        let nodes = [
            node(&provider, &users, &sessions).await,
            node(&provider, &users, &sessions).await,
        ];
        let (phone, desk) = (Browser::new(), Browser::new());
        phone.log_in(&nodes[0], &provider, ALEX).await;
        desk.log_in(&nodes[0], &provider, DESK).await;
        Self {
            provider,
            users,
            nodes,
            phone,
            desk,
        }
    }

    /// What a frame loads at the second node, which has seen none of the logins.
    async fn frame(&self, query: &[(&str, &str)]) -> Response {
        self.request(Method::GET, query).await
    }

    async fn request(&self, method: Method, query: &[(&str, &str)]) -> Response {
        let client = Client::builder().no_proxy().build().unwrap();
        let request = client.request(method, self.nodes[1].url(PATH)).query(query);
        let response = request.send().await.unwrap();
        assert!(!response.headers().contains_key("set-cookie"));
        response
    }

    async fn both_are_logged_in(&self) -> bool {
        let phone = self.phone.is(&self.nodes[0]).await;
        phone.is_some() && self.desk.is(&self.nodes[0]).await.is_some()
    }
}

#[tokio::test]
async fn a_frame_ends_the_logins_of_its_session_on_every_node() {
    let scene = Scene::new().await;
    let response = scene.frame(&[("sid", ALEX.session)]).await;
    assert_eq!(response.status(), 200);
    for node in &scene.nodes {
        assert_eq!(scene.phone.is(node).await, None);
        assert!(scene.desk.is(node).await.is_some(), "another session");
    }
    let issuer = scene.provider.issuer.as_str();
    let query = [("iss", issuer), ("sid", DESK.session)];
    assert_eq!(scene.frame(&query).await.status(), 200);
    assert_eq!(scene.desk.is(&scene.nodes[0]).await, None);
}

/// The same URL each time: it is no replay.
#[tokio::test]
async fn the_notice_names_its_event() {
    let provider = OpenIdProvider::start().await;
    let endpoint = provider.client().front_channel_logout();
    let message = LogoutMessage::new(ALEX.session);
    let url = Site::ADDRESS.parse().unwrap();
    let notice = endpoint.verify(&message, &url).await.unwrap();
    let event = LogoutCause::provider("frontchannel-logout");
    assert_eq!(notice.cause, event);
}

#[tokio::test]
async fn a_second_logout_in_a_session_ends_it_again() {
    let scene = Scene::new().await;
    for _ in 0..3 {
        scene.frame(&[("sid", ALEX.session)]).await;
        assert_eq!(scene.phone.is(&scene.nodes[0]).await, None);
        scene
            .phone
            .log_in(&scene.nodes[0], &scene.provider, ALEX)
            .await;
    }
}

/// The site notes whose session it is, for the frames alone.
#[tokio::test]
async fn a_logout_token_for_a_session_ends_no_other_session_of_its_user() {
    let scene = Scene::new().await;
    let mut claims = scene.provider.logout_claims(DESK);
    claims.as_object_mut().unwrap().remove("sub");
    let heard = scene.nodes[1].notice(&RSA.sign(&claims)).await;
    assert_eq!(heard.status, 200);
    for node in &scene.nodes {
        assert_eq!(scene.desk.is(node).await, None);
        assert!(scene.phone.is(node).await.is_some(), "another session");
    }
}

#[tokio::test]
async fn only_the_provider_may_frame_the_answer_which_no_cache_stores() {
    let scene = Scene::new().await;
    let origin = scene.provider.issuer.trim_end_matches("/tenant/v2.0");
    for session in [ALEX.session, "unknown"] {
        let response = scene.frame(&[("sid", session)]).await;
        let policy = response.headers()["content-security-policy"].to_str();
        let expected = format!("default-src 'none'; frame-ancestors {origin}");
        assert_eq!(policy.unwrap(), expected);
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert!(!response.headers().contains_key("x-frame-options"));
    }
}

/// Nothing tells a known session from an unknown one, and an unknown one leaves nothing behind.
#[tokio::test]
async fn an_unknown_session_is_answered_alike_and_leaves_no_row() {
    let scene = Scene::new().await;
    let known = scene.frame(&[("sid", ALEX.session)]).await;
    let unknown = scene.frame(&[("sid", "unknown")]).await;
    assert_eq!(known.status(), unknown.status());
    let without_date = |response: &Response| {
        let mut headers = response.headers().clone();
        headers.remove("date");
        headers
    };
    assert_eq!(without_date(&known), without_date(&unknown));
    assert_eq!(known.text().await.unwrap(), unknown.text().await.unwrap());
    let key = |id: &str| {
        let session = axum_clef::ProviderSession::new(&*scene.provider.issuer, id);
        RevocationKey::Session(session)
    };
    let of = async |id: &str| scene.users.revoked_at(&key(id)).await.unwrap();
    assert!(of(ALEX.session).await.is_some());
    assert_eq!(of("unknown").await, None);
}

#[tokio::test]
async fn a_frame_without_a_session_of_this_provider_ends_nothing() {
    let scene = Scene::new().await;
    let issuer = scene.provider.issuer.clone();
    let with_slash = format!("{issuer}/");
    let long = "x".repeat(2_000);
    let bad: [&[(&str, &str)]; 9] = [
        &[],
        &[("iss", &issuer)],
        &[("sid", "")],
        &[("sid", ALEX.session), ("sid", DESK.session)],
        &[("sid", ALEX.session), ("iss", "https://elsewhere.example")],
        &[("sid", ALEX.session), ("iss", &with_slash)],
        &[("sid", ALEX.session), ("iss", &issuer), ("iss", &issuer)],
        &[("sid", &long)],
        &[("sub", "alex")],
    ];
    for query in bad {
        let response = scene.frame(query).await;
        assert_eq!(response.status(), 400, "{query:?}");
        assert!(scene.both_are_logged_in().await, "{query:?}");
    }
    for method in [Method::HEAD, Method::POST, Method::PUT] {
        let response = scene
            .request(method.clone(), &[("sid", ALEX.session)])
            .await;
        assert_eq!(response.status(), 405, "{method}");
        assert_eq!(response.headers()["allow"], "GET");
        assert!(scene.both_are_logged_in().await, "{method}");
    }
}

#[tokio::test]
async fn a_store_that_notes_no_sessions_is_an_error_of_build() {
    let provider = OpenIdProvider::start().await;
    let error = layer(&provider, SubjectsAlone::default()).unwrap_err();
    assert_eq!(error, BuildError::SessionsNotNoted(PATH.to_owned()));
    assert!(error.to_string().contains("notes_sessions"), "{error}");
    // It notes sessions, and cannot end one.
    let users = TestUsers::default();
    users.no_revocations.store(true, SeqCst);
    let error = layer(&provider, users).unwrap_err();
    assert_eq!(error, BuildError::SessionsNotNoted(PATH.to_owned()));
    assert!(layer(&provider, MemoryUserStore::new()).is_ok());
}

/// A store that does not find whose session it is.
struct Forgetful(MemoryUserStore);

impl UserStore for Forgetful {
    type User = Account;

    async fn load(&self, id: &str) -> Result<Option<Account>, BoxError> {
        self.0.load(id).await
    }

    async fn log_in(&self, id: &str) -> Result<Option<Account>, BoxError> {
        self.0.log_in(id).await
    }

    async fn log_out(&self, id: &str) -> Result<bool, BoxError> {
        self.0.log_out(id).await
    }

    async fn check_login(
        &self,
        login: LoginReference<'_>,
    ) -> Result<Option<LoginCheck<Account>>, BoxError> {
        self.0.check_login(login).await
    }

    fn keeps_revocations(&self) -> bool {
        true
    }

    async fn revoke(&self, keys: &[RevocationKey], keep_until: Timestamp) -> Result<(), BoxError> {
        self.0.revoke(keys, keep_until).await
    }

    async fn revoked_at(&self, key: &RevocationKey) -> Result<Option<Timestamp>, BoxError> {
        self.0.revoked_at(key).await
    }
}

impl IdentityStore for Forgetful {
    async fn find_or_create(&self, profile: &Profile) -> Result<Option<Account>, BoxError> {
        self.0.find_or_create(profile).await
    }

    async fn log_out_subject(&self, subject: &Subject) -> Result<Vec<String>, BoxError> {
        self.0.log_out_subject(subject).await
    }

    fn notes_sessions(&self) -> bool {
        true
    }

    async fn session_user(&self, _: &ProviderSession) -> Result<Option<String>, BoxError> {
        Err("the sessions cannot be read".into())
    }
}

/// Anyone can send these notices: they take no place from a logout while the store is down.
#[tokio::test]
async fn notices_that_cannot_be_looked_up_fill_no_queue() {
    let provider = OpenIdProvider::start().await;
    let client = provider.client();
    let users = Forgetful(MemoryUserStore::new());
    let layer = ClefLayer::builder(Site::ADDRESS, users, MemoryStore::default())
        .logout_endpoint(PATH, client.front_channel_logout())
        .provider(client)
        .pending_logout_limit(2)
        .build()
        .unwrap();
    let app = Router::new()
        .route("/account", get(account))
        .merge(layer.routes())
        .layer(layer.clone());
    let node = Node::serve(app, layer.clone()).await;
    let browser = Browser::new();
    browser.log_in(&node, &provider, ALEX).await;
    let client = Client::builder().no_proxy().build().unwrap();
    for number in 0..20 {
        let sid = format!("unknown {number}");
        let request = client.get(node.url(PATH)).query(&[("sid", sid)]);
        assert_eq!(request.send().await.unwrap().status(), 503);
    }
    assert_eq!(layer.pending_logouts(), 0);
    browser.sign_out(&node).await;
    assert_eq!(browser.is(&node).await, None);
}
