//! A logout token that comes again.

use crate::support::{ALEX, Browser, RSA, Site};

#[tokio::test]
async fn a_token_that_comes_again_is_200_and_changes_nothing() {
    let (site, node, browser) = Site::logged_in(ALEX).await;
    let claims = site.provider.logout_claims(ALEX);
    assert_eq!(node.notice(&RSA.sign(&claims)).await.status, 200);
    browser.log_in(&node, &site.provider, ALEX).await;
    assert_eq!(node.notice(&RSA.sign(&claims)).await.status, 200);
    // The same notice in another token.
    let mut again = claims.clone();
    again["exp"] = (claims["exp"].as_u64().unwrap() + 1).into();
    assert_eq!(node.notice(&RSA.sign(&again)).await.status, 200);
    assert!(browser.is(&node).await.is_some(), "the new login holds");
    let fresh = site.provider.logout_token(ALEX);
    assert_eq!(node.notice(&fresh).await.status, 200);
    assert_eq!(browser.is(&node).await, None);
}

#[tokio::test]
async fn a_bad_token_does_not_use_up_the_jti_of_a_good_one() {
    let (site, node, browser) = Site::logged_in(ALEX).await;
    let claims = site.provider.logout_claims(ALEX);
    let mut bad = claims.clone();
    bad["nonce"] = "x".into();
    assert_eq!(node.notice(&RSA.sign(&bad)).await.status, 400);
    assert_eq!(node.notice(&RSA.sign(&claims)).await.status, 200);
    assert_eq!(browser.is(&node).await, None);
}

#[tokio::test]
async fn a_logout_that_failed_is_no_replay_when_it_comes_again() {
    let (site, node) = Site::with_node().await;
    let lenient = site.provider.client().answer_400_when_unavailable();
    let lenient = site.node_with(lenient).await;
    let browser = Browser::new();
    browser.log_in(&node, &site.provider, ALEX).await;
    site.users.fail_logouts(true);
    let token = site.provider.logout_token(ALEX);
    let (heard, letter) = tokio::join!(node.notice(&token), lenient.notice(&token));
    assert_eq!(
        (heard.status, &*heard.error()),
        (503, "temporarily_unavailable")
    );
    assert!(heard.headers.contains_key("retry-after"));
    assert_eq!(
        (letter.status, &*letter.error()),
        (400, "temporarily_unavailable")
    );
    assert_eq!(browser.is(&node).await, None, "it is owed here");
    site.users.fail_logouts(false);
    assert_eq!(node.notice(&token).await.status, 200);
    let other = site.node().await;
    assert_eq!(browser.is(&other).await, None, "and written for all");
}
