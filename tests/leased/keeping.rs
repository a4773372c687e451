//! What is kept, for how long and for whom.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use axum_clef::{LoginReference, Profile, Timestamp, User as _, UserStore as _, leased::Leased};

use crate::world::{LEASE, MILLISECOND, World, pass, person, settle};

#[tokio::test(start_paused = true)]
async fn a_user_is_read_once_a_lease() {
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
async fn a_thousand_requests_for_one_cold_user_make_one_read() {
    let world = World::new();
    let node =
        world.node_of(|users| Leased::new(users, Leased::<crate::users::Users>::LONGEST_LEASE));
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
async fn a_read_that_fails_is_for_those_who_waited_for_it() {
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
async fn whoever_stops_waiting_for_a_read_does_not_stop_it_for_others() {
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
async fn nobody_is_not_kept() {
    let world = World::new();
    let node = world.node();
    let alex = person("1");
    let login = LoginReference::new("1", &alex);
    assert!(node.leased.standing(login).await.unwrap().is_none());
    // At another node.
    world
        .store
        .log_in(&Profile::new(alex.clone()))
        .await
        .unwrap();
    let standing = node.leased.standing(login).await.unwrap();
    assert_eq!(standing.unwrap().user.id(), "1");
}

#[tokio::test(start_paused = true)]
async fn a_login_shows_the_user_as_they_are_now() {
    let world = World::new();
    let node = world.node();
    let mut profile = Profile::new(person("1"));
    let user = node.leased.log_in(&profile).await.unwrap().unwrap();
    let (id, alex) = (user.id(), person("1"));
    let login = LoginReference::new(&id, &alex);
    let held = node.users.holds.prepare("read");
    let (leased, known) = (node.leased.clone(), id.clone());
    let slow = tokio::spawn(async move {
        let alex = person("1");
        leased
            .standing(LoginReference::new(&known, &alex))
            .await
            .unwrap();
    });
    held.reached.await.unwrap();
    profile.first_name = Some("Alex".to_owned());
    node.leased.log_in(&profile).await.unwrap();
    held.go.send(()).unwrap();
    slow.await.unwrap();
    let standing = node.leased.standing(login).await.unwrap().unwrap();
    assert_eq!(standing.user.profile().name().unwrap(), "Alex");
}

#[tokio::test(start_paused = true)]
async fn the_clock_of_the_store_goes_on_while_it_is_kept() {
    let world = World::new();
    let node = world.node();
    let alex = person("1");
    node.leased
        .log_in(&Profile::new(alex.clone()))
        .await
        .unwrap();
    let login = LoginReference::new("1", &alex);
    let now = async || node.leased.standing(login).await.unwrap().unwrap().now;
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
    let alex = person("1");
    node.leased
        .log_in(&Profile::new(alex.clone()))
        .await
        .unwrap();
    let login = LoginReference::new("1", &alex);
    let now = node.leased.standing(login).await.unwrap().unwrap().now;
    node.leased.standing(login.begun_at(now)).await.unwrap();
    assert_eq!(node.users.reads(), 1);
    // At another node, which the clock of the store told so: it may have been set forward by far
    // more than the lease.
    let later = Timestamp::from_micros(now.as_micros() + 1);
    node.leased.standing(login.begun_at(later)).await.unwrap();
    assert_eq!(node.users.reads(), 2);
}

#[tokio::test(start_paused = true)]
async fn no_more_is_kept_than_there_is_room_for() {
    const ROOM: usize = 100;
    const PEOPLE: usize = 5_000;
    let world = World::new();
    let node = world.node_of(|users| Leased::new(users, LEASE).capacity(ROOM as u64));
    let people: Vec<_> = (1..=PEOPLE).map(|id| person(&id.to_string())).collect();
    for alex in &people {
        world
            .store
            .log_in(&Profile::new(alex.clone()))
            .await
            .unwrap();
    }
    for _ in 0..2 {
        for (index, alex) in people.iter().enumerate() {
            let id = (index + 1).to_string();
            let login = LoginReference::new(&id, alex);
            assert!(node.leased.standing(login).await.unwrap().is_some());
        }
    }
    assert_eq!(node.users.reads(), 2 * PEOPLE, "the first are long gone");
    for _ in 0..10 {
        let login = LoginReference::new("7", &people[6]);
        node.leased.standing(login).await.unwrap();
    }
    assert_eq!(node.users.reads(), 2 * PEOPLE + 1, "and the last is there");
}
