//! A login, from the start to the profile.

use std::sync::Arc;

use axum_clef::oidc::{ClientAuthentication, Oidc, SigningAlgorithm};
use serde_json::{Value, json};

use crate::support::{ALEX, Browser, EC, OTHER_RSA, OpenIdProvider, Site, query};

#[tokio::test]
async fn a_login_is_one_exchange_with_all_that_protects_it() {
    let site = Site::start().await;
    let client = Oidc::discover(&*site.provider.issuer, "the site:1", "se cret:+%/&é");
    let node = site.node_with(client.await.unwrap()).await;
    let browser = Browser::new();
    browser.log_in(&node, &site.provider, ALEX).await;
    let profile = site.users.last_profile();
    assert_eq!(profile.subject.issuer(), site.provider.issuer);
    assert_eq!(profile.first_name.as_deref(), Some("Alex"));
    assert_eq!(profile.email.as_deref(), Some("alex@example.com"));
    let script = site.provider.script();
    assert_eq!(script.token_requests.len(), 1);
    assert_eq!(script.metadata_fetches, 1);
    assert_eq!(script.key_fetches, 1);
    assert_eq!(script.user_info_fetches, 0, "nothing was missing");
}

#[tokio::test]
async fn the_request_asks_for_what_is_set() {
    let site = Site::start().await;
    let client = site.provider.client();
    let node = site.node_with(
        client
            .scopes(["openid", "email", "groups"])
            .authorization_parameter("prompt", "login")
            .unwrap(),
    );
    let url = Browser::new().begin(&node.await).await;
    let query = query(&url);
    assert_eq!(query["scope"], "openid email groups");
    assert_eq!(query["prompt"], "login");
    assert_eq!(query["tenant"], "1", "the endpoint's own query stays");
    let taken = site.provider.client().authorization_parameter("state", "1");
    assert!(taken.is_err());
}

#[tokio::test]
async fn two_logins_share_no_nonce_and_no_challenge() {
    let (_, node) = Site::with_node().await;
    let browser = Browser::new();
    let first = query(&browser.begin(&node).await);
    let second = query(&browser.begin(&node).await);
    for name in ["state", "nonce", "code_challenge"] {
        assert_ne!(first[name], second[name], "{name}");
    }
    assert_ne!(first["nonce"], first["state"]);
}

#[tokio::test]
async fn the_client_proves_who_it_is_as_offered_or_as_set() {
    use ClientAuthentication::{Basic, Post};

    for (offered, set, basic) in [
        (json!(null), None, true),
        (
            json!(["client_secret_post", "client_secret_basic"]),
            None,
            true,
        ),
        (json!(["client_secret_post"]), None, false),
        (json!(["client_secret_post"]), Some(Basic), true),
        (json!(["client_secret_basic"]), Some(Post), false),
    ] {
        let site = Site::start().await;
        site.provider.script().metadata =
            json!({ "token_endpoint_auth_methods_supported": offered });
        let mut client = site.provider.client();
        if let Some(set) = set {
            client = client.client_authentication(set);
        }
        let node = site.node_with(client).await;
        Browser::new().log_in(&node, &site.provider, ALEX).await;
        let script = site.provider.script();
        let (authorization, form) = &script.token_requests[0];
        assert_eq!(authorization.is_some(), basic, "{offered} {set:?}");
        assert_eq!(form.contains_key("client_secret"), !basic);
    }
}

