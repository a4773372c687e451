//! The modules of the OpenID Foundation's conformance suite for logouts at relying parties: a person
//! logs in, logs out at the provider, and the provider sends a token or loads a frame.

use reqwest::Client;
use serde_json::{Value, json};

use crate::support::{ALEX, Browser, EC, Node, Person, RSA, Site, location, query, unsigned};

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
const FRAME: &str = "/clef/front-channel-logout";

async fn logged_in() -> (Site, Node, Browser) {
    let site = Site::start().await;
    site.provider.script().keys = json!([RSA.jwk(), EC.jwk()]);
    let client = site.provider.client();
    let node = site.node_of(|layer| {
        let layer = layer.logout_endpoint(FRAME, client.front_channel_logout());
        layer.provider(client)
    });
    let node = node.await;
    let browser = Browser::new();
    browser.log_in(&node, &site.provider, ALEX).await;
    (site, node, browser)
}

#[tokio::test]
async fn a_good_token_is_200_and_ends_the_login() {
    let (site, node, browser) = logged_in().await;
    let heard = node.notice(&site.provider.logout_token(ALEX)).await;
    assert_eq!((heard.status, heard.body.as_str()), (200, ""));
    assert_eq!(browser.is(&node).await, None);
    browser.log_in(&node, &site.provider, ALEX).await;
}

#[tokio::test]
async fn a_bad_token_is_400_and_ends_nothing() {
    type Change = fn(&mut Value);
    let (site, node, browser) = logged_in().await;
    let claims = || site.provider.logout_claims(ALEX);
    let header = json!({ "alg": "none", "kid": RSA.id });
    let mut bad = vec![
        ("alg none", unsigned(&header, &claims())),
        (
            "alg none without a key",
            unsigned(&json!({ "alg": "none" }), &claims()),
        ),
        ("wrong alg", EC.sign(&claims())),
    ];
    let changes: [(&str, Change); 7] = [
        ("no event", |c| {
            drop(c.as_object_mut().unwrap().remove("events"))
        }),
        ("wrong event", |c| {
            c["events"] = json!({ "http://other": {} })
        }),
        ("an event that is no object", |c| {
            c["events"][EVENT] = json!(true)
        }),
        ("with nonce", |c| c["nonce"] = json!("a nonce")),
        ("with a nonce that is null", |c| c["nonce"] = json!(null)),
        ("wrong aud", |c| c["aud"] = json!("another site")),
        ("wrong iss", |c| c["iss"] = json!("https://evil.example")),
    ];
    for (what, change) in changes {
        let mut claims = claims();
        change(&mut claims);
        bad.push((what, RSA.sign(&claims)));
    }
    for (what, token) in &bad {
        let heard = node.notice(token).await;
        assert_eq!(
            (heard.status, &*heard.error()),
            (400, "invalid_request"),
            "{what}"
        );
        assert!(browser.is(&node).await.is_some(), "{what}");
    }
    // The suite sends them during a sign-out, when the login has ended here.
    browser.sign_out(&node).await;
    for (what, token) in &bad {
        assert_eq!(node.notice(token).await.status, 400, "{what}");
    }
}

#[tokio::test]
async fn who_is_logged_out_here_already_is_200() {
    let (site, node, browser) = logged_in().await;
    browser.sign_out(&node).await;
    assert_eq!(browser.is(&node).await, None);
    let heard = node.notice(&site.provider.logout_token(ALEX)).await;
    assert_eq!(heard.status, 200);
    let stranger = Person {
        subject: "nobody here",
        ..ALEX
    };
    let heard = node.notice(&site.provider.logout_token(stranger)).await;
    assert_eq!(heard.status, 200);
}

#[tokio::test]
async fn a_sign_out_goes_on_at_the_provider_and_comes_back() {
    type Return = fn(&str) -> String;
    let (site, node, browser) = logged_in().await;
    let returns: [(&str, Return); 3] = [
        ("its state", |state| format!("?state={state}")),
        ("another state", |_| "?state=wrong".to_owned()),
        ("no state", |_| String::new()),
    ];
    for (what, query_of) in returns {
        let there = browser.sign_out(&node).await;
        assert!(
            there.starts_with(&site.provider.url("/end-session?tenant=1&")),
            "{there}"
        );
        let query = query(&there);
        let of_this_login = site.provider.script().id_tokens.last().cloned();
        assert_eq!(query.get("id_token_hint"), of_this_login.as_ref(), "{what}");
        assert_eq!(
            query["post_logout_redirect_uri"],
            "http://127.0.0.1:9/clef/signed-out"
        );
        assert_eq!(browser.is(&node).await, None);
        let token = site.provider.logout_token(ALEX);
        assert_eq!(node.notice(&token).await.status, 200);
        assert!(is_under_way(&browser, &node), "{what}");
        come_back(&browser, &node, &query_of(&query["state"])).await;
        browser.log_in(&node, &site.provider, ALEX).await;
    }
}

/// Whether a sign-out of this browser goes on at the provider.
fn is_under_way(browser: &Browser, node: &Node) -> bool {
    browser.cookies(node).contains("-sign-out=")
}

/// Comes back from a sign-out at the provider.
async fn come_back(browser: &Browser, node: &Node, query: &str) {
    let back = browser.get(node, &format!("/clef/signed-out{query}")).await;
    assert_eq!(back.status(), 303, "{query}");
    assert_eq!(location(&back), "/", "{query}");
    assert!(!is_under_way(browser, node), "{query}");
}

#[tokio::test]
async fn a_frame_is_shown_and_ends_the_login_that_is_left() {
    let (site, node, browser) = logged_in().await;
    let client = Client::builder().no_proxy().build().unwrap();
    let session = [("iss", &*site.provider.issuer), ("sid", ALEX.session)];
    // By a sign-out here, which comes back, and then by the provider alone.
    let asked = query(&browser.sign_out(&node).await);
    for state in [Some(&asked["state"]), None] {
        let frame = client.get(node.url(FRAME)).query(&session);
        let frame = frame.send().await.unwrap();
        assert_eq!(frame.status(), 200);
        let policy = &frame.headers()["content-security-policy"];
        let framed = format!("frame-ancestors {}", site.provider.issuer);
        assert!(policy.to_str().unwrap().ends_with(&framed), "{policy:?}");
        assert_eq!(browser.is(&node).await, None);
        if let Some(state) = state {
            assert!(is_under_way(&browser, &node));
            come_back(&browser, &node, &format!("?state={state}")).await;
        }
        browser.log_in(&node, &site.provider, ALEX).await;
    }
}
