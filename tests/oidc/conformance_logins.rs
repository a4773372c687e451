//! The modules of the OpenID Foundation's conformance suite for logins at relying parties, at a
//! provider whose metadata, keys and tokens have the form of the suite's.

use std::time::Duration;

use axum_clef::oidc::{Oidc, SigningAlgorithm};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::support::{
    ALEX, Browser, CLIENT_ID, CLIENT_SECRET, EC, ED, Node, OTHER_RSA, OpenIdProvider, RSA,
    SigningKey, Site, location, mac, now, query, unsigned,
};

/// How the provider returns to the site. The profile for forms repeats the modules of the basic one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Callback {
    Query,
    Form,
}

use Callback::{Form, Query};

struct Suite {
    site: Site,
    node: Node,
    callback: Callback,
}

impl Suite {
    async fn start(callback: Callback) -> Self {
        Self::with(callback, |client| client).await
    }

    async fn with(callback: Callback, set: impl FnOnce(Oidc) -> Oidc) -> Self {
        let provider = OpenIdProvider::start_at("/test/a/site/").await;
        provider.change(|script| {
            script.metadata = json!({
                "authorization_response_iss_parameter_supported": null,
                "claim_types_supported": ["normal", "aggregated", "distributed"],
                "claims_parameter_supported": true,
                "end_session_endpoint": null,
                "id_token_signing_alg_values_supported": ["none", "ES256", "PS256", "RS256", "ES256K"],
                "response_modes_supported": ["query", "fragment", "form_post"],
                "response_types_supported": ["code", "id_token code", "token"],
                "scopes_supported": ["openid", "phone", "profile", "email", "offline_access"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            });
            script.keys = keys(&[&RSA], true);
            script.user_info = json!({
                "sub": ALEX.subject,
                "name": "Alex T. Smith",
                "given_name": "Alex",
                "email": "alex@example.com",
                "email_verified": false,
                "address": { "country": "Norway" },
            });
        });
        let site = Site::at(provider);
        let client = Oidc::discover(&*site.provider.issuer, CLIENT_ID, CLIENT_SECRET);
        let client = set(client.await.unwrap());
        let client = match callback {
            Query => client,
            Form => client.form_post(),
        };
        let node = site.node_with(client).await;
        Self {
            site,
            node,
            callback,
        }
    }

    /// The status of a login with this ID token, and how often it asks for the user info.
    async fn log_in(&self, browser: &Browser, sign: impl FnOnce(Value) -> String) -> (u16, usize) {
        let provider = &self.site.provider;
        let url = browser.begin(&self.node).await;
        let asked = query(&url);
        let claims = json!({
            "iss": provider.issuer,
            "sub": ALEX.subject,
            "aud": CLIENT_ID,
            "nonce": asked["nonce"],
            "iat": now(),
            "exp": now() + 300,
        });
        let tokens = json!({ "token_type": "Bearer", "id_token": sign(claims) });
        provider.script().tokens = tokens;
        let before = provider.script().user_info_fetches;
        let code = provider.approve(&url, ALEX);
        let fields = [("code", &*code), ("state", &asked["state"])];
        let response = match self.callback {
            Query => browser.come_back(&self.node, &fields).await,
            Form => {
                assert_eq!(asked["response_mode"], "form_post");
                let redirect = browser.come_back_by_form(&self.node, &fields).await;
                browser.follow(&self.node, redirect).await
            }
        };
        let fetches = provider.script().user_info_fetches - before;
        (response.status().as_u16(), fetches)
    }

    /// Whether a login with this ID token works.
    async fn accepts(&self, sign: impl FnOnce(Value) -> String) -> bool {
        let browser = Browser::new();
        match self.log_in(&browser, sign).await {
            (303, 1) => {
                assert_eq!(browser.is(&self.node).await.as_deref(), Some(ALEX.subject));
                true
            }
            // The access token that came with it is not used either.
            (500 | 502, 0) => {
                assert_eq!(browser.is(&self.node).await, None);
                false
            }
            other => panic!("{other:?}"),
        }
    }
}

/// The keys of the suite: these, others for signatures without an `alg`, and some for encryption.
fn keys(signing: &[&SigningKey], have_ids: bool) -> Value {
    let other_curve = json!({
        "kty": "EC", "kid": "es256k", "crv": "secp256k1", "x": EC.jwk()["x"], "y": EC.jwk()["y"],
    });
    let signing = signing.iter().map(|key| key.jwk());
    let mut keys: Vec<_> = signing.chain([EC.jwk(), other_curve, ED.jwk()]).collect();
    for key in &mut keys {
        let members = key.as_object_mut().unwrap();
        members.insert("use".to_owned(), "sig".into());
        members.remove("alg");
        if !have_ids {
            members.remove("kid");
        }
    }
    for (mut key, algorithm) in [(OTHER_RSA.jwk(), "RSA-OAEP"), (EC.jwk(), "ECDH-ES")] {
        key["kid"] = format!("for {algorithm}").into();
        key["use"] = "enc".into();
        key["alg"] = algorithm.into();
        keys.push(key);
    }
    keys.into()
}

fn without_key_id(claims: Value) -> String {
    RSA.sign_with(&json!({ "alg": "RS256" }), &claims)
}

/// A token whose signature has other bits.
fn broken(token: &str) -> String {
    let (message, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let signature: Vec<_> = signature.iter().map(|byte| byte ^ 0x5a).collect();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[tokio::test]
async fn a_login_asks_for_what_the_suite_demands_and_uses_the_user_info() {
    for callback in [Query, Form] {
        let suite = Suite::start(callback).await;
        let url = Browser::new().begin(&suite.node).await;
        let asked = query(&url);
        assert_eq!(asked["response_type"], "code");
        let callback_url = format!("{}/clef/callback", Site::ADDRESS);
        assert_eq!(asked["redirect_uri"], callback_url);
        assert_eq!(asked["scope"], "openid profile email");
        assert!(!asked.contains_key("request") && !asked.contains_key("request_uri"));
        let nonce = &asked["nonce"];
        let is_safe = |c: char| c.is_ascii_alphanumeric() || "-_.~".contains(c);
        assert!(nonce.len() <= 43 && nonce.chars().all(is_safe), "{nonce}");
        let signed = |claims| RSA.sign(&claims);
        assert!(suite.accepts(signed).await, "{callback:?}");
        let profile = suite.site.users.last_profile();
        assert_eq!(profile.name().as_deref(), Some("Alex"));
        assert_eq!(profile.email, None, "it is not verified");
        let script = suite.site.provider.script();
        let (authorization, form) = &script.token_requests[0];
        assert!(authorization.as_ref().unwrap().starts_with("Basic "));
        assert!(!form.contains_key("client_secret"));
    }
}

#[tokio::test]
async fn an_id_token_without_a_key_id_is_verified_with_one_key_or_several() {
    for callback in [Query, Form] {
        for signing in [&[&*RSA][..], &[&*OTHER_RSA, &*RSA]] {
            let suite = Suite::start(callback).await;
            suite.site.provider.script().keys = keys(signing, false);
            assert!(suite.accepts(without_key_id).await, "{}", signing.len());
        }
    }
}

#[tokio::test]
async fn a_bad_id_token_begins_no_login_and_its_access_token_is_not_used() {
    type Sign = fn(Value) -> String;
    fn longer(mut claims: Value, name: &str) -> String {
        claims[name] = format!("{}1", claims[name].as_str().unwrap()).into();
        RSA.sign(&claims)
    }
    fn without(mut claims: Value, name: &str) -> String {
        claims.as_object_mut().unwrap().remove(name).unwrap();
        RSA.sign(&claims)
    }
    let bad: [(&str, Sign); 12] = [
        ("another iss", |claims| longer(claims, "iss")),
        ("no iss", |claims| without(claims, "iss")),
        ("another aud", |claims| longer(claims, "aud")),
        ("no aud", |claims| without(claims, "aud")),
        ("another nonce", |claims| longer(claims, "nonce")),
        ("no nonce", |claims| without(claims, "nonce")),
        ("no sub", |claims| without(claims, "sub")),
        ("no iat", |claims| without(claims, "iat")),
        ("alg none", |claims| {
            unsigned(&json!({ "alg": "none" }), &claims)
        }),
        ("a broken signature", |claims| broken(&RSA.sign(&claims))),
        ("another algorithm", |claims| EC.sign(&claims)),
        ("a MAC", |claims| {
            mac(CLIENT_SECRET.as_bytes(), RSA.id, &claims)
        }),
    ];
    for callback in [Query, Form] {
        let suite = Suite::start(callback).await;
        for (what, sign) in bad {
            assert!(!suite.accepts(sign).await, "{what}, {callback:?}");
        }
        assert!(suite.accepts(|claims| RSA.sign(&claims)).await);
    }
}

#[tokio::test]
async fn a_broken_signature_on_an_elliptic_curve_is_refused() {
    let es256 = |client: Oidc| client.signing_algorithm(SigningAlgorithm::Es256);
    let suite = Suite::with(Query, es256).await;
    assert!(suite.accepts(|claims| EC.sign(&claims)).await);
    assert!(!suite.accepts(|claims| broken(&EC.sign(&claims))).await);
}

#[tokio::test]
async fn a_user_info_of_another_subject_begins_no_login() {
    for callback in [Query, Form] {
        let suite = Suite::start(callback).await;
        suite.site.provider.script().user_info["sub"] = json!("alexinvalid");
        let browser = Browser::new();
        let login = suite.log_in(&browser, |claims| RSA.sign(&claims)).await;
        assert_eq!(login, (502, 1));
        assert_eq!(browser.is(&suite.node).await, None);
    }
}

#[tokio::test]
async fn the_keys_are_where_the_metadata_says() {
    let suite = Suite::start(Query).await;
    let moved = suite.site.provider.url("/auth/keys");
    suite.site.provider.change(|script| {
        script.metadata["jwks_uri"] = moved.into();
        script.keys_at = &["/auth/keys"];
    });
    let client = suite.site.provider.client();
    let suite = Suite {
        node: suite.site.node_with(client).await,
        ..suite
    };
    assert!(suite.accepts(|claims| RSA.sign(&claims)).await);
}

#[tokio::test]
async fn metadata_of_another_issuer_begins_no_login() {
    let suite = Suite::start(Query).await;
    let other = format!("{}INVALID", suite.site.provider.issuer);
    suite.site.provider.script().metadata["issuer"] = other.into();
    let node = suite.site.node().await;
    let response = Browser::new().get(&node, "/clef/login").await;
    assert_eq!(response.status(), 500);
    assert!(!response.headers().contains_key("location"));
}

/// The suite changes its keys between two logins, and between the metadata and the signature.
#[tokio::test]
async fn a_login_with_a_new_key_works_at_once() {
    let suite = Suite::start(Query).await;
    let fetches = || suite.site.provider.script().key_fetches;
    assert_eq!(fetches(), 1, "at the start");
    for (key, expected) in [(&*OTHER_RSA, 2), (&*RSA, 3)] {
        suite.site.provider.script().keys = keys(&[key], true);
        for _ in 0..2 {
            assert!(suite.accepts(|claims| key.sign(&claims)).await);
            assert_eq!(fetches(), expected);
        }
    }
    // A key that is nowhere costs one fetch a login.
    assert!(!suite.accepts(|claims| OTHER_RSA.sign(&claims)).await);
    assert_eq!(fetches(), 4);
}

#[tokio::test]
async fn an_error_that_comes_as_a_form_is_a_page() {
    let silent = |client: Oidc| {
        let client = client.max_age(Duration::ZERO);
        client.authorization_parameter("prompt", "none").unwrap()
    };
    let suite = Suite::with(Form, silent).await;
    let browser = Browser::new();
    let asked = query(&browser.begin(&suite.node).await);
    for (name, value) in [
        ("response_mode", "form_post"),
        ("max_age", "0"),
        ("prompt", "none"),
    ] {
        assert_eq!(asked[name], value);
    }
    let fields = [
        ("error", "login_required"),
        ("error_description", "The user is not logged in"),
        ("state", &asked["state"]),
    ];
    let redirect = browser.come_back_by_form(&suite.node, &fields).await;
    let response = browser.follow(&suite.node, redirect).await;
    assert_eq!(response.status(), 403);
    let page = response.text().await.unwrap();
    assert!(page.contains("The login was not completed"), "{page}");
    assert_eq!(browser.is(&suite.node).await, None);
}

#[tokio::test]
async fn a_login_that_another_site_initiates_is_a_login() {
    let suite = Suite::start(Query).await;
    let issuer = &suite.site.provider.issuer;
    let browser = Browser::new();
    let start = format!("/clef/login?iss={issuer}&login_hint=alex");
    let url = browser.begin_at(&suite.node, &start).await;
    let response = browser
        .finish(&suite.node, &suite.site.provider, ALEX, &url)
        .await;
    assert_eq!(
        (response.status().as_u16(), &*location(&response)),
        (303, "/")
    );
}
