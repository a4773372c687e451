//! Signing out, by the ready route and in a handler, and forms of other sites.

use std::sync::atomic::Ordering::SeqCst;

use axum::{Router, routing::post};
use axum_clef::SameOrigin;
use reqwest::header::CONTENT_TYPE;

use crate::support::{
    Browser, Jar, World,
    browser::{bystander, location},
    jar::text,
};

#[tokio::test]
async fn a_page_of_another_site_cannot_sign_a_user_out() {
    let world = World::new();
    let (node, browser) = bystander(&world).await;
    for (header, value) in [
        ("origin", "https://evil.example"),
        ("origin", "http://127.0.0.1:10"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let request = browser.post(&node, "/clef/sign-out").header(header, value);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 403, "{header}: {value}");
        assert!(browser.is_in(&node).await);
    }
    assert_eq!(browser.status(&node, "/clef/sign-out").await, 405, "GET");
    let both = browser
        .post(&node, "/clef/sign-out")
        .header("origin", "https://evil.example")
        .header("sec-fetch-site", "same-origin");
    assert_eq!(both.send().await.unwrap().status(), 403);
    assert!(browser.is_in(&node).await);
}

#[tokio::test]
async fn a_page_of_another_origin_cannot_send_a_form_here() {
    let world = World::new();
    let (node, browser) = bystander(&world).await;
    let own = ("origin", World::SITE);
    let calls = world.sessions.calls.load(SeqCst);
    for headers in [
        &[("origin", "https://evil.example")][..],
        &[
            ("origin", "http://127.0.0.1:10"),
            ("sec-fetch-site", "same-site"),
        ],
        &[("origin", "null")],
        &[("sec-fetch-site", "same-site")],
        &[own, ("sec-fetch-site", "cross-site")],
        &[own, ("origin", "https://evil.example")],
    ] {
        for request in [
            browser.post(&node, "/same-origin"),
            browser.get(&node, "/same-origin"),
        ] {
            let request = headers.iter().fold(request, |request, (name, value)| {
                request.header(*name, *value)
            });
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), 403, "{headers:?}");
            assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
            assert_eq!(response.headers()["cache-control"], "no-store");
        }
    }
    assert_eq!(world.sessions.calls.load(SeqCst), calls, "nothing is asked");
    for headers in [
        &[][..],
        &[own],
        &[own, ("sec-fetch-site", "same-origin")],
        &[("origin", "null"), ("sec-fetch-site", "same-origin")],
    ] {
        let request = browser.post(&node, "/same-origin");
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        });
        assert_eq!(request.send().await.unwrap().status(), 200, "{headers:?}");
    }
}

#[tokio::test]
async fn the_origin_cannot_be_checked_outside_of_the_layer() {
    let world = World::new();
    let app = Router::new().route("/", post(|_: SameOrigin| async {}));
    let node = world.serve(app, world.layer()).await;
    let response = Browser::new().post(&node, "/").send().await.unwrap();
    assert_eq!(response.status(), 500);
    assert!(response.text().await.unwrap().contains("ClefLayer"));
}

#[tokio::test]
async fn signing_out_ends_this_device_and_no_other() {
    let world = World::new();
    let node = world.node().await;
    let (here, there) = (Browser::new(), Browser::new());
    here.log_in(&node, "12345").await;
    there.log_in(&node, "12345").await;
    let copied = here.cookies(&node);
    let response = here
        .post(&node, "/clef/sign-out")
        .header("origin", World::SITE)
        .header("sec-fetch-site", "same-origin")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 303);
    assert_eq!(location(&response), "/");
    assert!(!here.is_in(&node).await);
    assert_eq!(here.cookies(&node), "", "the browser is as it was before");
    assert!(there.is_in(&node).await);

    // A copy of the cookies is worth nothing either: the session is gone.
    let request = reqwest::Client::new().get(node.url("/account"));
    let response = request.header("cookie", copied).send().await.unwrap();
    assert_eq!(response.status(), 401);

    let response = here.post(&node, "/clef/sign-out").send().await.unwrap();
    assert_eq!(response.status(), 303, "once more does no harm");

    // From a page of our own with `Referrer-Policy: no-referrer`.
    let request = there.post(&node, "/clef/sign-out").header("origin", "null");
    let response = request.header("sec-fetch-site", "same-origin").send();
    assert_eq!(response.await.unwrap().status(), 303);
    assert!(!there.is_in(&node).await);
}

#[tokio::test]
async fn signing_out_while_the_store_is_down_still_ends_this_browser() {
    let world = World::new();
    let node = world.node().await;
    let browser = Browser::new();
    browser.log_in(&node, "12345").await;
    world.sessions.failing.store(true, SeqCst);
    let response = browser.post(&node, "/clef/sign-out").send().await.unwrap();
    assert_eq!(response.status(), 503);
    world.sessions.failing.store(false, SeqCst);
    assert!(!browser.is_in(&node).await);
}

#[tokio::test]
async fn a_handler_signs_out_this_device_and_no_other() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let app = world.app_over(sessions);
        let mut here = Jar::logged_in(&app, "12345").await;
        let mut there = Jar::logged_in(&app, "12345").await;
        let mut copy = here.clone();
        let response = here.post(&app, "/leave").await;
        assert_eq!(text(response).await, "goodbye");
        assert_eq!(here, Jar::default(), "{kind}");
        assert!(!copy.is_in(&app).await, "{kind}");
        assert!(there.is_in(&app).await, "{kind}");
        // Without a login there is nothing to end.
        assert_eq!(here.post(&app, "/leave").await.status(), 200);
    }
}

#[tokio::test(start_paused = true)]
async fn a_sign_out_of_a_handler_that_a_store_does_not_take_is_503() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let app = world.app_over(sessions);
        let mut jar = Jar::logged_in(&app, "12345").await;
        let mut copy = jar.clone();
        world.users.failing.store(true, SeqCst);
        let response = jar.post(&app, "/leave").await;
        assert_eq!(response.status(), 503, "{kind}");
        assert_eq!(response.headers()["retry-after"], "5");
        assert_eq!(response.headers()["cache-control"], "no-store");
        world.users.failing.store(false, SeqCst);
        assert_eq!(jar, Jar::default(), "the browser is signed out");
        assert!(!copy.is_in(&app).await, "{kind}");
    }
}
