//! No resurrection: what runs late brings no login back and overwrites no newer one.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{Method, Response},
};
use tokio::task::JoinHandle;

use crate::support::{
    Jar, Pause, World,
    clock::MINUTE,
    jar::{notice, set_cookie, set_cookies},
};

/// Two nodes of one site.
fn nodes(world: &World, kind: &str) -> [Router; 2] {
    let sessions = || match kind {
        "stored" => world.stored(),
        _ => world.sealed(),
    };
    [world.app_over(sessions()), world.app_over(sessions())]
}

const KINDS: [&str; 2] = ["stored", "sealed"];

/// What ends a login, or takes its place.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Event {
    SignOut,
    OwnSignOut,
    Logout,
    SameUser,
    OtherUser,
}

const EVENTS: [Event; 5] = [
    Event::SignOut,
    Event::OwnSignOut,
    Event::Logout,
    Event::SameUser,
    Event::OtherUser,
];

impl Event {
    /// The answer to the browser. A logout has none.
    async fn happens(self, jar: &Jar, app: &Router) -> Option<Response<Body>> {
        let person = match self {
            Self::SignOut => return Some(jar.ask(app, Method::POST, "/auth/sign-out").await),
            Self::OwnSignOut => return Some(jar.ask(app, Method::POST, "/leave").await),
            Self::Logout => {
                assert_eq!(notice(app, "token:12345").await, 200);
                return None;
            }
            Self::SameUser => "12345",
            Self::OtherUser => "67890",
        };
        let mut jar = jar.clone();
        let callback = jar.begin(app, person).await;
        Some(jar.ask(app, Method::GET, &callback).await)
    }

    /// The user of the browser once it has happened.
    fn user(self) -> Option<&'static str> {
        match self {
            Self::SignOut | Self::OwnSignOut | Self::Logout => None,
            Self::SameUser => Some("12345"),
            Self::OtherUser => Some("67890"),
        }
    }
}

/// Sends a request that is held at a place.
async fn held(app: &Router, jar: &Jar, path: &str, at: &Pause) -> JoinHandle<Response<Body>> {
    at.set();
    let (app, jar, path) = (app.clone(), jar.clone(), path.to_owned());
    let request = tokio::spawn(async move { jar.ask(&app, Method::GET, &path).await });
    at.reached().await;
    request
}

#[tokio::test]
async fn a_sign_out_ends_every_copy_of_the_cookie_at_every_node() {
    for kind in KINDS {
        for event in [Event::SignOut, Event::OwnSignOut] {
            let world = World::new();
            let [here, there] = nodes(&world, kind);
            let mut jar = Jar::logged_in(&here, "12345").await;
            let mut elsewhere = Jar::logged_in(&there, "12345").await;
            let mut copy = jar.clone();
            let answer = event.happens(&jar, &here).await.unwrap();
            jar.take(answer.headers());
            assert_eq!(jar, Jar::default(), "the browser is as it was before");
            for app in [&here, &there] {
                assert!(!copy.is_in(app).await, "{kind} {event:?}");
                assert!(elsewhere.is_in(app).await, "{kind} {event:?}");
            }
            assert_eq!(copy.sign_out(&there).await.status(), 303, "once more");
        }
    }
}

#[tokio::test]
async fn a_login_ends_the_one_that_came_with_its_request() {
    for kind in KINDS {
        for event in [Event::SameUser, Event::OtherUser] {
            let world = World::new();
            let [here, there] = nodes(&world, kind);
            let mut jar = Jar::logged_in(&here, "12345").await;
            let mut elsewhere = Jar::logged_in(&there, "12345").await;
            let mut copy = jar.clone();
            let answer = event.happens(&jar, &there).await.unwrap();
            jar.take(answer.headers());
            for app in [&here, &there] {
                assert!(!copy.is_in(app).await, "{kind} {event:?}");
                assert_eq!(jar.user(app).await.as_deref(), event.user());
                assert!(elsewhere.is_in(app).await);
            }
            assert_ne!(jar.cookies["auth-9"], copy.cookies["auth-9"]);
        }
    }
}

