//! Logins of the application's own: a handler that verifies credentials and calls `NewLogin::begin`.

use std::{error::Error as _, sync::atomic::Ordering::SeqCst, time::Duration};

use axum::{
    Extension, Router,
    body::Body,
    extract::Query,
    http::{Method, Response},
    response::Redirect,
    routing::{get, post},
};
use axum_clef::{
    BoxError, ClefLayer, ClefLayerBuilder, IdentityStore as _, LogInError, Login, NewLogin,
    Profile, Sessions, Subject, User as _, UserStore as _,
};

use crate::support::{
    Jar, TestUsers, World,
    clock::{MINUTE, SECOND},
    jar::{location, set_cookie, text},
    provider::ISSUER,
};

type Builder = ClefLayerBuilder<TestUsers>;

/// What the form sends, with what the handler is to do.
#[derive(serde::Deserialize)]
struct Form {
    user: String,
    password: String,
    /// In a hidden field.
    hidden: Option<String>,
    #[serde(default)]
    for_this_session: bool,
    lifetime: Option<u64>,
    /// What happens while the password is verified.
    #[serde(default)]
    meanwhile: Meanwhile,
}

#[derive(Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Meanwhile {
    #[default]
    Nothing,
    Logout,
    StoreFails,
    OwnStoreFails,
}

async fn log_in(
    login: NewLogin,
    Extension(world): Extension<World>,
    Query(form): Query<Form>,
) -> Result<Redirect, LogInError> {
    match form.meanwhile {
        Meanwhile::Nothing => {}
        Meanwhile::Logout => drop(world.users.log_out(&form.user).await?),
        Meanwhile::StoreFails => world.users.hook.failing.store(true, SeqCst),
        Meanwhile::OwnStoreFails => return Err(BoxError::from("no connection").into()),
    }
    if form.password != "right" {
        return Ok(login.try_again());
    }
    let login = match &form.hidden {
        Some(next) => login.next(next),
        None => login,
    };
    let login = match form.lifetime {
        Some(seconds) => login.lifetime(Duration::from_secs(seconds)),
        None => login,
    };
    login
        .remember(!form.for_this_session)
        .begin(&form.user)
        .await
}

fn builder(world: &World, sessions: Sessions) -> Builder {
    ClefLayer::builder(World::SITE, world.users.clone(), sessions)
}

fn app(world: &World, builder: Builder) -> Router {
    let layer = builder.login_page("/log-in").build().unwrap();
    world
        .pages(layer.routes())
        .route("/log-in", post(log_in))
        .layer(layer)
        .layer(Extension(world.clone()))
}

/// The id of a user who exists.
async fn user(world: &World) -> String {
    let profile = Profile::new(Subject::new(ISSUER, "12345"));
    let account = world.users.find_or_create(&profile).await.unwrap();
    account.unwrap().id()
}

async fn send(jar: &mut Jar, app: &Router, user: &str, rest: &str) -> Response<Body> {
    let form = format!("/log-in?user={user}&password=right{rest}");
    jar.post(app, &form).await
}

#[tokio::test]
async fn a_form_logs_in_and_leads_to_the_page_that_was_asked_for() {
    let world = World::new();
    let user = user(&world).await;
    for (kind, sessions) in world.both() {
        let app = app(&world, builder(&world, sessions));
        let mut jar = Jar::default();
        let guarded = jar.open(&app, "/account").await;
        assert_eq!(location(&guarded), "/log-in?next=%2Faccount", "{kind}");
        let response = send(&mut jar, &app, &user, "&next=/account").await;
        assert_eq!(response.status(), 303, "{kind}");
        assert_eq!(location(&response), "/account", "{kind}");
        assert_eq!(response.headers()["cache-control"], "no-store", "{kind}");
        let cookie = set_cookie(response.headers(), "auth-9").unwrap();
        for attribute in ["HttpOnly", "SameSite=Lax", "Max-Age=", "Path=/"] {
            assert!(cookie.contains(attribute), "{kind}: {cookie}");
        }
        assert!(jar.is_in(&app).await, "{kind}");

        // A logout of the user ends it, and a sign-out too.
        let copy = jar.clone();
        assert!(world.users.log_out(&user).await.unwrap());
        assert!(!jar.is_in(&app).await, "{kind}");
        assert!(!copy.clone().is_in(&app).await, "{kind}");
        send(&mut jar, &app, &user, "").await;
        let mut copy = jar.clone();
        assert!(copy.is_in(&app).await, "{kind}: a new login works");
        assert_eq!(location(&jar.sign_out(&app).await), "/", "{kind}");
        assert!(!copy.is_in(&app).await, "{kind}");
    }
}

