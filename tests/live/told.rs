//! What this node hears itself it tells at once, and whatever ends by itself when it does.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use axum_clef::{LogoutReason, Subject};
use test_support::{ISSUER, World};
use tokio::time::Instant;

use crate::{
    counted,
    place::{HOUR, INTERVAL, Node, SECOND, ending},
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Far less than the interval.
const MOMENT: Duration = Duration::from_millis(1);

#[tokio::test(start_paused = true)]
async fn the_webhook_tells_every_listener_of_the_person_and_nobody_else() {
    let node = Node::new();
    let mut phone = node.logged_in("12345").await;
    let mut desk = node.logged_in("12345").await;
    let mut other = node.logged_in("67890").await;
    let mut pages = [node.page(&mut phone).await, node.page(&mut desk).await];
    let mut others = node.page(&mut other).await;
    let end = node.end(&mut desk).await;
    let others_end = node.end(&mut other).await;
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
    let node = Node::new();
    let (_, end) = node.login("12345").await;
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
    for (_, node) in Node::both() {
        for by_user in [true, false] {
            let mut browser = node.logged_in("12345").await;
            let mut page = node.page(&mut browser).await;
            if by_user {
                browser.post(&node, "/everywhere").await;
            } else {
                let subject = Subject::new(ISSUER, "12345");
                let known = node.layer.logouts().log_out_subject(&subject).await;
                assert_eq!(known, Ok(true));
            }
            page.hears_at_once().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_logins_of_a_provider_is_told_to_its_own() {
    for (_, node) in Node::both() {
        let logouts = node.layer.logouts();
        let mut page = node.page(&mut node.logged_in("12345").await).await;
        let end = logouts.log_out_issuer("https://other.example").await;
        assert_eq!(end, Ok(()));
        page.hears_nothing_within(MOMENT).await;
        assert_eq!(logouts.log_out_issuer(ISSUER).await, Ok(()));
        page.hears_at_once().await;

        let mut page = node.page(&mut node.logged_in("12345").await).await;
        assert_eq!(logouts.log_out_everyone().await, Ok(()));
        page.hears_at_once().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_logins_of_a_provider_causes_no_check_of_others() {
    let (node, users) = counted::node();
    let logouts = node.layer.logouts();
    let mut page = node.page(&mut node.logged_in("12345").await).await;
    users.asked();
    let end = logouts.log_out_issuer("https://other.example").await;
    assert_eq!(end, Ok(()));
    page.hears_nothing_within(MOMENT).await;
    assert_eq!(users.asked(), [""; 0]);
    assert_eq!(logouts.log_out_issuer(ISSUER).await, Ok(()));
    page.hears_at_once().await;
    assert_eq!(users.asked(), ["12345"]);
}

#[tokio::test(start_paused = true)]
async fn a_logout_by_one_subject_is_told_to_logins_by_the_users_other_one() {
    let (node, _) = counted::node();
    for (by, token) in [
        ("12345", "token:12345.work"),
        ("12345.work", "token:12345:again"),
        ("12345.work", "token:12345.work:again"),
    ] {
        let mut page = node.page(&mut node.logged_in(by).await).await;
        let mut others = node.page(&mut node.logged_in("67890").await).await;
        assert_eq!(node.notice(token).await, 200);
        page.hears_at_once().await;
        others.hears_nothing_within(HOUR).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_logout_that_cannot_be_written_yet_is_told_at_once() {
    let node = Node::new();
    let mut page = node.page(&mut node.logged_in("12345").await).await;
    node.world.users.failing.store(true, SeqCst);
    assert_eq!(node.notice("token:12345").await, 503);
    page.hears_at_once().await;
}

#[tokio::test(start_paused = true)]
async fn a_sign_out_is_told_to_this_browser_alone() {
    for path in ["/auth/sign-out", "/leave"] {
        for (_, node) in Node::both() {
            let mut phone = node.logged_in("12345").await;
            let mut page = node.page(&mut phone).await;
            let mut others = node.page(&mut node.logged_in("12345").await).await;
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
    for (_, node) in Node::both() {
        let mut browser = node.logged_in("12345").await;
        let mut page = node.page(&mut browser).await;
        node.world.users.revoke_fails.store(true, SeqCst);
        let begun = Instant::now();
        assert_eq!(browser.sign_out(&node).await.status(), 503);
        assert!(begun.elapsed() < Duration::from_secs(10));
        page.hears_at_once().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_whose_record_is_gone_looks_again() {
    let node = Node::new();
    let mut browser = node.logged_in("12345").await;
    let mut page = node.page(&mut browser).await;
    let end = node.end(&mut browser).await;
    let sessions = &node.world.sessions;
    let record = sessions.last_saved();
    sessions.inner.delete(&record.id).await.unwrap();
    node.pass(INTERVAL).await;
    assert_eq!(end.reason(), Some(LogoutReason::SessionGone));
    page.looks_again().await;
    node.open(&mut browser).await.hears_at_once().await;
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_session_at_the_provider_is_told_to_its_own_logins() {
    for (_, node) in Node::both() {
        node.world.provider.names_sessions.store(true, SeqCst);
        let mut page = node.page(&mut node.logged_in("12345:sid:abc").await).await;
        let mut others = node.page(&mut node.logged_in("12345:sid:def").await).await;
        let mut without = node.page(&mut node.logged_in("12345").await).await;
        // The page is told once the stores are asked, which they are at once.
        assert_eq!(node.notice("session:abc").await, 200);
        page.hears_within(MOMENT).await;
        others.hears_nothing_within(HOUR).await;
        without.hears_nothing_within(HOUR).await;

        // With its subject, the logins that have no session too.
        assert_eq!(node.notice("session:unknown:of:12345").await, 200);
        without.hears_within(MOMENT).await;
        others.hears_nothing_within(HOUR).await;
    }
}

#[tokio::test(start_paused = true)]
async fn without_revocations_the_end_of_a_session_is_told_to_the_whole_user() {
    let world = World::new();
    world.users.no_revocations.store(true, SeqCst);
    let node = Node::of(&world);
    let mut page = node.page(&mut node.logged_in("12345:sid:def").await).await;
    assert_eq!(node.notice("session:other:of:12345").await, 200);
    page.hears_at_once().await;
}

#[tokio::test(start_paused = true)]
async fn a_login_from_after_the_logout_is_not_told() {
    let node = Node::new();
    let mut browser = node.logged_in("12345:sid:abc").await;
    let mut page = node.page(&mut browser).await;
    node.notice("token:12345").await;
    page.hears_at_once().await;
    browser.log_in(&node, "12345:sid:abc").await;
    let mut page = node.page(&mut browser).await;
    // The same notice again changes nothing.
    assert_eq!(node.notice("token:12345").await, 200);
    page.hears_nothing_within(HOUR).await;
}

#[tokio::test(start_paused = true)]
async fn a_logout_between_the_check_and_the_listening_is_not_missed() {
    for what in [
        "token:12345",
        "session:abc",
        "/auth/sign-out",
        "/leave",
        "a login",
    ] {
        for (kind, node) in Node::both() {
            let mut browser = node.logged_in("12345:sid:abc").await;
            // There is a listener already, so that what follows starts no watch.
            let _other = node.login("67890").await;
            node.pass(SECOND).await;
            let late = node.listen_late(&browser).await;
            let expected = match what {
                "a login" => {
                    browser.log_in(&node, "12345:sid:abc").await;
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
            node.go_on(late).await;
            assert_eq!(ending(node.taken()).await, expected, "{what}, {kind}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_begins_to_listen_while_a_logout_is_owed_is_told() {
    let node = Node::new();
    let mut browser = node.logged_in("12345").await;
    let late = node.listen_late(&browser).await;
    // The store says nothing of it yet.
    node.world.users.log_out_panics.store(true, SeqCst);
    assert_eq!(node.notice("token:12345").await, 503);
    node.go_on(late).await;
    assert_eq!(ending(node.taken()).await, LogoutReason::LoggedOut);
    assert_eq!(browser.status(&node, "/account").await, 401);
}

#[tokio::test(start_paused = true)]
async fn a_login_ends_with_its_lifetime() {
    let world = World::new();
    let node = Node::with(&world, world.builder().lifetime(HOUR));
    let mut browser = node.logged_in("12345").await;
    node.pass(HOUR / 2).await;
    let end = node.end(&mut browser).await;
    let mut page = node.page(&mut browser).await;
    node.pass(HOUR / 2 - 2 * SECOND).await;
    assert!(!end.has_ended());
    // Sooner than the interval would show it.
    node.pass(3 * SECOND).await;
    assert_eq!(end.reason(), Some(LogoutReason::Expired));
    page.hears_at_once().await;
}

#[tokio::test(start_paused = true)]
async fn a_login_that_ends_before_it_is_first_asked_about_does_so() {
    let world = World::new();
    let lifetime = 2 * SECOND;
    let node = Node::with(&world, world.builder().lifetime(lifetime));
    let (_, end) = node.login("12345").await;
    node.pass(lifetime + Duration::from_millis(50)).await;
    assert_eq!(end.reason(), Some(LogoutReason::Expired));
}

#[tokio::test(start_paused = true)]
async fn a_page_that_is_left_open_goes_idle_and_a_use_keeps_it() {
    let world = World::new();
    let node = Node::with(&world, world.builder().idle_expiry(DAY));
    let mut browser = node.logged_in("12345").await;
    let _page = node.page(&mut browser).await;
    // Coming back after a loss is no use either.
    node.pass(DAY / 2).await;
    let mut page = node.page(&mut browser).await;
    let end = node.end(&mut browser).await;
    assert!(!end.has_ended(), "this was one");
    node.pass(DAY * 3 / 4).await;
    page.hears_nothing_within(MOMENT).await;
    assert!(!end.has_ended());
    let mut page = node.page(&mut browser).await;
    node.pass(DAY / 4 + 2 * SECOND).await;
    assert_eq!(end.reason(), Some(LogoutReason::Expired));
    page.hears_at_once().await;
    assert_eq!(browser.status(&node, "/account").await, 401);
}

#[tokio::test(start_paused = true)]
async fn a_page_with_a_sealed_login_looks_again_when_it_may_be_idle() {
    let world = World::new();
    let node = Node::with(&world, world.builder_over(world.sealed()).idle_expiry(DAY));
    let mut browser = node.logged_in("12345").await;
    let mut page = node.page(&mut browser).await;
    let end = node.end(&mut browser).await;
    node.pass(DAY * 3 / 4).await;
    page.hears_nothing_within(MOMENT).await;
    // The browser alone has the time of this use.
    assert_eq!(browser.status(&node, "/account").await, 200);
    node.pass(DAY / 4 + 2 * SECOND).await;
    assert_eq!(end.reason(), Some(LogoutReason::SessionGone));
    page.looks_again().await;
    let mut page = node.page(&mut browser).await;

    // Without a use it is idle, though the page was open.
    node.pass(DAY * 3 / 4).await;
    page.looks_again().await;
    node.open(&mut browser).await.hears_at_once().await;
    assert_eq!(browser.status(&node, "/account").await, 401);
}

/// The request that begins to listen renews the login.
#[tokio::test(start_paused = true)]
async fn a_sealed_login_lasts_from_its_renewal_on() {
    let world = World::new();
    let node = Node::with(&world, world.builder_over(world.sealed()).idle_expiry(DAY));
    let mut browser = node.logged_in("12345").await;
    node.pass(2 * HOUR).await;
    let before = browser.clone();
    let end = node.end(&mut browser).await;
    assert_ne!(browser, before, "it is renewed");
    node.pass(2 * INTERVAL).await;
    assert!(!end.has_ended());
    // The login would have been idle an hour ago.
    node.pass(23 * HOUR).await;
    assert!(!end.has_ended());
}

#[tokio::test(start_paused = true)]
async fn a_sealed_login_lasts_from_the_renewal_of_a_later_listener_on() {
    let world = World::new();
    let node = Node::with(&world, world.builder_over(world.sealed()).idle_expiry(DAY));
    let mut browser = node.logged_in("12345").await;
    let mut page = node.page(&mut browser).await;
    node.pass(2 * HOUR).await;
    let before = browser.clone();
    let end = node.end(&mut browser).await;
    assert_ne!(browser, before, "it is renewed");
    // By the first listener, the login would have been idle an hour ago.
    node.pass(23 * HOUR).await;
    assert!(!end.has_ended());
    page.hears_nothing_within(MOMENT).await;
    node.pass(HOUR + 2 * SECOND).await;
    assert_eq!(end.reason(), Some(LogoutReason::SessionGone));
    page.looks_again().await;
}
