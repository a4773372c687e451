//! Revoked means revoked, a new login works, and a logout is never taken back.

use axum_clef::{Profile, Subject, User as _, stores::MemoryUserStore};

use crate::support::{
    Browser, Node, TestUsers, World,
    clock::{MINUTE, SECOND},
};

// 1. Revoked means revoked.

/// A logout that one of two nodes receives ends the user's logins at both, and no others.
pub async fn a_notice_ends_every_login_from_before(here: &Node, there: &Node) {
    let (phone, laptop, other) = (Browser::new(), Browser::new(), Browser::new());
    phone.log_in(here, "12345").await;
    laptop.log_in(there, "12345").await;
    other.log_in(there, "67890").await;
    for node in [here, there] {
        for browser in [&phone, &laptop, &other] {
            assert!(browser.is_in(node).await);
        }
    }

    assert_eq!(here.notice("token:12345").await, 200);

    for node in [here, there] {
        for browser in [&phone, &laptop] {
            assert!(!browser.is_in(node).await);
            assert_eq!(browser.status(node, "/members/one").await, 401);
            let home = browser.open(node, "/").await.text().await.unwrap();
            assert_eq!(home, "unauthenticated");
        }
        assert!(other.is_in(node).await, "another user is untouched");
    }
    phone.log_in(there, "12345").await;
    assert!(phone.is_in(here).await, "a new login works at once");
    assert!(!laptop.is_in(here).await);
    let response = phone.post(here, "/auth/sign-out").send().await.unwrap();
    assert_eq!(response.status(), 303);
    assert!(!phone.is_in(there).await);
    assert_eq!(there.notice("token:nobody").await, 404);
}

#[tokio::test]
async fn after_the_notice_no_node_serves_a_login_from_before() {
    let world = World::new();
    let (here, there) = (world.node().await, world.node().await);
    a_notice_ends_every_login_from_before(&here, &there).await;
}

/// A logout that one node receives while the other exchanges the code of a login.
pub async fn a_notice_refuses_a_login_under_way(world: &World, here: &Node, there: &Node) {
    let browser = Browser::new();
    browser.log_in(here, "12345").await;
    let state = browser.begin(here, "/").await;
    let callback = browser.come_back(here, "code:12345", &state);
    let exchange = &world.provider.during_exchange;
    let notice = there.notice("token:12345");
    let (response, status) = exchange.during(callback, notice).await;
    assert_eq!((response.status().as_u16(), status), (403, 200));
    let page = response.text().await.unwrap();
    assert!(
        page.contains("You were logged out during the login"),
        "{page}"
    );
    assert!(!browser.is_in(here).await);
}

#[tokio::test]
async fn a_logout_in_the_middle_of_a_login_refuses_it() {
    let (world, node) = World::with_node().await;
    a_notice_refuses_a_login_under_way(&world, &node, &node).await;
}

#[tokio::test]
async fn a_clock_that_steps_back_in_the_middle_of_a_login_refuses_it() {
    let (world, node) = World::with_node().await;
    let browser = Browser::new();
    let state = browser.begin(&node, "/").await;
    let callback = browser.come_back(&node, "code:12345", &state);
    let step_back = async {
        world.clock.advance(-2 * SECOND);
    };
    let exchange = &world.provider.during_exchange;
    let (response, ()) = exchange.during(callback, step_back).await;
    assert_eq!(response.status(), 503);
    assert!(!browser.is_in(&node).await);
}

#[tokio::test]
async fn a_logout_in_the_middle_of_the_very_first_login_refuses_it() {
    let (world, node) = World::with_node().await;
    let browser = Browser::new();
    let state = browser.begin(&node, "/").await;
    let callback = browser.come_back(&node, "code:12345", &state);
    let notice = async {
        // The store does not know the subject yet.
        node.notice("token:12345").await
    };
    let (response, status) = world.users.before_find.during(callback, notice).await;

    assert_eq!(status, 404);
    assert_eq!(response.status(), 403);
    assert!(!browser.is_in(&node).await);

    browser.log_in(&node, "12345").await;
    assert!(browser.is_in(&node).await, "the next login works");
}

/// The notice comes to a node that knows nothing of the login at the other.
#[tokio::test]
async fn a_logout_at_another_node_in_the_middle_of_the_very_first_login_refuses_it() {
    let world = World::new();
    let (here, there) = (world.node().await, world.node().await);
    let browser = Browser::new();
    let state = browser.begin(&here, "/").await;
    let callback = browser.come_back(&here, "code:12345", &state);
    let notice = there.notice("token:12345");
    let (response, status) = world.users.before_find.during(callback, notice).await;
    assert_eq!((response.status().as_u16(), status), (403, 404));
    browser.log_in(&here, "12345").await;
    assert!(browser.is_in(&here).await, "the next login works");
}

