//! Clients that hang up in the middle: what has begun is done, and no store is left half-way.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use axum::{Router, http::Method};
use tower::ServiceExt as _;

use crate::support::{Jar, Pause, World, clock::MINUTE};

/// Sends a request and hangs up once it has come to `place`, which then goes on without it.
async fn hang_up(app: &Router, jar: &Jar, method: Method, path: &str, place: &Pause) {
    place.set();
    let answer = app.clone().oneshot(jar.request(method, path));
    tokio::select! {
        _ = answer => panic!("it is held"),
        () = place.reached() => {}
    }
    place.go();
}

/// Lets what is under way on this one thread go on until nothing can.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

fn count(number: &AtomicUsize) -> usize {
    number.load(SeqCst)
}

#[tokio::test]
async fn a_login_whose_client_hangs_up_is_noted_and_leaves_the_session_alone() {
    let world = World::new();
    let app = world.app(&world.layer());
    for place in [&world.provider.during_exchange, &world.users.before_log_in] {
        for before in [None, Some("67890")] {
            let mut jar = Jar::default();
            if let Some(person) = before {
                jar.log_in(&app, person).await;
            }
            let callback = jar.begin(&app, "12345").await;
            let (log_ins, calls) = (count(&world.users.log_ins), count(&world.sessions.calls));
            hang_up(&app, &jar, Method::GET, &callback, place).await;
            settle().await;
            assert_eq!(count(&world.users.log_ins), log_ins + 1, "it was noted");
            assert_eq!(
                count(&world.sessions.calls),
                calls,
                "no session was touched"
            );
            assert_eq!(jar.is_in(&app).await, before.is_some());

            // The state is burnt, and the next login works.
            let again = jar.get(&app, &callback).await;
            assert_eq!(again.status(), 403);
            jar.log_in(&app, "12345").await;
            assert!(jar.is_in(&app).await);
        }
    }
}

#[tokio::test]
async fn a_session_whose_client_hangs_up_is_written_and_is_nobodys() {
    let world = World::new();
    let app = world.app(&world.layer());
    let mut jar = Jar::default();
    let callback = jar.begin(&app, "12345").await;
    hang_up(
        &app,
        &jar,
        Method::GET,
        &callback,
        &world.sessions.before_write,
    )
    .await;
    settle().await;

    // It is whole; but its key is known to no browser, so that its id alone is worth nothing.
    let record = world.sessions.last_saved();
    assert!(record.data.contains_key("axum-clef.login"));
    jar.around.0 = format!("clef-session-9={}; ", record.id).into_bytes();
    assert!(!jar.is_in(&app).await);
    jar.around.0.clear();
    jar.log_in(&app, "12345").await;
    assert!(jar.is_in(&app).await);
}

#[tokio::test]
async fn a_session_that_a_login_replaces_is_gone_though_the_client_hangs_up() {
    let world = World::new();
    let app = world.app(&world.layer());
    let mut jar = Jar::default();
    jar.log_in(&app, "67890").await;
    let before = world.sessions.last_saved().id;
    let callback = jar.begin(&app, "12345").await;
    hang_up(
        &app,
        &jar,
        Method::GET,
        &callback,
        &world.sessions.before_write,
    )
    .await;
    settle().await;
    assert_eq!(world.sessions.inner.load(&before).await.unwrap(), None);
    assert!(!jar.is_in(&app).await);
    jar.log_in(&app, "12345").await;
    assert!(jar.is_in(&app).await);
}

#[tokio::test]
async fn a_sign_out_whose_client_hangs_up_is_done() {
    for everywhere in [false, true] {
        let world = World::new();
        let mut layer = world.layer();
        if everywhere {
            layer = layer.sign_out_everywhere();
        }
        let app = world.app(&layer);
        let mut places = vec![&world.sessions.before_write];
        if everywhere {
            places.push(&world.users.after_log_out);
        }
        for place in places {
            let (mut here, mut there) = (Jar::default(), Jar::default());
            there.log_in(&app, "12345").await;
            here.log_in(&app, "12345").await;
            let id = world.sessions.last_saved().id;
            hang_up(&app, &here, Method::POST, "/clef/sign-out", place).await;
            settle().await;
            assert_eq!(world.sessions.inner.load(&id).await.unwrap(), None);
            assert!(!here.is_in(&app).await);
            assert_eq!(there.is_in(&app).await, !everywhere);
        }
    }
}

#[tokio::test]
async fn a_renewal_whose_client_hangs_up_is_written() {
    let world = World::new();
    let app = world.app(&world.layer());
    let mut jar = Jar::default();
    jar.log_in(&app, "12345").await;
    world.clock.advance(120 * MINUTE);
    let seen = || world.sessions.last_saved().data["axum-clef.seen"].clone();
    let before = seen();
    hang_up(
        &app,
        &jar,
        Method::GET,
        "/account",
        &world.sessions.before_write,
    )
    .await;
    settle().await;
    assert_ne!(seen(), before);
    assert!(jar.is_in(&app).await);
}

#[tokio::test]
async fn a_session_that_a_handler_changed_is_saved_though_the_client_hangs_up() {
    let world = World::new();
    let app = world.app(&world.layer());
    let mut jar = Jar::default();
    jar.log_in(&app, "12345").await;
    hang_up(
        &app,
        &jar,
        Method::POST,
        "/cart",
        &world.sessions.before_write,
    )
    .await;
    settle().await;
    assert_eq!(world.sessions.last_saved().data["cart"], "a book");
}
