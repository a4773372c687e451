//! A logout at one node, and what the others hand out.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use axum_clef::{LoginReference, ProviderSession, UserStore as _, leased::Leased};
use tokio::time::Instant;

use crate::{
    bus::Wire,
    users::Users,
    world::{LEASE, MILLISECOND, WAIT, World, pass, person, settle, two_nodes_on},
};

#[tokio::test(start_paused = true)]
async fn a_logout_is_answered_when_no_node_serves_it_any_more() {
    // Both as far from the true rate as is allowed, either way; and both right.
    for (teller, keeper) in [(1_010, 990), (990, 1_010), (1_000, 1_000)] {
        let world = World::new();
        let [here, there] = [teller, keeper]
            .map(|rate| world.node_of(|users| Leased::new(users, LEASE).clock_at(rate)));
        let browser = here.browser_of("1").await;
        assert!(there.serves(&browser).await);
        let notice = here.notice("1");
        let mut served_until = Duration::ZERO;
        let began_at = Instant::now();
        while !notice.is_finished() {
            if there.serves(&browser).await {
                served_until = began_at.elapsed();
                assert!(!notice.is_finished(), "{served_until:?} after it was told");
            }
            pass(MILLISECOND).await;
        }
        assert_eq!(notice.await.unwrap().status, 200);
        assert!(!there.serves(&browser).await && !here.serves(&browser).await);
        // It was worth waiting for.
        assert!(served_until > LEASE * 98 / 100, "{served_until:?}");
        assert!(began_at.elapsed() < LEASE * 104 / 100);
    }
}

#[tokio::test(start_paused = true)]
async fn the_node_that_is_told_forgets_at_once() {
    let world = World::new();
    let node = world.node();
    let browser = node.browser_of("1").await;
    assert!(node.serves(&browser).await);
    let notice = node.notice("1");
    settle().await;
    assert!(!notice.is_finished(), "another node may have it still");
    assert!(!node.serves(&browser).await);
    pass(WAIT + MILLISECOND).await;
    assert_eq!(notice.await.unwrap().status, 200);
    assert!(!node.serves(&browser).await);
}

