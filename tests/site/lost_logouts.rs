//! No logout is lost: it is applied, or its sender hears that it must come again.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use axum::{
    body::Body,
    http::{Method, Request},
};
use axum_clef::Subject;
use futures_util::future::join_all;
use test_support::notice_request as notice;
use tower::ServiceExt as _;

use crate::support::{Browser, Jar, Node, World, jar};

#[tokio::test]
async fn a_logout_whose_store_fails_is_kept_until_it_holds() {
    let (world, node, browser) = World::logged_in("12345").await;

    world.users.failing.store(true, SeqCst);
    assert_eq!(node.notice("token:12345").await, 503);
    assert_eq!(node.layer.pending_logouts(), 1);
    assert_eq!(node.notice("token:12345").await, 503, "still pending");
    assert_eq!(world.provider.notices.load(SeqCst), 1, "exchanged once");
    // The login is read and refused before the store is asked.
    assert!(!browser.is_in(&node).await);

    world.users.failing.store(false, SeqCst);
    assert_eq!(until_applied(&node, "token:12345").await, 200);
    assert_eq!(node.layer.pending_logouts(), 0);
    assert!(!browser.is_in(&world.node().await).await, "on any node");
    browser.log_in(&node, "12345").await;
    assert!(browser.is_in(&node).await);
}

#[tokio::test]
async fn a_pending_logout_refuses_no_other_user() {
    let (world, node) = World::with_node().await;
    let (browser, other) = (Browser::new(), Browser::new());
    browser.log_in(&node, "12345").await;
    other.log_in(&node, "67890").await;
    world.users.log_out_panics.store(true, SeqCst);
    assert_eq!(node.notice("token:12345").await, 503);
    assert!(!browser.is_in(&node).await);
    assert!(other.is_in(&node).await);
}

#[tokio::test]
async fn a_notice_whose_provider_panics_can_come_again() {
    let (world, node, browser) = World::logged_in("12345").await;
    world.provider.panicking.store(true, SeqCst);
    assert_eq!(node.notice("token:12345").await, 503);
    world.provider.panicking.store(false, SeqCst);
    assert_eq!(node.notice("token:12345").await, 200);
    assert!(!browser.is_in(&node).await);
}

/// Without a socket, so that the time can be turned.
#[tokio::test(start_paused = true)]
async fn a_provider_that_hangs_is_given_up() {
    let world = World::new();
    let layer = world.layer();
    let app = world.app(&layer);
    let status = async |request: Request<Body>| {
        let answer = app.clone().oneshot(request);
        let answer = tokio::time::timeout(Duration::from_secs(60), answer).await;
        answer.expect("no answer in time").unwrap().status()
    };
    world.provider.during_notice.set();
    assert_eq!(status(notice("token:12345")).await, 503);
    world.provider.during_start.set();
    let start = Request::get("/clef/login").body(Body::empty()).unwrap();
    assert_eq!(status(start).await, 502);
}

#[tokio::test]
async fn a_login_while_a_logout_is_pending_is_refused() {
    let (world, node, browser) = World::logged_in("12345").await;
    // The store accepts no logout, but logins.
    world.users.log_out_panics.store(true, SeqCst);
    assert_eq!(node.notice("token:12345").await, 503);

    let state = browser.begin(&node, "/").await;
    let response = browser.come_back(&node, "code:12345", &state).await;
    assert_eq!(response.status(), 403);
    assert!(!browser.is_in(&node).await);

    world.users.log_out_panics.store(false, SeqCst);
    assert_eq!(until_applied(&node, "token:12345").await, 200);
    browser.log_in(&node, "12345").await;
}

#[tokio::test]
async fn a_sender_who_hangs_up_does_not_take_the_logout_along() {
    let (world, node, browser) = World::logged_in("12345").await;

    // Without a socket, so that the request ends here and now.
    world.provider.during_notice.set();
    let app = world.app(&node.layer);
    tokio::select! {
        _ = app.oneshot(notice("token:12345")) => panic!("the provider is held"),
        () = world.provider.during_notice.reached() => {}
    }
    world.provider.during_notice.go();
    assert_eq!(until_applied(&node, "token:12345").await, 200);
    assert_eq!(world.provider.notices.load(SeqCst), 1, "it was that one");
    assert!(!browser.is_in(&node).await);
}

#[tokio::test]
async fn a_notice_that_cannot_be_checked_tells_the_sender_to_come_back() {
    let (world, node, browser) = World::logged_in("12345").await;
    for broken in [&world.provider.down, &world.provider.misconfigured] {
        broken.store(true, SeqCst);
        let response = browser
            .post(&node, "/clef/logout")
            .form(&[("logout_token", "token:12345")])
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 503);
        assert!(response.headers().contains_key("retry-after"));
        assert!(browser.is_in(&node).await, "nothing happened yet");
        broken.store(false, SeqCst);
    }
    assert_eq!(node.notice("token:12345").await, 200, "the same token");
    assert!(!browser.is_in(&node).await);
}

