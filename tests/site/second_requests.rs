//! A second request of the same login: a link that was pressed twice, a reload, the back button.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{Method, Response},
};
use tower::ServiceExt as _;

use crate::support::{
    Jar, World,
    jar::{location, set_cookies, text},
};

/// The request of a callback, sent in a task of its own.
fn sent(app: &Router, jar: &Jar, callback: &str) -> tokio::task::JoinHandle<Response<Body>> {
    let response = app.clone().oneshot(jar.request(Method::GET, callback));
    tokio::spawn(async move { response.await.unwrap() })
}

async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn two_callbacks_at_once_share_one_exchange_and_begin_two_logins() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let app = world.app_over(sessions);
        let before = world.provider.exchanges.load(SeqCst);
        let mut jar = Jar::default();
        let callback = jar.begin(&app, "12345").await;
        world.provider.during_exchange.set();
        let first = sent(&app, &jar, &callback);
        world.provider.during_exchange.reached().await;
        let second = sent(&app, &jar, &callback);
        settle().await;
        world.provider.during_exchange.go();
        let mut logins = Vec::new();
        for response in [first.await.unwrap(), second.await.unwrap()] {
            assert_eq!(location(&response), "/account", "{kind}");
            let mut jar = jar.clone();
            jar.take(response.headers());
            assert!(jar.is_in(&app).await, "{kind}");
            logins.push(jar);
        }
        assert_ne!(logins[0].cookies["auth-9"], logins[1].cookies["auth-9"]);
        assert_eq!(world.provider.exchanges.load(SeqCst), before + 1, "{kind}");
        // Each is its own: one signs out.
        logins[0].sign_out(&app).await;
        assert!(logins[1].is_in(&app).await, "{kind}");
    }
}

#[tokio::test]
async fn the_back_button_leads_on_at_every_node() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let [here, there] = [(); 2].map(|()| world.app_over(sessions.clone()));
        let before = world.provider.exchanges.load(SeqCst);
        let mut jar = Jar::default();
        let callback = jar.begin(&here, "12345").await;
        jar.get(&here, &callback).await;
        for app in [&here, &there, &here] {
            let again = jar.get(app, &callback).await;
            assert_eq!(again.status(), 303, "{kind}");
            assert_eq!(location(&again), "/account", "{kind}");
            assert!(jar.is_in(app).await, "{kind}");
        }
        assert_eq!(world.provider.exchanges.load(SeqCst), before + 1, "{kind}");
    }
}

#[tokio::test]
async fn without_a_younger_login_it_leads_to_the_start_once() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let [here, there] = [(); 2].map(|()| world.app_over(sessions.clone()));
        for older in [false, true] {
            for node in [&here, &there] {
                let mut jar = match older {
                    true => Jar::logged_in(&here, "12345").await,
                    false => Jar::default(),
                };
                let own = jar.cookies.get("auth-9").cloned();
                let callback = jar.begin(&here, "12345").await;
                jar.get(&here, &callback).await;
                let exchanges = world.provider.exchanges.load(SeqCst);
                jar.cookies.remove("auth-9");
                jar.cookies
                    .extend(own.map(|own| ("auth-9".to_owned(), own)));
                let again = jar.get(node, &callback).await;
                assert_eq!(location(&again), "/clef/login?next=%2Faccount", "{kind}");
                let again = jar.get(node, &callback).await;
                assert_eq!(again.status(), 403, "{kind}: no circle");
                assert_eq!(world.provider.exchanges.load(SeqCst), exchanges, "{kind}");
            }
        }
    }
}

/// The answer to the first was lost, so the browser still has the attempt.
#[tokio::test(start_paused = true)]
async fn an_exchange_is_shared_for_ten_seconds_and_not_repeated_after_it() {
    let world = World::new();
    for (seconds, shared) in [(0, true), (9, true), (10, false), (500, false)] {
        let app = world.app(&world.layer());
        let before = world.provider.exchanges.load(SeqCst);
        let mut jar = Jar::default();
        let callback = jar.begin(&app, "12345").await;
        jar.ask(&app, Method::GET, &callback).await;
        tokio::time::advance(Duration::from_secs(seconds)).await;
        let again = jar.get(&app, &callback).await;
        let leads_to = match shared {
            true => "/account",
            false => "/clef/login?next=%2Faccount",
        };
        assert_eq!(location(&again), leads_to, "{seconds}");
        assert_eq!(jar.is_in(&app).await, shared, "{seconds}");
        let exchanges = world.provider.exchanges.load(SeqCst);
        assert_eq!(exchanges, before + 1, "{seconds}");
    }
}

