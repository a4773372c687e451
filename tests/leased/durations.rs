//! How long a logout waits, and what is patient with it.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use axum_clef::{UserStore, leased::Leased};
use tokio::time::Instant;

use crate::world::{LEASE, Users, WAIT, World, in_time, pass};

const LONGEST: Duration = Leased::<Users>::LONGEST_LEASE;

#[tokio::test(start_paused = true)]
async fn the_store_says_how_long_it_waits_through_every_wrapping() {
    let world = World::new();
    let node = world.node();
    assert_eq!(node.leased.log_out_wait(), WAIT);
    let twice = Leased::new(node.leased.clone(), LEASE);
    assert_eq!(twice.log_out_wait(), WAIT * 2);
    let long = Leased::new(world.store.clone(), LONGEST * 100);
    assert!(long.log_out_wait() <= Duration::from_secs(4));
}

#[tokio::test(start_paused = true)]
async fn the_webhook_is_patient_with_the_longest_lease() {
    let world = World::new();
    let node = world.node_of(|users| Leased::new(users, LONGEST));
    node.browser_of("1").await;
    let began_at = Instant::now();
    assert_eq!(in_time(node.notice("1")).await.status, 200);
    assert!(began_at.elapsed() >= LONGEST);
    // An unknown subject is looked up twice.
    let began_at = Instant::now();
    assert_eq!(in_time(node.notice("2")).await.status, 404);
    assert!(began_at.elapsed() >= LONGEST * 2);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_takes_its_time_has_it_beside_the_wait() {
    let world = World::new();
    let node = world.node_of(|users| Leased::new(users, LONGEST));
    let browser = node.browser_of("1").await;
    let held = node.users.holds.prepare("write");
    let notice = node.notice("1");
    held.reached.await.unwrap();
    // Together longer than the five seconds that a store without a lease has.
    pass(Duration::from_millis(4_500)).await;
    held.go.send(()).unwrap();
    let began_at = Instant::now();
    assert_eq!(in_time(notice).await.status, 200);
    assert!(began_at.elapsed() < LONGEST * 2, "it was written once");
    assert!(!node.serves(&browser).await);
}

#[tokio::test(start_paused = true)]
async fn a_logout_that_fails_is_not_answered_for_the_lease() {
    let world = World::new();
    let node = world.node();
    let browser = node.browser_of("1").await;
    assert!(node.serves(&browser).await);
    node.users.failing.store(true, SeqCst);
    assert!(node.leased.log_out("1").await.is_err());
    assert_eq!(in_time(node.notice("1")).await.status, 503);
    assert!(!node.serves(&browser).await, "it is pending");
}