/// Sends a notice until it is answered by something else than "come back", as senders do.
async fn until_applied(node: &Node, token: &str) -> u16 {
    // Each answer may take its time; so many are more than any test needs.
    for _ in 0..30 {
        match node.notice(token).await {
            503 => {}
            status => return status,
        }
    }
    503
}

#[tokio::test]
async fn the_application_ends_logins_by_the_same_path() {
    use axum_clef::LogoutError;

    let world = World::new();
    let (here, there) = (world.node().await, world.node().await);
    let (phone, laptop, other) = (Browser::new(), Browser::new(), Browser::new());
    phone.log_in(&here, "12345").await;
    laptop.log_in(&there, "12345").await;
    other.log_in(&there, "67890").await;

    // "Sign out on all devices".
    let response = phone.post(&here, "/everywhere").send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), "Ok(true)");
    for node in [&here, &there] {
        assert!(!phone.is_in(node).await);
        assert!(!laptop.is_in(node).await);
        assert!(other.is_in(node).await);
    }
    let response = laptop.post(&here, "/everywhere").send().await.unwrap();
    assert_eq!(response.status(), 401);

    // An administrator, while the store is down and after.
    let subject = |id| Subject::new(crate::support::provider::ISSUER, id);
    let logouts = there.layer.logouts();
    assert_eq!(
        logouts.log_out_subject(&subject("unauthenticated")).await,
        Ok(false)
    );
    world.users.failing.store(true, SeqCst);
    let pending = logouts.log_out_subject(&subject("67890")).await;
    assert_eq!(pending, Err(LogoutError::Pending));
    assert_eq!(there.layer.pending_logouts(), 1);
    assert!(!other.is_in(&there).await);
    world.users.failing.store(false, SeqCst);
    assert_eq!(logouts.log_out_subject(&subject("67890")).await, Ok(true));
    assert!(!other.is_in(&here).await);
    other.log_in(&there, "67890").await;
    assert_eq!(logouts.log_out_user("2").await, Ok(true));
    assert_eq!(logouts.log_out_user("unauthenticated").await, Ok(false));
    assert!(!other.is_in(&here).await);
}

#[tokio::test(start_paused = true)]
async fn logouts_at_once_are_bounded() {
    use axum::response::IntoResponse as _;
    use axum_clef::LogoutError;

    let world = World::new();
    let builder = world.builder().pending_logout_limit(2);
    let layer = builder.build().unwrap();
    let logouts = layer.logouts();
    world.users.log_out_fails.store(true, SeqCst);
    let (first, second, third) = tokio::join!(
        logouts.log_out_user("1"),
        logouts.log_out_user("2"),
        logouts.log_out_user("3"),
    );
    assert_eq!([first, second], [Err(LogoutError::Pending); 2]);
    assert_eq!(third, Err(LogoutError::QueueFull));
    assert_eq!(layer.pending_logouts(), 2);
    for refused in [first.unwrap_err(), third.unwrap_err()] {
        let response = refused.into_response();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "5");
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(
            response.headers()["content-type"],
            "application/problem+json"
        );
    }
}

/// A client can send one cookie a thousand times, also long after its login has ended.
#[tokio::test]
async fn one_login_takes_one_place_however_often_it_is_signed_out() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let layer = world.builder_over(sessions).pending_logout_limit(4);
        let layer = layer.build().unwrap();
        let app = world.app(&layer);
        let jar = Jar::logged_in(&app, "12345").await;
        let mut other = Jar::logged_in(&app, "67890").await;
        world.users.revoke_fails.store(true, SeqCst);
        let sign_outs = (0..8).map(|_| jar.ask(&app, Method::POST, "/auth/sign-out"));
        for answer in join_all(sign_outs).await {
            assert_eq!(answer.status(), 503, "{kind}: it is not written yet");
        }
        assert_eq!(layer.pending_logouts(), 1, "{kind}");
        assert!(!jar.clone().is_in(&app).await, "{kind}");
        // There is room for others.
        let told = jar::notice(&app, &format!("token:67890:{kind}")).await;
        assert_eq!(told, 200, "{kind}");
        assert!(!other.is_in(&app).await, "{kind}");

        world.users.revoke_fails.store(false, SeqCst);
        let again = jar.ask(&app, Method::POST, "/auth/sign-out");
        assert_eq!(again.await.status(), 303, "{kind}");
        assert_eq!(layer.pending_logouts(), 0, "{kind}");
    }
}
