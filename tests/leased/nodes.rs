//! A logout at one node, and what the others hand out.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use axum::http::Method;
use axum_clef::{
    IdentityStore as _, LoginId, LoginReference, LogoutCause, ProviderSession, RevocationKey,
    Timestamp, User as _, UserStore as _, leased::Leased,
};
use test_support::Wire;
use tokio::time::Instant;

use crate::world::{
    AT_WORK, LEASE, MILLISECOND, Users, WAIT, World, in_time, log_in, pass, settle, subject,
    two_nodes_on,
};

const LATEST: Timestamp = Timestamp::from_micros(i64::MAX);

#[tokio::test(start_paused = true)]
async fn a_logout_is_answered_when_no_node_serves_it_any_more() {
    // Both as far from the true rate as is allowed, either way; and both right.
    for (publisher, keeper) in [(1_010, 990), (990, 1_010), (1_000, 1_000)] {
        let world = World::new();
        let [here, there] = [publisher, keeper]
            .map(|rate| world.node_of(|users| Leased::new(users, LEASE).clock_at(rate)));
        let browser = here.browser_of("1").await;
        assert!(there.serves(&browser).await);
        let notice = here.notice("1");
        let mut served_until = Duration::ZERO;
        let began_at = Instant::now();
        while !notice.is_finished() {
            if there.serves(&browser).await {
                served_until = began_at.elapsed();
                assert!(!notice.is_finished(), "{served_until:?} after the notice");
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
async fn the_node_that_receives_the_notice_invalidates_at_once() {
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
    // That of the last login: `browser_of` sets the count to 0. One in sixteen thousand shares the
    // counter of the user who is logged out.
    assert!(node.users.reads() <= 1 + 1);
    pass(WAIT + MILLISECOND).await;
    assert_eq!(notice.await.unwrap().status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_login_after_the_answer_works_everywhere() {
    let world = World::new();
    let nodes = [world.node(), world.node()];
    let browser = nodes[0].browser_of("1").await;
    for node in &nodes {
        assert!(node.serves(&browser).await);
    }
    let notice = nodes[1].notice("1");
    pass(WAIT + MILLISECOND).await;
    assert_eq!(notice.await.unwrap().status, 200);
    let browser = nodes[0].browser_of("1").await;
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
    // At the other node, at this one, both; a bus that proves nothing, or panics.
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
        assert_eq!(in_time(here.notice("1")).await.status, 200);
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
    // As a node that slept, and whose membership the others have ended meanwhile.
    there_end.may_cache.store(false, SeqCst);
    there_end.cut.store(true, SeqCst);
    here.leased.log_out("1").await.unwrap();
    assert!(!there.serves(&browser).await);
    assert!(!there.serves(&browser).await);
    assert_eq!(there.users.reads(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_read_that_is_under_way_is_not_shared_by_a_node_that_may_not_keep() {
    let wire = Wire::default();
    let (world, [_, there], [_, there_end]) = two_nodes_on(&wire).await;
    let browser = there.browser_of("1").await;
    there_end.may_cache.store(false, SeqCst);
    let held = there.users.holds.prepare("read");
    let slow = there.request(&browser);
    held.reached.await.unwrap();
    // By a node that does not wait for this one.
    world.store.log_out("1").await.unwrap();
    assert!(!there.serves(&browser).await);
    held.go.send(()).unwrap();
    assert_eq!(slow.await.unwrap().status, 200, "it came before the logout");
}

/// Whether a login of user 1 under this key has ended, as the node has it.
async fn has_ended(users: &Leased<Users>, key: &RevocationKey) -> bool {
    let mut login = LoginReference::new("1").with_provider_key(key.provider_key());
    match key {
        RevocationKey::Login(id) => login = login.with_id(*id),
        RevocationKey::Issuer(issuer) => login = login.with_issuer(Some(issuer)),
        _ => {}
    }
    let check = users.check_login(login).await.unwrap().unwrap();
    check.revoked || check.revoked_at.is_some()
}

fn session(id: &str) -> RevocationKey {
    RevocationKey::Session(ProviderSession::new("https://clef.test", id))
}

fn login(id: &str) -> RevocationKey {
    let id: LoginId = format!("AAECAwQFBgcICQoLDA0O{id}").parse().unwrap();
    RevocationKey::Login(id)
}

#[tokio::test(start_paused = true)]
async fn a_revocation_waits_for_the_lease_too() {
    let world = World::new();
    let nodes = [world.node(), world.node()];
    nodes[0].browser_of("1").await;
    for key in [
        session("abc"),
        RevocationKey::Subject(subject("1")),
        login("Dw"),
        RevocationKey::Issuer("https://clef.test".to_owned()),
        RevocationKey::Everyone,
    ] {
        for node in &nodes {
            assert!(!has_ended(&node.leased, &key).await);
        }
        let began_at = Instant::now();
        let keys = [key.clone()];
        nodes[0].leased.revoke(&keys, LATEST).await.unwrap();
        assert_eq!(began_at.elapsed().as_millis(), WAIT.as_millis() + 1);
        for node in &nodes {
            assert!(has_ended(&node.leased, &key).await);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_revocation_is_published_with_all_its_keys_and_drops_no_other() {
    let wire = Wire::default();
    let (_world, nodes, _) = two_nodes_on(&wire).await;
    nodes[0].browser_of("1").await;
    let keys = [
        session("abc"),
        RevocationKey::Subject(subject("1")),
        login("Dw"),
        session("d"),
        session("e"),
        login("DQ"),
        login("DA"),
        login("Dg"),
    ];
    let (revoked, others) = keys.split_at(3);
    for node in &nodes {
        for key in &keys {
            assert!(!has_ended(&node.leased, key).await);
        }
    }
    let began_at = Instant::now();
    nodes[0].leased.revoke(revoked, LATEST).await.unwrap();
    assert_eq!(began_at.elapsed(), Duration::ZERO);
    assert_eq!(wire.published.load(SeqCst), 1);
    for node in &nodes {
        for key in revoked {
            assert!(has_ended(&node.leased, key).await);
        }
        let reads = node.users.reads();
        for other in others {
            assert!(!has_ended(&node.leased, other).await);
        }
        assert!(node.users.reads() <= reads + 1, "but for one by chance");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_subject_is_revoked_without_a_wait() {
    let wire = Wire::default();
    let (_world, [here, _], _) = two_nodes_on(&wire).await;
    let began_at = Instant::now();
    let keys = [RevocationKey::UnknownSubject(subject("1"))];
    here.leased.revoke(&keys, LATEST).await.unwrap();
    assert_eq!(began_at.elapsed(), Duration::ZERO);
    assert_eq!(wire.published.load(SeqCst), 0);
    assert!(here.leased.revoked_at(&keys[0]).await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_user_with_two_subjects_is_one_user_on_every_node() {
    let wire = Wire::default();
    let (_world, [here, there], _) = two_nodes_on(&wire).await;
    let at_work = format!("1{AT_WORK}");
    for logged_out in ["1", &at_work] {
        let browsers = [
            here.browser_of("1").await,
            here.browser_of("1%20at%20work").await,
        ];
        for browser in &browsers {
            assert!(there.serves(browser).await && here.serves(browser).await);
        }
        let began_at = Instant::now();
        let users = here.leased.log_out_subject(&subject(logged_out)).await;
        assert_eq!(users.unwrap(), ["1"]);
        assert_eq!(began_at.elapsed(), Duration::ZERO);
        for browser in &browsers {
            assert!(!there.serves(browser).await && !here.serves(browser).await);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_subject_that_is_no_user_any_more_waits_for_the_lease_over_any_bus() {
    let wire = Wire::default();
    let (_world, [here, _], _) = two_nodes_on(&wire).await;
    let began_at = Instant::now();
    let users = here.leased.log_out_subject(&subject("1")).await.unwrap();
    assert!(users.is_empty());
    assert_eq!(began_at.elapsed().as_millis(), WAIT.as_millis() + 1);
    // An id is found by the bus also where its user is gone.
    let began_at = Instant::now();
    assert!(!here.leased.log_out("1").await.unwrap());
    assert_eq!(began_at.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_sign_out_is_answered_when_no_node_serves_a_copy_of_the_cookie() {
    let world = World::new();
    let (here, there) = (world.node(), world.node());
    let browser = here.browser_of("1").await;
    let other = here.browser_of("1").await;
    for node in [&here, &there] {
        assert!(node.serves(&browser).await && node.serves(&other).await);
    }
    let began_at = Instant::now();
    let answer = browser.ask(&here, Method::POST, "/auth/sign-out").await;
    assert_eq!(answer.status(), 303);
    assert!(began_at.elapsed() >= LEASE, "{:?}", began_at.elapsed());
    for node in [&here, &there] {
        assert!(!node.serves(&browser).await);
        assert!(node.serves(&other).await, "one login alone has ended");
    }
}

#[tokio::test(start_paused = true)]
async fn a_logout_by_subject_is_not_answered_before_its_write() {
    let world = World::new();
    let node = world.node();
    let id = log_in(&*node.leased, &subject("1")).await;
    let login = LoginReference::new(&id);
    let logged_out_at = async || {
        let check = node.leased.check_login(login).await.unwrap().unwrap();
        axum_clef::User::logged_out_at(&check.user)
    };
    assert_eq!(logged_out_at().await, None);
    let written = node.users.holds.prepare("written");
    let leased = node.leased.clone();
    let logout = tokio::spawn(async move { leased.log_out_subject(&subject("1")).await });
    written.reached.await.unwrap();
    assert!(!logout.is_finished());
    // Dropped like this, it is seen after a lease at the latest.
    logout.abort();
    pass(LEASE).await;
    assert!(logged_out_at().await.is_some());
}

#[tokio::test(start_paused = true)]
async fn every_node_knows_the_cause_of_a_logout() {
    let wire = Wire::default();
    let (_world, [here, there], _) = two_nodes_on(&wire).await;
    here.browser_of("1").await;
    let id = log_in(&*here.leased, &subject("1")).await;
    let cause = async || {
        let check = there.leased.check_login(LoginReference::new(&id)).await;
        check.unwrap().unwrap().user.logout_cause()
    };
    assert_eq!(cause().await, LogoutCause::Unknown);
    let changed = LogoutCause::CredentialsChanged;
    for expected in [LogoutCause::User, LogoutCause::Policy, changed] {
        // What the node keeps of the user goes with the logout.
        match &expected {
            LogoutCause::User => {
                let written = here.leased.log_out_with_cause(&id, &expected);
                assert!(written.await.unwrap());
            }
            LogoutCause::Policy => {
                let subject = subject("1");
                let users = here.leased.log_out_subject_with_cause(&subject, &expected);
                assert_eq!(users.await.unwrap(), [&*id]);
            }
            _ => {
                let stamp = here.leased.now().await.unwrap();
                let written = here.leased.log_out_others_with_cause(&id, stamp, &expected);
                assert!(written.await.unwrap().is_some());
            }
        }
        assert_eq!(cause().await, expected);
    }
    assert!(here.leased.log_out(&id).await.unwrap());
    assert_eq!(cause().await, LogoutCause::Unknown);
}
