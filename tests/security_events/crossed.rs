//! All signed notices at one site: none passes at the endpoint of another, and a flood of forged ones
//! keeps no real one from its effect.

use std::{
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    time::Duration,
};

use axum_clef::security_events::{AppleNotices, EventReceiver};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{
    ALEX, Browser, CLIENT_ID, Heard, KIM, Node, OTHER_RSA, RISC, RSA, SigningKey, Site,
    Transmitter, now, push,
};

const EVENTS: &str = "/clef/events";
const APPLE: &str = "/apple/notices";
const REVOCATION: &str = "/auth/universal-logout";

/// An endpoint, and the notices that are meant for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wire {
    BackChannel,
    TokenRevocation,
    Events,
    Apple,
}

impl Wire {
    const ALL: [Self; 4] = [
        Self::BackChannel,
        Self::TokenRevocation,
        Self::Events,
        Self::Apple,
    ];
}

struct Scene {
    site: Site,
    transmitter: Transmitter,
    node: Node,
    alex: Browser,
    kim: Browser,
}

impl Scene {
    /// Every sender signs with the same key and names the same application, and all but that of the events
    /// are one issuer.
    async fn new() -> Self {
        let (site, transmitter) = (Site::start().await, Transmitter::start().await);
        let issuer = &*site.provider.issuer;
        let client = site.provider.client();
        let events = EventReceiver::new(&*transmitter.issuer, CLIENT_ID).unwrap();
        let events = events.subject_issuers([issuer]);
        let apple = AppleNotices::at(issuer, [CLIENT_ID]).unwrap();
        let node = site.node_of(|layer| {
            layer
                .logout_endpoint(REVOCATION, client.global_token_revocation())
                .logout_endpoint(EVENTS, events)
                .logout_endpoint(APPLE, apple)
                .provider(client)
        });
        let node = node.await;
        let (alex, kim) = (Browser::new(), Browser::new());
        alex.log_in(&node, &site.provider, ALEX).await;
        kim.log_in(&node, &site.provider, KIM).await;
        Self {
            site,
            transmitter,
            node,
            alex,
            kim,
        }
    }

    fn alex_at_provider(&self) -> Value {
        json!({ "format": "iss_sub", "iss": self.site.provider.issuer, "sub": ALEX.subject })
    }

    /// A token that ends all logins of Alex on this wire.
    fn token(&self, wire: Wire, key: &SigningKey) -> String {
        static COUNTER: AtomicUsize = AtomicUsize::new(0);

        let issuer = &self.site.provider.issuer;
        let id = format!("crossed-{}", COUNTER.fetch_add(1, SeqCst));
        let mut header = key.header();
        let claims = match wire {
            Wire::BackChannel => {
                header["typ"] = "logout+jwt".into();
                let mut claims = self.site.provider.logout_claims(ALEX);
                claims["jti"] = id.into();
                claims.as_object_mut().unwrap().remove("sid");
                claims
            }
            Wire::TokenRevocation => {
                header["typ"] = "global-token-revocation+jwt".into();
                json!({
                    "iss": issuer, "sub": CLIENT_ID, "aud": format!("{}{REVOCATION}", Site::ADDRESS),
                    "iat": now(), "exp": now() + 300, "jti": id,
                })
            }
            Wire::Events => {
                header["typ"] = "secevent+jwt".into();
                json!({
                    "iss": self.transmitter.issuer, "aud": CLIENT_ID, "iat": now(), "jti": id,
                    "sub_id": self.alex_at_provider(),
                    "events": { format!("{RISC}/account-disabled"): {} },
                })
            }
            Wire::Apple => {
                let event = json!({ "type": "consent-revoked", "sub": ALEX.subject });
                json!({
                    "iss": issuer, "aud": CLIENT_ID, "iat": now(), "exp": now() + 300, "jti": id,
                    "events": event.to_string(),
                })
            }
        };
        key.sign_with(&header, &claims)
    }

    /// A request to this endpoint with this token.
    fn request(&self, wire: Wire, token: &str) -> RequestBuilder {
        let client = Client::builder().no_proxy().build().unwrap();
        match wire {
            Wire::BackChannel => {
                let form = [("logout_token", token)];
                client.post(self.node.url("/clef/logout")).form(&form)
            }
            Wire::TokenRevocation => client
                .post(self.node.url(REVOCATION))
                .bearer_auth(token)
                .json(&json!({ "sub_id": self.alex_at_provider() })),
            Wire::Events => push(self.node.url(EVENTS), token),
            Wire::Apple => {
                let body = json!({ "payload": token });
                client.post(self.node.url(APPLE)).json(&body)
            }
        }
    }

    async fn send(&self, wire: Wire, token: &str) -> u16 {
        Heard::from(self.request(wire, token)).await.status
    }

    /// Sends a real notice, and logs Alex in anew.
    async fn end_alex(&self, wire: Wire) {
        let token = self.token(wire, &RSA);
        let sent = tokio::time::timeout(Duration::from_secs(10), self.send(wire, &token));
        let status = sent.await.unwrap();
        assert!((200..300).contains(&status), "{wire:?}: {status}");
        assert_eq!(self.alex.is(&self.node).await, None, "{wire:?}");
        assert!(self.kim.is(&self.node).await.is_some(), "{wire:?}");
        let provider = &self.site.provider;
        self.alex.log_in(&self.node, provider, ALEX).await;
    }
}

#[tokio::test]
async fn a_token_passes_at_its_own_endpoint_alone() {
    let scene = Scene::new().await;
    let id_token = json!({
        "iss": scene.site.provider.issuer, "aud": CLIENT_ID, "sub": ALEX.subject,
        "iat": now(), "exp": now() + 300, "auth_time": now(), "nonce": "n", "jti": "id-token",
    });
    let mut plain = RSA.header();
    plain["typ"] = "JWT".into();
    let mut tokens: Vec<_> = Wire::ALL
        .map(|wire| (Some(wire), scene.token(wire, &RSA)))
        .into();
    tokens.push((None, RSA.sign_with(&plain, &id_token)));
    for (meant_for, token) in &tokens {
        for wire in Wire::ALL
            .into_iter()
            .filter(|wire| Some(*wire) != *meant_for)
        {
            let status = scene.send(wire, token).await;
            let case = format!("a token for {meant_for:?} at {wire:?}: {status}");
            assert!([400, 401].contains(&status), "{case}");
            assert!(scene.alex.is(&scene.node).await.is_some(), "{case}");
        }
    }
    // Each of them is good where it belongs.
    for wire in Wire::ALL {
        scene.end_alex(wire).await;
    }
}

#[tokio::test]
async fn forged_notices_on_every_wire_keep_no_real_one_from_its_effect() {
    let scene = Scene::new().await;
    // The senders are known by their first notices.
    scene.end_alex(Wire::BackChannel).await;
    for real in Wire::ALL {
        let mut forged = Vec::new();
        for wire in Wire::ALL {
            for _ in 0..40 {
                let request = scene.request(wire, &scene.token(wire, &OTHER_RSA));
                forged.push(tokio::spawn(async move {
                    request.send().await.unwrap().status().as_u16()
                }));
            }
        }
        scene.end_alex(real).await;
        for status in forged {
            let status = status.await.unwrap();
            assert!([400, 401, 503].contains(&status), "{real:?}: {status}");
        }
        assert!(scene.alex.is(&scene.node).await.is_some(), "{real:?}");
    }
}