#[tokio::test]
async fn the_same_state_with_another_code_shares_nothing() {
    let (world, app) = World::with_app();
    let jar = Jar::default();
    let mut first = jar.clone();
    let callback = first.begin(&app, "12345").await;
    let mut second = first.clone();
    first.get(&app, &callback).await;
    let other = callback.replace("12345", "67890");
    let response = second.get(&app, &other).await;
    assert_eq!(location(&response), "/clef/login?next=%2Faccount");
    assert!(!second.is_in(&app).await);
    assert_eq!(world.provider.exchanges.load(SeqCst), 1);
}

#[tokio::test]
async fn a_late_request_does_not_undo_a_sign_out_or_a_logout() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let app = world.app_over(sessions);
        for everywhere in [false, true] {
            let mut jar = Jar::default();
            let callback = jar.begin(&app, "12345").await;
            let mut late = jar.clone();
            jar.get(&app, &callback).await;
            match everywhere {
                true => jar.post(&app, "/everywhere").await,
                false => jar.sign_out(&app).await,
            };
            let response = late.get(&app, &callback).await;
            assert_eq!(response.status(), 403, "{kind}");
            assert!(!late.is_in(&app).await, "{kind}");
        }
    }
}

/// The sign-out comes while the late request begins its login.
#[tokio::test]
async fn a_sign_out_wins_over_a_login_of_the_same_code_that_is_beginning() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        for late_is_first in [false, true] {
            let beginning = world.slow.clone();
            let hook = move |_, _| {
                let beginning = beginning.clone();
                async move {
                    beginning.here().await;
                    Ok(())
                }
            };
            let app = world.app_of(world.builder_over(sessions.clone()).on_login(hook));
            let mut jar = Jar::default();
            let callback = jar.begin(&app, "12345").await;
            let mut late = jar.clone();
            if !late_is_first {
                jar.get(&app, &callback).await;
            }
            let meanwhile = async {
                if late_is_first {
                    jar.get(&app, &callback).await;
                }
                assert!(jar.is_in(&app).await, "{kind}");
                jar.sign_out(&app).await;
            };
            let answer = late.get(&app, &callback);
            let (answer, ()) = world.slow.during(answer, meanwhile).await;
            assert_eq!(answer.status(), 403, "{kind}, {late_is_first}");
            assert!(!late.is_in(&app).await, "{kind}, {late_is_first}");
        }
    }
}

/// Such a store cannot end the second login with the first.
#[tokio::test]
async fn without_revocations_a_code_begins_one_login() {
    let world = World::new();
    world.users.no_revocations.store(true, SeqCst);
    let app = world.app(&world.layer());
    let mut jar = Jar::default();
    let callback = jar.begin(&app, "12345").await;
    let mut late = jar.clone();
    jar.get(&app, &callback).await;
    // The login is there, and so is the attempt as it was before.
    let mut again = late.clone();
    let login = jar.cookies["auth-9"].clone();
    again.cookies.insert("auth-9".to_owned(), login);
    let response = again.get(&app, &callback).await;
    assert_eq!(location(&response), "/account");
    jar.sign_out(&app).await;
    let response = late.get(&app, &callback).await;
    assert_eq!(location(&response), "/clef/login?next=%2Faccount");
    assert!(!late.is_in(&app).await);
    assert_eq!(world.provider.exchanges.load(SeqCst), 1);
}

#[tokio::test]
async fn a_browser_that_signs_out_is_as_it_was_before() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let app = world.app_over(sessions);
        let mut jar = Jar::default();
        let callback = jar.begin(&app, "12345").await;
        jar.get(&app, &callback).await;
        jar.sign_out(&app).await;
        assert_eq!(jar, Jar::default(), "{kind}");
        // So the back button does not log in again.
        assert_eq!(jar.get(&app, &callback).await.status(), 403, "{kind}");
    }
}

#[tokio::test]
async fn an_exchange_that_fails_has_failed_for_both_and_is_not_repeated() {
    let (world, app) = World::with_app();
    let mut jar = Jar::default();
    let callback = jar.begin(&app, "12345").await;
    let mut second = jar.clone();
    world.users.turning_away.store(true, SeqCst);
    let failed = jar.get(&app, &callback).await;
    assert_eq!(failed.status(), 403);
    let failed = second.get(&app, &callback).await;
    assert!(text(failed).await.contains("You cannot log in here"));
    assert_eq!(world.provider.exchanges.load(SeqCst), 1);
}

#[tokio::test]
async fn a_state_is_shared_by_eight_requests_at_the_most() {
    let (world, app) = World::with_app();
    let mut jar = Jar::default();
    let callback = jar.begin(&app, "12345").await;
    let mut begun = 0;
    for _ in 0..20 {
        let response = jar.ask(&app, Method::GET, &callback).await;
        let is_login = |cookie: &str| cookie.starts_with("auth-9=");
        begun += usize::from(set_cookies(response.headers()).any(is_login));
    }
    assert_eq!(begun, 8);
    assert_eq!(world.provider.exchanges.load(SeqCst), 1);
}
