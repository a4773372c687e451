//! A sign-out that goes on at the provider.

use std::sync::Arc;

use serde_json::json;

use crate::support::{ALEX, Browser, Site, query};

#[tokio::test]
async fn without_a_hint_the_client_is_named_all_the_same() {
    let site = Site::start().await;
    let client = site.provider.client().without_id_token_hint();
    let node = site.node_with(client).await;
    let browser = Browser::new();
    browser.log_in(&node, &site.provider, ALEX).await;
    let query = query(&browser.sign_out(&node).await);
    assert!(!query.contains_key("id_token_hint"));
    assert_eq!(query["client_id"], "the site:1");
    assert_eq!(query["tenant"], "1");
    assert!(query["state"].len() >= 43);
}

#[tokio::test]
async fn where_the_provider_offers_nothing_the_browser_stays() {
    let site = Site::start().await;
    site.provider.script().metadata = json!({ "end_session_endpoint": null });
    let node = site.node().await;
    let browser = Browser::new();
    browser.log_in(&node, &site.provider, ALEX).await;
    assert_eq!(browser.sign_out(&node).await, "/");
    assert_eq!(browser.is(&node).await, None);
}

#[tokio::test]
async fn a_provider_that_is_down_keeps_nobody_in() {
    let site = Site::start().await;
    let (node, fresh) = (site.node().await, site.node().await);
    let browser = Browser::new();
    browser.log_in(&node, &site.provider, ALEX).await;
    site.provider.script().down = true;
    // A node that knows nothing of the provider yet.
    assert_eq!(browser.sign_out(&fresh).await, "/");
    assert_eq!(browser.is(&node).await, None);
}

#[tokio::test]
async fn a_hint_goes_only_where_the_address_stays_short() {
    for (endpoint, hint, goes) in [(0, 0, true), (1_500, 500, true), (3_000, 500, false)] {
        let site = Site::start().await;
        let address = site
            .provider
            .url(&format!("/end?x={}", "x".repeat(endpoint)));
        site.provider.change(|script| {
            script.metadata = json!({ "end_session_endpoint": address });
            script.id_token = Arc::new(move |claims| claims["more"] = json!("x".repeat(hint)));
        });
        let node = site.node().await;
        let browser = Browser::new();
        browser.log_in(&node, &site.provider, ALEX).await;
        let there = browser.sign_out(&node).await;
        assert!(there.len() < 4_096, "{}", there.len());
        let query = query(&there);
        assert_eq!(query.contains_key("id_token_hint"), goes, "{endpoint}");
        assert_eq!(query["client_id"], "the site:1");
    }
    // A large one is kept nowhere.
    let site = Site::start().await;
    site.provider.script().id_token =
        Arc::new(|claims| claims["more"] = json!("x".repeat(9 * 1024)));
    let node = site.node().await;
    let browser = Browser::new();
    browser.log_in(&node, &site.provider, ALEX).await;
    let there = browser.sign_out(&node).await;
    assert!(
        there.len() < 4_096 && there.contains("client_id="),
        "{there}"
    );
}
