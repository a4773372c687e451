use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    Form, Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use axum_clef::oidc::Oidc;
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::{net::TcpListener, sync::Notify};
use url::Url;

use super::{RSA, SigningKey};

pub const TEAM_ID: &str = "TEAM123456";
pub const KEY_ID: &str = "KEY1234567";
pub const CLIENT_ID: &str = "the site:1";
/// With all that a form encodes.
pub const CLIENT_SECRET: &str = "se cret:+%/&é";

/// The seconds since the Unix epoch.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs()
}

/// Whom the provider vouches for, and in which session.
#[derive(Clone, Copy)]
pub struct Person {
    pub subject: &'static str,
    pub session: &'static str,
}

pub const ALEX: Person = Person {
    subject: "alex",
    session: "session-1",
};

/// An OpenID provider on loopback. What it says and does can be changed at any time.
#[derive(Clone)]
pub struct OpenIdProvider {
    pub issuer: String,
    state: Arc<Mutex<Script>>,
}

type Change = Arc<dyn Fn(&mut Value) + Send + Sync>;

/// What the provider says, and what it has heard.
pub struct Script {
    pub down: bool,
    pub keys_down: bool,
    pub user_info_status: u16,
    pub user_info_type: &'static str,
    /// The key that signs the client secrets, where it is not a fixed one.
    pub client_key: Option<&'static SigningKey>,
    /// What is changed in the metadata.
    pub metadata: Value,
    pub keys: Value,
    /// The only paths that have the keys: that of the metadata, and Apple's.
    pub keys_at: &'static [&'static str],
    pub signs_with: &'static SigningKey,
    /// The header of the next ID tokens, beyond that of the key.
    pub id_token_header: Value,
    /// What is changed in the claims of ID tokens.
    pub id_token: Change,
    pub user_info: Value,
    /// What stands at the userinfo endpoint instead.
    pub user_info_text: Option<String>,
    /// What stands before each document.
    pub prefix: &'static str,
    /// What is changed in the answer of the token endpoint.
    pub tokens: Value,
    /// What the token endpoint answers instead.
    pub token_answer: Option<(u16, String)>,
    pub metadata_fetches: usize,
    pub key_fetches: usize,
    pub user_info_fetches: usize,
    /// The `Authorization` header and the form of each token request.
    pub token_requests: Vec<(Option<String>, HashMap<String, String>)>,
    /// The ID tokens that were issued.
    pub id_tokens: Vec<String>,
    held: Option<(Arc<Notify>, Arc<Notify>)>,
    codes: HashMap<String, (HashMap<String, String>, Person)>,
    counter: usize,
}

impl OpenIdProvider {
    pub async fn start() -> Self {
        Self::start_at("").await
    }

