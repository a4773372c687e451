//! Global token revocation: Okta's Universal Logout.

use std::time::{SystemTime, UNIX_EPOCH};

use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{ALEX, Browser, CLIENT_ID, Heard, Node, OTHER_RSA, Person, RSA, Site};

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
        let site = Site::start().await;
        let endpoint = site.provider.client().global_token_revocation();
        let endpoint = endpoint.organization(ORGANIZATION);
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
    let request = scene
        .request(&good, &body)
        .header("authorization", "Bearer x");
    assert_eq!(Heard::from(request).await.status, 401, "two headers");
    assert!(scene.both_are_logged_in().await);
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
