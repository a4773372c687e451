//! Reads that a logout overlaps.

use axum_clef::UserStore as _;
use test_support::Wire;

use crate::world::{LEASE, MILLISECOND, WAIT, World, pass, settle, two_nodes_on};

#[tokio::test(start_paused = true)]
async fn a_read_at_another_node_that_ends_after_the_answer_is_not_kept() {
    let world = World::new();
    let (here, there) = (world.node(), world.node());
    let browser = here.browser_of("1").await;
    let held = there.users.holds.prepare("read");
    let slow = there.request(&browser);
    held.reached.await.unwrap();
    let notice = here.notice("1");
    pass(WAIT + MILLISECOND).await;
    assert_eq!(notice.await.unwrap().status, 200);
    let after_the_answer = there.request(&browser);
    settle().await;
    held.go.send(()).unwrap();
    assert_eq!(after_the_answer.await.unwrap().status, 401);
    assert_eq!(slow.await.unwrap().status, 200, "it came before the logout");
    assert!(!there.serves(&browser).await);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_waits_for_a_read_of_longer_than_a_lease_reads_anew() {
    let world = World::new();
    let (here, there) = (world.node(), world.node());
    let browser = here.browser_of("1").await;
    let held = there.users.holds.prepare("read");
    let slow = there.request(&browser);
    held.reached.await.unwrap();
    pass(LEASE / 2).await;
    let joined = there.request(&browser);
    let notice = here.notice("1");
    pass(WAIT + MILLISECOND).await;
    assert_eq!(notice.await.unwrap().status, 200);
    held.go.send(()).unwrap();
    assert_eq!(joined.await.unwrap().status, 401);
    assert_eq!(
        slow.await.unwrap().status,
        200,
        "it asked before the logout"
    );
}

#[tokio::test(start_paused = true)]
async fn a_read_that_was_under_way_is_not_joined_after_the_answer() {
    let wire = Wire::default();
    let (_world, [here, there], _) = two_nodes_on(&wire).await;
    for node in [&here, &there] {
        let browser = here.browser_of("1").await;
        let held = node.users.holds.prepare("read");
        let slow = node.request(&browser);
        held.reached.await.unwrap();
        assert_eq!(here.notice("1").await.unwrap().status, 200);
        let after_the_answer = tokio::time::timeout(LEASE, node.request(&browser)).await;
        let after_the_answer = after_the_answer.expect("it does not wait for the other");
        assert_eq!(after_the_answer.unwrap().status, 401);
        held.go.send(()).unwrap();
        assert_eq!(slow.await.unwrap().status, 200, "it came before the logout");
        assert!(!node.serves(&browser).await);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_kept_is_dropped_first_and_what_is_read_meanwhile_too() {
    let wire = Wire::default();
    let (_world, [here, _there], _) = two_nodes_on(&wire).await;
    let browser = here.browser_of("1").await;
    assert!(here.serves(&browser).await && here.serves(&browser).await);
    assert_eq!(here.users.reads(), 1);
    let held = here.users.holds.prepare("write");
    let leased = here.leased.clone();
    // Not by the webhook, which refuses the user meanwhile.
    let logout = tokio::spawn(async move { leased.log_out("1").await.unwrap() });
    held.reached.await.unwrap();
    assert!(here.serves(&browser).await, "it is not written yet");
    assert_eq!(here.users.reads(), 2, "what was kept is dropped already");
    held.go.send(()).unwrap();
    assert!(logout.await.unwrap());
    assert!(!here.serves(&browser).await);
}

#[tokio::test(start_paused = true)]
async fn a_logout_dropped_after_its_write_invalidates_what_was_read_before() {
    let world = World::new();
    let node = world.node();
    let browser = node.browser_of("1").await;
    let held = node.users.holds.prepare("write");
    let leased = node.leased.clone();
    let logout = tokio::spawn(async move { leased.log_out("1").await.unwrap() });
    held.reached.await.unwrap();
    assert!(node.serves(&browser).await, "it is not written yet");
    let written = node.users.holds.prepare("written");
    held.go.send(()).unwrap();
    written.reached.await.unwrap();
    logout.abort();
    assert!(logout.await.unwrap_err().is_cancelled());
    assert!(!node.serves(&browser).await);
}

#[tokio::test(start_paused = true)]
async fn a_login_dropped_after_its_write_invalidates_what_was_read_before() {
    let world = World::new();
    let node = world.node();
    let browser = node.browser_of("1").await;
    let held = node.users.holds.prepare("written");
    let leased = node.leased.clone();
    let login = tokio::spawn(async move { leased.log_in("1").await.map(drop).unwrap() });
    held.reached.await.unwrap();
    assert!(node.serves(&browser).await && node.serves(&browser).await);
    assert_eq!(node.users.reads(), 1);
    login.abort();
    assert!(login.await.unwrap_err().is_cancelled());
    assert!(node.serves(&browser).await);
    assert_eq!(node.users.reads(), 2, "the user as the login has left them");
}
