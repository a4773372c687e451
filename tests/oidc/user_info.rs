//! Signed user info (OpenID Connect Core 1.0, section 5.3.2).

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{ALEX, Browser, CLIENT_ID, OTHER_RSA, RSA, Site, unsigned};

#[tokio::test]
async fn signed_user_info_is_verified_and_used() {
    let (site, node) = Site::with_node().await;
    site.provider.change(|script| {
        script.user_info_type = "application/jwt";
        script.id_token = Arc::new(|claims| claims["given_name"] = json!(null));
    });
    let issuer = &site.provider.issuer;
    let claims = |more: Value| {
        let mut claims =
            json!({ "sub": "alex", "name": "Alex Smith", "iss": issuer, "aud": CLIENT_ID });
        for (name, value) in more.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    };
    let typed = |kind: &str| {
        let mut header = RSA.header();
        header["typ"] = json!(kind);
        RSA.sign_with(&header, &claims(json!({})))
    };
    let named = |key: &crate::support::SigningKey, id: &str| {
        let mut header = key.header();
        header["kid"] = json!(id);
        key.sign_with(&header, &claims(json!({})))
    };
    let good = RSA.sign(&claims(json!({})));
    for (what, text, name) in [
        ("good", good.clone(), true),
        ("with a line end", format!("{good}\n"), true),
        (
            "without iss and aud",
            RSA.sign(&json!({ "sub": "alex", "name": "Alex Smith" })),
            true,
        ),
        (
            "a list of audiences",
            RSA.sign(&claims(json!({ "aud": [CLIENT_ID] }))),
            true,
        ),
        ("typed", typed("JWT"), true),
        (
            "another issuer",
            RSA.sign(&claims(json!({ "iss": "https://evil.example" }))),
            false,
        ),
        (
            "another audience",
            RSA.sign(&claims(json!({ "aud": "another site" }))),
            false,
        ),
        ("expired", RSA.sign(&claims(json!({ "exp": 1 }))), false),
        (
            "without sub",
            RSA.sign(&claims(json!({ "sub": null }))),
            false,
        ),
        ("another kind", typed("at+jwt"), false),
        ("a logout token", typed("logout+jwt"), false),
        ("of another key", named(&OTHER_RSA, RSA.id), false),
        ("of an unknown key", named(&OTHER_RSA, "new"), false),
        (
            "unsigned",
            unsigned(&json!({ "alg": "none" }), &claims(json!({}))),
            false,
        ),
        ("encrypted", format!("{good}.x.y"), false),
        ("no token", "{}".to_owned(), false),
        (
            "too large",
            format!("{good}{}", " ".repeat(256 * 1024)),
            false,
        ),
    ] {
        site.provider.script().user_info_text = Some(text);
        Browser::new().log_in(&node, &site.provider, ALEX).await;
        let found = site.users.last_profile().name();
        assert_eq!(found.is_some(), name, "{what}");
    }
    site.provider.script().user_info_text = Some(RSA.sign(&claims(json!({ "sub": "kim" }))));
    let response = Browser::new().enter(&node, &site.provider, ALEX).await;
    assert_eq!(response.status(), 502, "about another user");
    assert_eq!(
        site.provider.script().key_fetches,
        1,
        "within thirty seconds"
    );
}

#[tokio::test]
async fn a_user_info_that_hangs_is_given_up_after_three_seconds() {
    let site = Site::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let _connection = listener.accept().await;
        std::future::pending::<()>().await;
    });
    site.provider.change(|script| {
        script.metadata = json!({ "userinfo_endpoint": address });
        script.id_token = Arc::new(|claims| claims["given_name"] = json!(null));
    });
    let node = site.node().await;
    let begun = std::time::Instant::now();
    Browser::new().log_in(&node, &site.provider, ALEX).await;
    let took = begun.elapsed();
    assert!((3..5).contains(&took.as_secs()), "{took:?}");
}
