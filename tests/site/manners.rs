//! What is answered to whom, and how the parts can be set.

use axum::{
    Router,
    response::{IntoResponse, Response},
    routing::get,
};
use axum_clef::{
    AddressError, ClefLayer, LoggedIn, LoginFailure, Paths, Rejection, stores::Account,
};
use reqwest::header::ACCEPT;

use crate::support::{
    Browser, World,
    browser::{location, state_in},
};

#[tokio::test]
async fn a_browser_that_navigates_is_sent_to_log_in_and_back() {
    let world = World::new();
    let node = world.node().await;
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
async fn whoever_does_not_navigate_gets_401_as_a_problem() {
    let world = World::new();
    let node = world.node().await;
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
        assert_eq!(problem["login"], "/clef/login?next=%2Faccount");
    }
    let post = browser.post(&node, "/account").header(ACCEPT, "text/html");
    let response = post.send().await.unwrap();
    assert_eq!(response.status(), 401);
    let problem: serde_json::Value = response.json().await.unwrap();
    assert_eq!(problem["login"], "/clef/login", "not back into a sent form");
    let head = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
        .head(node.url("/account"))
        .header(ACCEPT, "text/html");
    assert_eq!(head.send().await.unwrap().status(), 303);
}

#[tokio::test]
async fn what_was_made_for_somebody_is_not_stored() {
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
    }
}

#[tokio::test]
async fn the_session_id_changes_at_every_login() {
    let world = World::new();
    let node = world.node().await;
    let browser = Browser::new();
    let session = || world.sessions.last_saved().id;

    browser.post(&node, "/cart").send().await.unwrap();
    let anonymous = session();
    browser.log_in(&node, "12345").await;
    let first = session();
    assert_ne!(first, anonymous);
    assert_eq!(
        cart(&browser, &node).await,
        "a book",
        "the cart comes along"
    );

    browser.log_in(&node, "12345").await;
    let again = session();
    assert_ne!(again, first);
    assert_eq!(cart(&browser, &node).await, "a book");

    browser.log_in(&node, "67890").await;
    assert_ne!(session(), again);
    assert_eq!(cart(&browser, &node).await, "", "nobody inherits it");

    // Nor from a session whose login cannot be read any more.
    browser.post(&node, "/cart").send().await.unwrap();
    let mut record = world.sessions.last_saved();
    record
        .data
        .insert("axum-clef.login".to_owned(), serde_json::json!({}));
    world.sessions.inner.save(&record).await.unwrap();
    browser.log_in(&node, "12345").await;
    assert_eq!(cart(&browser, &node).await, "");
    for old in [anonymous, first, again] {
        assert_eq!(world.sessions.inner.load(&old).await.unwrap(), None);
    }
}

async fn cart(browser: &Browser, node: &crate::support::Node) -> String {
    browser.open(node, "/cart").await.text().await.unwrap()
}

#[tokio::test]
async fn cookies_are_kept_from_scripts_and_from_other_sites() {
    let world = World::new();
    let cookies = |site: &'static str| {
        let world = world.clone();
        async move {
            let layer = ClefLayer::new(
                site,
                world.provider.clone(),
                world.users.clone(),
                world.sessions.clone(),
            )
            .unwrap();
            let node = world.node_with(layer).await;
            // By hand: no cookie jar gives a `Secure` cookie back over loopback.
            let client = reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .unwrap();
            let started = client.get(node.url("/clef/login")).send().await.unwrap();
            let state = state_in(location(&started));
            let attempt = started.headers()["set-cookie"].to_str().unwrap().to_owned();
            let ended = client
                .get(node.url(&format!("/clef/callback?code=code:12345&state={state}")))
                .header("cookie", attempt.split(';').next().unwrap())
                .send()
                .await
                .unwrap();
            assert_eq!(ended.status(), 303);
            let mut cookies: Vec<_> = ended
                .headers()
                .get_all("set-cookie")
                .iter()
                .map(|cookie| cookie.to_str().unwrap().to_owned())
                .collect();
            cookies.push(attempt);
            cookies
        }
    };
    for cookie in cookies("https://example.com").await {
        assert!(cookie.starts_with("__Host-clef-"), "{cookie}");
        for attribute in ["HttpOnly", "SameSite=Lax", "Secure", "Path=/"] {
            assert!(cookie.contains(attribute), "{attribute} in {cookie}");
        }
        assert!(!cookie.contains("Domain"), "{cookie}");
    }
    for cookie in cookies("http://127.0.0.1:9").await {
        assert!(cookie.starts_with("clef-"), "{cookie}");
        for attribute in ["HttpOnly", "SameSite=Lax", "Path=/"] {
            assert!(cookie.contains(attribute), "{attribute} in {cookie}");
        }
        assert!(!cookie.contains("Secure"), "{cookie}");
    }
}

