//! Which answer a request gets, and what may store it.

use std::error::Error;

use axum::{
    Router,
    response::{IntoResponse, Response},
    routing::get,
};
use axum_clef::{LoggedIn, LoggedInRejection, LoginFailure, stores::Account};
use reqwest::header::ACCEPT;

use crate::support::{
    Browser, World,
    browser::{location, state_in},
};

#[tokio::test]
async fn a_browser_that_navigates_is_sent_to_log_in_and_back() {
    let (_, node) = World::with_node().await;
    let browser = Browser::new();
    let response = browser.open(&node, "/account?tab=a%20b&x=1").await;
    assert_eq!(response.status(), 303);
    let start = location(&response).to_owned();
    assert_eq!(start, "/clef/login?next=%2Faccount%3Ftab%3Da%2520b%26x%3D1");
    assert_eq!(response.headers()["cache-control"], "no-store");

    let response = browser.open(&node, &start).await;
    let state = state_in(location(&response));
    let response = browser.come_back(&node, "code:12345", &state).await;
    assert_eq!(location(&response), "/account?tab=a%20b&x=1");
}

#[tokio::test]
async fn anything_but_a_navigation_gets_401_as_a_problem() {
    let (_, node) = World::with_node().await;
    let browser = Browser::new();
    for accept in [
        "*/*",
        "application/json",
        "text/html;q=0, */*",
        "text/htmlx",
        "",
    ] {
        let request = browser.get(&node, "/account").header(ACCEPT, accept);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 401, "{accept}");
        assert_eq!(
            response.headers()["content-type"],
            "application/problem+json"
        );
        assert!(response.headers().contains_key("www-authenticate"));
        let problem: serde_json::Value = response.json().await.unwrap();
        assert_eq!(problem["status"], 401);
        assert_eq!(problem["title"], "Unauthorized");
        assert_eq!(problem["login"], "/clef/login", "not back to the data");
    }
    let head = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
        .head(node.url("/account"))
        .header(ACCEPT, "text/html");
    assert_eq!(head.send().await.unwrap().status(), 303);
}

#[tokio::test]
async fn an_answer_for_a_user_is_not_stored() {
    let world = World::new();
    let layer = world.layer();
    let app = Router::new()
        .route("/public", get(|| async {}))
        .route("/", get(|_: Option<LoggedIn<Account>>| async {}))
        .route("/account", get(|_: LoggedIn<Account>| async {}))
        .route(
            "/own",
            get(|_: LoggedIn<Account>| async { [("cache-control", "private, max-age=60")] }),
        )
        .merge(layer.routes())
        .layer(layer.clone());
    let node = world.serve(app, layer).await;
    let browser = Browser::new();

    let response = browser.open(&node, "/").await;
    assert_eq!(response.headers().get("cache-control"), None);
    assert_eq!(response.headers()["vary"], "cookie");

    browser.log_in(&node, "12345").await;
    for (path, cache_control) in [
        ("/", Some("no-store")),
        ("/account", Some("no-store")),
        ("/own", Some("private, max-age=60")),
        ("/public", None),
    ] {
        let response = browser.open(&node, path).await;
        assert_eq!(response.status(), 200);
        let header = response.headers().get("cache-control");
        assert_eq!(header.map(|v| v.to_str().unwrap()), cache_control, "{path}");
        let vary = response.headers().get("vary");
        assert_eq!(vary.is_some(), path != "/public", "{path}");
    }
}

#[tokio::test]
async fn the_application_renders_rejections_and_failures_its_own_way() {
    fn rejection(rejection: &LoggedInRejection) -> Response {
        let words = format!("own {:?} {:?}", rejection.kind(), rejection.login_path());
        (rejection.status(), words).into_response()
    }
    fn failure(failure: &LoginFailure) -> Response {
        let has_source = Error::source(failure).is_some();
        let (kind, url) = (failure.kind(), failure.retry_url());
        let words = format!("own {kind:?} {url}, with a source: {has_source}");
        (failure.status(), words).into_response()
    }
    let world = World::new();
    let layer = world
        .builder()
        .render_rejections(rejection)
        .render_login_failures(failure)
        .build();
    let node = world.node_with(layer.unwrap()).await;
    let browser = Browser::new();

    let response = browser.open(&node, "/account").await;
    assert_eq!(response.status(), 401);
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(
        response.text().await.unwrap(),
        "own Unauthenticated Some(\"/clef/login?next=%2Faccount\")"
    );
    let response = browser.open(&node, "/clef/callback?code=a&state=b").await;
    assert_eq!(response.status(), 403);
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(
        response.text().await.unwrap(),
        "own StateMismatch http://127.0.0.1:9/clef/login, with a source: true"
    );
}

#[tokio::test]
async fn mistakes_in_the_program_are_500_and_say_what_to_add() {
    let world = World::new();
    let layer = world.layer();
    let node = world.node().await;
    let browser = Browser::new();
    for path in ["/wrong", "/wrong/perhaps"] {
        let response = browser.open(&node, path).await;
        assert_eq!(response.status(), 500, "before a login");
        assert!(response.text().await.unwrap().contains("user type"));
    }

    let without = Router::new()
        .route("/account", get(|_: LoggedIn<Account>| async {}))
        .route("/", get(|_: Option<LoggedIn<Account>>| async {}))
        .route("/button", get(|_: axum_clef::ClefButton| async {}))
        .merge(layer.routes());
    let node = world.serve(without, layer).await;
    let browser = Browser::new();
    for path in ["/account", "/", "/button"] {
        let response = browser.open(&node, path).await;
        assert_eq!(response.status(), 500, "{path}");
        let text = response.text().await.unwrap();
        assert!(text.contains(".layer(auth)"), "{path}: {text}");
    }
    for path in ["/clef/login", "/clef/callback?code=a&state=b"] {
        let response = browser.open(&node, path).await;
        assert_eq!(response.status(), 500, "{path}");
    }
    assert_eq!(node.notice("1234567890").await, 400, "it needs no session");
}

#[tokio::test]
async fn a_nested_router_leads_back_to_the_whole_path() {
    let world = World::new();
    let layer = world.layer();
    let inner = Router::new().route("/account", get(|_: LoggedIn<Account>| async {}));
    let app = Router::new()
        .nest("/shop", inner)
        .merge(layer.routes())
        .layer(layer.clone());
    let node = world.serve(app, layer).await;
    let response = Browser::new().open(&node, "/shop/account").await;
    assert_eq!(location(&response), "/clef/login?next=%2Fshop%2Faccount");
}

#[tokio::test]
async fn the_error_of_the_inner_service_passes_through() {
    use tower::{Layer as _, ServiceExt as _};

    #[derive(Debug, PartialEq)]
    struct Own;

    let world = World::new();
    let service = tower::service_fn(|_: axum::extract::Request| async {
        Err::<axum::http::Response<String>, _>(Own)
    });
    let service = world.layer().layer(service);
    let request = axum::extract::Request::new(axum::body::Body::empty());
    assert_eq!(service.oneshot(request).await.unwrap_err(), Own);
}
