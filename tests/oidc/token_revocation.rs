//! Global token revocation: Okta's Universal Logout.

use std::{
    sync::{Arc, atomic::Ordering::SeqCst},
    time::{SystemTime, UNIX_EPOCH},
};

use axum_clef::{
    BuildError, ClefLayer, LogoutCause, User as _, UserStore as _, oidc::GlobalTokenRevocation,
};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use test_support::SubjectsAlone;
use tower_sessions::MemoryStore;

use crate::support::{ALEX, Browser, CLIENT_ID, Heard, Node, OTHER_RSA, Person, RSA, Site, log};

const PATH: &str = "/auth/global-token-revocation";
const ORGANIZATION: &str = "https://example.okta.test";
const KIM: Person = Person {
    subject: "kim",
    session: "desk of kim",
};

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs()
}

/// A site with a node, and browsers of Alex and Kim.
struct Scene {
    site: Site,
    node: Node,
    alex: Browser,
    kim: Browser,
}

impl Scene {
    async fn new() -> Self {
        Self::with(|endpoint| endpoint).await
    }

    /// A site that takes e-mail addresses. Only that of Alex is verified.
    async fn with_emails() -> Self {
        Self::with(GlobalTokenRevocation::accept_verified_emails).await
    }

    async fn with(set: impl FnOnce(GlobalTokenRevocation) -> GlobalTokenRevocation) -> Self {
        let site = Site::start().await;
        site.provider.script().id_token = Arc::new(|claims| {
            let subject = claims["sub"].as_str().unwrap();
            let is_alex = subject == ALEX.subject;
            claims["email"] = format!("{subject}@example.com").into();
            claims["email_verified"] = is_alex.into();
        });
        let endpoint = site.provider.client().global_token_revocation();
        let endpoint = set(endpoint.organization(ORGANIZATION));
        let node = site
            .node_of(|layer| {
                let layer = layer.logout_endpoint(PATH, endpoint);
                layer.provider(site.provider.client())
            })
            .await;
        let (alex, kim) = (Browser::new(), Browser::new());
        alex.log_in(&node, &site.provider, ALEX).await;
        kim.log_in(&node, &site.provider, KIM).await;
        Self {
            site,
            node,
            alex,
            kim,
        }
    }

    fn claims(&self) -> Value {
        json!({
            "iss": ORGANIZATION,
            "sub": CLIENT_ID,
            "aud": format!("{}{PATH}", Site::ADDRESS),
            "iat": now(),
            "nbf": now() - 300,
            "exp": now() + 300,
            "jti": "one",
        })
    }

    fn subject(&self) -> Value {
        json!({ "format": "iss_sub", "iss": self.site.provider.issuer, "sub": ALEX.subject })
    }

    /// Claims with another `jti`.
    fn claims_of(&self, id: &str) -> Value {
        let mut claims = self.claims();
        claims["jti"] = id.into();
        claims
    }

    fn subject_of(&self, person: Person) -> Value {
        let mut subject = self.subject();
        subject["sub"] = person.subject.into();
        json!({ "sub_id": subject })
    }

    fn request(&self, token: &str, body: &Value) -> RequestBuilder {
        let client = Client::builder().no_proxy().build().unwrap();
        let request = client.post(self.node.url(PATH));
        request.bearer_auth(token).json(body)
    }

    async fn send(&self, token: &str, body: &Value) -> u16 {
        Heard::from(self.request(token, body)).await.status
    }

    async fn both_are_logged_in(&self) -> bool {
        self.alex.is(&self.node).await.is_some() && self.kim.is(&self.node).await.is_some()
    }
}

fn email(address: &str) -> Value {
    json!({ "sub_id": { "format": "email", "email": address } })
}

fn header() -> Value {
    let mut header = RSA.header();
    header["typ"] = "global-token-revocation+jwt".into();
    header
}

fn sign(claims: &Value) -> String {
    RSA.sign_with(&header(), claims)
}

