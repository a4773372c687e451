//! The notices of Sign in with Apple.

use std::sync::{Arc, Mutex};

use axum_clef::{
    Timestamp,
    security_events::{AppleNotices, SecurityEvent, SecurityEventKind as Kind},
};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{ALEX, Browser, Heard, KIM, Node, OTHER_RSA, RSA, Site, now};

const PATH: &str = "/apple/notices";
const CLIENT_ID: &str = "com.example.site";

struct AppleScene {
    site: Site,
    node: Node,
    alex: Browser,
    kim: Browser,
    events: Arc<Mutex<Vec<SecurityEvent>>>,
}

impl AppleScene {
    async fn new() -> Self {
        let site = Site::start().await;
        let events = Arc::<Mutex<Vec<_>>>::default();
        let received = Arc::clone(&events);
        // The OpenID provider and the sender of notices are one issuer at Apple.
        let issuer = &*site.provider.issuer;
        let notices = AppleNotices::at(issuer, [CLIENT_ID, "com.example.app"]).unwrap();
        let notices = notices.on_event(move |event| {
            received.lock().unwrap().push(event);
            async { Ok(()) }
        });
        let node = site.node_of(|layer| {
            let layer = layer.logout_endpoint(PATH, notices);
            layer.provider(site.provider.client())
        });
        let node = node.await;
        let (alex, kim) = (Browser::new(), Browser::new());
        alex.log_in(&node, &site.provider, ALEX).await;
        kim.log_in(&node, &site.provider, KIM).await;
        Self {
            site,
            node,
            alex,
            kim,
            events,
        }
    }

    fn claims(&self, kind: &str, jti: &str) -> Value {
        let event = json!({
            "type": kind, "sub": "alex", "event_time": 1_508_184_845_250_u64,
            "email": "alex@privaterelay.example", "is_private_email": "true",
        });
        json!({
            "iss": self.site.provider.issuer, "aud": CLIENT_ID, "iat": now(), "jti": jti,
            "exp": now() + 300, "events": event.to_string(),
        })
    }

    fn request(&self, body: String) -> RequestBuilder {
        let client = Client::builder().no_proxy().build().unwrap();
        let request = client.post(self.node.url(PATH)).body(body);
        request.header("content-type", "application/json")
    }

    async fn send(&self, token: &str) -> u16 {
        let body = json!({ "payload": token }).to_string();
        Heard::from(self.request(body)).await.status
    }

    async fn both_are_in(&self) -> bool {
        let alex = self.alex.is(&self.node).await;
        alex.is_some() && self.kim.is(&self.node).await.is_some()
    }
}

#[tokio::test]
async fn each_notice_ends_what_it_says() {
    let scene = AppleScene::new().await;
    for (kind, expected, is_in) in [
        ("consent-revoked", Kind::ConsentRevoked, false),
        ("account-delete", Kind::AccountDeleted, false),
        ("account-deleted", Kind::AccountDeleted, false),
        ("email-enabled", Kind::EmailEnabled, true),
        ("email-disabled", Kind::EmailDisabled, true),
    ] {
        let token = RSA.sign(&scene.claims(kind, kind));
        assert_eq!(scene.send(&token).await, 200, "{kind}");
        assert_eq!(scene.alex.is(&scene.node).await.is_some(), is_in, "{kind}");
        let event = scene.events.lock().unwrap().last().cloned().unwrap();
        assert_eq!(event.kind, expected);
        assert_eq!(
            event.at,
            Some(Timestamp::from_micros(1_508_184_845_250_000))
        );
        assert_eq!(event.text("is_private_email"), Some("true"));
        scene
            .alex
            .log_in(&scene.node, &scene.site.provider, ALEX)
            .await;
        assert_eq!(scene.send(&token).await, 200, "a replay");
        assert!(scene.both_are_in().await, "{kind}");
    }
    let mut other = scene.claims("of a later version", "later");
    other["aud"] = json!(["com.example.app"]);
    other.as_object_mut().unwrap().remove("exp");
    assert_eq!(scene.send(&RSA.sign(&other)).await, 200);
    assert!(scene.both_are_in().await);
}

#[tokio::test]
async fn what_is_no_notice_ends_nothing() {
    let scene = AppleScene::new().await;
    let changed = |name: &str, value: Value| {
        let mut claims = scene.claims("consent-revoked", "1");
        claims[name] = value;
        RSA.sign(&claims)
    };
    let without = |name: &str| {
        let mut claims = scene.claims("consent-revoked", "1");
        claims.as_object_mut().unwrap().remove(name);
        RSA.sign(&claims)
    };
    let mut bad = vec![
        changed("iss", "https://elsewhere.test".into()),
        changed("aud", "com.example.other".into()),
        changed("exp", (now() - 600).into()),
        changed("iat", (now() - 90_000).into()),
        changed("iat", (now() + 600).into()),
        changed("sub", "alex".into()),
        changed("nonce", "1".into()),
        // An object instead of a text.
        changed(
            "events",
            json!({ "type": "consent-revoked", "sub": "alex" }),
        ),
        changed("events", "[]".into()),
        changed(
            "events",
            json!({ "type": "consent-revoked" }).to_string().into(),
        ),
        changed("events", json!({ "sub": "alex" }).to_string().into()),
        changed("events", "[".repeat(1_000).into()),
        String::from("x"),
    ];
    bad.extend(["iss", "aud", "iat", "jti", "events"].map(without));
    bad.extend(RSA.forged_as_mac(&scene.claims("consent-revoked", "1")));
    for token in bad {
        assert_eq!(scene.send(&token).await, 400, "{token}");
        assert!(scene.both_are_in().await, "{token}");
    }
    let foreign = OTHER_RSA.sign(&scene.claims("consent-revoked", "1"));
    assert!([400, 503].contains(&scene.send(&foreign).await));
    for (body, status) in [
        (json!({ "payload": 1 }).to_string(), 400),
        (json!([]).to_string(), 400),
        (String::new(), 400),
        (changed("jti", "2".into()), 400),
    ] {
        assert_eq!(Heard::from(scene.request(body)).await.status, status);
    }
    assert!(scene.both_are_in().await);
    assert!(scene.events.lock().unwrap().is_empty());
}
