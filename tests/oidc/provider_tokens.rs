//! The access and refresh tokens, on their way to the application's store.

use std::time::Duration;

use secrecy::ExposeSecret as _;
use serde_json::json;
use test_support::log;

use crate::support::{ALEX, Browser, Site};

#[tokio::test]
async fn the_store_receives_them_if_that_is_set() {
    log::listen();
    let site = Site::start().await;
    site.provider.change(|script| {
        script.tokens = json!({
            "refresh_token": "SECRET-REFRESH-TOKEN",
            "expires_in": 300,
            "scope": "openid offline_access",
        });
    });
    let node = site.node().await;
    Browser::new().log_in(&node, &site.provider, ALEX).await;
    assert!(site.users.last_profile().tokens().is_none(), "by default");

    let node = site.node_with(site.provider.client().pass_tokens_to_store());
    let node = node.await;
    Browser::new().log_in(&node, &site.provider, ALEX).await;
    let profile = site.users.last_profile();
    let tokens = profile.tokens().unwrap();
    assert_eq!(tokens.access_token.expose_secret(), "access token of alex");
    let refresh_token = tokens.refresh_token.as_ref().unwrap();
    assert_eq!(refresh_token.expose_secret(), "SECRET-REFRESH-TOKEN");
    assert_eq!(tokens.expires_in, Some(Duration::from_secs(300)));
    assert_eq!(tokens.scope.as_deref(), Some("openid offline_access"));
    for text in [log::text(), format!("{profile:?} {tokens:?}")] {
        assert!(!text.contains("SECRET") && !text.contains("access token of alex"));
    }

    // A login needs none of them.
    for without in [
        json!({ "access_token": null }),
        json!({ "token_type": "mac" }),
    ] {
        site.provider
            .change(|script| script.tokens = without.clone());
        Browser::new().log_in(&node, &site.provider, ALEX).await;
        assert!(site.users.last_profile().tokens().is_none(), "{without}");
    }
}