#[tokio::test]
async fn an_id_token_must_be_of_this_login_and_for_this_site() {
    type Change = fn(&mut Value);
    let changes: [(&str, Change); 20] = [
        ("another nonce", |c| c["nonce"] = json!("x".repeat(43))),
        ("no nonce", |c| c["nonce"] = json!(null)),
        ("a nonce that is none", |c| c["nonce"] = json!([c["nonce"]])),
        ("another issuer", |c| {
            c["iss"] = json!("https://evil.example")
        }),
        ("another issuer by a slash", |c| {
            c["iss"] = json!(format!("{}/", c["iss"].as_str().unwrap()));
        }),
        ("another audience", |c| c["aud"] = json!("another site")),
        ("others in the audience", |c| {
            c["aud"] = json!(["the site:1", "x"])
        }),
        ("an empty audience", |c| c["aud"] = json!([])),
        ("another authorized party", |c| {
            c["azp"] = json!("another site")
        }),
        ("expired", |c| {
            c["exp"] = json!(c["iat"].as_u64().unwrap() - 121)
        }),
        ("no exp", |c| c["exp"] = json!(null)),
        ("exp as text", |c| c["exp"] = json!("99999999999")),
        ("not yet", |c| {
            c["iat"] = json!(c["iat"].as_u64().unwrap() + 130)
        }),
        ("no iat", |c| c["iat"] = json!(null)),
        ("nbf ahead", |c| {
            c["nbf"] = json!(c["iat"].as_u64().unwrap() + 130)
        }),
        ("another access token", |c| c["at_hash"] = json!("x")),
        ("no sub", |c| c["sub"] = json!(null)),
        ("an empty sub", |c| c["sub"] = json!("")),
        ("a long sub", |c| c["sub"] = json!("x".repeat(256))),
        ("a sub that is a number", |c| c["sub"] = json!(1)),
    ];
    let (site, node) = Site::with_node().await;
    for (what, change) in changes {
        site.provider.script().id_token = Arc::new(change);
        let browser = Browser::new();
        let response = browser.enter(&node, &site.provider, ALEX).await;
        // The provider's trouble, unless a setting may name another audience.
        let status = if what.contains("audience") { 500 } else { 502 };
        assert_eq!(response.status(), status, "{what}");
        assert_eq!(browser.is(&node).await, None, "{what}");
    }
    let good: [(&str, Change); 9] = [
        ("larger than 16 KiB", |c| {
            c["more"] = json!("x".repeat(16 * 1024));
        }),
        ("an auth_time as text", |c| c["auth_time"] = json!("1")),
        ("an auth_time of zero", |c| c["auth_time"] = json!(0)),
        ("one audience as a list", |c| {
            c["aud"] = json!(["the site:1"])
        }),
        ("itself as authorized party", |c| {
            c["azp"] = json!("the site:1")
        }),
        ("just expired, by another clock", |c| {
            c["exp"] = json!(c["iat"].as_u64().unwrap() - 60);
        }),
        ("just ahead, by another clock", |c| {
            c["iat"] = json!(c["iat"].as_u64().unwrap() + 60);
        }),
        ("a moment with a fraction", |c| {
            c["exp"] = json!(c["exp"].as_u64().unwrap() as f64 + 0.5);
        }),
        ("no at_hash", |c| c["at_hash"] = json!(null)),
    ];
    for (what, change) in good {
        site.provider.script().id_token = Arc::new(change);
        let response = Browser::new().enter(&node, &site.provider, ALEX).await;
        assert_eq!(response.status(), 303, "{what}");
    }
}

#[tokio::test]
async fn an_id_token_is_signed_as_set_and_is_no_logout_token() {
    let site = Site::start().await;
    site.provider.script().keys = json!([EC.jwk(), crate::support::RSA.jwk()]);
    let node = site.node().await;
    let es256 = site
        .provider
        .client()
        .signing_algorithm(SigningAlgorithm::Es256);
    let other = site.node_with(es256).await;

    let enter = async |node| {
        let response = Browser::new().enter(node, &site.provider, ALEX).await;
        response.status().as_u16()
    };
    assert_eq!((enter(&node).await, enter(&other).await), (303, 500));
    site.provider.script().signs_with = &EC;
    assert_eq!((enter(&node).await, enter(&other).await), (500, 303));
    for (kind, status) in [
        (json!("JWT"), 303),
        (json!("jwt"), 303),
        (json!("application/JWT"), 303),
        (json!("Application/jwt"), 303),
        (json!("logout+jwt"), 502),
        (json!("application/Logout+JWT"), 502),
        (json!("at+jwt"), 502),
        (json!("application/AT+JWT"), 502),
        (json!("dpop+jwt"), 502),
        (json!("secevent+jwt"), 502),
        (json!("application/"), 502),
        (json!(""), 502),
        (json!(null), 502),
        (json!(["JWT"]), 502),
    ] {
        site.provider.script().id_token_header = json!({ "typ": kind });
        assert_eq!(enter(&other).await, status, "{kind}");
    }
}

#[tokio::test]
async fn a_signature_of_another_key_is_none() {
    let (site, node) = Site::with_node().await;
    site.provider.change(|script| {
        script.signs_with = &OTHER_RSA;
        // It names the provider's key and is not signed with it.
        script.id_token_header = json!({ "kid": "rsa-1" });
    });
    let response = Browser::new().enter(&node, &site.provider, ALEX).await;
    assert_eq!(response.status(), 502);
}

