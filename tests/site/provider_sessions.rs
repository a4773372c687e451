//! Providers that name their sessions: a notice ends one of them, and leaves the user's others.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use axum_clef::stores::SqliteUserStore;

use crate::support::{
    Browser, Jar, Node, TestUsers, World,
    clock::{DAY, MINUTE},
    jar::notice,
};

/// A browser that is logged in as `12345:sid:abc`, say.
async fn logged_in(node: &Node, person: &str) -> Browser {
    let browser = Browser::new();
    browser.log_in(node, person).await;
    browser
}

#[tokio::test]
async fn a_notice_ends_one_session_on_every_node_and_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("users.db").display());
    let in_memory = World::new();
    let mut in_sqlite = World::new();
    in_sqlite.users = TestUsers::new(SqliteUserStore::connect(&url).await.unwrap());
    for world in [in_memory, in_sqlite] {
        let nodes = [world.node().await, world.node().await];
        let laptop = logged_in(&nodes[0], "12345:sid:abc").await;
        let tablet = logged_in(&nodes[1], "12345:sid:abc").await;
        let phone = logged_in(&nodes[0], "12345:sid:xyz").await;
        let without = logged_in(&nodes[0], "12345").await;

        assert_eq!(nodes[1].notice("session:abc:of:12345").await, 200);
        for node in &nodes {
            assert!(!laptop.is_in(node).await);
            assert!(!tablet.is_in(node).await);
            assert!(phone.is_in(node).await);
            assert!(without.is_in(node).await);
        }
        // It need not say whose it is. And a new login works, in the same session too.
        assert_eq!(nodes[0].notice("session:xyz").await, 200);
        laptop.log_in(&nodes[0], "12345:sid:abc").await;
        for node in &nodes {
            assert!(!phone.is_in(node).await);
            assert!(laptop.is_in(node).await);
            assert!(without.is_in(node).await);
        }
        // The same notice again changes nothing, and the whole person's ends all.
        assert_eq!(nodes[1].notice("session:abc:of:12345").await, 200);
        assert!(laptop.is_in(&nodes[0]).await);
        assert_eq!(nodes[1].notice("token:12345").await, 200);
        for browser in [laptop, without] {
            assert!(!browser.is_in(&nodes[0]).await);
        }
    }
}

/// A provider that names its sessions, and has named none for a login.
#[tokio::test]
async fn a_notice_of_a_session_ends_the_logins_that_carry_none() {
    let world = World::new();
    world.provider.names_sessions.store(true, SeqCst);
    let nodes = [world.node().await, world.node().await];
    let in_session = logged_in(&nodes[0], "12345:sid:abc").await;
    let in_another = logged_in(&nodes[0], "12345:sid:xyz").await;
    let without = logged_in(&nodes[1], "12345").await;
    let other = logged_in(&nodes[1], "67890").await;
    assert_eq!(nodes[1].notice("session:abc:of:12345").await, 200);
    for node in &nodes {
        assert!(!in_session.is_in(node).await);
        assert!(!without.is_in(node).await);
        assert!(in_another.is_in(node).await);
        assert!(other.is_in(node).await);
    }
    // An unknown session ends nothing else, and new logins work.
    without.log_in(&nodes[0], "12345").await;
    assert_eq!(nodes[0].notice("session:unknown").await, 200);
    for node in &nodes {
        assert!(without.is_in(node).await);
        assert!(in_another.is_in(node).await);
    }
    assert_eq!(nodes[0].notice("token:12345").await, 200);
    assert!(!in_another.is_in(&nodes[1]).await);
}

#[tokio::test]
async fn a_session_that_ends_in_the_middle_of_a_login_refuses_it() {
    let (world, node) = World::with_node().await;
    for (code, status) in [("code:12345:sid:abc", 403), ("code:12345:sid:xyz", 303)] {
        let browser = Browser::new();
        let state = browser.begin(&node, "/account").await;
        world.provider.during_exchange.set();
        let (response, ()) = tokio::join!(browser.come_back(&node, code, &state), async {
            world.provider.during_exchange.reached().await;
            assert_eq!(
                node.notice(&format!("session:abc:of:12345 {code}")).await,
                200
            );
            world.provider.during_exchange.go();
        });
        assert_eq!(response.status(), status, "{code}");
        assert_eq!(browser.is_in(&node).await, status == 303);
    }
}

