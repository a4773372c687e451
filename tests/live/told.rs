//! What this node hears itself it tells at once, and whatever ends by itself when it does.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use axum_clef::LoginEnding;
use tokio::time::Instant;

use crate::{
    place::{Browser, Node, PATIENCE},
    support::World,
};

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Far less than the interval.
const MOMENT: Duration = Duration::from_millis(1);

/// Awaits an end that is there, or nearly.
async fn ending(end: axum_clef::LoginEnd) -> LoginEnding {
    let begun = Instant::now();
    let ending = tokio::time::timeout(PATIENCE, end).await;
    let ending = ending.expect("it never ends");
    assert!(begun.elapsed() <= MOMENT, "{:?}", begun.elapsed());
    ending
}

#[tokio::test(start_paused = true)]
async fn the_webhook_tells_every_listener_of_the_person_and_nobody_else() {
    let world = World::new();
    let node = Node::of(&world);
    let mut phone = Browser::of(&node, "code:12345").await;
    let mut desk = Browser::of(&node, "code:12345").await;
    let mut other = Browser::of(&node, "code:67890").await;
    let mut pages = [phone.open(&node).await, desk.open(&node).await];
    let mut others = other.open(&node).await;
    let end = node.end(&mut desk).await;
    let others_end = node.end(&mut other).await;
    for page in pages.iter_mut().chain([&mut others]) {
        page.is_in().await;
    }
    assert!(!end.has_ended());

    assert_eq!(node.notice("token:12345").await, 200);
    assert!(end.has_ended());
    for page in &mut pages {
        page.hears_at_once().await;
    }
    assert_eq!(ending(end.clone()).await, LoginEnding::LoggedOut);
    assert_eq!(ending(end).await, LoginEnding::LoggedOut);
    others.hears_nothing_within(HOUR).await;
    assert!(!others_end.has_ended());
}

#[tokio::test(start_paused = true)]
async fn a_layer_that_is_set_up_after_its_routes_are_taken_is_told_at_once_too() {
    let world = World::new();
    let layer = world.layer();
    let mut node = Node::with(&world, layer.clone());
    let routes = world.pages(layer.routes());
    let layer = layer.live_interval(DAY).most_live_pages(1);
    node.app = routes.layer(layer);
    let mut browser = Browser::of(&node, "code:12345").await;
    let mut page = browser.open(&node).await;
    page.is_in().await;
    assert_eq!(browser.status(&node, "/clef/live").await, 503);
    node.notice("token:12345").await;
    page.hears_at_once().await;
}

#[tokio::test(start_paused = true)]
async fn a_waiting_future_and_its_clones_end() {
    let world = World::new();
    let node = Node::of(&world);
    let mut browser = Browser::of(&node, "code:12345").await;
    let end = node.end(&mut browser).await;
    let waiting: Vec<_> = (0..3).map(|_| tokio::spawn(end.clone())).collect();
    let mut given_up = end.clone();
    let early = tokio::time::timeout(MOMENT, &mut given_up).await;
    assert!(early.is_err());
    drop(end);
    node.notice("token:12345").await;
    for waiting in waiting {
        assert_eq!(waiting.await.unwrap(), LoginEnding::LoggedOut);
    }
    assert_eq!(ending(given_up).await, LoginEnding::LoggedOut);
}

#[tokio::test(start_paused = true)]
async fn a_logout_by_the_application_is_told_too() {
    let world = World::new();
    let node = Node::of(&world);
    let mut browser = Browser::of(&node, "code:12345").await;
    let mut page = browser.open(&node).await;
    page.is_in().await;
    browser.post(&node, "/everywhere").await;
    page.hears_at_once().await;
}

#[tokio::test(start_paused = true)]
async fn a_logout_that_cannot_be_written_yet_is_told_at_once() {
    let world = World::new();
    let node = Node::of(&world);
    let mut browser = Browser::of(&node, "code:12345").await;
    let mut page = browser.open(&node).await;
    page.is_in().await;
    world.users.failing.store(true, SeqCst);
    assert_eq!(node.notice("token:12345").await, 503);
    page.hears_at_once().await;
}