#[tokio::test]
async fn others_may_be_trusted_and_a_login_may_be_asked_to_be_fresh() {
    use std::time::Duration;

    let site = Site::start().await;
    let client = site.provider.client().trusted_audiences(["api"]);
    let node = site
        .node_with(client.max_age(Duration::from_secs(600)))
        .await;
    for (auth_time, status) in [(0, 303), (590, 303), (900, 403)] {
        site.provider.script().id_token = Arc::new(move |claims| {
            claims["aud"] = json!(["api", "the site:1"]);
            claims["auth_time"] = json!(claims["iat"].as_u64().unwrap() - auth_time);
        });
        let browser = Browser::new();
        let url = browser.begin(&node).await;
        assert_eq!(query(&url)["max_age"], "600");
        let response = browser.enter(&node, &site.provider, ALEX).await;
        assert_eq!(response.status(), status, "{auth_time} seconds ago");
    }
    site.provider.script().id_token = Arc::new(|_| {});
    let response = Browser::new().enter(&node, &site.provider, ALEX).await;
    assert_eq!(response.status(), 502, "without auth_time");
}

#[tokio::test]
async fn what_the_id_token_lacks_comes_from_the_user_info() {
    let (site, node) = Site::with_node().await;
    let told = json!({ "sub": "alex", "name": "Alex Smith", "email": "alex@example.org" });
    site.provider.change(|script| {
        script.user_info = told;
        script.id_token = Arc::new(|claims| {
            claims["email"] = json!(null);
        });
    });
    Browser::new().log_in(&node, &site.provider, ALEX).await;
    let profile = site.users.last_profile();
    assert_eq!(profile.first_name.as_deref(), Some("Alex"));
    assert_eq!(profile.email.as_deref(), Some("alex@example.org"));
    assert_eq!(site.provider.script().user_info_fetches, 1);

    site.provider.script().id_token = Arc::new(|claims| {
        claims["given_name"] = json!(null);
        claims["email"] = json!(null);
    });
    Browser::new().log_in(&node, &site.provider, ALEX).await;
    let profile = site.users.last_profile();
    assert_eq!(profile.first_name.as_deref(), Some("Alex Smith"));
    assert_eq!(profile.email.as_deref(), Some("alex@example.org"));
    assert_eq!(site.provider.script().user_info_fetches, 2);

    // An address that may be somebody else's is none.
    for not_verified in [json!(false), json!("false")] {
        site.provider.script().user_info["email_verified"] = not_verified;
        Browser::new().log_in(&node, &site.provider, ALEX).await;
        assert_eq!(site.users.last_profile().email, None);
    }

    // Whatever is wrong with it, the login holds; but not if it is about somebody else.
    for (status, kind) in [
        (500, "application/json"),
        (200, "Application/JWT; charset=x"),
    ] {
        site.provider.change(|script| {
            (script.user_info_status, script.user_info_type) = (status, kind);
        });
        Browser::new().log_in(&node, &site.provider, ALEX).await;
        assert_eq!(site.users.last_profile().name(), None);
    }
    site.provider.change(|script| {
        (script.user_info_status, script.user_info_type) = (200, "application/json");
        script.user_info["sub"] = json!("kim");
    });
    let response = Browser::new().enter(&node, &site.provider, ALEX).await;
    assert_eq!(response.status(), 502);

    // Nobody asks for what nobody wants.
    let asked = site.provider.script().user_info_fetches;
    let client = site.provider.client().scopes(Vec::<String>::new());
    let node = site.node_with(client).await;
    Browser::new().log_in(&node, &site.provider, ALEX).await;
    assert_eq!(site.provider.script().user_info_fetches, asked);
}

#[tokio::test]
async fn an_issuer_is_taken_to_the_letter() {
    let provider = OpenIdProvider::start_at("/realms/staff/").await;
    let site = Site::at(provider);
    let node = site.node().await;
    Browser::new().log_in(&node, &site.provider, ALEX).await;
    let issuer = site.users.last_profile().subject.issuer().to_owned();
    assert!(issuer.ends_with("/realms/staff/"), "{issuer}");
    let other = issuer.trim_end_matches('/');
    assert!(Oidc::discover(other, "id", "secret").await.is_err());
}