    /// Its issuer ends with this path.
    pub async fn start_at(path: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}{path}", listener.local_addr().unwrap());
        let provider = Self {
            issuer,
            state: Arc::new(Mutex::new(Script {
                down: false,
                keys_down: false,
                user_info_status: 200,
                user_info_type: "application/json",
                client_key: None,
                metadata: json!({}),
                keys: json!([RSA.jwk()]),
                keys_at: &["/keys", "/auth/keys"],
                signs_with: &RSA,
                id_token_header: json!({}),
                id_token: Arc::new(|_| {}),
                user_info: json!({}),
                user_info_text: None,
                prefix: "",
                tokens: json!({}),
                token_answer: None,
                metadata_fetches: 0,
                key_fetches: 0,
                user_info_fetches: 0,
                token_requests: Vec::new(),
                id_tokens: Vec::new(),
                held: None,
                codes: HashMap::new(),
                counter: 0,
            })),
        };
        let base = path.trim_end_matches('/').to_owned();
        let app = Router::new()
            .route(
                &format!("{base}/.well-known/openid-configuration"),
                get(metadata),
            )
            .route("/keys", get(keys))
            .route("/auth/keys", get(keys))
            .route("/token", post(token))
            .route("/user-info", get(user_info))
            .layer(from_fn_with_state(provider.clone(), unless_down))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        provider
    }

    pub fn script(&self) -> MutexGuard<'_, Script> {
        self.state.lock().unwrap()
    }

    pub fn change(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script());
    }

    /// Holds the next answer about itself: tells when it was asked, and waits for leave to go on.
    pub fn hold_metadata(&self) -> (Arc<Notify>, Arc<Notify>) {
        let held = <(Arc<Notify>, Arc<Notify>)>::default();
        self.script().held = Some(held.clone());
        held
    }

    /// The application at this provider.
    pub fn client(&self) -> Oidc {
        Oidc::new(&*self.issuer, CLIENT_ID, CLIENT_SECRET).unwrap()
    }

    /// The address of one of its pages.
    pub fn url(&self, path: &str) -> String {
        let origin = Url::parse(&self.issuer).unwrap().origin();
        format!("{}{path}", origin.ascii_serialization())
    }

    /// What the person does who is sent there: gives the code that the browser takes back.
    pub fn approve(&self, login_url: &str, person: Person) -> String {
        let url = Url::parse(login_url).unwrap();
        assert!(
            login_url.starts_with(&self.url("/authorize?")),
            "{login_url}"
        );
        let mut query = HashMap::new();
        for (name, value) in url.query_pairs().into_owned() {
            assert_eq!(query.insert(name, value), None, "once each");
        }
        assert_eq!(query["response_type"], "code");
        assert_eq!(query["client_id"], CLIENT_ID);
        assert_eq!(query["code_challenge_method"], "S256");
        assert!(query["scope"].split(' ').any(|scope| scope == "openid"));
        assert!(query["nonce"].len() >= 43 && query["state"].len() >= 43);
        let mut script = self.script();
        script.counter += 1;
        let code = format!("code-{}", script.counter);
        script.codes.insert(code.clone(), (query, person));
        code
    }

    /// The claims of a logout token, as the conformance suite makes it.
    pub fn logout_claims(&self, person: Person) -> Value {
        let mut script = self.script();
        script.counter += 1;
        json!({
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "iat": now(),
            "exp": now() + 120,
            "jti": format!("jti-{}", script.counter),
            "sub": person.subject,
            "sid": person.session,
            "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
            "ignored_claim": "ignored",
        })
    }

    /// A good logout token.
    pub fn logout_token(&self, person: Person) -> String {
        let claims = self.logout_claims(person);
        let key = self.script().signs_with;
        key.sign(&claims)
    }
}