#[tokio::test(start_paused = true)]
async fn others_stay_logged_in_and_are_not_read_again() {
    let world = World::new();
    let node = world.node();
    let mut others = Vec::new();
    for id in ["1", "2", "3", "4"] {
        let browser = node.browser_of(id).await;
        assert!(node.serves(&browser).await);
        others.push(browser);
    }
    let notice = node.notice("1");
    settle().await;
    for other in &others[1..] {
        assert!(node.serves(other).await);
    }
    // One in sixteen thousand shares the number of the person who is logged out.
    assert!(node.users.reads() <= 4 + 1);
    pass(WAIT + MILLISECOND).await;
    assert_eq!(notice.await.unwrap().status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_login_after_the_answer_works_everywhere() {
    let world = World::new();
    let nodes = [world.node(), world.node()];
    let mut browser = nodes[0].browser_of("1").await;
    for node in &nodes {
        assert!(node.serves(&browser).await);
    }
    let notice = nodes[1].notice("1");
    pass(WAIT + MILLISECOND).await;
    assert_eq!(notice.await.unwrap().status, 200);
    nodes[0].log_in(&mut browser, "1").await;
    for node in &nodes {
        assert!(node.serves(&browser).await);
    }
}

#[tokio::test(start_paused = true)]
async fn over_a_bus_that_proves_it_a_logout_is_answered_at_once() {
    let wire = Wire::default();
    let (_world, [here, there], _) = two_nodes_on(&wire).await;
    let browser = here.browser_of("1").await;
    assert!(there.serves(&browser).await);
    let began_at = Instant::now();
    assert_eq!(here.notice("1").await.unwrap().status, 200);
    assert_eq!(began_at.elapsed(), Duration::ZERO);
    assert!(!there.serves(&browser).await && !here.serves(&browser).await);
}

#[tokio::test(start_paused = true)]
async fn a_bus_that_is_cut_costs_the_lease_and_nothing_else() {
    let wire = Wire::default();
    let (_world, [here, there], [here_end, there_end]) = two_nodes_on(&wire).await;
    // At the other node, at this one, both; a bus that cannot say who has heard it, or panics.
    for case in 0..5 {
        let flags = [
            &there_end.cut,
            &here_end.cut,
            &wire.proves_nothing,
            &wire.panics,
        ];
        let on: &[usize] = [&[0][..], &[1], &[0, 1], &[2], &[3]][case];
        let browser = there.browser_of("1").await;
        assert!(there.serves(&browser).await);
        on.iter().for_each(|flag| flags[*flag].store(true, SeqCst));
        let began_at = Instant::now();
        let notice = here.notice("1");
        while !notice.is_finished() {
            pass(MILLISECOND).await;
        }
        assert_eq!(notice.await.unwrap().status, 200);
        assert!(!there.serves(&browser).await, "case {case}");
        assert!(began_at.elapsed() >= LEASE, "case {case}");
        on.iter().for_each(|flag| flags[*flag].store(false, SeqCst));
    }
    let browser = there.browser_of("1").await;
    assert!(there.serves(&browser).await);
    let began_at = Instant::now();
    assert_eq!(here.notice("1").await.unwrap().status, 200);
    assert_eq!(began_at.elapsed(), Duration::ZERO, "all is well again");
    assert!(!there.serves(&browser).await);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_may_not_keep_asks_each_time() {
    let wire = Wire::default();
    let (_world, [here, there], [_, there_end]) = two_nodes_on(&wire).await;
    let browser = here.browser_of("1").await;
    assert!(there.serves(&browser).await && there.serves(&browser).await);
    assert_eq!(there.users.reads(), 1);
    // As one that slept, and whose place the others have given away meanwhile.
    there_end.may_keep.store(false, SeqCst);
    there_end.cut.store(true, SeqCst);
    here.leased.log_out(&person("1")).await.unwrap();
    assert!(!there.serves(&browser).await);
    assert!(!there.serves(&browser).await);
    assert_eq!(there.users.reads(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_read_that_is_under_way_is_not_shared_by_a_node_that_may_not_keep() {
    let wire = Wire::default();
    let (world, [_, there], [_, there_end]) = two_nodes_on(&wire).await;
    let browser = there.browser_of("1").await;
    there_end.may_keep.store(false, SeqCst);
    let held = there.users.holds.prepare("read");
    let slow = there.request(&browser);
    held.reached.await.unwrap();
    // By a node that does not wait for this one.
    world.store.log_out(&person("1")).await.unwrap();
    assert!(!there.serves(&browser).await);
    held.go.send(()).unwrap();
    assert_eq!(slow.await.unwrap().status, 200, "it came before the logout");
}

/// Whether a login of person 1 in this session has ended, as the node has it.
async fn has_ended(users: &Leased<Users>, session: &ProviderSession) -> bool {
    let alex = person("1");
    let login = LoginReference::new("1", &alex).in_session(Some(session));
    let standing = users.standing(login).await.unwrap().unwrap();
    standing.session_logged_out_at.is_some()
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_session_at_the_provider_waits_too() {
    let world = World::new();
    let nodes = [world.node(), world.node()];
    nodes[0].browser_of("1").await;
    let session = ProviderSession::new("https://clef.test", "abc");
    for node in &nodes {
        assert!(!has_ended(&node.leased, &session).await);
    }
    let began_at = Instant::now();
    assert!(nodes[0].leased.log_out_session(&session).await.unwrap());
    assert_eq!(began_at.elapsed().as_millis(), WAIT.as_millis() + 1);
    for node in &nodes {
        assert!(has_ended(&node.leased, &session).await);
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_session_is_told_too_and_drops_no_other() {
    let wire = Wire::default();
    let (_world, nodes, _) = two_nodes_on(&wire).await;
    nodes[0].browser_of("1").await;
    let sessions = ["abc", "d", "e", "f"].map(|id| ProviderSession::new("https://clef.test", id));
    let (session, others) = sessions.split_first().unwrap();
    for node in &nodes {
        for session in &sessions {
            assert!(!has_ended(&node.leased, session).await);
        }
    }
    let began_at = Instant::now();
    assert!(nodes[0].leased.log_out_session(session).await.unwrap());
    assert_eq!(began_at.elapsed(), Duration::ZERO);
    for node in &nodes {
        assert!(has_ended(&node.leased, session).await);
        let reads = node.users.reads();
        for other in others {
            assert!(!has_ended(&node.leased, other).await);
        }
        assert!(node.users.reads() <= reads + 1, "but for one by chance");
    }
}
