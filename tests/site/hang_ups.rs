//! Clients that hang up in the middle: what has begun is done, and no store is left half-way.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use axum::{Router, http::Method};
use tower::ServiceExt as _;

use crate::support::{Jar, Pause, World, clock::MINUTE, jar::location, record::login_in};

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
async fn a_login_whose_client_hangs_up_is_written_and_leaves_the_browser_alone() {
    let (world, app) = World::with_app();
    for place in [
        &world.provider.during_exchange,
        &world.users.before_find,
        &world.sessions.before_write,
    ] {
        let mut jar = Jar::default();
        let callback = jar.begin(&app, "12345").await;
        let log_ins = count(&world.users.log_ins);
        hang_up(&app, &jar, Method::GET, &callback, place).await;
        settle().await;
        assert_eq!(count(&world.users.log_ins), log_ins + 1, "it was noted");
        assert!(!jar.is_in(&app).await);

        // Its record is whole; but its secret is known to no browser.
        let record = world.sessions.last_saved();
        assert_eq!(login_in(&record)["user"], "1");
        let mut thief = Jar::default();
        thief.around.0 = format!("auth-9={}", record.id).into_bytes();
        assert!(!thief.is_in(&app).await);

        // The same request again shares the exchange, and begins a login of its own.
        let exchanges = count(&world.provider.exchanges);
        let again = jar.get(&app, &callback).await;
        assert_eq!(location(&again), "/account");
        assert!(jar.is_in(&app).await);
        assert_eq!(count(&world.provider.exchanges), exchanges);
    }
}

/// As with a client that stays: the browser has logged in anew, whatever it hears of it.
#[tokio::test]
async fn a_login_whose_client_hangs_up_ends_the_earlier_one() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let app = world.app_over(sessions);
        let mut jar = Jar::logged_in(&app, "67890").await;
        let callback = jar.begin(&app, "12345").await;
        hang_up(
            &app,
            &jar,
            Method::GET,
            &callback,
            &world.users.before_revoke,
        )
        .await;
        settle().await;
        assert!(!jar.is_in(&app).await, "{kind}");
        jar.log_in(&app, "12345").await;
        assert!(jar.is_in(&app).await, "{kind}");
    }
}

#[tokio::test]
async fn a_sign_out_whose_client_hangs_up_is_done() {
    for everywhere in [false, true] {
        for path in ["/auth/sign-out", "/leave"] {
            let world = World::new();
            let mut builder = world.builder();
            if everywhere {
                builder = builder.sign_out_everywhere();
            }
            let app = world.app_of(builder);
            let mut places = vec![&world.sessions.before_write, &world.users.before_revoke];
            let everywhere = everywhere && path == "/auth/sign-out";
            if everywhere {
                places.push(&world.users.after_log_out);
            }
            for place in places {
                let mut there = Jar::logged_in(&app, "12345").await;
                let mut here = Jar::logged_in(&app, "12345").await;
                let after_log_out = std::ptr::eq(place, &world.users.after_log_out);
                let id = world.sessions.last_saved().id;
                hang_up(&app, &here, Method::POST, path, place).await;
                settle().await;
                assert!(!here.is_in(&app).await, "{path}");
                assert_eq!(there.is_in(&app).await, !everywhere, "{path}");
                // The logout of the user ended the login already.
                if !after_log_out {
                    let record = world.sessions.inner.load(&id).await.unwrap();
                    assert_eq!(record, None, "{path}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_renewal_whose_client_hangs_up_is_written() {
    let (world, app) = World::with_app();
    let mut jar = Jar::logged_in(&app, "12345").await;
    let seen = || login_in(&world.sessions.last_saved())["seen"].clone();
    let before = seen();
    world.clock.advance(120 * MINUTE);
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