#[tokio::test]
async fn a_login_that_begins_while_the_store_looks_for_an_unknown_subject_is_refused() {
    let (world, node) = World::with_node().await;
    let browser = Browser::new();
    let state = browser.begin(&node, "/").await;
    world.users.after_log_out.set();
    world.users.before_find.set();
    let notice = async {
        let status = node.notice("token:12345").await;
        world.users.before_find.go();
        status
    };
    let callback = async {
        // The store has found no user, and has not answered yet.
        world.users.after_log_out.reached().await;
        browser.come_back(&node, "code:12345", &state).await
    };
    let release = async {
        world.users.before_find.reached().await;
        world.users.after_log_out.go();
    };
    let (status, response, ()) = tokio::join!(notice, callback, release);
    assert_eq!((status, response.status().as_u16()), (404, 403));
    assert!(!browser.is_in(&node).await);
}

#[tokio::test]
async fn a_user_who_is_deleted_is_out() {
    let (world, node, browser) = World::logged_in("12345").await;

    // The same sessions, over a store without the user.
    let emptied = World {
        users: TestUsers::new(MemoryUserStore::new()),
        ..world.clone()
    };
    assert!(!browser.is_in(&emptied.node().await).await);
    assert!(browser.is_in(&node).await);
}

// 2. A new login works.

#[tokio::test]
async fn a_login_after_the_answer_works_however_soon() {
    let world = World {
        users: TestUsers::new(MemoryUserStore::new()),
        ..World::new()
    };
    let node = world.node().await;
    let (before, after) = (Browser::new(), Browser::new());
    for round in 0..50 {
        before.log_in(&node, "12345").await;
        assert_eq!(node.notice(&format!("token:12345:{round}")).await, 200);
        after.log_in(&node, "12345").await;
        assert!(after.is_in(&node).await, "round {round}");
        assert!(!before.is_in(&node).await, "round {round}");
    }
}

#[tokio::test]
async fn a_microsecond_between_logout_and_login_is_enough() {
    let (world, node, browser) = World::logged_in("12345").await;
    world.clock.freeze();
    assert_eq!(node.notice("token:12345").await, 200);
    world.clock.advance(1);
    browser.log_in(&node, "12345").await;
    assert!(browser.is_in(&node).await);
}

// 3. Never back.

#[tokio::test]
async fn a_clock_that_steps_back_takes_no_logout_back() {
    let (world, node) = World::with_node().await;
    let alex = Subject::new(crate::support::provider::ISSUER, "12345");
    let browser = Browser::new();
    browser.log_in(&node, "12345").await;
    assert_eq!(node.notice("token:12345:1").await, 200);
    let logged_out_at = || async {
        let profile = Profile::new(alex.clone());
        let user = world
            .users
            .inner
            .find_or_create(&profile)
            .await
            .unwrap()
            .unwrap();
        user.logged_out_at().unwrap()
    };
    let first = logged_out_at().await;

    world.clock.advance(-60 * MINUTE);
    assert_eq!(node.notice("token:12345:2").await, 200);
    assert!(logged_out_at().await > first, "it only rises");
    assert!(!browser.is_in(&node).await);
}

#[tokio::test]
async fn a_notice_that_comes_again_changes_nothing() {
    let (_, node, browser) = World::logged_in("12345").await;
    assert_eq!(node.notice("token:12345").await, 200);
    browser.log_in(&node, "12345").await;

    assert_eq!(node.notice("token:12345").await, 200, "as for success");
    assert!(browser.is_in(&node).await, "the login made since stands");
}

#[tokio::test]
async fn a_notice_for_an_unknown_subject_that_comes_again_ends_no_later_login() {
    let (_, node) = World::with_node().await;
    let browser = Browser::new();
    assert_eq!(node.notice("token:12345").await, 404);
    browser.log_in(&node, "12345").await;
    assert_eq!(node.notice("token:12345").await, 404);
    assert!(browser.is_in(&node).await);
}

#[tokio::test]
async fn a_notice_that_comes_late_ends_every_login_it_finds() {
    let (world, node) = World::with_node().await;
    let browser = Browser::new();
    // However old the sender's wish is, what counts is when it arrives.
    world.clock.advance(60 * MINUTE);
    browser.log_in(&node, "12345").await;
    assert_eq!(node.notice("token:12345:an-hour-old").await, 200);
    assert!(!browser.is_in(&node).await);
}
