//! A site below a path, and routes that are not where they belong.

use axum::{Router, http::Method};
use axum_clef::{LoggedIn, stores::Account};
use url::Url;

use crate::support::{
    Jar, World,
    browser::state_in,
    jar::{location, set_cookies, text},
};

const SITE: &str = "https://example.com/app";

/// The site as its browsers see it: below `/app`, wherever the layer is.
fn sites(world: &World) -> [(&'static str, Router); 3] {
    let builder = || {
        world
            .builder_at(SITE, world.stored())
            .after_sign_out("/bye")
    };
    let layer = builder().build().unwrap();
    let inside = Router::new().nest("/app", world.app(&layer));
    let pages = world.pages(layer.routes());
    let outside = Router::new().nest("/app", pages).layer(layer);
    let stripped = world.app_of(builder().base_path_stripped());
    // What a reverse proxy does.
    let proxy = Router::new().nest_service("/app", StripsOriginal(stripped));
    [
        ("inside", inside),
        ("outside", outside),
        ("stripped", proxy),
    ]
}

/// Hides from the inner router that the path was longer, as a connection does.
#[derive(Clone)]
struct StripsOriginal(Router);

impl tower::Service<axum::extract::Request> for StripsOriginal {
    type Response = axum::response::Response;
    type Error = std::convert::Infallible;
    type Future = axum::routing::future::RouteFuture<Self::Error>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: axum::extract::Request) -> Self::Future {
        let (parts, body) = request.into_parts();
        let mut stripped = axum::extract::Request::new(body);
        *stripped.method_mut() = parts.method;
        *stripped.uri_mut() = parts.uri;
        *stripped.headers_mut() = parts.headers;
        tower::Service::call(&mut self.0, stripped)
    }
}

#[tokio::test]
async fn every_address_follows_the_base_path() {
    let world = World::new();
    for (how, app) in sites(&world) {
        let mut jar = Jar::default();
        let rejected = jar.open(&app, "/app/account?tab=1").await;
        let start = location(&rejected).to_owned();
        assert_eq!(
            start, "/app/clef/login?next=%2Fapp%2Faccount%3Ftab%3D1",
            "{how}"
        );

        let started = jar.open(&app, &start).await;
        let url: Url = location(&started).parse().unwrap();
        let (_, callback_url) = url.query_pairs().next().unwrap();
        assert_eq!(
            callback_url, "https://example.com/app/clef/callback",
            "{how}"
        );
        let state = state_in(url.as_str());
        let callback = format!("/app/clef/callback?code=code:12345&state={state}");
        let ended = jar.open(&app, &callback).await;
        assert_eq!(location(&ended), "/app/account?tab=1", "{how}");
        for cookie in set_cookies(ended.headers()) {
            assert!(
                cookie.starts_with("__Host-") && cookie.contains("Path=/"),
                "{cookie}"
            );
        }
        assert_eq!(jar.get(&app, "/app/account").await.status(), 200, "{how}");

        // The same callback again leads on, and one that fails to a start that is there.
        let again = jar.open(&app, &callback).await;
        assert_eq!(location(&again), "/app/account?tab=1", "{how}");
        let failed = jar.open(&app, "/app/clef/callback?code=a&state=b").await;
        let failed = text(failed).await;
        let retry = "https://example.com/app/clef/login";
        assert!(
            failed.contains(&format!("href=\"{retry}\"")),
            "{how}: {failed}"
        );
        assert!(failed.contains("href=\"/app/\""), "{how}: {failed}");

        let button = text(jar.get(&app, "/app/button").await).await;
        assert!(
            button.contains("/app/clef/login?next=%2Fapp%2Fbutton"),
            "{button}"
        );
        let signed_out = jar.send(&app, Method::POST, "/app/auth/sign-out").await;
        assert_eq!(location(&signed_out), "/app/bye", "{how}");
        let back = jar.get(&app, "/app/clef/signed-out").await;
        assert_eq!(location(&back), "/app/bye", "{how}");
        assert_eq!(jar.get(&app, "/app/account").await.status(), 401, "{how}");
    }
}

#[tokio::test]
async fn a_login_leads_back_below_the_base_path_and_nowhere_else() {
    let world = World::new();
    for (how, app) in sites(&world) {
        for (next, leads_to) in [
            ("/app/account", "/app/account"),
            ("/app", "/app"),
            ("/app/", "/app/"),
            ("", "/app/"),
            ("/", "/app/"),
            ("/account", "/app/"),
            ("/application", "/app/"),
            ("/app/../admin", "/app/"),
            ("/app/auth/sign-out", "/app/"),
        ] {
            let mut jar = Jar::default();
            let path = format!("/app/clef/login?next={next}");
            let state = state_in(location(&jar.get(&app, &path).await));
            let callback = format!("/app/clef/callback?code=code:12345&state={state}");
            let response = jar.get(&app, &callback).await;
            assert_eq!(location(&response), leads_to, "{how}: {next}");
        }
    }
}

