//! Nothing for nothing: a request pays for what it asks, once.

use std::{
    convert::Infallible,
    future::{Ready, poll_fn},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Poll},
};

use axum::{
    body::Body,
    http::{Request, Response},
};
use futures_util::poll;
use tower::{Layer as _, Service};

use crate::support::{Browser, Jar, World, clock::MINUTE, jar::set_cookie};

#[tokio::test]
async fn a_route_that_never_asks_costs_nothing_and_one_that_asks_twice_pays_once() {
    let (world, node, browser) = World::logged_in("12345").await;
    let calls = || {
        (
            world.sessions.calls.swap(0, SeqCst),
            world.users.checks.swap(0, SeqCst),
        )
    };
    calls();

    assert_eq!(browser.status(&node, "/public").await, 200);
    assert_eq!(calls(), (0, 0));
    assert_eq!(browser.status(&node, "/twice").await, 200);
    assert_eq!(calls(), (1, 1));
    assert_eq!(browser.status(&node, "/members/one").await, 200);
    assert_eq!(calls(), (1, 1));
}

#[tokio::test]
async fn a_visitor_who_never_logs_in_gets_no_session() {
    let (world, node) = World::with_node().await;
    let browser = Browser::new();
    for path in ["/", "/public", "/account", "/members/one", "/button"] {
        browser.open(&node, path).await;
    }
    let state = browser.begin(&node, "/account").await;
    let refused = browser.come_back(&node, "refused", &state).await;
    assert_eq!(refused.status(), 403);
    assert_eq!(world.sessions.calls.load(SeqCst), 0);
    assert!(!browser.cookies(&node).contains("auth-9="));
}

#[tokio::test]
async fn a_sealed_login_asks_the_user_store_once_and_no_other_store() {
    let world = World::new();
    let app = world.app_over(world.sealed());
    let mut jar = Jar::logged_in(&app, "12345").await;
    let checks = || world.users.checks.swap(0, SeqCst);
    checks();
    for (path, asked) in [("/account", 1), ("/twice", 1), ("/public", 0)] {
        assert_eq!(jar.get(&app, path).await.status(), 200);
        assert_eq!(checks(), asked, "{path}");
    }
    assert_eq!(world.sessions.calls.load(SeqCst), 0);

    // A visitor who never logs in gets no cookie.
    let mut visitor = Jar::default();
    visitor.get(&app, "/public").await;
    assert!(!visitor.is_in(&app).await);
    assert_eq!(visitor, Jar::default());
}

/// A renewal sets no cookie of the login itself, so it never overwrites a newer one.
#[tokio::test]
async fn ordinary_answers_never_set_the_cookie_of_the_login() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let app = world.app_over(sessions);
        let mut jar = Jar::logged_in(&app, "12345").await;
        for _ in 0..3 {
            world.clock.advance(120 * MINUTE);
            for path in [
                "/",
                "/account",
                "/public",
                "/twice",
                "/members/one",
                "/button",
            ] {
                let response = jar.get(&app, path).await;
                assert_eq!(
                    set_cookie(response.headers(), "auth-9"),
                    None,
                    "{kind} {path}"
                );
            }
        }
    }
}

/// A service that has no room for requests, until it has.
#[derive(Clone)]
struct Busy(Arc<AtomicBool>);

impl Service<Request<Body>> for Busy {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        match self.0.load(SeqCst) {
            true => Poll::Pending,
            false => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        std::future::ready(Ok(Response::new(Body::empty())))
    }
}

#[tokio::test]
async fn the_layer_is_ready_when_its_service_is() {
    let busy = Arc::new(AtomicBool::new(true));
    let mut service = World::new().layer().layer(Busy(Arc::clone(&busy)));
    let mut ready = async || poll!(poll_fn(|context| service.poll_ready(context)));
    assert!(ready().await.is_pending());
    busy.store(false, SeqCst);
    assert!(ready().await.is_ready());
}