/// The store would take any record back.
#[tokio::test]
async fn a_renewal_between_load_and_save_brings_nothing_back() {
    for event in EVENTS {
        for at_save in [false, true] {
            let world = World::new();
            let [here, there] = nodes(&world, "stored");
            let mut jar = Jar::logged_in(&here, "12345").await;
            let copy = jar.clone();
            world.clock.advance(120 * MINUTE);
            let place = match at_save {
                true => &world.sessions.before_write,
                false => &world.sessions.after_load,
            };
            let renewal = held(&there, &jar, "/account", place).await;
            let answer = event.happens(&jar, &here).await;
            if let Some(answer) = &answer {
                jar.take(answer.headers());
            }
            let record = world.sessions.last_saved();
            place.go();
            let late = renewal.await.unwrap();
            // The user was authenticated when the request came to the store.
            let case = format!("{event:?} {at_save}");
            let expected = if at_save { 200 } else { 401 };
            assert_eq!(late.status(), expected, "{case}");
            assert_eq!(set_cookies(late.headers()).next(), None, "{case}");
            jar.take(late.headers());
            for app in [&here, &there] {
                assert!(!copy.clone().is_in(app).await, "{case}");
                assert_eq!(jar.user(app).await.as_deref(), event.user(), "{case}");
            }
            if event.user().is_some() {
                let stored = world.sessions.inner.load(&record.id).await.unwrap();
                assert_eq!(stored.unwrap(), record, "the newer one is as it was");
            }
        }
    }
}

/// Answers may overtake each other on their way to the browser.
#[tokio::test]
async fn answers_in_any_order_bring_nothing_back_and_overwrite_nothing() {
    for kind in KINDS {
        for event in EVENTS {
            for order in [
                [0, 1, 2],
                [0, 2, 1],
                [1, 0, 2],
                [1, 2, 0],
                [2, 0, 1],
                [2, 1, 0],
            ] {
                let world = World::new();
                let [here, there] = nodes(&world, kind);
                let mut jar = Jar::logged_in(&here, "12345").await;
                let copy = jar.clone();
                world.clock.advance(120 * MINUTE);
                // Two requests with the old login whose renewal is due, and what comes then.
                let renewed = jar.ask(&here, Method::GET, "/account").await;
                let in_flight = held(&there, &jar, "/slow", &world.slow).await;
                let answer = event.happens(&jar, &here).await;
                world.slow.go();
                let answers = [Some(renewed), Some(in_flight.await.unwrap()), answer];
                for answer in order.map(|index| &answers[index]).into_iter().flatten() {
                    jar.take(answer.headers());
                }
                let case = format!("{kind} {event:?} {order:?}");
                for app in [&here, &there] {
                    assert_eq!(jar.user(app).await.as_deref(), event.user(), "{case}");
                    assert!(!copy.clone().is_in(app).await, "{case}");
                }
                // And the newer login goes idle by its own use.
                world.clock.advance(23 * 60 * MINUTE);
                assert_eq!(jar.user(&there).await.as_deref(), event.user(), "{case}");
                assert!(!copy.clone().is_in(&here).await, "{case}");
            }
        }
    }
}