#[tokio::test]
async fn a_login_page_is_below_the_base_path() {
    let world = World::new();
    let builder = world.builder_at(SITE, world.stored()).login_page("/log-in");
    let app = Router::new().nest("/app", world.app_of(builder));
    let mut jar = Jar::default();
    let rejected = jar.open(&app, "/app/account").await;
    assert_eq!(location(&rejected), "/app/log-in?next=%2Fapp%2Faccount");
    let failed = jar.open(&app, "/app/clef/callback?code=a&state=b").await;
    let failed = text(failed).await;
    let retry = "href=\"https://example.com/app/log-in\"";
    assert!(failed.contains(retry), "{failed}");
}

/// The paths of all routes that a browser comes to.
const ROUTES: [(Method, &str); 5] = [
    (Method::GET, "/clef/login"),
    (Method::GET, "/clef/callback?code=a&state=b"),
    (Method::POST, "/auth/sign-out"),
    (Method::GET, "/clef/signed-out"),
    (Method::GET, "/auth/live"),
];

#[tokio::test]
async fn a_request_outside_of_the_base_path_is_500_and_says_so() {
    let world = World::new();
    let app = world.app_of(world.builder_at(SITE, world.stored()));
    for (method, path) in ROUTES {
        let response = Jar::default().send(&app, method, path).await;
        assert_eq!(response.status(), 500, "{path}");
        let page = text(response).await;
        for words in ["/app", "base_path_stripped"] {
            assert!(page.contains(words), "{path}: {words} in {page}");
        }
    }
}

/// `OPTIONS *` names no path, and any client can send it, by any method.
#[tokio::test]
async fn a_request_without_a_path_is_no_mistake_of_the_program() {
    for (site, login) in [(World::SITE, "/clef/login"), (SITE, "/app/clef/login")] {
        let world = World::new();
        let layer = world.builder_at(site, world.stored()).build().unwrap();
        let app = Router::new()
            .fallback(async |_: LoggedIn<Account>| {})
            .layer(layer);
        let response = Jar::default().open(&app, "*").await;
        assert_eq!(
            (response.status().as_u16(), location(&response)),
            (303, login)
        );
        let response = Jar::default().send(&app, Method::OPTIONS, "*").await;
        assert_eq!(response.status(), 401, "{site}");
    }
}

/// It would be sent to a login that is not there and does not lead back.
#[tokio::test]
async fn a_page_outside_of_the_base_path_that_needs_a_user_is_500_and_says_so() {
    let world = World::new();
    let pages = world.app_of(world.builder_at(SITE, world.stored()));
    let app = Router::new()
        .nest("/app", pages.clone())
        .fallback_service(pages);
    for path in ["/account", "/application", "/members/one"] {
        let response = Jar::default().open(&app, path).await;
        let status = if path == "/application" { 404 } else { 500 };
        assert_eq!(response.status(), status, "{path}");
        let page = text(response).await;
        let says_so = page.contains("base_path_stripped");
        assert_eq!(says_so, status == 500, "{path}: {page}");
    }
    // A page that needs none answers, and a login counts at the whole origin.
    let front = text(Jar::default().get(&app, "/").await).await;
    assert_eq!(front, "unauthenticated");
    let mut jar = Jar::default();
    let start = jar.get(&app, "/app/clef/login").await;
    let state = state_in(location(&start));
    let callback = format!("/app/clef/callback?code=code:12345&state={state}");
    jar.get(&app, &callback).await;
    assert_eq!(jar.user(&app).await.as_deref(), Some("12345"));
}

#[tokio::test]
async fn routes_inside_another_layer_are_500_and_say_so() {
    let world = World::new();
    let [own, other] = [world.layer(), world.layer()];
    let app = world.pages(own.routes()).layer(other.clone());
    let both = world.pages(own.routes()).layer(own).layer(other.clone());
    let around = world
        .pages(other.routes())
        .layer(world.layer())
        .layer(other);
    for (method, path) in ROUTES {
        for app in [&app, &around] {
            let response = Jar::default().send(app, method.clone(), path).await;
            assert_eq!(response.status(), 500, "{path}");
            let page = text(response).await;
            assert!(page.contains("another ClefLayer"), "{path}: {page}");
        }
        let response = Jar::default().send(&both, method, path).await;
        assert_ne!(response.status(), 500, "their own is the inner one: {path}");
    }
}
