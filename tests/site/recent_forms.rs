//! `RecentLogin` where users log in by a form of the application's own.

use axum::{
    Router,
    body::Body,
    extract::Query,
    http::Response,
    response::Redirect,
    routing::{get, post},
};
use axum_clef::{
    ClefButton, ClefLayer, IdentityStore as _, LogInError, NewLogin, Profile, Sessions, Subject,
    SuspendedLogin, User as _,
};

use crate::support::{
    Jar, World,
    browser::state_in,
    clock::MINUTE,
    jar::{location, text},
    provider::ISSUER,
};

const PAGE: &str = "/log-in?max_age=600&next=%2Frecent";

#[derive(serde::Deserialize)]
struct Form {
    user: String,
    #[serde(default)]
    wrong: bool,
    /// A form with an `action`: the query has no `max_age`.
    #[serde(default)]
    same_user: bool,
}

async fn log_in(login: NewLogin, form: Query<Form>) -> Result<Redirect, LogInError> {
    let login = match form.same_user {
        true => login.same_user().next("/recent"),
        false => login,
    };
    match form.wrong {
        true => Ok(login.try_again()),
        false => login.begin(&form.user).await,
    }
}

async fn first_step(login: NewLogin, form: Query<Form>) -> Result<Redirect, LogInError> {
    login.suspend(&form.user, "/second-step").await
}

async fn second_step(login: SuspendedLogin) -> Result<Redirect, LogInError> {
    login.begin().await
}

async fn page(button: ClefButton) -> String {
    button.html()
}

/// A site with a form, with or without a provider beside it.
fn app(world: &World, sessions: Sessions, has_provider: bool) -> Router {
    let builder = match has_provider {
        true => world.builder_over(sessions),
        false => ClefLayer::builder(World::SITE, world.users.clone(), sessions),
    };
    let layer = builder.login_page("/log-in").build().unwrap();
    world
        .pages(layer.routes())
        .route("/log-in", get(page).post(log_in))
        .route("/first-step", post(first_step))
        .route("/second-step", post(second_step))
        .layer(layer)
}

async fn user(world: &World, id: &str) -> String {
    let profile = Profile::new(Subject::new(ISSUER, id));
    let account = world.users.find_or_create(&profile).await.unwrap();
    account.unwrap().id()
}

async fn send(jar: &mut Jar, app: &Router, path: &str, fields: &str) -> Response<Body> {
    let mark = if path.contains('?') { '&' } else { '?' };
    let path = format!("{path}{mark}{fields}");
    let html = [("accept", "text/html")];
    jar.send_with(app, (axum::http::Method::POST, &path), &html)
        .await
}

/// The state in a button.
fn state_of(button: &str) -> &str {
    let (_, rest) = button.split_once("data-state=\"").unwrap();
    let (state, _) = rest.split_once('"').unwrap();
    state
}

async fn recent(jar: &mut Jar, app: &Router) -> u16 {
    jar.open(app, "/recent").await.status().as_u16()
}

#[tokio::test]
async fn the_login_page_hears_why_and_the_form_leads_back() {
    let world = World::new();
    let user = user(&world, "12345").await;
    for (kind, sessions) in world.both() {
        let app = app(&world, sessions, false);
        let mut jar = Jar::default();
        send(&mut jar, &app, "/log-in", &format!("user={user}")).await;
        assert_eq!(recent(&mut jar, &app).await, 200, "{kind}");
        world.clock.advance(11 * MINUTE);
        let mut copy = jar.clone();
        let response = jar.open(&app, "/recent").await;
        assert_eq!(location(&response), PAGE, "{kind}");

        // A wrong password leads to the same page.
        let wrong = format!("user={user}&wrong=true");
        let response = send(&mut jar, &app, PAGE, &wrong).await;
        let page = "/log-in?failed=true&max_age=600&next=%2Frecent";
        assert_eq!(location(&response), page, "{kind}");
        assert_eq!(recent(&mut jar, &app).await, 303, "{kind}");

        let response = send(&mut jar, &app, PAGE, &format!("user={user}")).await;
        assert_eq!(location(&response), "/recent", "{kind}");
        assert_eq!(recent(&mut jar, &app).await, 200, "{kind}");
        assert!(!copy.is_in(&app).await, "{kind}: a copy has ended");
    }
}