#[tokio::test(start_paused = true)]
async fn a_sign_out_is_told_to_this_browser_alone() {
    let world = World::new();
    let node = Node::of(&world);
    let mut phone = Browser::of(&node, "code:12345").await;
    let mut desk = Browser::of(&node, "code:12345").await;
    let mut page = phone.open(&node).await;
    let mut others = desk.open(&node).await;
    page.is_in().await;
    others.is_in().await;
    let end = node.end(&mut phone).await;
    phone.post(&node, "/clef/sign-out").await;
    page.hears_at_once().await;
    assert_eq!(ending(end).await, LoginEnding::SignedOut);
    others.hears_nothing_within(HOUR).await;
}

#[tokio::test(start_paused = true)]
async fn a_page_whose_session_is_gone_looks_again() {
    let world = World::new();
    let node = Node::of(&world);
    let mut browser = Browser::of(&node, "code:12345").await;
    for (how, then) in [("/flush", "logged-out"), ("a login", "logged-in")] {
        if how == "a login" {
            browser.log_in(&node, "code:12345").await;
        }
        let mut page = browser.open(&node).await;
        page.is_in().await;
        let end = node.end(&mut browser).await;
        match how {
            "a login" => browser.log_in(&node, "code:12345").await,
            path => drop(browser.post(&node, path).await),
        }
        assert_eq!(ending(end).await, LoginEnding::SessionGone);
        let begun = Instant::now();
        assert_eq!(page.event().await, None, "{how}");
        assert_eq!(begun.elapsed(), Duration::ZERO);
        assert!(page.text.ends_with("retry: 100\n\n"), "{}", page.text);
        let event = browser.open(&node).await.event().await;
        assert_eq!(event.as_deref(), Some(then));
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_session_at_the_provider_is_told_to_its_own_logins() {
    let world = World::new();
    let node = Node::of(&world);
    let mut phone = Browser::of(&node, "code:12345:sid:abc").await;
    let mut desk = Browser::of(&node, "code:12345:sid:def").await;
    let mut page = phone.open(&node).await;
    let mut others = desk.open(&node).await;
    page.is_in().await;
    others.is_in().await;
    assert_eq!(node.notice("session:abc").await, 200);
    let begun = Instant::now();
    assert_eq!(page.event().await.as_deref(), Some("logged-out"));
    assert!(begun.elapsed() <= MOMENT);
    others.hears_nothing_within(HOUR).await;

    // Where the store keeps no such sessions the whole person is logged out.
    world.users.no_sessions.store(true, SeqCst);
    assert_eq!(node.notice("session:other:of:12345").await, 200);
    others.hears_at_once().await;
}

#[tokio::test(start_paused = true)]
async fn a_login_from_after_the_logout_is_not_told() {
    let world = World::new();
    let node = Node::of(&world);
    let mut browser = Browser::of(&node, "code:12345:sid:abc").await;
    let mut page = browser.open(&node).await;
    page.is_in().await;
    node.notice("token:12345").await;
    page.hears_at_once().await;
    browser.log_in(&node, "code:12345:sid:abc").await;
    let mut page = browser.open(&node).await;
    page.is_in().await;
    // The same notice again changes nothing.
    assert_eq!(node.notice("token:12345").await, 200);
    page.hears_nothing_within(HOUR).await;
}

#[tokio::test(start_paused = true)]
async fn a_logout_between_the_check_and_the_listening_is_not_missed() {
    for what in ["token:12345", "session:abc", "/clef/sign-out", "/flush"] {
        let world = World::new();
        let node = Node::of(&world);
        let mut browser = Browser::of(&node, "code:12345:sid:abc").await;
        // Somebody listens already, so that what follows is no new watch.
        let mut other = Browser::of(&node, "code:67890").await;
        let _others = node.end(&mut other).await;
        node.pass(Duration::from_secs(1)).await;
        world.slow.set();
        let request = browser.request(axum::http::Request::get("/late"));
        let late = tokio::spawn(tower::ServiceExt::oneshot(node.app.clone(), request));
        world.slow.reached().await;
        if what.starts_with('/') {
            browser.post(&node, what).await;
        } else {
            assert_eq!(node.notice(what).await, 200);
        }
        world.slow.go();
        assert_eq!(late.await.unwrap().unwrap().status(), 200);
        let expected = match what.starts_with('/') {
            true => LoginEnding::SessionGone,
            false => LoginEnding::LoggedOut,
        };
        assert_eq!(ending(node.taken()).await, expected, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_begins_to_listen_while_a_logout_is_owed_is_told() {
    let world = World::new();
    let node = Node::of(&world);
    let mut browser = Browser::of(&node, "code:12345").await;
    world.slow.set();
    let request = browser.request(axum::http::Request::get("/late"));
    let late = tokio::spawn(tower::ServiceExt::oneshot(node.app.clone(), request));
    world.slow.reached().await;
    // The store says nothing of it yet.
    world.users.log_out_panics.store(true, SeqCst);
    assert_eq!(node.notice("token:12345").await, 503);
    world.slow.go();
    assert_eq!(late.await.unwrap().unwrap().status(), 200);
    assert_eq!(ending(node.taken()).await, LoginEnding::LoggedOut);
    assert_eq!(browser.status(&node, "/account").await, 401);
}

#[tokio::test(start_paused = true)]
async fn a_login_ends_with_its_lifetime() {
    let world = World::new();
    let node = Node::with(&world, world.layer().lifetime(HOUR));
    let mut browser = Browser::of(&node, "code:12345").await;
    node.pass(HOUR / 2).await;
    let end = node.end(&mut browser).await;
    let mut page = browser.open(&node).await;
    page.is_in().await;
    node.pass(HOUR / 2 - Duration::from_secs(2)).await;
    assert!(!end.has_ended());
    // Sooner than the interval would show it.
    node.pass(Duration::from_secs(3)).await;
    assert_eq!(end.ending(), Some(LoginEnding::Expired));
    page.hears_at_once().await;
}

#[tokio::test(start_paused = true)]
async fn a_login_that_ends_before_it_is_first_asked_about_does_so() {
    let world = World::new();
    let lifetime = Duration::from_secs(2);
    let node = Node::with(&world, world.layer().lifetime(lifetime));
    let mut browser = Browser::of(&node, "code:12345").await;
    let end = node.end(&mut browser).await;
    node.pass(lifetime + Duration::from_millis(50)).await;
    assert_eq!(end.ending(), Some(LoginEnding::Expired));
}

#[tokio::test(start_paused = true)]
async fn a_page_that_is_left_open_goes_idle_and_a_use_keeps_it() {
    let world = World::new();
    let node = Node::with(&world, world.layer().idle_expiry(DAY));
    let mut browser = Browser::of(&node, "code:12345").await;
    let mut page = browser.open(&node).await;
    page.is_in().await;
    // Coming back after a loss is no use either.
    node.pass(DAY / 2).await;
    let mut page = browser.open(&node).await;
    page.is_in().await;
    let end = node.end(&mut browser).await;
    assert!(!end.has_ended(), "this was one");
    node.pass(DAY * 3 / 4).await;
    page.hears_nothing_within(MOMENT).await;
    assert!(!end.has_ended());
    let mut page = browser.open(&node).await;
    page.is_in().await;
    node.pass(DAY / 4 + Duration::from_secs(2)).await;
    assert_eq!(end.ending(), Some(LoginEnding::Expired));
    page.hears_at_once().await;
    assert_eq!(browser.status(&node, "/account").await, 401);
}
