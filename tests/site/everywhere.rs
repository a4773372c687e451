//! The setting that makes a sign-out a logout everywhere.

use std::sync::atomic::Ordering::SeqCst;

use axum::{
    Router,
    body::Body,
    http::{Method, Request, Response},
};
use axum_clef::Sessions;
use tower::ServiceExt as _;

use crate::support::{
    Jar, World,
    clock::MINUTE,
    jar::{location, notice, text},
    provider::ISSUER,
};

fn app(world: &World, sessions: &Sessions) -> Router {
    let builder = world.builder_over(sessions.clone());
    world.app_of(builder.sign_out_everywhere())
}

/// The answer says that the browser is not signed out, and that it can try again.
async fn assert_not_signed_out(response: Response<Body>) {
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "5");
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert!(!response.headers().contains_key("set-cookie"));
    let text = text(response).await;
    assert!(text.contains("You are not signed out yet"), "{text}");
    let again = r#"<form method="post" action="/auth/sign-out">"#;
    assert!(text.contains(again), "{text}");
}

async fn assert_signed_out(jar: &mut Jar, app: &Router) {
    let response = jar.sign_out(app).await;
    assert_eq!(response.status(), 303);
    assert_eq!(location(&response), "/");
    assert_eq!(*jar, Jar::default());
}

#[tokio::test]
async fn a_sign_out_ends_every_login_of_the_user_copied_ones_too() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let (here, there) = (app(&world, &sessions), app(&world, &sessions));
        let mut jar = Jar::logged_in(&here, "12345").await;
        let (mut copy, mut elsewhere) = (jar.clone(), Jar::logged_in(&there, "12345").await);
        let mut other = Jar::logged_in(&here, "67890").await;
        assert_signed_out(&mut jar, &here).await;
        for app in [&here, &there] {
            assert!(!copy.is_in(app).await, "{kind}");
            assert!(!elsewhere.is_in(app).await, "{kind}");
        }
        assert!(other.is_in(&here).await, "{kind}");
        jar.log_in(&here, "12345").await;
        assert!(jar.is_in(&there).await, "{kind}");
    }
}

/// The check of that request renews the login.
#[tokio::test]
async fn a_sign_out_whose_login_is_due_for_a_renewal_removes_its_cookies() {
    let world = World::new();
    for (_, sessions) in world.both() {
        let app = app(&world, &sessions);
        let mut jar = Jar::logged_in(&app, "12345").await;
        world.clock.advance(120 * MINUTE);
        assert_signed_out(&mut jar, &app).await;
    }
}

#[tokio::test]
async fn a_login_that_has_ended_ends_no_other() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let app = app(&world, &sessions);
        let mut old = Jar::logged_in(&app, "12345").await;
        assert_eq!(notice(&app, &format!("token:12345:{kind}")).await, 200);
        let mut new = Jar::logged_in(&app, "12345").await;
        let log_outs = world.users.log_outs.load(SeqCst);
        let mut forged = new.clone();
        forged.cookies.get_mut("auth-9").unwrap().push('A');
        for jar in [&mut old, &mut forged, &mut Jar::default()] {
            assert_signed_out(jar, &app).await;
        }
        let mut foreign: Request<Body> = new.request(Method::POST, "/auth/sign-out");
        let cross_site = "cross-site".parse().unwrap();
        foreign.headers_mut().insert("sec-fetch-site", cross_site);
        assert_eq!(app.clone().oneshot(foreign).await.unwrap().status(), 403);
        assert_eq!(world.users.log_outs.load(SeqCst), log_outs, "{kind}");
        assert!(new.is_in(&app).await, "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_logout_that_is_not_written_yet_is_no_sign_out() {
    for kind in [0, 1] {
        let world = World::new();
        let (_, sessions) = &world.both()[kind];
        let builder = world.builder_over(sessions.clone()).sign_out_everywhere();
        let layer = builder.build().unwrap();
        let (here, there) = (world.app(&layer), app(&world, sessions));
        world.provider.signs_out.store(true, SeqCst);
        let mut jar = Jar::logged_in(&here, "12345").await;
        let mut copy = jar.clone();

        world.users.log_out_fails.store(true, SeqCst);
        assert_not_signed_out(jar.sign_out(&here).await).await;
        assert_eq!(layer.pending_logouts(), 1);
        // This node refuses the user; another node does not know, so they are not signed out.
        assert!(!jar.is_in(&here).await);
        assert!(copy.is_in(&there).await);
        assert_not_signed_out(jar.sign_out(&here).await).await;
        assert_eq!(layer.pending_logouts(), 1, "one is enough");
        assert_not_signed_out(jar.clone().sign_out(&there).await).await;

        world.users.log_out_fails.store(false, SeqCst);
        tokio::time::sleep(std::time::Duration::from_secs(10)).await;
        assert_eq!(layer.pending_logouts(), 0, "it is written at last");
        assert!(!copy.is_in(&there).await);
        // The way goes on where it would have.
        let response = jar.sign_out(&here).await;
        assert_eq!(response.status(), 303);
        assert!(location(&response).starts_with(&format!("{ISSUER}/sign-out?")));
        assert_eq!(jar.names(), ["auth-9-sign-out"]);
    }
}