#[tokio::test]
async fn another_user_than_the_one_who_is_logged_in_is_refused() {
    let world = World::new();
    let (user, other) = (user(&world, "12345").await, user(&world, "67890").await);
    for (kind, sessions) in world.both() {
        let app = app(&world, sessions, false);
        let mut jar = Jar::default();
        send(&mut jar, &app, "/log-in", &format!("user={user}")).await;
        world.clock.advance(11 * MINUTE);
        let fields = format!("user={other}");
        // Whatever a person makes of the number.
        for path in [PAGE, "/log-in?max_age=", "/log-in?max_age=0&next=/recent"] {
            let response = send(&mut jar, &app, path, &fields).await;
            assert_eq!(response.status(), 403, "{kind}: {path}");
            let page = text(response).await;
            assert!(page.contains("This is another account"), "{kind}: {page}");
            assert!(page.contains("href=\"/log-in?max_age="), "{kind}: {page}");
            let leads_on = page.contains("&amp;next=%2Frecent\"");
            assert_eq!(leads_on, path.contains("next="), "{kind}: {page}");
        }
        let by_action = format!("{fields}&same_user=true");
        let response = send(&mut jar, &app, "/log-in", &by_action).await;
        assert_eq!(response.status(), 403, "{kind}");
        let stays = jar.user(&app).await;
        assert_eq!(stays.as_deref(), Some("12345"), "{kind}");

        let by_action = format!("user={user}&same_user=true");
        let response = send(&mut jar, &app, "/log-in", &by_action).await;
        assert_eq!(location(&response), "/recent", "{kind}");
        assert_eq!(recent(&mut jar, &app).await, 200, "{kind}");

        // Without the reason, and without a login, it is a login like any other.
        send(&mut jar, &app, "/log-in", &fields).await;
        assert_eq!(jar.user(&app).await.as_deref(), Some("67890"), "{kind}");
        let mut jar = Jar::default();
        send(&mut jar, &app, PAGE, &fields).await;
        assert_eq!(jar.user(&app).await.as_deref(), Some("67890"), "{kind}");
    }
}

#[tokio::test]
async fn a_login_of_two_steps_keeps_the_reason_and_its_first_time() {
    let world = World::new();
    let (user, other) = (user(&world, "12345").await, user(&world, "67890").await);
    for (kind, sessions) in world.both() {
        let app = app(&world, sessions, false);
        for (who, waits, status) in [
            (&user, 0, 200),
            // The password was proven then, and not with the second step.
            (&user, 9 * MINUTE, 303),
            (&other, 0, 303),
        ] {
            let mut jar = Jar::default();
            send(&mut jar, &app, "/log-in", &format!("user={user}")).await;
            world.clock.advance(11 * MINUTE);
            let first = PAGE.replace("/log-in", "/first-step");
            let response = send(&mut jar, &app, &first, &format!("user={who}")).await;
            let second = "/second-step?max_age=600&next=%2Frecent";
            assert_eq!(location(&response), second, "{kind}");
            world.clock.advance(waits);
            let response = send(&mut jar, &app, second, "").await;
            let expected = if *who == user { 303 } else { 403 };
            assert_eq!(response.status(), expected, "{kind}: {waits}");
            world.clock.advance(2 * MINUTE);
            assert_eq!(recent(&mut jar, &app).await, status, "{kind}: {waits}");
            let stays = jar.user(&app).await;
            assert_eq!(stays.as_deref(), Some("12345"), "{kind}");
        }
    }
}

/// The button of a provider on the login page begins what the page was opened for.
#[tokio::test]
async fn a_button_on_the_login_page_asks_for_the_same_user() {
    let world = World::new();
    let user = user(&world, "12345").await;
    let app = app(&world, world.stored(), true);
    let mut jar = Jar::default();
    send(&mut jar, &app, "/log-in", &format!("user={user}")).await;
    world.clock.advance(11 * MINUTE);
    for (code, status) in [("67890", 403), ("12345:silent", 403), ("12345", 303)] {
        let button = text(jar.open(&app, PAGE).await).await;
        let link = "href=\"/clef/login?max_age=600&amp;next=%2Frecent\"";
        assert!(button.contains(link), "{button}");
        let state = state_of(&button);
        let path = format!("/clef/callback?code=code:{code}&state={state}");
        let response = jar.open(&app, &path).await;
        assert_eq!(response.status(), status, "{code}");
        assert!(jar.is_in(&app).await, "{code}");
    }
    assert_eq!(recent(&mut jar, &app).await, 200);

    // And so does a link that passes the query on.
    world.clock.advance(11 * MINUTE);
    let start = PAGE.replace("/log-in", "/clef/login");
    let response = jar.open(&app, &start).await;
    let state = state_in(location(&response));
    let path = format!("/clef/callback?code=code:67890&state={state}");
    assert_eq!(jar.open(&app, &path).await.status(), 403);
    assert_eq!(jar.user(&app).await.as_deref(), Some("12345"));
}

/// There the parameter is the application's own.
#[tokio::test]
async fn a_button_on_another_page_asks_for_any_user() {
    let world = World::new();
    let user = user(&world, "12345").await;
    let app = app(&world, world.stored(), true);
    let mut jar = Jar::default();
    send(&mut jar, &app, "/log-in", &format!("user={user}")).await;
    world.clock.advance(11 * MINUTE);
    let button = text(jar.open(&app, "/button?max_age=600").await).await;
    let link = "href=\"/clef/login?next=%2Fbutton%3Fmax_age%3D600\"";
    assert!(button.contains(link), "{button}");
    let state = state_of(&button);
    let path = format!("/clef/callback?code=code:67890&state={state}");
    let response = jar.open(&app, &path).await;
    assert_eq!(response.status(), 303);
    assert_eq!(location(&response), "/button?max_age=600");
    assert_eq!(jar.user(&app).await.as_deref(), Some("67890"));
}
