//! Signing out, by the ready route and in a handler, and forms of other sites.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{
    Router,
    http::request::Parts,
    routing::{get, post},
};
use axum_clef::{
    ClefLayerBuilder, LoggedIn, Login, LogoutSignal, Logouts, SameOrigin, SignOut, stores::Account,
};
use reqwest::header::CONTENT_TYPE;

use crate::support::{
    Browser, Jar, TestUsers, World,
    browser::{bystander, location},
    clock::{MINUTE, SECOND},
    jar::{notice, text},
};

/// Counts the calls of `on_sign_out`.
fn counted(
    builder: ClefLayerBuilder<TestUsers>,
) -> (ClefLayerBuilder<TestUsers>, Arc<AtomicUsize>) {
    let calls = Arc::<AtomicUsize>::default();
    let counter = Arc::clone(&calls);
    let builder = builder.on_sign_out(move |_: Parts, _: Login| {
        counter.fetch_add(1, SeqCst);
        async { Ok(()) }
    });
    (builder, calls)
}

#[tokio::test]
async fn a_page_of_another_site_cannot_sign_a_user_out() {
    let world = World::new();
    let (node, browser) = bystander(&world).await;
    for (header, value) in [
        ("origin", "https://evil.example"),
        ("origin", "http://127.0.0.1:10"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let request = browser.post(&node, "/auth/sign-out").header(header, value);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 403, "{header}: {value}");
        assert!(browser.is_in(&node).await);
    }
    assert_eq!(browser.status(&node, "/auth/sign-out").await, 405, "GET");
    let both = browser
        .post(&node, "/auth/sign-out")
        .header("origin", "https://evil.example")
        .header("sec-fetch-site", "same-origin");
    assert_eq!(both.send().await.unwrap().status(), 403);
    assert!(browser.is_in(&node).await);
}

#[tokio::test]
async fn a_page_of_another_origin_cannot_send_a_form_here() {
    let world = World::new();
    let (node, browser) = bystander(&world).await;
    let own = ("origin", World::SITE);
    let calls = world.sessions.calls.load(SeqCst);
    for headers in [
        &[("origin", "https://evil.example")][..],
        &[
            ("origin", "http://127.0.0.1:10"),
            ("sec-fetch-site", "same-site"),
        ],
        &[("origin", "null")],
        &[("sec-fetch-site", "same-site")],
        &[own, ("sec-fetch-site", "cross-site")],
        &[own, ("origin", "https://evil.example")],
    ] {
        for request in [
            browser.post(&node, "/same-origin"),
            browser.get(&node, "/same-origin"),
        ] {
            let request = headers.iter().fold(request, |request, (name, value)| {
                request.header(*name, *value)
            });
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), 403, "{headers:?}");
            assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
            assert_eq!(response.headers()["cache-control"], "no-store");
        }
    }
    assert_eq!(world.sessions.calls.load(SeqCst), calls, "nothing is asked");
    for headers in [
        &[][..],
        &[own],
        &[own, ("sec-fetch-site", "same-origin")],
        &[("origin", "null"), ("sec-fetch-site", "same-origin")],
    ] {
        let request = browser.post(&node, "/same-origin");
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        });
        assert_eq!(request.send().await.unwrap().status(), 200, "{headers:?}");
    }
}

#[tokio::test]
async fn the_origin_cannot_be_checked_outside_of_the_layer() {
    let world = World::new();
    let app = Router::new().route("/", post(|_: SameOrigin| async {}));
    let node = world.serve(app, world.layer()).await;
    let response = Browser::new().post(&node, "/").send().await.unwrap();
    assert_eq!(response.status(), 500);
    assert!(response.text().await.unwrap().contains("ClefLayer"));
}

