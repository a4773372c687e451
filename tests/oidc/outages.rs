//! A provider that is down, or says something else than it should.

use std::{future, sync::Arc, time::Duration};

use axum_clef::oidc::{Oidc, OidcError};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{ALEX, Browser, OpenIdProvider, Site, query};

async fn advance(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_provider_that_is_down_delays_logins_and_not_the_start() {
    let site = Site::start().await;
    site.provider.script().down = true;
    let client = Oidc::discover(&*site.provider.issuer, "the site:1", "se cret:+%/&é");
    let node = site.node_with(client.await.unwrap()).await;
    let browser = Browser::new();
    for _ in 0..5 {
        let response = browser.get(&node, "/clef/login?next=/account").await;
        assert_eq!(response.status(), 502);
        let page = response.text().await.unwrap();
        let retry = "/clef/login?next=%2Faccount\"";
        assert!(page.contains(retry), "and know where to: {page}");
    }
    site.provider.script().down = false;
    assert_eq!(site.provider.script().metadata_fetches, 0);
    advance(3).await;
    browser.log_in(&node, &site.provider, ALEX).await;
    assert_eq!(site.provider.script().metadata_fetches, 1);
}

#[tokio::test]
async fn a_provider_that_is_down_is_not_hammered() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let calls = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    tokio::spawn(async move {
        loop {
            // Hangs up on whoever comes.
            drop(listener.accept().await.unwrap());
            counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
    });
    let site = Site::start().await;
    let client = Oidc::new(address, "id", "secret").unwrap();
    let node = site.node_with(client).await;
    let browsers: Vec<_> = (0..20).map(|_| Browser::new()).collect();
    let logins = browsers
        .iter()
        .map(|browser| browser.get(&node, "/clef/login"));
    let answers = futures_util::future::join_all(logins).await;
    assert!(answers.iter().all(|answer| answer.status() == 502));
    assert_eq!(calls.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_browser_that_hangs_up_does_not_take_the_answer_along() {
    let (site, node) = Site::with_node().await;
    let (reached, go) = site.provider.hold_metadata();
    let address = node.url("/clef/login");
    let impatient = tokio::spawn(async move { reqwest::get(address).await });
    reached.notified().await;
    impatient.abort();
    let _ = impatient.await;
    let browser = Browser::new();
    let patient = browser.begin(&node);
    go.notify_one();
    patient.await;
    assert_eq!(site.provider.script().metadata_fetches, 1);
}

#[tokio::test]
async fn what_was_said_stays_in_use_while_the_provider_is_down() {
    for hours in [2, 30] {
        let (site, node, browser) = Site::logged_in(ALEX).await;
        advance(hours * 60 * 60).await;
        site.provider.script().down = true;
        browser.begin(&node).await;
        let token = site.provider.logout_token(ALEX);
        assert_eq!(node.notice(&token).await.status, 200, "{hours}");
        assert_eq!(browser.is(&node).await, None, "{hours}");
    }
}

#[tokio::test]
async fn what_was_said_is_asked_for_again_after_an_hour() {
    let (site, node) = Site::with_node().await;
    let browser = Browser::new();
    browser.begin(&node).await;
    site.provider.script().metadata =
        json!({ "authorization_endpoint": site.provider.url("/elsewhere") });
    browser.begin(&node).await;
    assert_eq!(site.provider.script().metadata_fetches, 1);
    advance(60 * 60).await;
    let elsewhere = site.provider.url("/elsewhere");
    let refreshed = async { while !browser.begin(&node).await.starts_with(&elsewhere) {} };
    let limit = Duration::from_secs(10);
    tokio::time::timeout(limit, refreshed).await.unwrap();
    assert_eq!(site.provider.script().metadata_fetches, 2);
}

#[tokio::test]
async fn metadata_that_is_no_use_is_told_at_the_start() {
    type Is = fn(&OidcError) -> bool;
    let is_address: Is = |error| matches!(error, OidcError::MetadataAddress { .. });
    let lacks: Is = |error| matches!(error, OidcError::Metadata(_));
    let table: [(Value, Is); 7] = [
        (json!({ "issuer": "https://evil.example" }), |error| {
            matches!(error, OidcError::OtherIssuer)
        }),
        (json!({ "issuer": null }), lacks),
        (json!({ "authorization_endpoint": null }), lacks),
        (json!({ "token_endpoint": 1 }), lacks),
        (json!({ "jwks_uri": null }), lacks),
        (
            json!({ "jwks_uri": "http://id.example.com/keys" }),
            is_address,
        ),
        (json!({ "token_endpoint": "/token" }), is_address),
    ];
    for (change, is) in table {
        let provider = OpenIdProvider::start().await;
        provider.script().metadata = change.clone();
        let error = Oidc::discover(&*provider.issuer, "id", "secret").await;
        let error = error.unwrap_err();
        assert!(is(&error), "{change}: {error:?}");
    }
    for issuer in [
        "http://id.example.com",
        "id.example.com",
        "https://id.example.com/?a=1",
    ] {
        let error = Oidc::discover(issuer, "id", "secret").await.unwrap_err();
        assert!(matches!(error, OidcError::Issuer(_)), "{issuer}");
    }
}

#[tokio::test]
async fn a_provider_that_hangs_does_not_hold_the_start_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let _connections = [listener.accept().await, listener.accept().await];
        future::pending::<()>().await;
    });
    let begun = std::time::Instant::now();
    Oidc::discover(address, "id", "secret").await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(8));
}

#[tokio::test]
async fn nothing_of_a_login_is_told_in_debug() {
    let provider = OpenIdProvider::start().await;
    let client = provider.client();
    let text = format!("{client:?}");
    assert!(
        text.contains("the site:1") && !text.contains("cret"),
        "{text}"
    );
    let error = client
        .authorization_parameter("state", "se cret")
        .unwrap_err();
    assert!(!format!("{error} {error:?}").contains("cret"));
    let site = Site::at(provider);
    let url = Browser::new().begin(&site.node().await).await;
    assert!(!url.contains("cret"));
    assert!(!query(&url).contains_key("code_verifier"));
}