#[tokio::test]
async fn a_signed_request_ends_all_logins_of_the_subject() {
    for (member, issuer) in [("sub_id", None), ("subject", Some(ORGANIZATION))] {
        let scene = Scene::new().await;
        let second = Browser::new();
        second.log_in(&scene.node, &scene.site.provider, ALEX).await;
        let mut subject = scene.subject();
        if let Some(issuer) = issuer {
            subject["iss"] = issuer.into();
        }
        let body = json!({ member: subject, "more": 1 });
        assert_eq!(scene.send(&sign(&scene.claims()), &body).await, 204);
        assert_eq!(scene.alex.is(&scene.node).await, None);
        assert_eq!(second.is(&scene.node).await, None);
        assert!(scene.kim.is(&scene.node).await.is_some());
        let user = scene.site.users.load("1").await.unwrap().unwrap();
        let event = LogoutCause::provider("global-token-revocation");
        assert_eq!(user.logout_cause(), event);
        // Sent again, it changes nothing.
        scene
            .alex
            .log_in(&scene.node, &scene.site.provider, ALEX)
            .await;
        assert_eq!(scene.send(&sign(&scene.claims()), &body).await, 204);
        assert!(scene.both_are_logged_in().await);
    }
}

#[tokio::test]
async fn an_unknown_subject_is_404_for_the_provider_alone() {
    let scene = Scene::new().await;
    let mut subject = scene.subject();
    subject["sub"] = "unknown".into();
    let body = json!({ "sub_id": subject });
    assert_eq!(scene.send(&sign(&scene.claims()), &body).await, 404);
    assert_eq!(scene.send("forged", &body).await, 401);
}

#[tokio::test]
async fn a_token_that_proves_nothing_is_401_and_ends_nothing() {
    let scene = Scene::new().await;
    let body = json!({ "sub_id": scene.subject() });
    let changed = |name: &str, value: Value| {
        let mut claims = scene.claims();
        claims[name] = value;
        sign(&claims)
    };
    let without = |name: &str| {
        let mut claims = scene.claims();
        claims.as_object_mut().unwrap().remove(name);
        sign(&claims)
    };
    let typed = |kind: Value| {
        let mut header = header();
        header["typ"] = kind;
        RSA.sign_with(&header, &scene.claims())
    };
    let good = sign(&scene.claims());
    let endpoint = format!("{}{PATH}", Site::ADDRESS);
    let logout_token = scene.site.provider.logout_token(ALEX);
    let mut bad = vec![
        changed("iss", "https://elsewhere.test".into()),
        changed("iss", scene.site.provider.issuer.clone().into()),
        changed("sub", "another client".into()),
        changed("aud", CLIENT_ID.into()),
        changed("aud", format!("{endpoint}/").into()),
        changed("aud", json!([endpoint, "https://elsewhere.test"])),
        changed("exp", (now() - 300).into()),
        changed("iat", (now() + 900).into()),
        changed("nbf", (now() + 900).into()),
        changed("iat", (now() - 100_000).into()),
        typed("logout+jwt".into()),
        typed("JWT".into()),
        typed(Value::Null),
        RSA.sign(&scene.claims()),
        logout_token,
        String::from("x"),
    ];
    bad.extend(["iss", "sub", "aud", "iat", "exp", "jti"].map(without));
    bad.extend(RSA.forged_as_mac(&scene.claims()));
    for token in bad {
        let heard = Heard::from(scene.request(&token, &body)).await;
        assert_eq!(heard.status, 401, "{token}");
        assert_eq!(
            heard.headers["www-authenticate"],
            "Bearer error=\"invalid_token\""
        );
        assert_eq!(heard.body, "");
        assert!(scene.both_are_logged_in().await, "{token}");
    }
    // The provider may have a new key: 503 while its keys were fetched a moment ago.
    for token in [
        OTHER_RSA.sign_with(&header(), &scene.claims()),
        format!("{}AAAA", &good[..good.len() - 4]),
        good[..good.len() - 12].to_owned(),
    ] {
        let status = scene.send(&token, &body).await;
        assert!([401, 503].contains(&status), "{status}: {token}");
        assert!(scene.both_are_logged_in().await, "{token}");
    }
}

