//! A directory of staff for this machine alone: a transmitter of the Shared Signals Framework with
//! one stream. It believes that everyone who opens its page is its administrator.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use axum::{
    Form, Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse as _, Redirect, Response},
    routing::{get, post},
};
use axum_clef::BoxError;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::pages;

/// Who works here.
pub const PEOPLE: [&str; 2] = ["mira", "noor"];
/// The access token of the site, which no other machine can use.
pub const ACCESS_TOKEN: &str = "only-for-this-machine";
/// The id of the only stream.
const STREAM: &str = "1";
/// How often an event is sent that the site cannot process, and the time between.
const TRIES: usize = 5;
const PAUSE: Duration = Duration::from_secs(1);
/// How many deliveries the page shows.
const MOST_DELIVERIES: usize = 20;

const CAEP: &str = "https://schemas.openid.net/secevent/caep/event-type";
const RISC: &str = "https://schemas.openid.net/secevent/risc/event-type";
const SSF: &str = "https://schemas.openid.net/secevent/ssf/event-type";

/// What the routes share.
struct Directory {
    issuer: String,
    audience: String,
    key: Ed25519KeyPair,
    client: reqwest::Client,
    /// Where events are pushed to, once the site has registered.
    endpoint: Mutex<Option<String>>,
    deliveries: Mutex<VecDeque<String>>,
    next_id: AtomicU64,
}

/// The routes of a directory with this issuer, for the site at this address.
///
/// # Errors
///
/// When no key can be generated.
pub fn router(issuer: &str, site: &str) -> Result<Router, BoxError> {
    let directory = Directory {
        issuer: issuer.to_owned(),
        audience: site.to_owned(),
        key: Ed25519KeyPair::generate()?,
        client: reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(10))
            .build()?,
        endpoint: Mutex::default(),
        deliveries: Mutex::default(),
        next_id: AtomicU64::new(1),
    };
    Ok(Router::new()
        .route("/", get(page))
        .route("/events", post(send))
        .route("/.well-known/ssf-configuration", get(metadata))
        .route("/keys", get(keys))
        .route("/ssf/stream", post(create).get(streams))
        .route("/ssf/verify", post(verify))
        .with_state(Arc::new(directory)))
}

async fn metadata(State(directory): State<Arc<Directory>>) -> Json<Value> {
    let issuer = &directory.issuer;
    Json(json!({
        "issuer": issuer,
        "jwks_uri": format!("{issuer}/keys"),
        "delivery_methods_supported": ["urn:ietf:rfc:8935"],
        "configuration_endpoint": format!("{issuer}/ssf/stream"),
        "verification_endpoint": format!("{issuer}/ssf/verify"),
        "default_subjects": "ALL",
        "spec_version": "1_0",
    }))
}

async fn keys(State(directory): State<Arc<Directory>>) -> Json<Value> {
    let public = URL_SAFE_NO_PAD.encode(directory.key.public_key());
    let key = json!({ "kty": "OKP", "kid": "1", "use": "sig", "crv": "Ed25519", "x": public });
    Json(json!({ "keys": [key] }))
}

#[derive(Deserialize)]
struct NewStream {
    delivery: Delivery,
}

#[derive(Deserialize)]
struct Delivery {
    endpoint_url: String,
}

async fn create(
    State(directory): State<Arc<Directory>>,
    headers: HeaderMap,
    Json(stream): Json<NewStream>,
) -> Result<(StatusCode, Json<Value>), StatusCode> {
    authorize(&headers)?;
    let url = stream.delivery.endpoint_url;
    if !url.starts_with(&format!("{}/", directory.audience)) {
        return Err(StatusCode::BAD_REQUEST);
    }
    let mut endpoint = lock(&directory.endpoint);
    if endpoint.is_some() {
        return Err(StatusCode::CONFLICT);
    }
    *endpoint = Some(url.clone());
    Ok((StatusCode::CREATED, Json(directory.stream(&url))))
}

