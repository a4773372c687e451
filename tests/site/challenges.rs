//! `WWW-Authenticate` of requests with a valid bearer token that is not enough.

use axum::{
    Router,
    body::Body,
    http::{Method, Response, StatusCode},
    response::IntoResponse as _,
    routing::post,
};
use axum_clef::{
    ClefLayerBuilder, LoggedInRejection, NewToken, NewTokenError, OtherLogins, OtherLoginsError,
    Permitted, UserPermission, secrecy::ExposeSecret as _, stores::Account,
};

use crate::support::{Jar, TestUsers, World, clock::MINUTE, jar::text};

const INSUFFICIENT_SCOPE: &str = "Bearer realm=\"axum-clef\", error=\"insufficient_scope\"";

/// No user has it.
struct Never;

impl UserPermission for Never {
    type User = Account;

    fn allows(_: &Account) -> bool {
        false
    }
}

async fn new_token(token: NewToken) -> Result<String, NewTokenError> {
    let token = token.mint("laptop").await?;
    Ok(token.secret().expose_secret().to_owned())
}

async fn others(others: OtherLogins) -> Result<(), OtherLoginsError> {
    others.log_out().await
}

fn app(world: &World, builder: ClefLayerBuilder<TestUsers>) -> Router {
    let layer = builder.bearer_tokens([World::key()]).build().unwrap();
    world
        .pages(layer.routes())
        .route("/token", post(new_token))
        .route("/others", post(others))
        .route("/forbidden", post(async |_: Permitted<Never>| ()))
        .layer(layer)
}

/// The `Authorization` header of a new token.
async fn bearer(jar: &mut Jar, app: &Router) -> String {
    format!("Bearer {}", text(jar.post(app, "/token").await).await)
}

/// Sends a form with this token and no cookie, as a browser would.
async fn post_with(app: &Router, path: &str, bearer: &str) -> Response<Body> {
    let headers = [("authorization", bearer), ("accept", "text/html")];
    let mut program = Jar::default();
    program.send_with(app, (Method::POST, path), &headers).await
}

fn challenges(response: &Response<Body>) -> Vec<&str> {
    let values = response.headers().get_all("www-authenticate").iter();
    values.map(|value| value.to_str().unwrap()).collect()
}

/// RFC 6750, section 3.1.
#[tokio::test]
async fn a_403_names_the_scope_to_a_token_and_nothing_to_a_browser() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let app = app(&world, world.builder_over(sessions));
        let mut jar = Jar::logged_in(&app, "12345").await;
        let bearer = bearer(&mut jar, &app).await;
        for path in ["/forbidden", "/token", "/others"] {
            let response = post_with(&app, path, &bearer).await;
            assert_eq!(response.status(), 403, "{kind}: {path}");
            assert_eq!(challenges(&response), [INSUFFICIENT_SCOPE], "{path}");
            let headers = response.headers();
            assert_eq!(headers["content-type"], "application/problem+json");
            assert_eq!(headers["cache-control"], "no-store");
        }
        let foreign = ("origin", "https://evil.example");
        for (path, headers) in [
            ("/forbidden", &[("accept", "text/html")][..]),
            ("/forbidden", &[]),
            ("/token", &[foreign]),
            ("/others", &[foreign]),
        ] {
            let asked = (Method::POST, path);
            let response = jar.send_with(&app, asked, headers).await;
            assert_eq!(response.status(), 403, "{kind}: {path} {headers:?}");
            assert!(challenges(&response).is_empty(), "{path} {headers:?}");
        }
    }
}

/// RFC 9470, section 3.
#[tokio::test]
async fn a_token_where_a_recent_login_is_needed_is_answered_with_the_age() {
    let world = World::new();
    let app = app(&world, world.builder());
    let mut jar = Jar::logged_in(&app, "12345").await;
    let bearer = bearer(&mut jar, &app).await;
    let error = "error=\"insufficient_user_authentication\", max_age=\"600\"";
    let by_cookie = format!("Cookie realm=\"axum-clef\", {error}");
    let by_token = format!("Bearer realm=\"axum-clef\", {error}");
    let response = post_with(&app, "/recent", &bearer).await;
    assert_eq!(response.status(), 401);
    assert_eq!(challenges(&response), [&*by_cookie, &by_token]);
    // No token was refused.
    world.clock.advance(11 * MINUTE);
    let response = jar.post(&app, "/recent").await;
    assert_eq!(response.status(), 401);
    let without_error = "Bearer realm=\"axum-clef\"";
    assert_eq!(challenges(&response), [&*by_cookie, without_error]);
}

#[tokio::test]
async fn a_rendering_of_the_application_keeps_the_challenge_unless_it_hides_the_page() {
    for (status, expected) in [
        (StatusCode::FORBIDDEN, &[INSUFFICIENT_SCOPE][..]),
        (StatusCode::NOT_FOUND, &[]),
    ] {
        let world = World::new();
        let render = move |_: &LoggedInRejection| (status, "own").into_response();
        let app = app(&world, world.builder().render_rejections(render));
        let mut jar = Jar::logged_in(&app, "12345").await;
        let bearer = bearer(&mut jar, &app).await;
        let response = post_with(&app, "/forbidden", &bearer).await;
        assert_eq!(response.status(), status);
        assert_eq!(challenges(&response), expected);
        assert_eq!(text(response).await, "own");
    }
}