/// RFC 6750, section 3.1.
#[tokio::test]
async fn a_request_without_a_token_is_401_without_an_error_and_a_malformed_one_is_400() {
    let scene = Scene::new().await;
    let body = json!({ "sub_id": scene.subject() });
    let good = format!("Bearer {}", sign(&scene.claims()));
    let (absent, malformed) = (
        (401, "Bearer realm=\"axum-clef\""),
        (400, "Bearer error=\"invalid_request\""),
    );
    for (values, (status, challenge)) in [
        (&["Basic YTpi"][..], absent),
        (&[], absent),
        (&["Bearer"], malformed),
        (&["Bearer x y"], malformed),
        (&[&*good, "Bearer x"], malformed),
        (&[&*good, "Basic YTpi"], malformed),
    ] {
        let client = Client::builder().no_proxy().build().unwrap();
        let mut request = client.post(scene.node.url(PATH)).json(&body);
        for value in values {
            request = request.header("authorization", *value);
        }
        let heard = Heard::from(request).await;
        assert_eq!(heard.status, status, "{values:?}");
        assert_eq!(heard.headers["www-authenticate"], challenge, "{values:?}");
        assert_eq!(heard.body, "");
        assert!(scene.both_are_logged_in().await, "{values:?}");
    }
    // Nothing but the token was wrong.
    assert_eq!(scene.send(&good["Bearer ".len()..], &body).await, 204);
}

/// No key is looked for while anything else is wrong.
#[tokio::test]
async fn the_signature_is_verified_last() {
    let site = Site::start().await;
    let endpoint = site.provider.client().global_token_revocation();
    let node = site
        .node_of(|layer| {
            let layer = layer.logout_endpoint(PATH, endpoint);
            layer.provider(site.provider.client())
        })
        .await;
    let claims = json!({
        "iss": site.provider.issuer,
        "sub": CLIENT_ID,
        "aud": format!("{}{PATH}", Site::ADDRESS),
        "iat": now(),
        "exp": now() + 300,
        "jti": "one",
    });
    let send = async |header: &Value, claims: &Value, issuer: &str| {
        let subject = json!({ "format": "iss_sub", "iss": issuer, "sub": "alex" });
        let request = Client::builder().no_proxy().build().unwrap();
        let request = request
            .post(node.url(PATH))
            .bearer_auth(OTHER_RSA.sign_with(header, claims))
            .json(&json!({ "sub_id": subject }));
        let status = Heard::from(request).await.status;
        let script = site.provider.script();
        (status, script.metadata_fetches, script.key_fetches)
    };
    let issuer = &site.provider.issuer;
    for (name, value) in [("alg", json!("ES256")), ("typ", json!("JWT"))] {
        let mut header = header();
        header[name] = value;
        assert_eq!(send(&header, &claims, issuer).await, (401, 0, 0), "{name}");
    }
    for (name, value) in [
        ("iss", json!("https://elsewhere.test")),
        ("aud", json!(CLIENT_ID)),
        ("sub", json!("another client")),
        ("exp", json!(1)),
        ("iat", json!(1)),
        ("jti", json!("")),
    ] {
        let mut claims = claims.clone();
        claims[name] = value;
        assert_eq!(
            send(&header(), &claims, issuer).await,
            (401, 0, 0),
            "{name}"
        );
    }
    let of_other = send(&header(), &claims, "https://elsewhere.test").await;
    assert_eq!(of_other, (401, 0, 0), "the subject");
    assert_eq!(send(&header(), &claims, issuer).await, (401, 1, 1));
}