#[tokio::test]
async fn a_login_in_flight_behind_a_sign_out_ends_the_earlier_one_and_no_other() {
    for kind in KINDS {
        let world = World::new();
        let [here, there] = nodes(&world, kind);
        let mut jar = Jar::logged_in(&here, "12345").await;
        let copy = jar.clone();
        let callback = jar.begin(&here, "67890").await;
        let login = held(&there, &jar, &callback, &world.provider.during_exchange).await;
        let signed_out = jar.ask(&here, Method::POST, "/auth/sign-out").await;
        world.provider.during_exchange.go();
        let login = login.await.unwrap();
        assert_eq!(login.status(), 303);
        jar.take(signed_out.headers());
        jar.take(login.headers());
        assert_eq!(jar.user(&here).await.as_deref(), Some("67890"), "{kind}");
        assert!(!copy.clone().is_in(&here).await, "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_sign_out_that_the_store_does_not_take_yet_holds_at_this_node_at_once() {
    for kind in KINDS {
        let world = World::new();
        let [here, there] = nodes(&world, kind);
        let mut jar = Jar::logged_in(&here, "12345").await;
        let mut other = Jar::logged_in(&here, "12345").await;
        let mut copy = jar.clone();
        world.users.revoke_fails.store(true, SeqCst);
        let response = jar.sign_out(&here).await;
        assert_eq!(response.status(), 503, "{kind}");
        assert_eq!(jar, Jar::default(), "the browser is signed out");
        assert!(!copy.is_in(&here).await, "{kind}");
        assert!(other.is_in(&here).await, "another login of the user");
        world.users.revoke_fails.store(false, SeqCst);
        tokio::time::sleep(std::time::Duration::from_secs(10)).await;
        for app in [&here, &there] {
            assert!(!copy.is_in(app).await, "{kind}");
            assert!(other.is_in(app).await, "{kind}");
        }
    }
}

#[tokio::test]
async fn a_sign_out_that_is_being_written_is_refused_meanwhile() {
    for kind in KINDS {
        let world = World::new();
        let [here, _] = nodes(&world, kind);
        let jar = Jar::logged_in(&here, "12345").await;
        world.users.before_revoke.set();
        let signing_out = tokio::spawn({
            let (app, mut jar) = (here.clone(), jar.clone());
            async move { jar.sign_out(&app).await.status() }
        });
        world.users.before_revoke.reached().await;
        assert!(!jar.clone().is_in(&here).await, "{kind}");
        world.users.before_revoke.go();
        assert_eq!(signing_out.await.unwrap(), 303);
        assert!(!jar.clone().is_in(&here).await, "{kind}");
    }
}

/// The documented limit of such a store: a copy in use at that moment may live on.
#[tokio::test]
async fn without_revocations_a_sign_out_deletes_the_record() {
    let world = World::new();
    world.users.no_revocations.store(true, SeqCst);
    let [here, there] = nodes(&world, "stored");
    let mut jar = Jar::logged_in(&here, "12345").await;
    let mut copy = jar.clone();
    let id = world.sessions.last_saved().id;
    assert_eq!(jar.sign_out(&here).await.status(), 303);
    assert_eq!(world.sessions.inner.load(&id).await.unwrap(), None);
    for app in [&here, &there] {
        assert!(!copy.is_in(app).await);
    }
}

#[tokio::test]
async fn a_record_that_cannot_be_deleted_is_ended_all_the_same() {
    let world = World::new();
    let [here, there] = nodes(&world, "stored");
    let mut jar = Jar::logged_in(&here, "12345").await;
    let mut copy = jar.clone();
    world.sessions.deletes_fail.store(true, SeqCst);
    assert_eq!(jar.sign_out(&here).await.status(), 303);
    for app in [&here, &there] {
        assert!(!copy.is_in(app).await);
    }
    // Without revocations it is not, and the answer says so.
    world.users.no_revocations.store(true, SeqCst);
    let mut jar = Jar::logged_in(&here, "12345").await;
    let response = jar.sign_out(&here).await;
    assert_eq!(response.status(), 503);
    assert!(
        set_cookie(response.headers(), "auth-9").is_some(),
        "it is removed"
    );
}

#[tokio::test(start_paused = true)]
async fn a_check_that_answers_just_in_time_is_none_the_later_for_its_renewal() {
    let (world, app) = World::with_app();
    let jar = Jar::logged_in(&app, "12345").await;
    world.clock.advance(120 * MINUTE);
    world.sessions.before_write.set();
    let request = held(&app, &jar, "/account", &world.sessions.after_load).await;
    tokio::time::sleep(Duration::from_millis(9_500)).await;
    world.sessions.after_load.go();
    assert_eq!(request.await.unwrap().status(), 200);
    world.sessions.before_write.go();
}

#[tokio::test(start_paused = true)]
async fn a_login_waits_for_the_ends_of_earlier_ones_at_once() {
    let world = World::new();
    let site = "http://127.0.0.1:9";
    let app = world.app_of(world.builder_at(site, world.sealed()));
    let logins = [
        Jar::logged_in(&app, "12345").await,
        Jar::logged_in(&app, "12345").await,
        Jar::logged_in(&app, "12345").await,
    ];
    let mut jar = Jar::default();
    let callback = jar.begin(&app, "12345").await;
    let earlier = logins.map(|jar| format!("auth-9={}; ", jar.cookies["auth-9"]));
    jar.around.0 = earlier.concat().into_bytes();
    world.users.revoke_fails.store(true, SeqCst);
    let begun_at = tokio::time::Instant::now();
    assert_eq!(jar.get(&app, &callback).await.status(), 303);
    assert!(begun_at.elapsed() < Duration::from_millis(1_500));
}