async fn streams(
    State(directory): State<Arc<Directory>>,
    headers: HeaderMap,
) -> Result<Json<Value>, StatusCode> {
    authorize(&headers)?;
    let endpoint = lock(&directory.endpoint);
    let streams: Vec<_> = endpoint.iter().map(|url| directory.stream(url)).collect();
    Ok(Json(streams.into()))
}

#[derive(Deserialize)]
struct Verification {
    state: Option<String>,
}

async fn verify(
    State(directory): State<Arc<Directory>>,
    headers: HeaderMap,
    Json(verification): Json<Verification>,
) -> Result<StatusCode, StatusCode> {
    authorize(&headers)?;
    let subject = json!({ "format": "opaque", "id": STREAM });
    let event = json!({ "state": verification.state });
    let uri = format!("{SSF}/verification");
    tokio::spawn(async move { directory.deliver(&uri, event, subject).await });
    Ok(StatusCode::NO_CONTENT)
}

fn authorize(headers: &HeaderMap) -> Result<(), StatusCode> {
    let expected = format!("Bearer {ACCESS_TOKEN}");
    match headers.get(header::AUTHORIZATION) {
        Some(value) if value.as_bytes() == expected.as_bytes() => Ok(()),
        _ => Err(StatusCode::UNAUTHORIZED),
    }
}

async fn page(State(directory): State<Arc<Directory>>) -> Html<String> {
    let deliveries: Vec<_> = lock(&directory.deliveries).iter().cloned().collect();
    pages::directory(&deliveries)
}

#[derive(Deserialize)]
struct Click {
    person: String,
    event: String,
}

/// The click of the administrator. It is answered once the site has answered.
async fn send(State(directory): State<Arc<Directory>>, Form(click): Form<Click>) -> Response {
    let uri = match click.event.as_str() {
        "session-revoked" => format!("{CAEP}/session-revoked"),
        "account-disabled" => format!("{RISC}/account-disabled"),
        "account-enabled" => format!("{RISC}/account-enabled"),
        _ => return StatusCode::BAD_REQUEST.into_response(),
    };
    if !PEOPLE.contains(&click.person.as_str()) {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let issuer = &directory.issuer;
    let subject = json!({ "format": "iss_sub", "iss": issuer, "sub": click.person });
    let event = json!({ "initiating_entity": "admin", "event_timestamp": now() });
    directory.deliver(&uri, event, subject).await;
    Redirect::to("/").into_response()
}

impl Directory {
    fn stream(&self, url: &str) -> Value {
        json!({
            "stream_id": STREAM,
            "iss": self.issuer,
            "aud": self.audience,
            "delivery": { "method": "urn:ietf:rfc:8935", "endpoint_url": url },
        })
    }

    /// Pushes an event until the site has received it or refuses it.
    async fn deliver(&self, uri: &str, event: Value, subject: Value) {
        let Some(endpoint) = lock(&self.endpoint).clone() else {
            return self.note(uri, "the site has not registered");
        };
        let token = self.sign(&json!({
            "iss": self.issuer,
            "aud": self.audience,
            "iat": now(),
            "jti": self.next_id.fetch_add(1, Ordering::Relaxed).to_string(),
            "events": { uri: event },
            "sub_id": subject,
        }));
        for _ in 0..TRIES {
            let request = self.client.post(&endpoint).body(token.clone());
            let request = request.header(header::CONTENT_TYPE, "application/secevent+jwt");
            match request.send().await {
                Ok(answer) if answer.status().is_server_error() => {}
                Ok(answer) => return self.note(uri, answer.status().as_str()),
                Err(_) => {}
            }
            tokio::time::sleep(PAUSE).await;
        }
        self.note(uri, "not delivered");
    }

    fn sign(&self, claims: &Value) -> String {
        let header = json!({ "alg": "EdDSA", "kid": "1", "typ": "secevent+jwt" });
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let message = format!("{}.{}", encode(&header), encode(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }

    fn note(&self, uri: &str, answer: &str) {
        let name = uri.rsplit('/').next().unwrap_or_default();
        let mut deliveries = lock(&self.deliveries);
        deliveries.push_front(format!("{name}: {answer}"));
        deliveries.truncate(MOST_DELIVERIES);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}