#[tokio::test]
async fn logins_can_be_shared_with_the_other_hosts_of_a_domain() {
    let world = World::new();
    let layer = world.layer().cookie_domain("example.com");
    let node = world.node_with(layer).await;
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let started = client.get(node.url("/clef/login")).send().await.unwrap();
    let state = state_in(location(&started));
    let attempt = started.headers()["set-cookie"].to_str().unwrap();
    let ended = client
        .get(node.url(&format!("/clef/callback?code=code:12345&state={state}")))
        .header("cookie", attempt.split(';').next().unwrap())
        .send()
        .await
        .unwrap();
    let cookies = ended.headers().get_all("set-cookie").iter();
    let key = cookies
        .map(|cookie| cookie.to_str().unwrap())
        .find(|cookie| cookie.starts_with("clef-login-9="))
        .unwrap();
    assert!(key.contains("Domain=example.com"), "{key}");
    assert!(!attempt.contains("Domain"), "an attempt stays on its host");
}

#[tokio::test]
async fn the_button_prints_the_script_the_link_and_nothing_unescaped() {
    use axum_clef::clef::{ButtonColor, ButtonStyle, ButtonType, Clef};

    let world = World::new();
    let clef = Clef::new("https://clef.example", "an \"app\" <id>", "secret").unwrap();
    let layer = ClefLayer::new(
        World::SITE,
        clef,
        world.users.clone(),
        world.sessions.clone(),
    )
    .unwrap();
    let app = Router::new()
        .route(
            "/",
            get(|button: axum_clef::ClefButton| async move { button.html() }),
        )
        .route(
            "/dressed",
            get(|button: axum_clef::ClefButton| async move {
                button
                    .color(ButtonColor::White)
                    .style(ButtonStyle::Button)
                    .kind(ButtonType::Register)
                    .embed()
                    .color(ButtonColor::Blue)
                    .next("/welcome?a=\"1\"&b=<2>")
                    .html()
            }),
        )
        .merge(layer.routes())
        .layer(layer.clone());
    let node = world.serve(app, layer).await;
    let browser = Browser::new();

    let response = browser.open(&node, "/?q=1").await;
    assert_eq!(response.headers()["cache-control"], "no-store");
    let html = response.text().await.unwrap();
    let state = state_of(&html);
    assert_eq!(
        html,
        format!(
            "<script class=\"clef-button\" src=\"https://clef.example/v3/clef.js\" \
             data-app-id=\"an &quot;app&quot; &lt;id&gt;\" \
             data-redirect-url=\"http://127.0.0.1:9/clef/callback\" data-state=\"{state}\">\
             </script><noscript><a href=\"/clef/login?next=%2F%3Fq%3D1\">Log in with Clef</a>\
             </noscript>"
        )
    );

    let before = browser.cookies(&node).matches("clef-attempt").count();
    let html = browser.open(&node, "/dressed").await.text().await.unwrap();
    for attribute in [
        "data-color=\"blue\"",
        "data-style=\"button\"",
        "data-type=\"register\"",
        "data-embed=\"true\"",
    ] {
        assert_eq!(html.matches(attribute).count(), 1, "{attribute} in {html}");
    }
    assert!(!html.contains("white") && !html.contains("<2>"), "{html}");
    let after = browser.cookies(&node).matches("clef-attempt").count();
    assert_eq!(after, before + 1, "one login a button");
}

