//! What a request hears of its login that has ended: why, by whom and when, and only if the login was
//! its own.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use axum::{
    Router,
    body::Body,
    http::{Method, Response},
    routing::{get, post},
};
use axum_clef::{
    ClefLayerBuilder, EndedLogin, LoggedIn, LoggedInRejection, Login, LogoutCause, LogoutReason,
    Logouts, OtherLogins, OtherLoginsError, Sessions, UserStore, stores::Account,
};
use serde_json::Value;
use test_support::InParts;

use crate::support::{
    Jar, World,
    clock::{DAY, MINUTE},
    jar::{notice, text},
};

const PERSON: (&str, &str) = ("accept", "text/html,*/*;q=0.8");

/// "Log out on all devices".
async fn everywhere(login: Login, logouts: Logouts) {
    let logouts = logouts.with_cause(LogoutCause::User);
    assert_eq!(logouts.log_out_user(login.user_id()).await, Ok(true));
}

/// After a change of the password.
async fn others(others: OtherLogins) -> Result<(), OtherLoginsError> {
    others
        .with_cause(LogoutCause::CredentialsChanged)
        .log_out()
        .await
}

/// The page to log in on.
async fn log_in_page(user: Result<LoggedIn<Account>, LoggedInRejection>) -> String {
    let ended = user.as_ref().err().and_then(LoggedInRejection::ended_login);
    ended.map(ToString::to_string).unwrap_or_default()
}

fn app<S: UserStore>(world: &World, builder: ClefLayerBuilder<S>) -> Router {
    let layer = builder.build().unwrap();
    world
        .pages(layer.routes())
        .route("/all", post(everywhere))
        .route("/others", post(others))
        .route("/log-in", get(log_in_page))
        .layer(layer)
}

fn over(world: &World, sessions: Sessions) -> Router {
    app(world, world.builder_over(sessions))
}

/// A form of a person whose login has ended.
async fn send_form(jar: &mut Jar, app: &Router) -> Response<Body> {
    let response = jar
        .send_with(app, (Method::POST, "/account"), &[PERSON])
        .await;
    assert_eq!(response.status(), 401);
    assert_eq!(response.headers()["cache-control"], "no-store");
    response
}

/// The problem of a script whose login has ended.
async fn problem(jar: &mut Jar, app: &Router) -> Value {
    let response = jar.get(app, "/account").await;
    assert_eq!(response.status(), 401);
    serde_json::from_str(&text(response).await).unwrap()
}

#[tokio::test]
async fn the_page_says_in_one_sentence_who_logged_the_user_out_and_when() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let app = over(&world, sessions);
        for (path, before, after, cause) in [
            (
                "/all",
                "You logged out",
                ", here or on another device.",
                "user",
            ),
            (
                "/others",
                "You were logged out",
                " because your password or another credential was changed.",
                "credentials-changed",
            ),
        ] {
            let mut here = Jar::logged_in(&app, "12345").await;
            let mut there = Jar::logged_in(&app, "12345").await;
            assert_eq!(there.post(&app, path).await.status(), 200);
            let page = text(send_form(&mut here, &app).await).await;
            let start = format!("<p>{before} at <time datetime=\"");
            let (_, time) = page
                .split_once(&start)
                .unwrap_or_else(|| panic!("{kind}: {page}"));
            let (datetime, rest) = time.split_once("\">").unwrap();
            let (shown, rest) = rest.split_once("</time>").unwrap();
            assert!(rest.starts_with(&format!("{after}</p>")), "{rest}");
            assert!(shown.contains(" UTC on "), "{shown}");
            let problem = problem(&mut here, &app).await;
            assert_eq!(problem["cause"], cause);
            assert_eq!(problem["logged_out_at"], datetime);
            assert_eq!(problem["login"], "/clef/login");
            let sentence = format!("{before} at {shown}{after}");
            let detail = format!("{sentence} Log in at /clef/login");
            assert_eq!(problem["detail"], detail);
            assert_eq!(text(here.get(&app, "/log-in").await).await, sentence);
            here.log_in(&app, "12345").await;
            assert_eq!(text(here.get(&app, "/log-in").await).await, "");
        }
    }
}

#[tokio::test]
async fn a_logout_by_the_provider_is_one_and_a_store_without_causes_loses_nothing_else() {
    let world = World::new();
    let without = InParts(world.users.clone());
    let layer = axum_clef::ClefLayer::builder(World::SITE, without, world.stored());
    for (app, cause, sentence) in [
        (
            over(&world, world.stored()),
            "provider",
            "by the service that you log in with.",
        ),
        (
            app(&world, layer.provider(world.provider.clone())),
            "unknown",
            "You were logged out at ",
        ),
    ] {
        let mut jar = Jar::logged_in(&app, "12345").await;
        assert_eq!(notice(&app, &format!("token:12345:{cause}")).await, 200);
        let told = problem(&mut jar, &app).await;
        assert_eq!(told["cause"], cause);
        assert!(told["logged_out_at"].is_string());
        let shown = text(jar.get(&app, "/log-in").await).await;
        assert!(shown.contains(sentence), "{shown}");
    }
}

