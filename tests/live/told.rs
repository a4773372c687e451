//! What this node hears itself it tells at once, and whatever ends by itself when it does.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use axum_clef::{ClefLayer, LogoutReason, Subject};
use tokio::time::Instant;

use crate::{
    counted,
    place::{Browser, Node, PATIENCE, Page},
    support::{World, provider::ISSUER},
};

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const INTERVAL: Duration = Duration::from_secs(10);
/// Far less than the interval.
const MOMENT: Duration = Duration::from_millis(1);

/// A site with logins in a store or in cookies.
fn site(sealed: bool) -> (World, Node) {
    let world = World::new();
    let sessions = match sealed {
        true => world.sealed(),
        false => world.stored(),
    };
    let node = Node::with(&world, world.builder_over(sessions));
    (world, node)
}

/// Awaits an end that is there, or nearly.
async fn ending(end: axum_clef::LogoutSignal) -> LogoutReason {
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
    assert_eq!(ending(end.clone()).await, LogoutReason::LoggedOut);
    assert_eq!(ending(end).await, LogoutReason::LoggedOut);
    others.hears_nothing_within(HOUR).await;
    assert!(!others_end.has_ended());
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
        assert_eq!(waiting.await.unwrap(), LogoutReason::LoggedOut);
    }
    assert_eq!(ending(given_up).await, LogoutReason::LoggedOut);
}

#[tokio::test(start_paused = true)]
async fn a_logout_by_the_application_is_told_too() {
    for sealed in [false, true] {
        let (world, node) = site(sealed);
        for by_user in [true, false] {
            let mut browser = Browser::of(&node, "code:12345").await;
            let mut page = browser.open(&node).await;
            page.is_in().await;
            match by_user {
                true => drop(browser.post(&node, "/everywhere").await),
                false => {
                    let subject = Subject::new(ISSUER, "12345");
                    let known = node.layer.logouts().log_out_subject(&subject).await;
                    assert_eq!(known, Ok(true));
                }
            }
            page.hears_at_once().await;
        }
        drop(world);
    }
}

