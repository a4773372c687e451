//! Bad input at the logout webhook: a clear answer, and nothing changes.

use std::sync::atomic::Ordering::SeqCst;

use reqwest::header::CONTENT_TYPE;

use crate::support::{Browser, World, browser::bystander};

#[tokio::test]
async fn a_malformed_notice_is_refused_before_the_provider_is_asked() {
    let world = World::new();
    let (node, bystander) = bystander(&world).await;
    let client = reqwest::Client::new();
    let post = || client.post(node.url("/clef/logout"));
    let form = "application/x-www-form-urlencoded";
    let token = "logout_token=token:67890";
    for (request, status) in [
        (post(), 415),
        (post().header(CONTENT_TYPE, form), 400),
        (post().header(CONTENT_TYPE, form).body("logout_token="), 400),
        (
            post().header(CONTENT_TYPE, form).body("token=token:67890"),
            400,
        ),
        (
            post()
                .header(CONTENT_TYPE, form)
                .body(format!("{token}&{token}")),
            400,
        ),
        (
            post().header(CONTENT_TYPE, "application/json").body("{}"),
            415,
        ),
        (post().json(&[("logout_token", "token:67890")]), 415),
        (post().header(CONTENT_TYPE, "text/plain").body(token), 415),
        (
            post()
                .header(CONTENT_TYPE, form)
                .body(format!("{token}&padding={}", "x".repeat(17_000))),
            413,
        ),
        (
            post()
                .header(CONTENT_TYPE, form)
                .body(format!("{token}&padding={}", "x".repeat(1024 * 1024))),
            413,
        ),
    ] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(response.headers()["cache-control"], "no-store");
        let answer: serde_json::Value = response.json().await.unwrap();
        assert_eq!(answer["success"], false);
        assert!(answer["error"].is_string());
    }
    for method in ["GET", "HEAD", "PUT", "DELETE"] {
        let request = client.request(method.parse().unwrap(), node.url("/clef/logout"));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 405, "{method}");
        assert_eq!(response.headers()["cache-control"], "no-store");
    }
    assert_eq!(world.provider.notices.load(SeqCst), 0);
    assert!(bystander.is_in(&node).await);
}

/// Media types are case-insensitive (RFC 9110, section 8.3.1).
#[tokio::test]
async fn a_notice_is_a_form_in_capitals_too_and_with_a_charset() {
    let world = World::new();
    let (node, bystander) = bystander(&world).await;
    let client = reqwest::Client::new();
    for (number, (content_type, status)) in [
        ("application/x-www-form-urlencoded", 200),
        ("APPLICATION/X-WWW-FORM-URLENCODED", 200),
        ("Application/X-WWW-Form-UrlEncoded; Charset=UTF-8", 200),
        ("application/x-www-form-urlencoded ;charset=utf-8", 200),
        ("application/json; x=application/x-www-form-urlencoded", 415),
    ]
    .into_iter()
    .enumerate()
    {
        let request = client
            .post(node.url("/clef/logout"))
            .header(CONTENT_TYPE, content_type)
            .body(format!("logout_token=token:67890:{number}"));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status, "{content_type}");
    }
    assert_eq!(world.provider.notices.load(SeqCst), 4);
    assert!(!bystander.is_in(&node).await);
}

#[tokio::test]
async fn a_notice_with_a_bad_token_or_for_an_unknown_subject_says_so() {
    let world = World::new();
    let (node, bystander) = bystander(&world).await;
    for (token, status, error) in [
        // What Clef's own self-test posts.
        ("1234567890", 400, "Invalid Logout Token."),
        ("token:11111", 404, "Unknown Clef id."),
    ] {
        let response = reqwest::Client::new()
            .post(node.url("/clef/logout"))
            .form(&[("logout_token", token), ("ignored", "parameter")])
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), status);
        let answer: serde_json::Value = response.json().await.unwrap();
        assert_eq!(answer["error"], error);
    }
    assert!(bystander.is_in(&node).await);
}

#[tokio::test]
async fn a_notice_that_comes_twice_at_once_is_applied_once() {
    let world = World::new();
    let (node, bystander) = bystander(&world).await;
    let browser = Browser::new();
    browser.log_in(&node, "12345").await;
    world.provider.during_notice.set();
    let (first, second, ()) = tokio::join!(
        node.notice("token:12345"),
        node.notice("token:12345"),
        async {
            world.provider.during_notice.reached().await;
            world.provider.during_notice.go();
        }
    );
    assert_eq!((first, second), (200, 200));
    assert_eq!(world.provider.notices.load(SeqCst), 1);
    assert!(!browser.is_in(&node).await);
    assert!(bystander.is_in(&node).await);
}

#[tokio::test]
async fn a_notice_needs_no_cookie_and_touches_no_session() {
    let world = World::new();
    let (node, bystander) = bystander(&world).await;
    let calls = world.sessions.calls.load(SeqCst);
    let cookies = bystander.cookies(&node);
    let response = bystander
        .post(&node, "/clef/logout")
        .form(&[("logout_token", "token:67890")])
        .header("origin", "https://clef.test")
        .header("sec-fetch-site", "cross-site")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers().get("set-cookie"), None);
    assert_eq!(world.sessions.calls.load(SeqCst), calls);
    assert_eq!(bystander.cookies(&node), cookies);
}

#[tokio::test]
async fn a_notice_that_ends_nothing_is_acknowledged_and_remembered() {
    let world = World::new();
    let (node, bystander) = bystander(&world).await;
    for _ in 0..2 {
        assert_eq!(node.notice("nothing").await, 200);
    }
    assert_eq!(world.provider.notices.load(SeqCst), 1, "a replay");
    world.users.fail_logouts(true);
    assert_eq!(node.notice("nothing:more").await, 200, "nothing is written");
    assert!(bystander.is_in(&node).await);
}

#[tokio::test]
async fn a_notice_that_ends_several_logins_is_acknowledged_once_all_have_ended() {
    let world = World::new();
    let (node, bystander) = bystander(&world).await;
    let browsers = [Browser::new(), Browser::new()];
    browsers[0].log_in(&node, "1").await;
    browsers[1].log_in(&node, "2").await;
    world.users.fail_logouts(true);
    let both = "token:1+token:2+token:unknown";
    assert_eq!(node.notice(both).await, 503);
    for browser in &browsers {
        assert!(!browser.is_in(&node).await, "refused meanwhile");
    }
    world.users.fail_logouts(false);
    assert_eq!(node.notice(both).await, 200);
    for browser in &browsers {
        assert!(!browser.is_in(&node).await);
    }
    assert!(bystander.is_in(&node).await);
    assert_eq!(node.notice("token:unknown+nothing").await, 404);
}
