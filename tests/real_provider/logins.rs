//! People come in: whatever the provider tells about them, and however it was set up.

use std::time::Duration;

use axum_clef::oidc::{ClientAuthentication, SigningAlgorithm};
use serde_json::json;

use crate::{
    browser::BrowserAtProvider,
    provider::{Claims, RealProvider},
    site::Site,
    visitor::{Visitor, sent_to},
};

const MIRA: &str = "mira-7c41";

#[tokio::test]
#[ignore = "needs node: run npm ci in tests/real_provider/provider first; .ci/run does"]
async fn claims_are_taken_from_where_they_stand() {
    for (claims, asks) in [(Claims::InIdToken, 0), (Claims::AtUserinfo, 1)] {
        let mut provider = RealProvider::start(claims).await;
        let scopes = ["profile", "email", "phone"];
        let site = Site::start_with(&provider, |client| client.scopes(scopes)).await;
        provider.register(site.metadata()).await;
        let visitor = Visitor::new(&provider);
        provider.take_requests().await;
        visitor.log_in(&site, MIRA).await;
        let mira = json!({
            "issuer": provider.issuer(),
            "sub": MIRA,
            "name": "Mira Lindqvist",
            "email": "mira@example.com",
            "phone": "+12025550117",
        });
        assert_eq!(visitor.account(&site).await, mira);
        assert_eq!(provider.take_requests().await.of("/me"), asks);
    }
}

#[tokio::test]
#[ignore = "needs node: run npm ci in tests/real_provider/provider first; .ci/run does"]
async fn an_address_that_is_not_verified_or_not_shared_is_none() {
    for claims in [Claims::InIdToken, Claims::AtUserinfo] {
        let mut provider = RealProvider::start(claims).await;
        let site = Site::start(&provider).await;
        provider.register(site.metadata()).await;
        for (person, name) in [("tomas-02be", "Tomás Ferreira"), ("noor-e95d", "Noor")] {
            let visitor = Visitor::new(&provider);
            visitor.log_in(&site, person).await;
            let account = visitor.account(&site).await;
            assert_eq!(account["name"], name);
            assert_eq!(account["email"], json!(null));
            assert_eq!(account["phone"], json!(null), "not asked for");
        }
    }
}

#[tokio::test]
#[ignore = "needs node: run npm ci in tests/real_provider/provider first; .ci/run does"]
async fn who_cancels_at_the_provider_sees_so_and_can_begin_again() {
    let mut provider = RealProvider::start(Claims::AtUserinfo).await;
    let site = Site::start(&provider).await;
    provider.register(site.metadata()).await;
    let visitor = Visitor::new(&provider);

    let authorization = visitor.begin(&site).await;
    let callback = visitor.at_provider.cancel(&authorization).await;
    let response = visitor.get(&callback).await;
    assert_eq!(response.status(), 403);
    let page = response.text().await.unwrap();
    assert!(page.contains("The login was not completed"), "{page}");
    let retry = format!("href=\"{}/clef/login?next=%2Faccount\"", site.url);
    assert!(page.contains(&retry), "{page}");
    assert!(!visitor.is_in(&site).await);
    visitor.log_in(&site, MIRA).await;
}

#[tokio::test]
#[ignore = "needs node: run npm ci in tests/real_provider/provider first; .ci/run does"]
async fn the_secret_goes_in_the_header_or_in_the_form() {
    let mut provider = RealProvider::start(Claims::InIdToken).await;
    let post = ClientAuthentication::Post;
    let basic = Site::start(&provider).await;
    let form = Site::start_with(&provider, |client| client.client_authentication(post)).await;
    let cases = [
        (&basic, "client_secret_basic", Some("Basic")),
        (&form, "client_secret_post", None),
    ];
    for (site, method, scheme) in cases {
        let mut metadata = site.metadata();
        metadata["token_endpoint_auth_method"] = json!(method);
        provider.register(metadata.clone()).await;
        let visitor = Visitor::new(&provider);
        visitor.log_in(site, MIRA).await;
        // This provider takes either, whatever was registered.
        let requests = provider.take_requests().await;
        assert_eq!(requests.schemes("/token"), [scheme], "{method}");
        visitor.at_provider.log_out().await;

        metadata["client_secret"] = json!("another");
        provider.register(metadata).await;
        let (status, page) = visitor.fail_to_log_in(site, MIRA).await;
        assert_eq!(status, 500, "a fault of the site's owner");
        assert!(page.contains("This site is misconfigured"), "{page}");
        provider.take_requests().await;
    }
}