#[tokio::test(start_paused = true)]
async fn a_logout_by_one_subject_is_told_to_logins_by_the_users_other_one() {
    let (world, users) = counted::world(None);
    let layer = ClefLayer::builder(World::SITE, users, world.stored());
    let node = Node::with(&world, layer.provider(world.provider.clone()));
    for (by, token) in [
        ("code:12345", "token:12345.work"),
        ("code:12345.work", "token:12345:again"),
        ("code:12345.work", "token:12345.work:again"),
    ] {
        let mut browser = Browser::of(&node, by).await;
        let mut other = Browser::of(&node, "code:67890").await;
        let mut page = browser.open(&node).await;
        let mut others = other.open(&node).await;
        page.is_in().await;
        others.is_in().await;
        assert_eq!(node.notice(token).await, 200);
        page.hears_at_once().await;
        others.hears_nothing_within(HOUR).await;
    }
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
    for sealed in [false, true] {
        for path in ["/auth/sign-out", "/leave"] {
            let (_world, node) = site(sealed);
            let mut phone = Browser::of(&node, "code:12345").await;
            let mut desk = Browser::of(&node, "code:12345").await;
            let mut page = phone.open(&node).await;
            let mut others = desk.open(&node).await;
            page.is_in().await;
            others.is_in().await;
            let end = node.end(&mut phone).await;
            phone.post(&node, path).await;
            page.hears_at_once().await;
            assert_eq!(ending(end).await, LogoutReason::SignedOut);
            others.hears_nothing_within(HOUR).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_sign_out_that_cannot_be_written_yet_is_told_at_once() {
    for sealed in [false, true] {
        let (world, node) = site(sealed);
        let mut browser = Browser::of(&node, "code:12345").await;
        let mut page = browser.open(&node).await;
        page.is_in().await;
        world.users.revoke_fails.store(true, SeqCst);
        let begun = Instant::now();
        let answer = browser.post(&node, "/auth/sign-out").await;
        assert_eq!(answer.status(), 503);
        assert!(begun.elapsed() < Duration::from_secs(10));
        page.hears_at_once().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_whose_login_is_replaced_looks_again() {
    for sealed in [false, true] {
        let (_world, node) = site(sealed);
        let mut browser = Browser::of(&node, "code:12345").await;
        let mut page = browser.open(&node).await;
        page.is_in().await;
        let end = node.end(&mut browser).await;
        browser.log_in(&node, "code:12345").await;
        assert_eq!(ending(end).await, LogoutReason::SessionGone);
        looks_again(&mut page).await;
        browser.open(&node).await.is_in().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_whose_record_is_gone_looks_again() {
    let world = World::new();
    let node = Node::of(&world);
    let mut browser = Browser::of(&node, "code:12345").await;
    let mut page = browser.open(&node).await;
    page.is_in().await;
    let end = node.end(&mut browser).await;
    let record = world.sessions.last_saved();
    world.sessions.inner.delete(&record.id).await.unwrap();
    node.pass(INTERVAL).await;
    assert_eq!(end.reason(), Some(LogoutReason::SessionGone));
    looks_again(&mut page).await;
    browser.open(&node).await.hears_at_once().await;
}

/// The page is told now to connect again soon, and not that it is logged out.
async fn looks_again(page: &mut Page) {
    let begun = Instant::now();
    assert_eq!(page.event().await, None);
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert!(page.text.ends_with("retry: 100\n\n"), "{}", page.text);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_session_at_the_provider_is_told_to_its_own_logins() {
    for sealed in [false, true] {
        let (world, node) = site(sealed);
        world.provider.names_sessions.store(true, SeqCst);
        let mut phone = Browser::of(&node, "code:12345:sid:abc").await;
        let mut desk = Browser::of(&node, "code:12345:sid:def").await;
        let mut without = Browser::of(&node, "code:12345").await;
        let mut page = phone.open(&node).await;
        let mut others = desk.open(&node).await;
        let mut without = without.open(&node).await;
        for page in [&mut page, &mut others, &mut without] {
            page.is_in().await;
        }
        assert_eq!(node.notice("session:abc").await, 200);
        hears_soon(&mut page).await;
        others.hears_nothing_within(HOUR).await;
        without.hears_nothing_within(HOUR).await;

        // With its subject, the logins that have no session too.
        assert_eq!(node.notice("session:unknown:of:12345").await, 200);
        hears_soon(&mut without).await;
        others.hears_nothing_within(HOUR).await;
    }
}

/// The page is told once the stores are asked, which they are at once.
async fn hears_soon(page: &mut Page) {
    let begun = Instant::now();
    assert_eq!(page.event().await.as_deref(), Some("logged-out"));
    assert!(begun.elapsed() <= MOMENT);
}

#[tokio::test(start_paused = true)]
async fn without_revocations_the_end_of_a_session_is_told_to_the_whole_user() {
    let world = World::new();
    world.users.no_revocations.store(true, SeqCst);
    let node = Node::of(&world);
    let mut browser = Browser::of(&node, "code:12345:sid:def").await;
    let mut page = browser.open(&node).await;
    page.is_in().await;
    assert_eq!(node.notice("session:other:of:12345").await, 200);
    page.hears_at_once().await;
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
    for sealed in [false, true] {
        for what in [
            "token:12345",
            "session:abc",
            "/auth/sign-out",
            "/leave",
            "a login",
        ] {
            let (world, node) = site(sealed);
            let mut browser = Browser::of(&node, "code:12345:sid:abc").await;
            // There is a listener already, so that what follows starts no watch.
            let mut other = Browser::of(&node, "code:67890").await;
            let _others = node.end(&mut other).await;
            node.pass(Duration::from_secs(1)).await;
            world.slow.set();
            let request = browser.request(axum::http::Request::get("/late"));
            let late = tokio::spawn(tower::ServiceExt::oneshot(node.app.clone(), request));
            world.slow.reached().await;
            let expected = match what {
                "a login" => {
                    browser.log_in(&node, "code:12345:sid:abc").await;
                    LogoutReason::SessionGone
                }
                path if path.starts_with('/') => {
                    browser.post(&node, path).await;
                    LogoutReason::SessionGone
                }
                token => {
                    assert_eq!(node.notice(token).await, 200);
                    LogoutReason::LoggedOut
                }
            };
            world.slow.go();
            assert_eq!(late.await.unwrap().unwrap().status(), 200);
            assert_eq!(ending(node.taken()).await, expected, "{what}, {sealed}");
        }
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
    assert_eq!(ending(node.taken()).await, LogoutReason::LoggedOut);
    assert_eq!(browser.status(&node, "/account").await, 401);
}

#[tokio::test(start_paused = true)]
async fn a_login_ends_with_its_lifetime() {
    let world = World::new();
    let node = Node::with(&world, world.builder().lifetime(HOUR));
    let mut browser = Browser::of(&node, "code:12345").await;
    node.pass(HOUR / 2).await;
    let end = node.end(&mut browser).await;
    let mut page = browser.open(&node).await;
    page.is_in().await;
    node.pass(HOUR / 2 - Duration::from_secs(2)).await;
    assert!(!end.has_ended());
    // Sooner than the interval would show it.
    node.pass(Duration::from_secs(3)).await;
    assert_eq!(end.reason(), Some(LogoutReason::Expired));
    page.hears_at_once().await;
}

#[tokio::test(start_paused = true)]
async fn a_login_that_ends_before_it_is_first_asked_about_does_so() {
    let world = World::new();
    let lifetime = Duration::from_secs(2);
    let node = Node::with(&world, world.builder().lifetime(lifetime));
    let mut browser = Browser::of(&node, "code:12345").await;
    let end = node.end(&mut browser).await;
    node.pass(lifetime + Duration::from_millis(50)).await;
    assert_eq!(end.reason(), Some(LogoutReason::Expired));
}

#[tokio::test(start_paused = true)]
async fn a_page_that_is_left_open_goes_idle_and_a_use_keeps_it() {
    let world = World::new();
    let node = Node::with(&world, world.builder().idle_expiry(DAY));
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
    assert_eq!(end.reason(), Some(LogoutReason::Expired));
    page.hears_at_once().await;
    assert_eq!(browser.status(&node, "/account").await, 401);
}

#[tokio::test(start_paused = true)]
async fn a_page_with_a_sealed_login_looks_again_when_it_may_be_idle() {
    let world = World::new();
    let node = Node::with(&world, world.builder_over(world.sealed()).idle_expiry(DAY));
    let mut browser = Browser::of(&node, "code:12345").await;
    let mut page = browser.open(&node).await;
    page.is_in().await;
    let end = node.end(&mut browser).await;
    node.pass(DAY * 3 / 4).await;
    page.hears_nothing_within(MOMENT).await;
    // The browser alone has the time of this use.
    assert_eq!(browser.status(&node, "/account").await, 200);
    node.pass(DAY / 4 + Duration::from_secs(2)).await;
    assert_eq!(end.reason(), Some(LogoutReason::SessionGone));
    looks_again(&mut page).await;
    let mut page = browser.open(&node).await;
    page.is_in().await;

    // Without a use it is idle, though the page was open.
    node.pass(DAY * 3 / 4).await;
    looks_again(&mut page).await;
    browser.open(&node).await.hears_at_once().await;
    assert_eq!(browser.status(&node, "/account").await, 401);
}
