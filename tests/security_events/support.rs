use std::{
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    Json, Router,
    extract::{Request, State},
    response::{IntoResponse as _, Response},
};
use axum_clef::security_events::EventReceiver;
use http::StatusCode;
use reqwest::{Client, RequestBuilder, header::CONTENT_TYPE};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::management::{self, Management};
pub use crate::openid::{
    ALEX, Browser, CLIENT_ID, EC, Heard, Node, OTHER_RSA, Person, RSA, SigningKey, Site, log,
    unsigned,
};

/// Where the site receives events.
pub const PATH: &str = "/clef/events";
/// The audience of the stream.
pub const AUDIENCE: &str = "https://site.example/events";
/// Alex at another browser.
pub const DESK: Person = Person {
    subject: "alex",
    session: "desk-session",
};
pub const KIM: Person = Person {
    subject: "kim",
    session: "kim-session",
};

pub const CAEP: &str = "https://schemas.openid.net/secevent/caep/event-type";
pub const RISC: &str = "https://schemas.openid.net/secevent/risc/event-type";
pub const OAUTH: &str = "https://schemas.openid.net/secevent/oauth/event-type";
pub const SSF: &str = "https://schemas.openid.net/secevent/ssf/event-type";

pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs()
}

/// A sender of events on loopback. What it says can be changed at any time.
#[derive(Clone)]
pub struct Transmitter {
    pub issuer: String,
    state: Arc<Mutex<Script>>,
}

/// What the sender says, and what it was asked for.
pub struct Script {
    /// Where its metadata is.
    pub metadata_path: String,
    /// What is changed in the metadata.
    pub metadata: Value,
    pub metadata_down: bool,
    pub keys: Value,
    pub keys_down: bool,
    /// The paths of all requests.
    pub requests: Vec<String>,
    pub management: Management,
}

impl Transmitter {
    pub async fn start() -> Self {
        Self::start_at("").await
    }

    /// Its issuer ends with this path.
    pub async fn start_at(path: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let transmitter = Self {
            issuer: format!("{origin}{path}"),
            state: Arc::new(Mutex::new(Script {
                metadata_path: format!("/.well-known/ssf-configuration{path}"),
                metadata: json!({}),
                metadata_down: false,
                keys: json!([RSA.jwk()]),
                keys_down: false,
                requests: Vec::new(),
                management: Management::default(),
            })),
        };
        let app = Router::new()
            .fallback(answer)
            .with_state(transmitter.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        transmitter
    }

    pub fn script(&self) -> MutexGuard<'_, Script> {
        self.state.lock().unwrap()
    }

    /// The address of one of its pages.
    pub fn url(&self, path: &str) -> String {
        let origin = self.issuer.split('/').take(3).collect::<Vec<_>>();
        format!("{}{path}", origin.join("/"))
    }

    /// The claims of a token with this event, without a subject.
    pub fn claims(&self, uri: &str, members: Value) -> Value {
        static COUNTER: AtomicUsize = AtomicUsize::new(0);

        json!({
            "iss": self.issuer,
            "aud": AUDIENCE,
            "iat": now(),
            "jti": format!("event-{}", COUNTER.fetch_add(1, SeqCst)),
            "events": { uri: members },
            "ignored_claim": "ignored",
        })
    }
}

