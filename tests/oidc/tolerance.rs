//! What a login can do without: optional parts that are missing or malformed.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::{ALEX, Browser, Site, log};

#[tokio::test]
async fn an_access_token_is_for_the_user_info_alone() {
    let (site, node) = Site::with_node().await;
    site.provider.change(|script| {
        script.id_token = Arc::new(|claims| claims["given_name"] = json!(null));
        script.user_info = json!({ "sub": "alex", "name": "Alex Smith" });
    });
    for (tokens, is_asked) in [
        (json!({}), true),
        (json!({ "token_type": "Bearer" }), true),
        (json!({ "token_type": null }), true),
        (json!({ "token_type": "DPoP" }), false),
        (json!({ "access_token": null }), false),
        (json!({ "access_token": "" }), false),
        (json!({ "access_token": null, "token_type": null }), false),
    ] {
        site.provider.script().tokens = tokens.clone();
        let asked = site.provider.script().user_info_fetches;
        Browser::new().log_in(&node, &site.provider, ALEX).await;
        let asked = site.provider.script().user_info_fetches > asked;
        assert_eq!(asked, is_asked, "{tokens}");
        let name = site.users.last_profile().name();
        assert_eq!(name.is_some(), is_asked, "{tokens}");
    }
}

#[tokio::test]
async fn an_optional_endpoint_that_is_no_use_is_left_out_and_logged() {
    for (name, address) in [
        ("end_session_endpoint", json!("")),
        ("end_session_endpoint", json!("http://id.example.com/end")),
        ("end_session_endpoint", json!("javascript:alert(1)")),
        ("end_session_endpoint", json!(1)),
        ("userinfo_endpoint", json!("")),
        ("userinfo_endpoint", json!("http://id.example.com")),
        ("userinfo_endpoint", json!(["/user-info"])),
    ] {
        let site = Site::start().await;
        site.provider.change(|script| {
            script.metadata = json!({ name: address });
            script.id_token = Arc::new(|claims| claims["given_name"] = json!(null));
            script.user_info = json!({ "sub": "alex" });
        });
        log::listen();
        let node = site.node().await;
        let browser = Browser::new();
        browser.log_in(&node, &site.provider, ALEX).await;
        let events = log::events("WARN");
        assert_eq!(events.len(), 1, "{events:?}");
        assert!(events[0].contains(name), "{events:?}");
        let there = browser.sign_out(&node).await;
        assert_eq!(there == "/", name == "end_session_endpoint", "{address}");
        assert_eq!(browser.is(&node).await, None);
    }
}

#[tokio::test]
async fn a_user_info_without_sub_is_left_out_and_one_of_another_user_is_refused() {
    let (site, node) = Site::with_node().await;
    site.provider.script().id_token = Arc::new(|claims| claims["given_name"] = json!(null));
    for (sub, status) in [
        (json!("alex"), 303),
        (json!(null), 303),
        (json!(1), 303),
        (json!(["alex"]), 303),
        (json!("kim"), 502),
        (json!("Alex"), 502),
        (json!(""), 502),
    ] {
        site.provider.script().user_info = json!({ "sub": sub, "name": "Alex Smith" });
        let browser = Browser::new();
        let response = browser.enter(&node, &site.provider, ALEX).await;
        assert_eq!(response.status(), status, "{sub}");
        assert_eq!(browser.is(&node).await.is_some(), status == 303);
        if status == 303 {
            let name = site.users.last_profile().name();
            assert_eq!(name.is_some(), sub == json!("alex"), "{sub}");
        }
    }
}

#[tokio::test]
async fn a_byte_order_mark_before_a_document_is_skipped() {
    for (prefix, good) in [
        ("\u{feff}", true),
        ("\u{feff}\u{feff}", false),
        ("x", false),
    ] {
        let site = Site::start().await;
        site.provider.change(|script| {
            script.prefix = prefix;
            script.id_token = Arc::new(|claims| claims["given_name"] = json!(null));
            script.user_info = json!({ "sub": "alex", "name": "Alex Smith" });
        });
        let node = site.node().await;
        let browser = Browser::new();
        let begins = browser.get(&node, "/clef/login").await.status();
        assert_eq!(begins, if good { 303 } else { 502 });
        if good {
            browser.log_in(&node, &site.provider, ALEX).await;
            assert_eq!(
                site.users.last_profile().name().as_deref(),
                Some("Alex Smith")
            );
        }
    }
}

#[tokio::test]
async fn an_id_token_may_be_as_large_as_the_answer_and_a_notice_may_not() {
    let (site, node) = Site::with_node().await;
    let groups =
        |bytes: usize| move |claims: &mut Value| claims["groups"] = json!(["x".repeat(bytes)]);
    for (bytes, status) in [(20_000, 303), (700_000, 303), (800_000, 502)] {
        site.provider.script().id_token = Arc::new(groups(bytes));
        let response = Browser::new().enter(&node, &site.provider, ALEX).await;
        assert_eq!(response.status(), status, "{bytes}");
    }
    let mut claims = site.provider.logout_claims(ALEX);
    groups(16 * 1024)(&mut claims);
    let token = crate::support::RSA.sign(&claims);
    assert_eq!(node.notice(&token).await.status, 400);
}