#[tokio::test]
#[ignore = "needs node: run npm ci in tests/real_provider/provider first; .ci/run does"]
async fn tokens_on_an_elliptic_curve_are_good_where_they_were_registered() {
    let mut provider = RealProvider::start(Claims::AtUserinfo).await;
    let es256 = SigningAlgorithm::Es256;
    let site = Site::start_with(&provider, |client| client.signing_algorithm(es256)).await;
    let mut metadata = site.metadata();
    metadata["id_token_signed_response_alg"] = json!("ES256");
    provider.register(metadata).await;
    let visitor = Visitor::new(&provider);
    visitor.log_in(&site, MIRA).await;
    visitor.at_provider.log_out().await;
    assert!(
        !visitor.is_in(&site).await,
        "by a logout token of that kind"
    );

    // The provider now signs as by default: not what the site was told to expect, which is for
    // whoever set it up to mend.
    provider.register(site.metadata()).await;
    let (status, _) = visitor.fail_to_log_in(&site, MIRA).await;
    assert_eq!(status, 500);
}

#[tokio::test]
#[ignore = "needs node: run npm ci in tests/real_provider/provider first; .ci/run does"]
async fn a_provider_that_comes_up_after_the_site_is_found() {
    let mut provider = RealProvider::start(Claims::AtUserinfo).await;
    provider.stop().await;
    let site = Site::start(&provider).await;
    let visitor = Visitor::new(&provider);
    for url in site.at_each_node("/clef/login?next=/account") {
        let response = visitor.open(url).await;
        assert_eq!(response.status(), 502);
        let page = response.text().await.unwrap();
        let host = provider.issuer().trim_start_matches("http://");
        let headline = format!("{host} is temporarily unavailable");
        assert!(page.contains(&headline), "{page}");
        assert!(page.contains("/clef/login?next=%2Faccount\""), "{page}");
    }
    assert!(!visitor.is_in(&site).await, "and pages are served");

    provider.start_again().await;
    provider.register(site.metadata()).await;
    // It was asked a moment ago; the pause until it is asked again is over.
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(3)).await;
    tokio::time::resume();
    visitor.log_in(&site, MIRA).await;
}

/// The provider goes by `max_age`, and the site by `auth_time`: a silent round trip proves nothing.
#[tokio::test]
#[ignore = "needs node: run npm ci in tests/real_provider/provider first; .ci/run does"]
async fn a_page_for_recent_logins_makes_the_provider_ask_again() {
    let mut provider = RealProvider::start(Claims::InIdToken).await;
    let site = Site::start(&provider).await;
    provider.register(site.metadata()).await;
    let visitor = Visitor::new(&provider);
    visitor.log_in(&site, MIRA).await;
    // This provider says when the user authenticated only where `max_age` asks for it.
    let authorization = visitor.open_recent(&site).await.unwrap();
    let callback = visitor.at_provider.open(&authorization).await.elsewhere();
    assert_eq!(sent_to(&visitor.open(callback).await), "/recent");
    assert_eq!(visitor.open_recent(&site).await, None);

    provider.age_sessions(11 * 60).await;
    visitor.log_in_again(&site, MIRA).await;
    let elsewhere = BrowserAtProvider::new(provider.issuer());
    for (person, at_provider, status) in [
        ("tomas-02be", &elsewhere, 403),
        (MIRA, &visitor.at_provider, 303),
    ] {
        let authorization = visitor.open_recent(&site).await.unwrap();
        assert!(authorization.contains("max_age=600"), "{authorization}");
        let callback = at_provider.log_in(&authorization, person).await;
        let response = visitor.open(callback).await;
        assert_eq!(response.status(), status, "{person}");
        assert_eq!(visitor.account(&site).await["sub"], MIRA);
        if status == 303 {
            assert_eq!(sent_to(&response), "/recent");
        }
    }
    assert_eq!(visitor.open_recent(&site).await, None);
}