#[tokio::test]
async fn what_happens_while_credentials_are_verified_wins() {
    let world = World::new();
    let user = user(&world).await;
    for (kind, sessions) in world.both() {
        for (meanwhile, status, words) in [
            ("logout", 403, "You were logged out in the meantime"),
            ("store-fails", 503, "not possible right now"),
            ("own-store-fails", 503, "not possible right now"),
        ] {
            let app = app(&world, builder(&world, sessions.clone()));
            let mut jar = Jar::default();
            let rest = format!("&meanwhile={meanwhile}");
            let response = send(&mut jar, &app, &user, &rest).await;
            world.users.hook.failing.store(false, SeqCst);
            assert_eq!(response.status(), status, "{kind}: {meanwhile}");
            let waits = response.headers().contains_key("retry-after");
            assert_eq!(waits, status == 503, "{kind}: {meanwhile}");
            assert_eq!(
                set_cookie(response.headers(), "auth-9"),
                None,
                "{kind}: {meanwhile}"
            );
            let text = text(response).await;
            assert!(text.contains(words), "{kind}: {text}");
            assert!(!text.contains("no connection"), "{kind}: {text}");
            assert!(!jar.is_in(&app).await, "{kind}: {meanwhile}");
            send(&mut jar, &app, &user, "").await;
            assert!(jar.is_in(&app).await, "{kind}: the next login works");
        }
    }
}

#[test]
fn the_source_of_an_error_is_that_of_the_store() {
    let error = LogInError::from(BoxError::from("no connection"));
    assert_eq!(error.source().unwrap().to_string(), "no connection");
}

#[tokio::test]
async fn a_page_of_another_site_logs_nobody_in() {
    let world = World::new();
    let user = user(&world).await;
    let app = app(&world, builder(&world, world.stored()));
    let path = format!("/log-in?user={user}&password=right");
    for headers in [
        [("origin", "https://evil.example")],
        [("origin", "null")],
        [("sec-fetch-site", "cross-site")],
        [("sec-fetch-site", "same-site")],
    ] {
        for (accept, is_page) in [("text/html", true), ("application/json", false)] {
            let mut jar = Jar::default();
            let headers = [headers[0], ("accept", accept)];
            let response = jar.send_with(&app, (Method::POST, &path), &headers).await;
            assert_eq!(response.status(), 403, "{headers:?}");
            let problem = response.headers()["content-type"] == "application/problem+json";
            assert_ne!(problem, is_page, "{headers:?}");
            assert!(!jar.is_in(&app).await, "{headers:?}");
        }
    }
}

#[tokio::test]
async fn an_unknown_user_is_turned_away() {
    let world = World::new();
    let app = app(&world, builder(&world, world.stored()));
    let mut jar = Jar::default();
    let response = send(&mut jar, &app, "999", "").await;
    assert_eq!(response.status(), 403);
    let page = text(response).await;
    assert!(
        page.contains("You cannot log in with this account"),
        "{page}"
    );
    assert!(!jar.is_in(&app).await);
}

#[tokio::test]
async fn a_login_leads_to_pages_of_this_site_only() {
    let world = World::new();
    let user = user(&world).await;
    let app = app(&world, builder(&world, world.stored()));
    for (given, leads_to) in [
        ("", "/"),
        (
            "&next=/account%3Ftab%3D1%26page%3D2",
            "/account?tab=1&page=2",
        ),
        ("&next=/a&hidden=/b", "/b"),
        ("&hidden=", "/"),
        ("&next=https://evil.example/", "/"),
        ("&next=//evil.example", "/"),
        ("&next=/%5Cevil.example", "/"),
        ("&next=/%0D%0ASet-Cookie:%20a=b", "/"),
        ("&hidden=https://evil.example/", "/"),
        ("&next=/log-in", "/"),
        ("&next=/auth/sign-out", "/"),
    ] {
        let response = send(&mut Jar::default(), &app, &user, given).await;
        assert_eq!(response.status(), 303, "{given}");
        assert_eq!(location(&response), leads_to, "{given}");
    }
}

#[tokio::test]
async fn wrong_credentials_lead_back_to_the_form() {
    let world = World::new();
    let app = app(&world, builder(&world, world.stored()));
    let mut jar = Jar::default();
    for (next, leads_to) in [
        ("", "/log-in?failed=true"),
        (
            "&next=/account%3Fa%3Db",
            "/log-in?failed=true&next=%2Faccount%3Fa%3Db",
        ),
        ("&next=https://evil.example", "/log-in?failed=true"),
    ] {
        let path = format!("/log-in?user=1&password=wrong{next}");
        let response = jar.post(&app, &path).await;
        assert_eq!(response.status(), 303, "{next}");
        assert_eq!(location(&response), leads_to, "{next}");
        assert!(jar.names().is_empty(), "{next}");
    }
}

#[tokio::test]
async fn a_login_ends_the_one_that_came_with_it() {
    let world = World::new();
    let user = user(&world).await;
    for (kind, sessions) in world.both() {
        let app = app(&world, builder(&world, sessions));
        let mut jar = Jar::default();
        send(&mut jar, &app, &user, "").await;
        let mut copy = jar.clone();
        world.clock.advance(SECOND);
        send(&mut jar, &app, &user, "").await;
        assert!(jar.is_in(&app).await, "{kind}");
        assert!(!copy.is_in(&app).await, "{kind}");
    }
}