#[tokio::test]
async fn the_state_of_a_button_logs_in() {
    let world = World::new();
    let node = world.node().await;
    let browser = Browser::new();
    let html = browser
        .open(&node, "/button?q=1")
        .await
        .text()
        .await
        .unwrap();
    let response = browser
        .come_back(&node, "code:12345", &state_of(&html))
        .await;
    assert_eq!(response.status(), 303);
    assert_eq!(location(&response), "/button?q=1");
}

fn state_of(html: &str) -> String {
    let (_, rest) = html.split_once("data-state=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn the_application_renders_rejections_and_failures_its_own_way() {
    fn rejection(rejection: &Rejection) -> Response {
        let words = format!("own {:?} {:?}", rejection.kind(), rejection.login_path());
        (rejection.status(), words).into_response()
    }
    fn failure(failure: &LoginFailure) -> Response {
        let words = format!("own {:?} {}", failure.kind(), failure.retry_url());
        (failure.status(), words).into_response()
    }
    let world = World::new();
    let layer = world
        .layer()
        .render_rejections(rejection)
        .render_login_failures(failure);
    let node = world.node_with(layer).await;
    let browser = Browser::new();

    let response = browser.open(&node, "/account").await;
    assert_eq!(response.status(), 401);
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(
        response.text().await.unwrap(),
        "own NotLoggedIn Some(\"/clef/login?next=%2Faccount\")"
    );
    let response = browser.open(&node, "/clef/callback?code=a&state=b").await;
    assert_eq!(response.status(), 403);
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(
        response.text().await.unwrap(),
        "own StateMismatch http://127.0.0.1:9/clef/login"
    );
}

#[tokio::test]
async fn the_routes_can_lie_elsewhere() {
    let world = World::new();
    let paths = Paths::default()
        .with_start("/login")
        .and_then(|paths| paths.with_callback("/login/done"))
        .and_then(|paths| paths.with_logout("/hooks/logout"))
        .and_then(|paths| paths.with_sign_out("/goodbye"))
        .unwrap();
    let node = world.node_with(world.layer().paths(paths)).await;
    let browser = Browser::new();
    let response = browser.open(&node, "/account").await;
    assert_eq!(location(&response), "/login?next=%2Faccount");
    let response = browser.open(&node, "/login?next=/account").await;
    assert!(location(&response).contains("127.0.0.1%3A9%2Flogin%2Fdone"));
    assert_eq!(browser.status(&node, "/clef/login").await, 404);
    assert_eq!(node.notice("token:12345").await, 404);
    let form = [("logout_token", "token:12345")];
    let notice = browser.post(&node, "/hooks/logout").form(&form);
    let answer: serde_json::Value = notice.send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["error"], "Nobody here has this Clef id.");
}

#[tokio::test]
async fn mistakes_in_the_program_are_500_and_say_what_to_add() {
    let world = World::new();
    let layer = world.layer();
    let node = world.node().await;
    let browser = Browser::new();
    for path in ["/wrong", "/wrong/perhaps"] {
        let response = browser.open(&node, path).await;
        assert_eq!(response.status(), 500, "before anybody has logged in");
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

#[test]
fn a_site_over_plain_http_is_for_this_machine_only() {
    let world = World::new();
    let layer = |site| {
        ClefLayer::new(
            site,
            world.provider.clone(),
            world.users.clone(),
            world.sessions.clone(),
        )
        .map(|_| ())
    };
    assert_eq!(layer("http://example.com"), Err(AddressError::Insecure));
    assert_eq!(layer("https://example.com/app"), Err(AddressError::HasPath));
    assert_eq!(layer("example.com"), Err(AddressError::NotAbsolute));
    assert_eq!(layer("http://localhost:3000"), Ok(()));
    assert_eq!(layer("https://example.com"), Ok(()));
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