#[tokio::test]
async fn signing_out_ends_this_device_and_no_other() {
    let (_, node) = World::with_node().await;
    let (here, there) = (Browser::new(), Browser::new());
    here.log_in(&node, "12345").await;
    there.log_in(&node, "12345").await;
    let copied = here.cookies(&node);
    let response = here
        .post(&node, "/auth/sign-out")
        .header("origin", World::SITE)
        .header("sec-fetch-site", "same-origin")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 303);
    assert_eq!(location(&response), "/");
    assert!(!here.is_in(&node).await);
    assert_eq!(here.cookies(&node), "", "the browser is as it was before");
    assert!(there.is_in(&node).await);

    // A copy of the cookies is worth nothing either: the session is gone.
    let request = reqwest::Client::new().get(node.url("/account"));
    let response = request.header("cookie", copied).send().await.unwrap();
    assert_eq!(response.status(), 401);

    let response = here.post(&node, "/auth/sign-out").send().await.unwrap();
    assert_eq!(response.status(), 303, "once more does no harm");

    // From a page of our own with `Referrer-Policy: no-referrer`.
    let request = there.post(&node, "/auth/sign-out").header("origin", "null");
    let response = request.header("sec-fetch-site", "same-origin").send();
    assert_eq!(response.await.unwrap().status(), 303);
    assert!(!there.is_in(&node).await);
}

#[tokio::test]
async fn signing_out_while_the_store_is_down_still_ends_this_browser() {
    let (world, node, browser) = World::logged_in("12345").await;
    world.sessions.failing.store(true, SeqCst);
    let response = browser.post(&node, "/auth/sign-out").send().await.unwrap();
    assert_eq!(response.status(), 503);
    world.sessions.failing.store(false, SeqCst);
    assert!(!browser.is_in(&node).await);
}

#[tokio::test]
async fn a_handler_signs_out_this_device_and_no_other() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let app = world.app_over(sessions);
        let mut here = Jar::logged_in(&app, "12345").await;
        let mut there = Jar::logged_in(&app, "12345").await;
        let mut copy = here.clone();
        let response = here.post(&app, "/leave").await;
        assert_eq!(text(response).await, "goodbye");
        assert_eq!(here, Jar::default(), "{kind}");
        assert!(!copy.is_in(&app).await, "{kind}");
        assert!(there.is_in(&app).await, "{kind}");
        // Without a login there is nothing to end.
        assert_eq!(here.post(&app, "/leave").await.status(), 200);
    }
}

#[tokio::test(start_paused = true)]
async fn a_sign_out_of_a_handler_that_a_store_does_not_take_is_503() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let app = world.app_over(sessions);
        let mut jar = Jar::logged_in(&app, "12345").await;
        let mut copy = jar.clone();
        world.users.failing.store(true, SeqCst);
        let response = jar.post(&app, "/leave").await;
        assert_eq!(response.status(), 503, "{kind}");
        assert_eq!(response.headers()["retry-after"], "5");
        assert_eq!(response.headers()["cache-control"], "no-store");
        world.users.failing.store(false, SeqCst);
        assert_eq!(jar, Jar::default(), "the browser is signed out");
        assert!(!copy.is_in(&app).await, "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_hook_runs_once_a_slow_store_has_taken_the_sign_out() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        for path in ["/auth/sign-out", "/leave"] {
            let (builder, calls) = counted(world.builder_over(sessions.clone()));
            let app = world.app_of(builder);
            let mut jar = Jar::logged_in(&app, "12345").await;
            world.users.before_revoke.set();
            assert_eq!(jar.post(&app, path).await.status(), 503, "{kind}");
            assert_eq!(jar, Jar::default(), "{kind}");
            assert_eq!(calls.load(SeqCst), 0, "not before it has ended");
            world.users.before_revoke.go();
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert_eq!(calls.load(SeqCst), 1, "{kind} {path}");
        }
    }
}

#[tokio::test]
async fn the_hook_runs_where_the_record_cannot_be_deleted() {
    let world = World::new();
    world.users.no_revocations.store(true, SeqCst);
    let (builder, calls) = counted(world.builder());
    let app = world.app_of(builder);
    let mut jar = Jar::logged_in(&app, "12345").await;
    world.sessions.deletes_fail.store(true, SeqCst);
    assert_eq!(jar.sign_out(&app).await.status(), 503);
    assert_eq!(jar, Jar::default());
    assert_eq!(calls.load(SeqCst), 1);
}

