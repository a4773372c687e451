//! The tokens of the provider, on their way to the application's store.

use std::time::Duration;

use axum_clef::{IdentityStore as _, User as _};
use secrecy::ExposeSecret as _;
use serde_json::json;
use test_support::{Jar, log};

use crate::{provider::ACCESS_TOKEN, site::Site};

const REFRESH_TOKEN: &str = "SECRET-REFRESH-TOKEN";

async fn passing() -> Site {
    let site = Site::with(|client| client.pass_tokens_to_store()).await;
    site.provider.change(|script| {
        script.tokens = json!({ "refresh_token": REFRESH_TOKEN, "expires_in": 28_800 });
    });
    site
}

#[tokio::test]
async fn the_store_receives_them_if_that_is_set_and_nothing_else_does() {
    log::listen();
    let site = passing().await;
    let mut jar = Jar::default();
    site.log_in(&mut jar).await;
    assert!(jar.is_in(&site.app).await);
    let profile = site.world.users.last_profile();
    let tokens = profile.tokens().unwrap();
    assert_eq!(tokens.access_token.expose_secret(), ACCESS_TOKEN);
    let refresh_token = tokens.refresh_token.as_ref().unwrap();
    assert_eq!(refresh_token.expose_secret(), REFRESH_TOKEN);
    assert_eq!(tokens.expires_in, Some(Duration::from_secs(28_800)));
    assert_eq!(tokens.scope.as_deref(), Some("read:user,user:email"));

    // Neither the login nor the ready stores keep them, and nothing says them.
    let record = format!("{:?}", site.world.sessions.last_saved().data);
    let account = site
        .world
        .users
        .find_or_create(&profile)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(account.profile().subject, profile.subject);
    assert!(
        account.profile().tokens().is_none(),
        "user {}",
        account.id()
    );
    let claims = serde_json::to_string(profile.claims()).unwrap();
    let said = [
        record,
        claims,
        log::text(),
        format!("{jar:?} {profile:?} {tokens:?}"),
    ];
    for text in said {
        for secret in [ACCESS_TOKEN, REFRESH_TOKEN] {
            assert!(!text.contains(secret), "{text}");
        }
    }

    let site = Site::start().await;
    site.log_in(&mut Jar::default()).await;
    assert!(
        site.world.users.last_profile().tokens().is_none(),
        "by default"
    );
}

/// A code has one set of tokens, so the store receives them once.
#[tokio::test]
async fn requests_that_share_an_exchange_pass_them_once() {
    let site = passing().await;
    let mut jar = Jar::default();
    let callback = site.begin(&mut jar).await;
    let mut second = jar.clone();
    assert_eq!(jar.get(&site.app, &callback).await.status(), 303);
    assert!(
        site.world
            .users
            .last_profile
            .lock()
            .unwrap()
            .take()
            .is_some()
    );
    assert_eq!(second.get(&site.app, &callback).await.status(), 303);
    assert!(jar.is_in(&site.app).await && second.is_in(&site.app).await);
    assert!(site.world.users.last_profile.lock().unwrap().is_none());
    assert_eq!(site.provider.script().token_requests.len(), 1);

    // The next login brings new ones.
    site.log_in(&mut jar).await;
    assert!(site.world.users.last_profile().tokens().is_some());
}

#[tokio::test]
async fn what_is_malformed_beside_the_access_token_counts_as_absent() {
    let site = passing().await;
    for (tokens, expires_in, scope) in [
        (json!({ "expires_in": "3600" }), Some(3_600), true),
        (json!({ "expires_in": -1 }), None, true),
        (json!({ "expires_in": 1.5 }), None, true),
        (json!({ "expires_in": null }), None, true),
        (json!({ "expires_in": [] }), None, true),
        (json!({ "scope": 7, "expires_in": 0 }), Some(0), false),
        (json!({ "scope": null, "refresh_token": null }), None, false),
        (json!({ "refresh_token": "" }), None, true),
    ] {
        site.provider
            .change(|script| script.tokens = tokens.clone());
        assert_eq!(
            site.log_in(&mut Jar::default()).await.status(),
            303,
            "{tokens}"
        );
        let profile = site.world.users.last_profile();
        let passed = profile.tokens().unwrap();
        let expected = expires_in.map(Duration::from_secs);
        assert_eq!(passed.expires_in, expected, "{tokens}");
        assert_eq!(passed.scope.is_some(), scope, "{tokens}");
        assert!(passed.refresh_token.is_none(), "{tokens}");
    }
}
