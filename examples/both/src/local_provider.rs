//! An OpenID provider for this machine alone: it asks who you are, and believes the answer.
//!
//! It has no session, so it asks at every login. Its `auth_time` is always now.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use axum::{
    Form, Json, Router,
    extract::{Query, State},
    http::StatusCode,
    response::{Html, IntoResponse as _, Redirect, Response},
    routing::{get, post},
};
use axum_clef::{BoxError, url::Url};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use maud::html;
use rand::Rng as _;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// The client id of the site.
pub const CLIENT_ID: &str = "both";
/// Its secret, which no other machine can use.
pub const CLIENT_SECRET: &str = "only-for-this-machine";
/// Who can log in here.
pub const PEOPLE: [&str; 2] = ["mira", "noor"];
/// How many codes wait to be exchanged.
const MOST_CODES: usize = 100;

/// What the routes share.
struct Provider {
    issuer: String,
    /// The one that is registered.
    redirect_uri: String,
    key: Ed25519KeyPair,
    codes: Mutex<HashMap<String, Approved>>,
}

/// A login that a person approved.
struct Approved {
    person: String,
    nonce: String,
    challenge: String,
    at: u64,
}

/// The authorization request, and the answer of the person.
#[derive(Deserialize)]
struct Authorization {
    client_id: String,
    redirect_uri: String,
    state: String,
    nonce: String,
    code_challenge: String,
    person: Option<String>,
}

#[derive(Deserialize)]
struct Exchange {
    code: String,
    code_verifier: String,
    client_id: String,
    client_secret: String,
}

/// The routes of a provider with this issuer, for the site at this address.
///
/// # Errors
///
/// When no key can be generated.
pub fn router(issuer: &str, site: &str) -> Result<Router, BoxError> {
    let provider = Provider {
        issuer: issuer.to_owned(),
        redirect_uri: format!("{site}/clef/callback"),
        key: Ed25519KeyPair::generate()?,
        codes: Mutex::default(),
    };
    Ok(Router::new()
        .route("/.well-known/openid-configuration", get(metadata))
        .route("/keys", get(keys))
        .route("/authorize", get(ask))
        .route("/token", post(token))
        .with_state(Arc::new(provider)))
}

async fn metadata(State(provider): State<Arc<Provider>>) -> Json<Value> {
    let issuer = &provider.issuer;
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA"],
        "token_endpoint_auth_methods_supported": ["client_secret_post"],
        "scopes_supported": ["openid", "profile", "email"],
        "authorization_response_iss_parameter_supported": true,
    }))
}

async fn keys(State(provider): State<Arc<Provider>>) -> Json<Value> {
    let public = URL_SAFE_NO_PAD.encode(provider.key.public_key());
    let key = json!({ "kty": "OKP", "kid": "1", "use": "sig", "crv": "Ed25519", "x": public });
    Json(json!({ "keys": [key] }))
}

/// Asks who logs in. A link approves it: the same request with the person.
async fn ask(
    State(provider): State<Arc<Provider>>,
    Query(request): Query<Authorization>,
) -> Result<Response, StatusCode> {
    if request.client_id != CLIENT_ID || request.redirect_uri != provider.redirect_uri {
        return Err(StatusCode::BAD_REQUEST);
    }
    let Some(person) = &request.person else {
        return Ok(choice(&request).into_response());
    };
    if !PEOPLE.contains(&person.as_str()) {
        return Err(StatusCode::FORBIDDEN);
    }
    let mut code = [0; 32];
    rand::rng().fill_bytes(&mut code);
    let code = URL_SAFE_NO_PAD.encode(code);
    let callback = Url::parse_with_params(
        &provider.redirect_uri,
        [
            ("code", code.as_str()),
            ("state", request.state.as_str()),
            ("iss", provider.issuer.as_str()),
        ],
    );
    let callback = callback.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let approved = Approved {
        person: person.clone(),
        nonce: request.nonce,
        challenge: request.code_challenge,
        at: now(),
    };
    let mut codes = provider
        .codes
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if codes.len() >= MOST_CODES {
        codes.clear();
    }
    codes.insert(code, approved);
    Ok(Redirect::to(callback.as_str()).into_response())
}

fn choice(request: &Authorization) -> Html<String> {
    let link = |person: &str| {
        let query = [
            ("client_id", request.client_id.as_str()),
            ("redirect_uri", &request.redirect_uri),
            ("state", &request.state),
            ("nonce", &request.nonce),
            ("code_challenge", &request.code_challenge),
            ("person", person),
        ];
        let mut fields = axum_clef::url::form_urlencoded::Serializer::new(String::new());
        format!("/authorize?{}", fields.extend_pairs(query).finish())
    };
    let page = html! {
        h1 { "Who are you?" }
        @for person in PEOPLE {
            p { a href=(link(person)) { (person) } }
        }
    };
    Html(page.into_string())
}

/// Exchanges a code, once, by PKCE.
async fn token(
    State(provider): State<Arc<Provider>>,
    Form(form): Form<Exchange>,
) -> Result<Json<Value>, (StatusCode, Json<Value>)> {
    let refuse = |error: &str| (StatusCode::BAD_REQUEST, Json(json!({ "error": error })));
    if form.client_id != CLIENT_ID || form.client_secret != CLIENT_SECRET {
        return Err(refuse("invalid_client"));
    }
    let mut codes = provider
        .codes
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let approved = codes.remove(&form.code);
    drop(codes);
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&form.code_verifier));
    let approved = approved.filter(|approved| approved.challenge == challenge);
    let approved = approved.ok_or_else(|| refuse("invalid_grant"))?;
    let claims = json!({
        "iss": provider.issuer,
        "aud": CLIENT_ID,
        "sub": approved.person,
        "name": approved.person,
        "nonce": approved.nonce,
        "auth_time": approved.at,
        "iat": now(),
        "exp": now() + 300,
    });
    let header = json!({ "alg": "EdDSA", "kid": "1" });
    let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let message = format!("{}.{}", encode(&header), encode(&claims));
    let signature = URL_SAFE_NO_PAD.encode(provider.key.sign(message.as_bytes()));
    Ok(Json(json!({
        "access_token": "none",
        "token_type": "Bearer",
        "id_token": format!("{message}.{signature}"),
    })))
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}