async fn unless_down(
    State(provider): State<OpenIdProvider>,
    request: axum::extract::Request,
    next: Next,
) -> Response {
    if provider.script().down {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    let response = next.run(request).await;
    let prefix = provider.script().prefix;
    if prefix.is_empty() {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let body = [prefix.as_bytes(), &body].concat();
    Response::from_parts(parts, body.into())
}

async fn metadata(State(provider): State<OpenIdProvider>) -> Json<Value> {
    let held = provider.script().held.take();
    if let Some((reached, go)) = held {
        reached.notify_one();
        go.notified().await;
    }
    let mut document = json!({
        "issuer": provider.issuer,
        "authorization_endpoint": provider.url("/authorize?tenant=1"),
        "token_endpoint": provider.url("/token"),
        "jwks_uri": provider.url("/keys"),
        "userinfo_endpoint": provider.url("/user-info"),
        "end_session_endpoint": provider.url("/end-session?tenant=1"),
        "authorization_response_iss_parameter_supported": true,
    });
    let mut script = provider.script();
    script.metadata_fetches += 1;
    merge(&mut document, &script.metadata);
    Json(document)
}

fn merge(document: &mut Value, changes: &Value) {
    for (name, value) in changes.as_object().unwrap() {
        document[name] = value.clone();
    }
}

async fn keys(State(provider): State<OpenIdProvider>, uri: Uri) -> Response {
    let mut script = provider.script();
    script.key_fetches += 1;
    if script.keys_down {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    if !script.keys_at.contains(&uri.path()) {
        return StatusCode::NOT_FOUND.into_response();
    }
    Json(json!({ "keys": script.keys })).into_response()
}

async fn token(
    State(provider): State<OpenIdProvider>,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    let mut script = provider.script();
    let authorization = headers.get(header::AUTHORIZATION);
    let authorization = authorization.map(|value| value.to_str().unwrap().to_owned());
    let request = (authorization.clone(), form.clone());
    script.token_requests.push(request);
    if let Some((status, body)) = script.token_answer.clone() {
        let status = StatusCode::from_u16(status).unwrap();
        return (status, [(header::LOCATION, "/elsewhere")], body).into_response();
    }
    let refuse = |status: u16, error: &str| {
        let status = StatusCode::from_u16(status).unwrap();
        (status, Json(json!({ "error": error }))).into_response()
    };
    let is_known = match script.client_key {
        Some(key) => authorization.is_none() && knows_apple_client(&provider.issuer, key, &form),
        None => knows_client(authorization.as_deref(), &form),
    };
    if !is_known {
        return refuse(401, "invalid_client");
    }
    let Some((asked, person)) = script.codes.remove(&form["code"]) else {
        return refuse(400, "invalid_grant");
    };
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&form["code_verifier"]));
    if challenge != asked["code_challenge"] {
        return refuse(400, "invalid_grant");
    }
    assert_eq!(form["grant_type"], "authorization_code");
    assert_eq!(form["redirect_uri"], asked["redirect_uri"]);
    assert_eq!(form["code_verifier"].len(), 43);
    let access_token = format!("access token of {}", person.subject);
    let digest = Sha256::digest(&access_token);
    let mut claims = json!({
        "iss": provider.issuer,
        "aud": CLIENT_ID,
        "iat": now(),
        "exp": now() + 300,
        "sub": person.subject,
        "sid": person.session,
        "nonce": asked["nonce"],
        "at_hash": URL_SAFE_NO_PAD.encode(&digest[..16]),
        "given_name": "Alex",
        "email": "alex@example.com",
    });
    (script.id_token)(&mut claims);
    let key = script.signs_with;
    let mut token_header = key.header();
    merge(&mut token_header, &script.id_token_header);
    let mut answer = json!({
        "access_token": access_token,
        "token_type": "bearer",
        "id_token": key.sign_with(&token_header, &claims),
    });
    merge(&mut answer, &script.tokens);
    let id_token = answer["id_token"].as_str().map(str::to_owned);
    script.id_tokens.extend(id_token);
    Json(answer).into_response()
}

/// Whether a request proves by one way, and by one alone, that it is the site's.
fn knows_client(authorization: Option<&str>, form: &HashMap<String, String>) -> bool {
    let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
    let (id, secret): (String, String) = (encoded(CLIENT_ID), encoded(CLIENT_SECRET));
    let basic = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
    let id = form.get("client_id").map(String::as_str);
    let secret = form.get("client_secret").map(String::as_str);
    match authorization {
        Some(authorization) => authorization == basic && secret.is_none(),
        None => id == Some(CLIENT_ID) && secret == Some(CLIENT_SECRET),
    }
}

/// Whether the client secret is one that Apple takes.
fn knows_apple_client(issuer: &str, key: &SigningKey, form: &HashMap<String, String>) -> bool {
    let Some((header, claims)) = form
        .get("client_secret")
        .and_then(|secret| key.verify(secret))
    else {
        return false;
    };
    let seconds = |name: &str| claims[name].as_u64().unwrap();
    let (issued_at, expires_at) = (seconds("iat"), seconds("exp"));
    header == json!({ "alg": "ES256", "kid": KEY_ID })
        && claims["iss"] == TEAM_ID
        && claims["aud"] == issuer
        && claims["sub"] == CLIENT_ID
        && form["client_id"] == CLIENT_ID
        && issued_at <= now()
        && expires_at > now()
        && expires_at - issued_at <= 600
}

async fn user_info(State(provider): State<OpenIdProvider>, headers: HeaderMap) -> Response {
    let mut script = provider.script();
    script.user_info_fetches += 1;
    let bearer = headers[header::AUTHORIZATION].to_str().unwrap();
    assert!(bearer.starts_with("Bearer access token of "), "{bearer}");
    let status = StatusCode::from_u16(script.user_info_status).unwrap();
    let kind = [(header::CONTENT_TYPE, script.user_info_type)];
    let text = script.user_info_text.clone();
    let text = text.unwrap_or_else(|| script.user_info.to_string());
    (status, kind, text).into_response()
}