async fn answer(State(transmitter): State<Transmitter>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    if path.starts_with("/ssf/") {
        return management::answer(&transmitter, request).await;
    }
    let mut script = transmitter.script();
    script.requests.push(path.clone());
    if path == "/keys" || path == "/auth/keys" {
        return match script.keys_down {
            true => StatusCode::SERVICE_UNAVAILABLE.into_response(),
            false => Json(json!({ "keys": script.keys })).into_response(),
        };
    }
    if path != script.metadata_path {
        return StatusCode::NOT_FOUND.into_response();
    }
    if script.metadata_down {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let mut document = json!({
        "issuer": transmitter.issuer,
        "jwks_uri": transmitter.url("/keys"),
        "configuration_endpoint": transmitter.url("/ssf/stream"),
        "status_endpoint": transmitter.url("/ssf/status"),
        "verification_endpoint": transmitter.url("/ssf/verify"),
        "add_subject_endpoint": transmitter.url("/ssf/subjects/add"),
        "remove_subject_endpoint": transmitter.url("/ssf/subjects/remove"),
    });
    for (name, value) in script.metadata.as_object().unwrap() {
        document[name] = value.clone();
    }
    Json(document).into_response()
}

/// The header of a token of this key.
pub fn header(key: &SigningKey) -> Value {
    let mut header = key.header();
    header["typ"] = "secevent+jwt".into();
    header
}

pub fn sign(claims: &Value) -> String {
    RSA.sign_with(&header(&RSA), claims)
}

/// A site with two nodes that receives events, and browsers of Alex and Kim.
pub struct Scene {
    pub site: Site,
    pub transmitter: Transmitter,
    pub nodes: [Node; 2],
    pub phone: Browser,
    pub desk: Browser,
    pub kim: Browser,
}

impl Scene {
    pub async fn new() -> Self {
        Self::with(|receiver| receiver).await
    }

    /// A scene whose receiver has more settings.
    pub async fn with(set: impl FnOnce(EventReceiver) -> EventReceiver) -> Self {
        let (site, transmitter) = (Site::start().await, Transmitter::start().await);
        site.provider.change(|script| {
            script.id_token = Arc::new(|claims| {
                claims["email"] = format!("{}@example.com", claims["sub"].as_str().unwrap()).into();
                claims["email_verified"] = true.into();
            });
        });
        let receiver = EventReceiver::new(&*transmitter.issuer, AUDIENCE).unwrap();
        let receiver = set(receiver.subject_issuers([&*site.provider.issuer]));
        Self::of(site, transmitter, receiver).await
    }

    pub async fn of(site: Site, transmitter: Transmitter, receiver: EventReceiver) -> Self {
        let mut nodes = Vec::new();
        for _ in 0..2 {
            let receiver = receiver.clone();
            let node = site.node_of(|layer| {
                let layer = layer.logout_endpoint(PATH, receiver);
                layer.provider(site.provider.client())
            });
            nodes.push(node.await);
        }
        let nodes = <[Node; 2]>::try_from(nodes).ok().unwrap();
        let scene = Self {
            site,
            transmitter,
            nodes,
            phone: Browser::new(),
            desk: Browser::new(),
            kim: Browser::new(),
        };
        scene.log_in().await;
        scene
    }

    /// Logs all in.
    pub async fn log_in(&self) {
        for (browser, person) in [(&self.phone, ALEX), (&self.desk, DESK), (&self.kim, KIM)] {
            let (node, provider) = (&self.nodes[0], &self.site.provider);
            browser.log_in(node, provider, person).await;
        }
    }

    /// Who is logged in, at every node.
    pub async fn who_is_in(&self) -> Vec<&'static str> {
        let mut here = Vec::new();
        for (name, browser) in [
            ("phone", &self.phone),
            ("desk", &self.desk),
            ("kim", &self.kim),
        ] {
            let is_in = browser.is(&self.nodes[0]).await.is_some();
            let there = browser.is(&self.nodes[1]).await.is_some();
            assert_eq!(is_in, there, "{name}");
            here.extend(is_in.then_some(name));
        }
        here
    }

    pub async fn all_are_in(&self) -> bool {
        self.who_is_in().await == ["phone", "desk", "kim"]
    }

    /// Alex at the OpenID provider.
    pub fn alex(&self) -> Value {
        self.person(ALEX)
    }

    pub fn person(&self, person: Person) -> Value {
        let issuer = &self.site.provider.issuer;
        json!({ "format": "iss_sub", "iss": issuer, "sub": person.subject })
    }

    /// The claims of a token that says this of Alex.
    pub fn of_alex(&self, uri: &str, members: Value) -> Value {
        self.about(uri, members, self.alex())
    }

    pub fn about(&self, uri: &str, members: Value, subject: Value) -> Value {
        let mut claims = self.transmitter.claims(uri, members);
        claims["sub_id"] = subject;
        claims
    }

    /// The claims of a token that disables the account of Alex.
    pub fn disabled(&self) -> Value {
        self.of_alex(&format!("{RISC}/account-disabled"), json!({}))
    }

    pub fn request(&self, token: &str) -> RequestBuilder {
        push(self.nodes[1].url(PATH), token)
    }

    /// Pushes a token to the second node, which has seen none of the logins.
    pub async fn push(&self, token: &str) -> Heard {
        Heard::from(self.request(token)).await
    }

    /// Pushes these claims, signed.
    pub async fn send(&self, claims: &Value) -> u16 {
        self.push(&sign(claims)).await.status
    }
}

/// A push of a token.
pub fn push(url: String, token: &str) -> RequestBuilder {
    let client = Client::builder().no_proxy().build().unwrap();
    let request = client.post(url).body(token.to_owned());
    request.header(CONTENT_TYPE, "application/secevent+jwt")
}

/// The code of a rejection.
pub fn error_code(heard: &Heard) -> String {
    assert_eq!(heard.status, 400, "{}", heard.body);
    assert_eq!(heard.headers["content-type"], "application/json");
    assert_eq!(heard.headers["content-language"], "en");
    let body: Value = serde_json::from_str(&heard.body).unwrap();
    assert!(body["description"].as_str().unwrap().len() > 10);
    body["err"].as_str().unwrap().to_owned()
}
