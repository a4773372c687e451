//! What changes at the provider between a login and its logout.

use std::time::Duration;

use crate::{
    provider::{Claims, OldKeys, RealProvider},
    site::Site,
    visitor::Visitor,
};

const MIRA: &str = "mira-7c41";

/// Lets the pause pass for which the keys are not asked for again.
async fn wait_for_keys() {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(30)).await;
    tokio::time::resume();
}

#[tokio::test]
#[ignore = "needs node: run npm ci in tests/real_provider/provider first; .ci/run does"]
async fn a_logout_that_is_signed_with_a_new_key_is_good() {
    for old in [OldKeys::Kept, OldKeys::Gone] {
        let mut provider = RealProvider::start(Claims::AtUserinfo).await;
        let site = Site::start(&provider).await;
        provider.register(site.metadata()).await;
        let [laptop, phone] = [0; 2].map(|_| Visitor::new(&provider));
        laptop.log_in(&site, MIRA).await;
        phone.log_in(&site, MIRA).await;
        let asked = provider.take_requests().await.of("/jwks");
        assert_eq!(asked, 2, "once by each node, at its start");

        provider.rotate_keys(old).await;
        wait_for_keys().await;
        laptop.at_provider.log_out().await;
        assert!(!laptop.is_in(&site).await);
        assert!(phone.is_in(&site).await);
        phone.at_provider.log_out().await;
        assert!(!phone.is_in(&site).await);
        assert_eq!(
            provider.take_requests().await.of("/jwks"),
            1,
            "the new keys were asked for once"
        );
        laptop.log_in(&site, MIRA).await;
    }
}

#[tokio::test]
#[ignore = "needs node: run npm ci in tests/real_provider/provider first; .ci/run does"]
async fn a_key_that_comes_too_soon_after_the_last_look_is_not_taken_for_a_forgery() {
    let mut provider = RealProvider::start(Claims::AtUserinfo).await;
    let site = Site::start(&provider).await;
    provider.register(site.metadata()).await;
    let visitor = Visitor::new(&provider);
    visitor.log_in(&site, MIRA).await;
    provider.rotate_keys(OldKeys::Kept).await;

    visitor.at_provider.log_out().await;
    let notices = provider.take_notices().await;
    assert_eq!(notices[0].status, Some(503), "the sender is to come back");
    // This provider does not, and that is the limit which docs/oidc.md names.
    assert!(visitor.is_in(&site).await);

    wait_for_keys().await;
    visitor.log_in(&site, MIRA).await;
    visitor.at_provider.log_out().await;
    assert!(!visitor.is_in(&site).await);
}

#[tokio::test]
#[ignore = "needs node: run npm ci in tests/real_provider/provider first; .ci/run does"]
async fn a_provider_that_was_restarted_logs_out_who_came_before() {
    let mut provider = RealProvider::start(Claims::AtUserinfo).await;
    let site = Site::start(&provider).await;
    let mut metadata = site.metadata();
    metadata["backchannel_logout_session_required"] = false.into();
    provider.register(metadata).await;
    let [laptop, phone] = [0; 2].map(|_| Visitor::new(&provider));
    laptop.log_in(&site, MIRA).await;

    provider.stop().await;
    assert!(laptop.is_in(&site).await, "nobody is asked");
    provider.start_again().await;
    wait_for_keys().await;
    // It has forgotten everybody, and has new keys.
    phone.log_in(&site, MIRA).await;
    assert!(laptop.is_in(&site).await);
    phone.at_provider.log_out().await;
    assert!(!phone.is_in(&site).await);
    assert!(!laptop.is_in(&site).await);
    let notices = provider.take_notices().await;
    assert!(notices[0].accepted, "{:?}", notices[0].status);
}

#[tokio::test]
#[ignore = "needs node: run npm ci in tests/real_provider/provider first; .ci/run does"]
async fn a_sign_out_while_the_provider_is_down_is_one_here() {
    let mut provider = RealProvider::start(Claims::AtUserinfo).await;
    let site = Site::start(&provider).await;
    provider.register(site.metadata()).await;
    let visitor = Visitor::new(&provider);
    visitor.log_in(&site, MIRA).await;
    provider.stop().await;
    let there = visitor.sign_out(&site).await;
    assert!(there.starts_with(provider.issuer()), "as far as is known");
    assert!(!visitor.is_in(&site).await);
}
