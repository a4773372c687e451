//! A provider on loopback whose documents are any bytes, and its key.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    response::{IntoResponse as _, Response},
};
use axum_clef::oidc::{Oidc, SigningAlgorithm};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderValue, StatusCode, Uri, header};
use serde_json::{Map, Value, json};
use test_support::Jar;
use tokio::net::TcpListener;
use url::Url;

use crate::VICTIM;

/// What stands at a path.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // Their names say it.
pub struct Document {
    pub status: u16,
    pub content_type: HeaderValue,
    pub body: Vec<u8>,
}

/// A provider that signs with Ed25519.
#[derive(Clone)]
#[allow(missing_docs)] // Their names say it.
pub struct Issuer {
    pub url: String,
    documents: Arc<Mutex<HashMap<String, Document>>>,
    key: Arc<Ed25519KeyPair>,
}

impl Document {
    /// Any JSON, or what is left of it.
    pub fn json(body: impl Into<Vec<u8>>) -> Self {
        Self {
            status: 200,
            content_type: HeaderValue::from_static("application/json"),
            body: body.into(),
        }
    }
}

#[allow(missing_docs)] // Their names say it.
impl Issuer {
    /// The application at the provider.
    pub const CLIENT_ID: &str = "site";
    /// The session of the victim at the provider.
    pub const SESSION: &str = "session-1";
    /// Where its documents are.
    pub const METADATA: &str = "/.well-known/openid-configuration";
    pub const EVENTS_METADATA: &str = "/.well-known/ssf-configuration";
    pub const KEYS: &str = "/keys";
    pub const TOKEN: &str = "/token";
    pub const USER_INFO: &str = "/user-info";

    /// A provider with its metadata and its keys.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let key = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a key");
        let issuer = Self {
            url,
            documents: Arc::default(),
            key: Arc::new(key),
        };
        issuer.put(
            Self::METADATA,
            Document::json(Value::from(issuer.metadata()).to_string()),
        );
        let events = json!({ "issuer": issuer.url, "jwks_uri": format!("{}/keys", issuer.url) });
        issuer.put(Self::EVENTS_METADATA, Document::json(events.to_string()));
        issuer.put(
            Self::KEYS,
            Document::json(Value::from(issuer.keys()).to_string()),
        );
        let app = Router::new().fallback(answer).with_state(issuer.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        issuer
    }

    /// The application.
    pub fn client(&self) -> Oidc {
        let client = Oidc::new(&*self.url, Self::CLIENT_ID, "secret").expect("settings");
        client.signing_algorithm(SigningAlgorithm::EdDsa)
    }

    /// Puts a document at a path.
    pub fn put(&self, path: &str, document: Document) {
        let documents = self.documents.lock();
        let mut documents = documents.unwrap_or_else(PoisonError::into_inner);
        documents.insert(path.to_owned(), document);
    }

    /// The metadata as it is without edits.
    pub fn metadata(&self) -> Map<String, Value> {
        let at = |path: &str| Value::from(format!("{}{path}", self.url));
        [
            ("issuer", at("")),
            ("authorization_endpoint", at("/authorize")),
            ("token_endpoint", at(Self::TOKEN)),
            ("jwks_uri", at(Self::KEYS)),
            ("userinfo_endpoint", at(Self::USER_INFO)),
            ("end_session_endpoint", at("/end-session")),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect()
    }

    /// The public half of the key.
    pub fn public_key(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.key.public_key().as_ref())
    }

    /// The key set as it is without edits.
    pub fn keys(&self) -> Map<String, Value> {
        let key = json!({
            "kty": "OKP", "crv": "Ed25519", "kid": "1", "use": "sig", "x": self.public_key(),
        });
        [("keys".to_owned(), json!([key]))].into_iter().collect()
    }

    /// The header of a token of this type.
    pub fn header(kind: &str) -> Map<String, Value> {
        let members = [("alg", "EdDSA"), ("kid", "1"), ("typ", kind)];
        let members = members.map(|(name, value)| (name.to_owned(), value.into()));
        members.into_iter().collect()
    }

    /// What all tokens claim about the victim.
    pub fn claims(&self, more: &Value) -> Map<String, Value> {
        let mut claims = Map::new();
        for (name, value) in [
            ("iss", self.url.clone().into()),
            ("aud", Self::CLIENT_ID.into()),
            ("iat", now().into()),
            ("exp", (now() + 100).into()),
            ("jti", "notice-1".into()),
        ] {
            claims.insert(name.to_owned(), value);
        }
        let more = more.as_object().into_iter().flatten();
        claims.extend(more.map(|(name, value)| (name.clone(), value.clone())));
        claims
    }

    /// A token of this text, signed whatever it says.
    pub fn sign(&self, header: &[u8], claims: &[u8]) -> String {
        let encode = |part: &[u8]| URL_SAFE_NO_PAD.encode(part);
        let message = format!("{}.{}", encode(header), encode(claims));
        let signature = self.key.sign(message.as_bytes());
        format!("{message}.{}", encode(signature.as_ref()))
    }

    /// A browser in which the victim has logged in at this provider.
    pub async fn log_in(&self, app: &Router) -> Jar {
        let mut jar = Jar::default();
        let start = jar.get(app, "/clef/login?next=/account").await;
        let location = start.headers()[header::LOCATION].to_str();
        let url = Url::parse(location.expect("an address")).expect("an address");
        let fields: HashMap<_, _> = url.query_pairs().collect();
        self.answer_token(&fields["nonce"]);
        let path = format!("/clef/callback?code=code&state={}", fields["state"]);
        assert_eq!(jar.get(app, &path).await.status(), 303, "a login");
        jar
    }

    /// Puts the tokens of the victim at the token endpoint, for the login with this nonce.
    fn answer_token(&self, nonce: &str) {
        let claims = self.claims(&json!({ "sub": VICTIM, "sid": Self::SESSION, "nonce": nonce }));
        let token = self.sign(
            Value::from(Self::header("JWT")).to_string().as_bytes(),
            Value::from(claims).to_string().as_bytes(),
        );
        let tokens = json!({ "access_token": "a", "token_type": "Bearer", "id_token": token });
        self.put(Self::TOKEN, Document::json(tokens.to_string()));
    }
}

/// The seconds since the Unix epoch.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

async fn answer(State(issuer): State<Issuer>, uri: Uri, _body: Bytes) -> Response {
    let documents = issuer.documents.lock();
    let documents = documents.unwrap_or_else(PoisonError::into_inner);
    let Some(document) = documents.get(uri.path()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let status = StatusCode::from_u16(document.status).unwrap_or(StatusCode::OK);
    let kind = [(header::CONTENT_TYPE, document.content_type.clone())];
    (status, kind, document.body.clone()).into_response()
}
