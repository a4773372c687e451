//! The algorithms that a provider may sign with.

use std::sync::Arc;

use aws_lc_rs::digest::{Algorithm, SHA256, SHA384, SHA512, digest};
use axum_clef::oidc::SigningAlgorithm;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::support::{ALEX, Browser, EC, EC384, ED, RSA, SigningKey, Site};

/// Each with a key for it, and the digest of its `at_hash` (OpenID Connect Core, section 3.1.3.6).
fn all() -> [(SigningAlgorithm, &'static SigningKey, &'static Algorithm); 9] {
    use SigningAlgorithm::{EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
    [
        (Rs256, &RSA, &SHA256),
        (Rs384, &RSA, &SHA384),
        (Rs512, &RSA, &SHA512),
        (Ps256, &RSA, &SHA256),
        (Ps384, &RSA, &SHA384),
        (Ps512, &RSA, &SHA512),
        (Es256, &EC, &SHA256),
        (Es384, &EC384, &SHA384),
        (EdDsa, &ED, &SHA512),
    ]
}

fn header(key: &SigningKey, algorithm: SigningAlgorithm) -> Value {
    let mut header = key.header();
    header["alg"] = json!(algorithm.to_string());
    header
}

/// A key as the provider publishes it, for any algorithm that it can sign with.
fn jwk(key: &SigningKey) -> Value {
    let mut jwk = key.jwk();
    jwk.as_object_mut().unwrap().remove("alg");
    jwk
}

#[tokio::test]
async fn each_algorithm_logs_in_and_out() {
    for (algorithm, key, hash) in all() {
        let site = Site::start().await;
        let name = algorithm.to_string();
        let access_token = format!("access token of {}", ALEX.subject);
        let hash = digest(hash, access_token.as_bytes());
        let hash = URL_SAFE_NO_PAD.encode(&hash.as_ref()[..hash.as_ref().len() / 2]);
        site.provider.change(|script| {
            script.keys = json!([jwk(key)]);
            script.signs_with = key;
            script.id_token_header = json!({ "alg": name });
            script.id_token = Arc::new(move |claims| claims["at_hash"] = json!(hash));
            script.metadata = json!({ "id_token_signing_alg_values_supported": [name] });
        });
        let client = site.provider.client().signing_algorithm(algorithm);
        let node = site.node_with(client).await;
        let browser = Browser::new();
        browser.log_in(&node, &site.provider, ALEX).await;
        assert!(browser.is(&node).await.is_some(), "{algorithm}");

        // Each other one is refused, also one that the key can sign with.
        let others = all().into_iter().filter(|(other, ..)| *other != algorithm);
        for (other, other_key, _) in others {
            let claims = site.provider.logout_claims(ALEX);
            let token = other_key.sign_with(&header(key, other), &claims);
            assert_eq!(
                node.notice(&token).await.status,
                400,
                "{algorithm}, {other}"
            );
            // Nor is its signature taken for one of ours: perhaps the key has changed, and is not asked
            // for again yet.
            let renamed = renamed(&token, &header(key, algorithm));
            let status = node.notice(&renamed).await.status;
            assert!(
                [400, 503].contains(&status),
                "{algorithm}, {other}: {status}"
            );
        }
        assert!(browser.is(&node).await.is_some(), "{algorithm}");
        let claims = site.provider.logout_claims(ALEX);
        let token = key.sign_with(&header(key, algorithm), &claims);
        assert_eq!(node.notice(&token).await.status, 200, "{algorithm}");
        assert!(browser.is(&node).await.is_none(), "{algorithm}");
    }
}

/// A token with the signature of another header.
fn renamed(token: &str, header: &Value) -> String {
    let (_, rest) = token.split_once('.').unwrap();
    format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header.to_string()))
}