#[tokio::test]
async fn a_login_lasts_as_long_as_its_form_says_within_the_limit_of_the_layer() {
    let world = World::new();
    let user = user(&world).await;
    for (kind, sessions) in world.both() {
        let builder = builder(&world, sessions).lifetime(Duration::from_secs(600));
        let app = app(&world, builder);
        for (asked, minutes) in [("", 10), ("&lifetime=120", 2), ("&lifetime=86400", 10)] {
            let mut jar = Jar::default();
            send(&mut jar, &app, &user, asked).await;
            world.clock.advance(minutes * MINUTE - SECOND);
            assert!(jar.is_in(&app).await, "{kind}: {asked}");
            world.clock.advance(SECOND);
            assert!(!jar.is_in(&app).await, "{kind}: {asked}");
        }
    }
}

#[tokio::test]
async fn a_login_that_is_not_to_be_remembered_ends_with_the_browser() {
    let world = World::new();
    let user = user(&world).await;
    for (kind, sessions) in world.both() {
        let app = app(&world, builder(&world, sessions));
        let mut jar = Jar::default();
        let response = send(&mut jar, &app, &user, "&for_this_session=true").await;
        let cookie = set_cookie(response.headers(), "auth-9").unwrap();
        assert!(!cookie.contains("Max-Age"), "{kind}: {cookie}");
        assert!(!cookie.contains("Expires"), "{kind}: {cookie}");
        assert!(jar.is_in(&app).await, "{kind}");
    }
}

#[tokio::test]
async fn a_handler_reads_the_login_if_there_is_one() {
    let world = World::new();
    let user = user(&world).await;
    let show = async |login: Option<Login>| {
        login.map_or("none".to_owned(), |login| {
            let subject = login.subject().map(Subject::id);
            let is_proven = login.authenticated_at() == Some(login.logged_in_at());
            assert!(is_proven, "{login:?}");
            format!("{} {subject:?} {}", login.user_id(), login.is_remembered())
        })
    };
    for (kind, sessions) in world.both() {
        let layer = world.builder_over(sessions).login_page("/log-in");
        let layer = layer.build().unwrap();
        let app = Router::new()
            .route("/login", get(show))
            .route("/log-in", post(log_in))
            .merge(world.pages(layer.routes()))
            .layer(layer)
            .layer(Extension(world.clone()));
        let shown = async |jar: &mut Jar| text(jar.open(&app, "/login").await).await;
        assert_eq!(shown(&mut Jar::default()).await, "none", "{kind}");
        for (rest, is_remembered) in [("", true), ("&for_this_session=true", false)] {
            let mut jar = Jar::default();
            send(&mut jar, &app, &user, rest).await;
            let expected = format!("{user} None {is_remembered}");
            assert_eq!(shown(&mut jar).await, expected, "{kind}");
        }
        let mut jar = Jar::logged_in(&app, "12345").await;
        let expected = format!("{user} Some(\"12345\") true");
        assert_eq!(shown(&mut jar).await, expected, "{kind}: by a provider");
    }
}

/// A form that is shown at every address: this one is another site for browsers.
#[tokio::test]
async fn wrong_credentials_lead_to_no_other_site() {
    let world = World::new();
    let layer = world.builder().build().unwrap();
    let app = Router::new()
        .fallback(async |login: NewLogin| login.try_again())
        .layer(layer);
    for (path, back) in [
        ("/form", "/form?failed=true"),
        ("//evil.example/form", "/?failed=true"),
        ("/.//evil.example/form", "/?failed=true"),
    ] {
        let response = Jar::default().post(&app, path).await;
        assert_eq!(location(&response), back, "{path}");
    }
}

/// By a form or by a provider: the same user, the same hooks, the same logout.
#[tokio::test]
async fn a_site_can_have_a_form_and_a_provider() {
    let world = World::new();
    let user = user(&world).await;
    let builder =
        world
            .builder()
            .on_login(async |_, login: Login| match login.user_id().is_empty() {
                true => Err("a login has a user".into()),
                false => Ok(()),
            });
    let app = app(&world, builder);
    let mut by_provider = Jar::logged_in(&app, "12345").await;
    let mut by_form = Jar::default();
    send(&mut by_form, &app, &user, "").await;
    let own = by_form.user(&app).await;
    assert!(own.is_some());
    assert_eq!(own, by_provider.user(&app).await);
    world.users.log_out(&user).await.unwrap();
    assert!(!by_form.is_in(&app).await);
    assert!(!by_provider.is_in(&app).await);
}

#[tokio::test]
async fn outside_of_a_layer_no_login_begins() {
    let app: Router = Router::new().route(
        "/log-in",
        post(async |login: NewLogin| login.begin("1").await),
    );
    let response = Jar::default().post(&app, "/log-in").await;
    assert_eq!(response.status(), 500);
    assert!(text(response).await.contains(".layer(auth)"));
}