#[tokio::test]
async fn a_login_that_has_ended_is_not_signed_out_again() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let (builder, calls) = counted(world.builder_over(sessions));
        let app = world.app_of(builder);
        let mut jar = Jar::logged_in(&app, "12345").await;
        let mut copy = jar.clone();
        assert_eq!(jar.sign_out(&app).await.status(), 303);
        assert_eq!(calls.load(SeqCst), 1, "{kind}");
        assert_eq!(copy.sign_out(&app).await.status(), 303);
        assert_eq!(copy, Jar::default(), "its cookies are removed");
        assert_eq!(calls.load(SeqCst), 1, "{kind}");

        let mut jar = Jar::logged_in(&app, "12345").await;
        assert_eq!(notice(&app, &format!("token:12345:{kind}")).await, 200);
        // Until then, the login may have a newer cookie.
        world.clock.advance(MINUTE + SECOND);
        // Its record is deleted all the same, for a copy of the cookie.
        world.sessions.deletes_fail.store(true, SeqCst);
        let status = if kind == "stored" { 503 } else { 303 };
        assert_eq!(jar.clone().sign_out(&app).await.status(), status, "{kind}");
        world.sessions.deletes_fail.store(false, SeqCst);
        assert_eq!(jar.sign_out(&app).await.status(), 303);
        assert_eq!(jar, Jar::default());
        assert_eq!(calls.load(SeqCst), 1, "{kind}");
    }
}

/// The handler has seen the login, which ends with this request.
#[tokio::test]
async fn a_handler_that_logs_everyone_out_signs_its_browser_out_too() {
    async fn everyone(_: LoggedIn<Account>, logouts: Logouts, sign_out: SignOut) {
        logouts.log_out_everyone().await.unwrap();
        sign_out.end().await.unwrap();
    }
    let world = World::new();
    for (kind, sessions) in world.both() {
        let (builder, calls) = counted(world.builder_over(sessions));
        let layer = builder.build().unwrap();
        let app = world.pages(layer.routes());
        let app = app.route("/everyone", post(everyone)).layer(layer);
        let mut jar = Jar::logged_in(&app, "12345").await;
        assert_eq!(jar.post(&app, "/everyone").await.status(), 200);
        assert_eq!(jar, Jar::default());
        assert_eq!(calls.load(SeqCst), 1, "{kind}");
    }
}

#[tokio::test]
async fn the_hook_runs_at_a_sign_out_everywhere() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let builder = world.builder_over(sessions).sign_out_everywhere();
        let (builder, calls) = counted(builder);
        let app = world.app_of(builder);
        let mut jar = Jar::logged_in(&app, "12345").await;
        assert_eq!(jar.sign_out(&app).await.status(), 303);
        assert_eq!(calls.load(SeqCst), 1, "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_sign_out_that_a_store_does_not_take_says_that_this_browser_is_signed_out() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let app = world.app_over(sessions);
        let mut jar = Jar::logged_in(&app, "12345").await;
        world.users.failing.store(true, SeqCst);
        let response = jar.sign_out(&app).await;
        world.users.failing.store(false, SeqCst);
        assert_eq!(response.status(), 503, "{kind}");
        let page = text(response).await;
        assert!(
            page.contains("You are signed out in this browser"),
            "{page}"
        );
        assert!(!page.contains("/clef/login"), "{page}");
    }
}

/// A page that is open: its signal of the logout.
async fn open_page(world: &World, builder: ClefLayerBuilder<TestUsers>) -> (Router, Signals) {
    let signals = Signals::default();
    let listening = Arc::clone(&signals);
    let layer = builder.build().unwrap();
    let listen = get(move |signal: LogoutSignal| async move {
        listening.lock().unwrap().push(signal);
    });
    let routes = layer.routes().route("/listen", listen);
    (world.pages(routes).layer(layer), signals)
}

type Signals = Arc<Mutex<Vec<LogoutSignal>>>;

#[tokio::test(start_paused = true)]
async fn an_open_page_stays_where_a_full_queue_refuses_the_end_of_its_login() {
    for anew in [false, true] {
        let world = World::new();
        let builder = world.builder_over(world.sealed()).pending_logout_limit(1);
        let (app, signals) = open_page(&world, builder).await;
        let mut jar = Jar::logged_in(&app, "12345").await;
        let mut other = Jar::logged_in(&app, "67890").await;
        jar.get(&app, "/listen").await;
        world.users.log_out_fails.store(true, SeqCst);
        let everywhere = other.post(&app, "/everywhere").await;
        assert!(text(everywhere).await.contains("Pending"));
        match anew {
            false => assert_eq!(jar.sign_out(&app).await.status(), 503),
            true => jar.clone().log_in(&app, "12345").await,
        }
        let reason = signals.lock().unwrap()[0].reason();
        assert_eq!(reason, None, "anew: {anew}");
        assert!(jar.is_in(&app).await);
    }
}