#[tokio::test(start_paused = true)]
async fn two_sign_outs_at_once_are_one_logout_and_both_succeed() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let app = app(&world, &sessions);
        let mut jar = Jar::logged_in(&app, "12345").await;
        let log_outs = world.users.log_outs.load(SeqCst);
        let sign_out = |mut jar: Jar| {
            let app = app.clone();
            tokio::spawn(async move { (jar.sign_out(&app).await.status(), jar) })
        };
        world.users.before_log_out.set();
        let first = sign_out(jar.clone());
        world.users.before_log_out.reached().await;
        let second = sign_out(jar.clone());
        // So far that it waits too, and no idle moment in which the time goes on.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(!second.is_finished());
        world.users.before_log_out.go();
        for signed_out in [first, second] {
            let (status, jar) = signed_out.await.unwrap();
            assert_eq!((status.as_u16(), jar), (303, Jar::default()), "{kind}");
        }
        assert_eq!(world.users.log_outs.load(SeqCst), log_outs + 1, "{kind}");
        assert!(!jar.is_in(&app).await, "{kind}");
    }
}

#[tokio::test]
async fn a_login_that_cannot_be_checked_is_not_signed_out() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let app = app(&world, &sessions);
        let mut jar = Jar::logged_in(&app, "12345").await;
        let log_outs = world.users.log_outs.load(SeqCst);
        for failing in [&world.users.failing, &world.sessions.failing] {
            if kind == "sealed" && std::ptr::eq(failing, &world.sessions.failing) {
                continue;
            }
            failing.store(true, SeqCst);
            assert_not_signed_out(jar.sign_out(&app).await).await;
            failing.store(false, SeqCst);
            assert!(jar.is_in(&app).await, "{kind}");
        }
        assert_eq!(world.users.log_outs.load(SeqCst), log_outs);
        assert_signed_out(&mut jar, &app).await;
        assert_eq!(world.users.log_outs.load(SeqCst), log_outs + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn where_too_many_logouts_wait_nothing_is_done() {
    for everywhere in [true, false] {
        let world = World::new();
        let mut builder = world.builder_over(world.sealed()).pending_logout_limit(1);
        if everywhere {
            builder = builder.sign_out_everywhere();
        }
        let layer = builder.build().unwrap();
        let app = world.app(&layer);
        let mut jar = Jar::logged_in(&app, "12345").await;
        Jar::logged_in(&app, "67890").await;
        world.users.log_out_fails.store(true, SeqCst);
        assert!(layer.logouts().log_out_user("2").await.is_err());
        let before = jar.clone();
        assert_not_signed_out(jar.sign_out(&app).await).await;
        assert_eq!(jar, before, "to try again with");
        assert!(jar.is_in(&app).await);
    }
}