#[tokio::test]
async fn only_the_cookie_of_the_login_hears_of_its_end() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let app = over(&world, sessions);
        let mut jar = Jar::logged_in(&app, "12345").await;
        assert_eq!(jar.clone().post(&app, "/all").await.status(), 200);
        assert_eq!(problem(&mut jar, &app).await["cause"], "user", "{kind}");
        let plain = problem(&mut Jar::default(), &app).await;
        assert!(plain.get("cause").is_none());
        let value = jar.cookies["auth-9"].clone();
        let mut forged = vec![value[..value.len() - 1].to_owned()];
        let mut changed = value.clone().into_bytes();
        let place = changed.len() - 3;
        changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
        forged.push(String::from_utf8(changed).unwrap());
        // The id of a stored login is no secret.
        if let Some((id, _)) = value.split_once('.') {
            let secret = "A".repeat(43);
            forged.extend([id.to_owned(), format!("{id}."), format!("{id}.{secret}")]);
        }
        for value in forged {
            jar.cookies.insert("auth-9".to_owned(), value.clone());
            assert_eq!(problem(&mut jar, &app).await, plain, "{kind}: {value}");
            let page = text(send_form(&mut jar, &app).await).await;
            let strangers = text(send_form(&mut Jar::default(), &app).await).await;
            assert_eq!(page, strangers, "{kind}: {value}");
        }
    }
}

#[tokio::test]
async fn a_browser_that_was_left_behind_does_not_show_later_logouts() {
    let world = World::new();
    let lifetime = std::time::Duration::from_secs(2 * 24 * 60 * 60);
    for (kind, sessions) in world.both() {
        let app = app(&world, world.builder_over(sessions).lifetime(lifetime));
        for idle in [false, true] {
            let mut left = Jar::logged_in(&app, "12345").await;
            let mut here = Jar::logged_in(&app, "12345").await;
            assert_eq!(here.post(&app, "/all").await.status(), 200);
            assert_eq!(problem(&mut left, &app).await["cause"], "user", "{kind}");
            // A day without a use, or the whole lifetime.
            world
                .clock
                .advance(if idle { DAY + MINUTE } else { 3 * DAY });
            here.log_in(&app, "12345").await;
            assert_eq!(here.post(&app, "/all").await.status(), 200);
            let told = problem(&mut left, &app).await;
            assert!(told.get("cause").is_none(), "{kind}, {idle}: {told}");
            assert!(told.get("logged_out_at").is_none());
            let shown = text(left.get(&app, "/log-in").await).await;
            assert_eq!(shown, "Your login has expired.", "{kind}, {idle}");
        }
    }
}

#[tokio::test]
async fn a_renderer_of_rejections_knows_the_end_and_a_lock_until_later_has_no_time() {
    let world = World::new();
    let seen = Arc::<Mutex<Option<EndedLogin>>>::default();
    let (told, calls) = (Arc::clone(&seen), Arc::<AtomicUsize>::default());
    let counted = Arc::clone(&calls);
    let app = app(
        &world,
        world.builder().render_rejections(move |rejection| {
            *told.lock().unwrap() = rejection.ended_login().cloned();
            counted.fetch_add(1, SeqCst);
            rejection.default_response()
        }),
    );
    let mut jar = Jar::logged_in(&app, "12345").await;
    let id = text(jar.get(&app, "/").await).await;
    world.clock.advance(365 * DAY);
    world
        .users
        .log_out_with_cause(&id, &LogoutCause::Administrator)
        .await
        .unwrap();
    world.clock.advance(-365 * DAY);
    assert!(!jar.is_in(&app).await);
    assert_eq!(calls.load(SeqCst), 1);
    let ended = seen.lock().unwrap().take().unwrap();
    assert_eq!(ended.reason(), LogoutReason::LoggedOut);
    assert_eq!(*ended.cause(), LogoutCause::Administrator);
    assert_eq!(ended.logged_out_at(), None);
    assert!(!Jar::default().is_in(&app).await);
    assert_eq!(*seen.lock().unwrap(), None);
}

#[tokio::test]
async fn a_form_that_leads_to_the_login_redirects_as_before() {
    let world = World::new();
    let app = over(&world, world.stored());
    let mut jar = Jar::logged_in(&app, "12345").await;
    assert_eq!(jar.clone().post(&app, "/all").await.status(), 200);
    let response = jar.open(&app, "/account").await;
    assert_eq!(response.status(), 303);
    assert_eq!(
        response.headers()["location"],
        "/clef/login?next=%2Faccount"
    );
}

#[tokio::test]
async fn a_sign_out_everywhere_is_the_users() {
    let world = World::new();
    let app = app(&world, world.builder().sign_out_everywhere());
    let mut here = Jar::logged_in(&app, "12345").await;
    let mut there = Jar::logged_in(&app, "12345").await;
    assert_eq!(here.sign_out(&app).await.status(), 303);
    assert_eq!(problem(&mut there, &app).await["cause"], "user");
}
