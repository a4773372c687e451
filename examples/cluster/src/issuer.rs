//! A provider that signs notices. Its metadata and keys are on loopback.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use axum::{Json, Router, routing::get};
use axum_clef::BoxError;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The application at the provider.
pub const CLIENT_ID: &str = "cluster";

pub struct Issuer {
    pub url: String,
    key: Ed25519KeyPair,
}

impl Issuer {
    /// # Errors
    ///
    /// When there is no port.
    pub async fn start() -> Result<Arc<Self>, BoxError> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let key = Ed25519KeyPair::generate()?;
        let metadata = json!({
            "issuer": url,
            "authorization_endpoint": format!("{url}/authorize"),
            "token_endpoint": format!("{url}/token"),
            "jwks_uri": format!("{url}/keys"),
        });
        let public = URL_SAFE_NO_PAD.encode(key.public_key());
        let key_set = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": public }] });
        let [openid, events] = [metadata.clone(), metadata];
        let app = Router::new()
            .route(
                "/.well-known/openid-configuration",
                get(|| async { Json(openid) }),
            )
            .route(
                "/.well-known/ssf-configuration",
                get(|| async { Json(events) }),
            )
            .route("/keys", get(|| async { Json(key_set) }));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(Arc::new(Self { url, key }))
    }

    /// A token of this type, with these claims beside the usual ones.
    pub fn sign(&self, kind: &str, number: u64, claims: &Value) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default().as_secs();
        let header = json!({ "alg": "EdDSA", "typ": kind });
        let mut all = json!({ "iss": self.url, "iat": now, "jti": number.to_string() });
        for (name, value) in claims.as_object().into_iter().flatten() {
            all[name] = value.clone();
        }
        if kind != "secevent+jwt" {
            all["exp"] = json!(now + 100);
        }
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let message = format!("{}.{}", encode(&header), encode(&all));
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }
}
