//! What is kept, for how long and for which requests.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use axum_clef::{
    IdentityStore as _, LoginReference, Profile, Timestamp, User as _, UserStore as _,
    leased::Leased,
};

use crate::world::{LEASE, MILLISECOND, Users, World, log_in, pass, settle, subject};

#[tokio::test(start_paused = true)]
async fn a_login_is_read_once_a_lease() {
    let world = World::new();
    let node = world.node();
    let browser = node.browser_of("1").await;
    for _ in 0..10 {
        assert!(node.serves(&browser).await);
    }
    assert_eq!(node.users.reads(), 1);
    pass(LEASE - MILLISECOND).await;
    assert!(node.serves(&browser).await);
    assert_eq!(node.users.reads(), 1, "within the lease");
    pass(MILLISECOND).await;
    assert!(node.serves(&browser).await);
    assert_eq!(node.users.reads(), 2, "the lease is over");
}

#[tokio::test(start_paused = true)]
async fn a_lease_of_zero_keeps_nothing() {
    let world = World::new();
    let node = world.node_of(|users| Leased::new(users, Duration::ZERO));
    let browser = node.browser_of("1").await;
    for reads in 1..=3 {
        assert!(node.serves(&browser).await);
        assert_eq!(node.users.reads(), reads);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_counts_from_before_the_read() {
    let world = World::new();
    let node = world.node();
    let browser = node.browser_of("1").await;
    let held = node.users.holds.prepare("read");
    let slow = node.request(&browser);
    held.reached.await.unwrap();
    pass(LEASE * 3 / 4).await;
    held.go.send(()).unwrap();
    assert_eq!(slow.await.unwrap().status, 200);
    assert!(node.serves(&browser).await);
    assert_eq!(node.users.reads(), 1);
    pass(LEASE / 4).await;
    assert!(node.serves(&browser).await);
    assert_eq!(node.users.reads(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_requests_for_one_cold_login_make_one_read() {
    let world = World::new();
    let node = world.node_of(|users| Leased::new(users, Leased::<Users>::LONGEST_LEASE));
    let browser = node.browser_of("1").await;
    let held = node.users.holds.prepare("read");
    let requests: Vec<_> = (0..1_000).map(|_| node.request(&browser)).collect();
    held.reached.await.unwrap();
    settle().await;
    held.go.send(()).unwrap();
    for request in requests {
        assert_eq!(request.await.unwrap().status, 200);
    }
    assert_eq!(node.users.reads(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_read_that_fails_is_for_the_requests_that_waited_for_it() {
    let world = World::new();
    let node = world.node();
    let browser = node.browser_of("1").await;
    node.users.failing.store(true, SeqCst);
    let held = node.users.holds.prepare("read");
    let requests: Vec<_> = (0..10).map(|_| node.request(&browser)).collect();
    held.reached.await.unwrap();
    settle().await;
    node.users.failing.store(false, SeqCst);
    held.go.send(()).unwrap();
    for request in requests {
        assert_eq!(request.await.unwrap().status, 503);
    }
    assert_eq!(node.users.reads(), 1);
    assert_eq!(node.status(&browser).await, 200, "the store is well again");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_stops_waiting_for_a_read_does_not_stop_it_for_others() {
    let world = World::new();
    let node = world.node();
    let browser = node.browser_of("1").await;
    let held = node.users.holds.prepare("read");
    let first = node.request(&browser);
    held.reached.await.unwrap();
    let others: Vec<_> = (0..10).map(|_| node.request(&browser)).collect();
    settle().await;
    first.abort();
    for other in others {
        assert_eq!(other.await.unwrap().status, 200);
    }
    assert_eq!(node.users.reads(), 2, "one of the others has asked again");
}

#[tokio::test(start_paused = true)]
async fn each_login_is_read_by_itself() {
    let world = World::new();
    let node = world.node();
    let browsers = [node.browser_of("1").await, node.browser_of("1").await];
    for _ in 0..2 {
        for browser in &browsers {
            assert!(node.serves(browser).await);
        }
    }
    assert_eq!(node.users.reads(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_user_is_not_kept() {
    let world = World::new();
    let node = world.node();
    let login = LoginReference::new("1");
    assert!(node.leased.check_login(login).await.unwrap().is_none());
    // At another node.
    assert_eq!(log_in(&world.store, &subject("1")).await, "1");
    let check = node.leased.check_login(login).await.unwrap();
    assert_eq!(check.unwrap().user.id(), "1");
}

#[tokio::test(start_paused = true)]
async fn a_login_shows_the_user_as_they_are_now() {
    let world = World::new();
    let node = world.node();
    let mut profile = Profile::new(subject("1"));
    let id = log_in(&*node.leased, &profile.subject).await;
    let held = node.users.holds.prepare("read");
    let (leased, user_id) = (node.leased.clone(), id.clone());
    let slow = tokio::spawn(async move {
        let check = leased.check_login(LoginReference::new(&user_id)).await;
        check.map(drop).unwrap();
    });
    held.reached.await.unwrap();
    profile.first_name = Some("Alex".to_owned());
    node.leased.find_or_create(&profile).await.unwrap();
    held.go.send(()).unwrap();
    slow.await.unwrap();
    let check = node.leased.check_login(LoginReference::new(&id)).await;
    let user = check.unwrap().unwrap().user;
    assert_eq!(user.profile().name().unwrap(), "Alex");
}

#[tokio::test(start_paused = true)]
async fn the_clock_of_the_store_goes_on_while_it_is_kept() {
    let world = World::new();
    let node = world.node();
    let id = log_in(&*node.leased, &subject("1")).await;
    let login = LoginReference::new(&id);
    let now = async || node.leased.check_login(login).await.unwrap().unwrap().now;
    let first = now().await;
    pass(LEASE / 2).await;
    let half = i64::try_from((LEASE / 2).as_micros()).unwrap();
    assert_eq!(now().await.as_micros() - first.as_micros(), half);
    assert_eq!(node.users.reads(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_read_before_a_login_began_says_nothing_of_it() {
    let world = World::new();
    let node = world.node();
    let id = log_in(&*node.leased, &subject("1")).await;
    let login = LoginReference::new(&id);
    let now = node.leased.check_login(login).await.unwrap().unwrap().now;
    let check = async |login| node.leased.check_login(login).await.map(drop).unwrap();
    check(login.with_logged_in_at(now)).await;
    assert_eq!(node.users.reads(), 1);
    // At another node, by the clock of the store: it may have been set forward by far more than
    // the lease.
    let later = Timestamp::from_micros(now.as_micros() + 1);
    check(login.with_logged_in_at(later)).await;
    assert_eq!(node.users.reads(), 2);
}

#[tokio::test(start_paused = true)]
async fn no_more_is_kept_than_there_is_room_for() {
    const ROOM: usize = 100;
    const USERS: usize = 5_000;
    let world = World::new();
    let node = world.node_of(|users| Leased::new(users, LEASE).capacity(ROOM as u64));
    let mut ids = Vec::new();
    for number in 1..=USERS {
        ids.push(log_in(&world.store, &subject(&number.to_string())).await);
    }
    for _ in 0..2 {
        for id in &ids {
            let check = node.leased.check_login(LoginReference::new(id)).await;
            assert!(check.unwrap().is_some());
        }
    }
    assert_eq!(node.users.reads(), 2 * USERS, "the first are long gone");
    for _ in 0..10 {
        let check = node.leased.check_login(LoginReference::new("7")).await;
        assert!(check.unwrap().is_some());
    }
    assert_eq!(node.users.reads(), 2 * USERS + 1, "and the last is there");
}