#[tokio::test]
async fn a_login_in_a_session_lasts_thirty_days_at_the_most() {
    let world = World::new();
    let a_year = Duration::from_secs(365 * 24 * 60 * 60);
    let layer = world.builder().lifetime(a_year).idle_expiry(a_year).build();
    let node = world.node_with(layer.unwrap()).await;
    let in_session = logged_in(&node, "12345:sid:abc").await;
    let without = logged_in(&node, "12345").await;
    world.clock.advance(30 * DAY - MINUTE);
    assert!(in_session.is_in(&node).await);
    world.clock.advance(MINUTE);
    assert!(!in_session.is_in(&node).await);
    assert!(without.is_in(&node).await);
}

#[tokio::test]
async fn a_store_without_revocations_logs_the_whole_user_out() {
    let world = World::new();
    world.users.no_revocations.store(true, SeqCst);
    let nodes = [world.node().await, world.node().await];
    let laptop = logged_in(&nodes[0], "12345:sid:abc").await;
    let phone = logged_in(&nodes[0], "12345:sid:xyz").await;
    let other = logged_in(&nodes[0], "67890:sid:abc").await;

    // It does not say whose session it is, so nothing can be done, however often it comes.
    for _ in 0..2 {
        assert_eq!(nodes[0].notice("session:abc").await, 400);
        assert!(laptop.is_in(&nodes[0]).await);
    }
    assert_eq!(nodes[0].notice("session:abc:of:12345").await, 200);
    for node in &nodes {
        assert!(!laptop.is_in(node).await);
        assert!(!phone.is_in(node).await);
        assert!(other.is_in(node).await);
    }
    // Of an unknown subject.
    assert_eq!(nodes[0].notice("session:abc:of:11111").await, 404);
}

#[tokio::test]
async fn a_session_whose_end_is_pending_is_refused_and_no_other() {
    let (world, node) = World::with_node().await;
    let laptop = logged_in(&node, "12345:sid:abc").await;
    let phone = logged_in(&node, "12345:sid:xyz").await;
    let other = logged_in(&node, "67890").await;
    world.users.revoke_fails.store(true, SeqCst);
    assert_eq!(node.notice("session:abc:of:12345").await, 503);
    // The session, and the user's logins that carry none.
    assert_eq!(node.layer.pending_logouts(), 2);

    assert!(!laptop.is_in(&node).await);
    assert!(phone.is_in(&node).await);
    assert!(other.is_in(&node).await);
    // No login in it begins, while others do.
    let newcomer = Browser::new();
    let state = newcomer.begin(&node, "/").await;
    let response = newcomer.come_back(&node, "code:12345:sid:abc", &state);
    assert_eq!(response.await.status(), 403);
    newcomer.log_in(&node, "12345:sid:new").await;

    world.users.revoke_fails.store(false, SeqCst);
    while node.notice("session:abc:of:12345").await != 200 {}
    assert_eq!(node.layer.pending_logouts(), 0);
    assert!(!laptop.is_in(&node).await, "it is written now");
    assert!(newcomer.is_in(&node).await);
    laptop.log_in(&node, "12345:sid:abc").await;
}

/// A login carries the issuer of its subject alone, so no logout of the session would find it.
#[tokio::test]
async fn a_session_of_another_issuer_than_the_subjects_is_no_login() {
    let (_, node) = World::with_node().await;
    let browser = Browser::new();
    let state = browser.begin(&node, "/account").await;
    let response = browser.come_back(&node, "code:12345:elsewhere:abc", &state);
    assert_eq!(response.await.status(), 500);
    assert!(!browser.is_in(&node).await);
}

#[tokio::test(start_paused = true)]
async fn a_notice_that_hangs_ends_no_login_that_began_after_another_one() {
    let world = World::new();
    world.provider.names_sessions.store(true, SeqCst);
    let app = world.app(&world.layer());
    let mut in_session = Jar::logged_in(&app, "12345:sid:abc").await;
    world.users.before_revoke.set();
    let hangs = {
        let app = app.clone();
        tokio::spawn(async move { notice(&app, "session:abc:of:12345").await })
    };
    world.users.before_revoke.reached().await;
    // It names the same user, and is written.
    assert_eq!(notice(&app, "session:xyz:of:12345").await, 200);
    let mut without = Jar::logged_in(&app, "12345").await;
    // The attempt that hangs is dropped and made again.
    tokio::time::sleep(Duration::from_secs(10)).await;
    hangs.await.unwrap();
    assert_eq!(notice(&app, "session:abc:of:12345").await, 200);
    assert!(!in_session.is_in(&app).await);
    assert!(without.is_in(&app).await);
}
