use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::{
    rand::{self, SystemRandom},
    rsa::{KeyPair as RsaKeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_SHA256},
};
use axum::{Json, Router, routing::get};
use axum_clef::BoxError;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The id of its only key.
const KEY_ID: &str = "1";

/// A provider that signs notices with RS256. Its metadata and keys are on loopback.
#[allow(missing_docs)]
pub struct Issuer {
    pub url: String,
    key: RsaKeyPair,
}

impl Issuer {
    /// The application at the provider.
    pub const CLIENT_ID: &str = "site";

    /// # Errors
    ///
    /// When there is no port or no key.
    pub async fn start() -> Result<Arc<Self>, BoxError> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let key = RsaKeyPair::generate(KeySize::Rsa2048)?;
        let metadata = json!({
            "issuer": url,
            "authorization_endpoint": format!("{url}/authorize"),
            "token_endpoint": format!("{url}/token"),
            "jwks_uri": format!("{url}/keys"),
        });
        let public = key.public_key();
        let modulus = public.modulus().big_endian_without_leading_zero();
        let exponent = public.exponent().big_endian_without_leading_zero();
        let [n, e] = [modulus, exponent].map(|number| URL_SAFE_NO_PAD.encode(number));
        let key_set = json!({ "keys": [{ "kty": "RSA", "kid": KEY_ID, "n": n, "e": e }] });
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

    /// The header of a token of this type.
    pub fn header(kind: &str) -> Value {
        json!({ "alg": "RS256", "typ": kind, "kid": KEY_ID })
    }

    /// The claims of a token of this type: these, and the usual ones.
    pub fn claims(&self, kind: &str, id: &str, claims: &Value) -> Value {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default().as_secs();
        let mut all = json!({ "iss": self.url, "iat": now, "jti": id });
        for (name, value) in claims.as_object().into_iter().flatten() {
            all[name] = value.clone();
        }
        if kind != "secevent+jwt" {
            all["exp"] = json!(now + 100);
        }
        all
    }

    /// A good token of this type.
    pub fn token(&self, kind: &str, id: &str, claims: &Value) -> String {
        self.sign(&Self::header(kind), &self.claims(kind, id, claims))
    }

    /// A token that is signed, whatever it says.
    ///
    /// # Panics
    ///
    /// If there is no randomness.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let mut signature = vec![0; self.key.public_modulus_len()];
        let message = message(header, claims);
        let (random, text) = (SystemRandom::new(), message.as_bytes());
        let signed = self
            .key
            .sign(&RSA_PKCS1_SHA256, &random, text, &mut signature);
        signed.unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// A token whose signature is random, as long as a good one.
    ///
    /// # Panics
    ///
    /// If there is no randomness.
    pub fn forge(&self, header: &Value, claims: &Value) -> String {
        let mut signature = vec![0; self.key.public_modulus_len()];
        rand::fill(&mut signature).unwrap();
        // Below the modulus: a larger number is no signature, which costs nothing.
        signature[0] &= 0x7f;
        let message = message(header, claims);
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn message(header: &Value, claims: &Value) -> String {
    let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    format!("{}.{}", encode(header), encode(claims))
}