#[tokio::test]
async fn a_subject_of_another_issuer_or_form_ends_nothing() {
    let scene = Scene::new().await;
    let email = json!({ "format": "email", "email": "alex@example.com" });
    let mut foreign = scene.subject();
    foreign["iss"] = "https://elsewhere.test".into();
    let nested = "[".repeat(5_000);
    for (body, status) in [
        (json!({ "sub_id": email }).to_string(), 422),
        (
            json!({ "sub_id": { "format": "opaque", "id": "1" } }).to_string(),
            422,
        ),
        (json!({ "sub_id": foreign }).to_string(), 401),
        (
            json!({ "sub_id": { "format": "iss_sub", "iss": "x" } }).to_string(),
            400,
        ),
        (
            json!({ "sub_id": scene.subject(), "subject": scene.subject() }).to_string(),
            400,
        ),
        (json!({ "sub_id": [scene.subject()] }).to_string(), 400),
        (json!({}).to_string(), 400),
        ("null".to_owned(), 400),
        (String::new(), 400),
        (nested, 400),
        ("x".repeat(17 * 1024), 413),
    ] {
        let request = scene.request(&sign(&scene.claims()), &json!({}));
        let shown: String = body.chars().take(100).collect();
        let heard = Heard::from(request.body(body)).await;
        assert_eq!(heard.status, status, "{shown}");
        assert!(scene.both_are_logged_in().await, "{shown}");
    }
    let request = scene.request(&sign(&scene.claims()), &json!({}));
    let request = request.header("content-type", "text/plain");
    assert!(Heard::from(request).await.status >= 400);
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_503() {
    let scene = Scene::new().await;
    scene.site.users.fail_logouts(true);
    let body = json!({ "sub_id": scene.subject() });
    assert_eq!(scene.send(&sign(&scene.claims()), &body).await, 503);
    assert_eq!(scene.alex.is(&scene.node).await, None, "refused meanwhile");
}

/// The body is not signed, so a token that was caught must not end the logins of another subject.
#[tokio::test]
async fn a_token_is_good_for_one_subject() {
    let scene = Scene::new().await;
    let (of_alex, of_kim) = (scene.subject_of(ALEX), scene.subject_of(KIM));
    let token = sign(&scene.claims());
    assert_eq!(scene.send(&token, &of_alex).await, 204);
    let again = sign(&scene.claims());
    for (token, body, status) in [
        (&token, &of_kim, 401),
        (&again, &of_kim, 401),
        (&token, &of_alex, 204),
        (&again, &of_alex, 204),
    ] {
        let (alex, provider) = (&scene.alex, &scene.site.provider);
        alex.log_in(&scene.node, provider, ALEX).await;
        assert_eq!(scene.send(token, body).await, status);
        assert!(scene.both_are_logged_in().await);
    }
    // Also while the first waits for the store, and after a subject without a user.
    let token = sign(&scene.claims_of("two"));
    scene.site.users.fail_logouts(true);
    assert_eq!(scene.send(&token, &of_alex).await, 503);
    assert_eq!(scene.send(&token, &of_kim).await, 401);
    scene.site.users.fail_logouts(false);
    assert!(scene.kim.is(&scene.node).await.is_some());
    let token = sign(&scene.claims_of("three"));
    let unknown = Person {
        subject: "unknown",
        session: "",
    };
    assert_eq!(scene.send(&token, &scene.subject_of(unknown)).await, 404);
    assert_eq!(scene.send(&token, &of_kim).await, 401);
    let token = sign(&scene.claims_of("four"));
    assert_eq!(scene.send(&token, &of_kim).await, 204);
    assert_eq!(scene.kim.is(&scene.node).await, None);
}

/// One token can be sent with many bodies.
#[tokio::test]
async fn a_spent_token_floods_no_log() {
    let scene = Scene::new().await;
    let token = sign(&scene.claims());
    assert_eq!(scene.send(&token, &scene.subject_of(ALEX)).await, 204);
    log::listen();
    let begun_at = std::time::Instant::now();
    for number in 0..10 {
        let mut body = scene.subject_of(KIM);
        body["more"] = number.into();
        assert_eq!(scene.send(&token, &body).await, 401);
    }
    let warnings = log::events("WARN");
    let lines = 1 + begun_at.elapsed().as_secs() as usize;
    assert!((1..=lines).contains(&warnings.len()), "{warnings:?}");
    assert!(
        warnings[0].contains("its id was used before"),
        "{warnings:?}"
    );
}

/// A request that was refused has not spent its token.
#[tokio::test]
async fn a_token_can_be_sent_again_with_a_body_that_is_understood() {
    let scene = Scene::new().await;
    let token = sign(&scene.claims());
    assert_eq!(scene.send(&token, &json!({})).await, 400);
    assert_eq!(scene.send(&token, &email("alex@example.com")).await, 422);
    assert_eq!(scene.send(&token, &scene.subject_of(ALEX)).await, 204);
    assert_eq!(scene.alex.is(&scene.node).await, None);
}

#[tokio::test]
async fn an_address_ends_the_logins_of_the_user_who_verified_it() {
    let scene = Scene::with_emails().await;
    for (id, address, status) in [
        ("one", "kim@example.com", 404),
        ("two", "unknown@example.com", 404),
        ("three", "alex@example.com.", 404),
        ("four", "%@example.com", 404),
        ("five", "", 400),
    ] {
        let token = sign(&scene.claims_of(id));
        assert_eq!(scene.send(&token, &email(address)).await, status);
        assert_eq!(scene.send("forged", &email(address)).await, status.min(401));
        assert!(scene.both_are_logged_in().await, "{address}");
    }
    for format in ["opaque", "aliases", "account", "phone_number", "none"] {
        let identifier = json!({
            "format": format,
            "id": "1",
            "uri": "acct:alex@example.com",
            "phone_number": "+12065550100",
            "identifiers": [{ "format": "email", "email": "alex@example.com" }],
        });
        let body = json!({ "sub_id": identifier });
        let token = sign(&scene.claims_of(format));
        assert_eq!(scene.send(&token, &body).await, 422, "{format}");
        assert!(scene.both_are_logged_in().await, "{format}");
    }
    assert_eq!(
        scene.send("forged", &email("alex@example.com")).await,
        401,
        "as for an unknown address"
    );
    let (token, body) = (sign(&scene.claims_of("six")), email("Alex@Example.com"));
    assert_eq!(scene.send(&token, &body).await, 204);
    assert_eq!(scene.alex.is(&scene.node).await, None);
    assert!(scene.kim.is(&scene.node).await.is_some());
    // Sent again, it changes nothing.
    let (alex, provider) = (&scene.alex, &scene.site.provider);
    alex.log_in(&scene.node, provider, ALEX).await;
    assert_eq!(scene.send(&token, &body).await, 204);
    assert_eq!(scene.send(&token, &email("alex@example.com")).await, 401);
    assert!(scene.both_are_logged_in().await);
    let token = sign(&scene.claims_of("seven"));
    assert_eq!(scene.send(&token, &scene.subject_of(KIM)).await, 204);
    assert_eq!(scene.kim.is(&scene.node).await, None);
}

#[tokio::test]
async fn an_address_that_cannot_be_looked_up_is_503_and_looked_up_again() {
    let scene = Scene::with_emails().await;
    let (token, body) = (sign(&scene.claims()), email("alex@example.com"));
    scene.site.users.failing.store(true, SeqCst);
    assert_eq!(scene.send(&token, &body).await, 503);
    scene.site.users.failing.store(false, SeqCst);
    while scene.send(&token, &body).await == 503 {}
    assert_eq!(scene.alex.is(&scene.node).await, None);
    assert!(scene.kim.is(&scene.node).await.is_some());
}

#[tokio::test]
async fn a_store_that_knows_no_addresses_is_an_error_of_build() {
    let client = Site::start().await.provider.client();
    let build = |endpoint| {
        let users = SubjectsAlone::default();
        ClefLayer::builder(Site::ADDRESS, users, MemoryStore::default())
            .provider(client.clone())
            .logout_endpoint(PATH, endpoint)
            .build()
            .map(drop)
    };
    let endpoint = client.global_token_revocation();
    assert_eq!(build(endpoint.clone()), Ok(()));
    let error = build(endpoint.accept_verified_emails()).unwrap_err();
    assert_eq!(error, BuildError::IdentifiersNotKnown(PATH.to_owned()));
    assert!(error.to_string().contains("users_of"), "{error}");
}
