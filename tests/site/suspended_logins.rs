//! Logins over several requests: a password, then a code.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use axum::{
    Extension, Router,
    extract::Query,
    http::Method,
    response::{IntoResponse, Redirect},
    routing::post,
};
use axum_clef::{
    ClefLayer, ClefLayerBuilder, IdentityStore as _, LogInError, NewLogin, Profile, RevocationKey,
    Sessions, Subject, SuspendedLogin, User as _, UserStore as _,
};

use crate::support::{
    Jar, Pause, TestUsers, World,
    clock::{DAY, MINUTE, SECOND},
    jar::{location, text},
    provider::ISSUER,
};

#[derive(serde::Deserialize)]
struct Password {
    user: String,
}

#[derive(serde::Deserialize)]
struct Code {
    code: String,
    lifetime: Option<u64>,
}

async fn password(login: NewLogin, form: Query<Password>) -> Result<Redirect, LogInError> {
    login.suspend(&form.user, "/log-in/code").await
}

async fn code(
    login: SuspendedLogin,
    Extension(verifying): Extension<Pause>,
    form: Query<Code>,
) -> Result<Redirect, LogInError> {
    verifying.here().await;
    let login = match form.lifetime {
        Some(seconds) => login.lifetime(Duration::from_secs(seconds)),
        None => login,
    };
    match form.code == format!("code-of-{}", login.user_id()) {
        true => login.begin().await,
        false => Ok(login.try_again()),
    }
}

/// The page of the second step, which its handler would let any cache keep.
async fn code_page(login: SuspendedLogin) -> impl IntoResponse {
    (
        [("cache-control", "public, max-age=60")],
        login.user_id().to_owned(),
    )
}

/// A site that verifies codes in [`World::slow`].
fn app(world: &World, sessions: Sessions) -> Router {
    let builder = ClefLayer::builder(World::SITE, world.users.clone(), sessions);
    app_of(
        world,
        builder.idle_expiry(Duration::from_secs(30 * 24 * 60 * 60)),
    )
}

fn app_of(world: &World, builder: ClefLayerBuilder<TestUsers>) -> Router {
    let layer = builder.login_page("/log-in").build().unwrap();
    world
        .pages(layer.routes())
        .route("/log-in", post(password))
        .route("/log-in/code", post(code).get(code_page))
        .layer(layer)
        .layer(Extension(world.slow.clone()))
}

/// A site, and the id of a user.
async fn world() -> (World, String) {
    let world = World::new();
    let profile = Profile::new(Subject::new(ISSUER, "12345"));
    let account = world.users.find_or_create(&profile).await.unwrap();
    (world, account.unwrap().id())
}

async fn suspended(app: &Router, user: &str) -> Jar {
    let mut jar = Jar::default();
    let response = jar
        .post(app, &format!("/log-in?user={user}&next=/account"))
        .await;
    assert_eq!(response.status(), 303);
    assert_eq!(location(&response), "/log-in/code?next=%2Faccount");
    jar
}

#[tokio::test]
async fn a_login_begins_after_its_last_step() {
    let (world, user) = world().await;
    for (kind, sessions) in world.both() {
        let app = app(&world, sessions);
        let mut jar = suspended(&app, &user).await;
        assert!(!jar.is_in(&app).await, "{kind}: one step is not enough");

        let wrong = jar
            .post(&app, "/log-in/code?code=wrong&next=/account")
            .await;
        let back = "/log-in/code?failed=true&next=%2Faccount";
        assert_eq!(location(&wrong), back, "{kind}");
        assert!(!jar.is_in(&app).await, "{kind}");

        let before = jar.clone();
        let right = format!("/log-in/code?code=code-of-{user}&next=/account");
        let response = jar.post(&app, &right).await;
        assert_eq!(location(&response), "/account", "{kind}");
        assert!(jar.is_in(&app).await, "{kind}");
        assert!(
            jar.names().iter().all(|name| !name.contains("suspended")),
            "{kind}: {:?}",
            jar.names()
        );
        if kind == "stored" {
            let response = before.clone().post(&app, &right).await;
            assert_eq!(response.status(), 403, "it is resumed once");
        }
    }
}

#[tokio::test]
async fn a_sign_out_ends_every_copy_of_the_suspended_login() {
    let (world, user) = world().await;
    let right = format!("/log-in/code?code=code-of-{user}");
    for (kind, sessions) in world.both() {
        let app = app(&world, sessions);
        let mut jar = suspended(&app, &user).await;
        let (mut copy, mut late) = (jar.clone(), jar.clone());
        let (late_answer, ()) = world
            .slow
            .during(late.post(&app, &right), async {
                jar.post(&app, &right).await;
                assert!(jar.is_in(&app).await, "{kind}");
                assert_eq!(jar.sign_out(&app).await.status(), 303, "{kind}");
            })
            .await;
        assert_eq!(late_answer.status(), 403, "{kind}");
        assert!(!late.is_in(&app).await, "{kind}: a late request");
        assert_eq!(copy.post(&app, &right).await.status(), 403, "{kind}");
        assert!(!copy.is_in(&app).await, "{kind}: a copy");
    }
}

/// Such a store cannot end the second login with the first.
#[tokio::test]
async fn without_revocations_a_suspended_login_is_completed_once() {
    let (world, user) = world().await;
    world.users.no_revocations.store(true, SeqCst);
    let right = format!("/log-in/code?code=code-of-{user}");
    let app = app(&world, world.stored());
    let mut jar = suspended(&app, &user).await;
    let mut late = jar.clone();
    let (answer, ()) = world
        .slow
        .during(late.post(&app, &right), async {
            jar.post(&app, &right).await;
            assert!(jar.is_in(&app).await);
            jar.sign_out(&app).await;
        })
        .await;
    assert_eq!(answer.status(), 403);
    assert!(!late.is_in(&app).await);
}

#[tokio::test]
async fn the_page_of_a_step_may_have_a_query() {
    let (world, user) = world().await;
    let builder = ClefLayer::builder(World::SITE, world.users.clone(), world.stored());
    let layer = builder.login_page("/log-in").build().unwrap();
    let by = async |login: NewLogin, form: Query<Password>| {
        login.suspend(&form.user, "/log-in/code?by=app").await
    };
    let app = Router::new().route("/log-in", post(by)).layer(layer);
    for (next, step) in [
        ("", "/log-in/code?by=app"),
        ("&next=/account", "/log-in/code?by=app&next=%2Faccount"),
    ] {
        let form = format!("/log-in?user={user}{next}");
        let response = Jar::default().post(&app, &form).await;
        assert_eq!(location(&response), step);
    }
}

/// Two requests with the same code: each gets in, and one sign-out ends both.
#[tokio::test]
async fn a_suspended_login_that_is_completed_twice_is_one_login() {
    let (world, user) = world().await;
    let right = format!("/log-in/code?code=code-of-{user}");
    for (kind, sessions) in world.both() {
        let app = app(&world, sessions);
        let mut jar = suspended(&app, &user).await;
        let mut second = jar.clone();
        let answer = second.post(&app, &right);
        let (answer, _) = world.slow.during(answer, jar.post(&app, &right)).await;
        assert_eq!(answer.status(), 303, "{kind}");
        assert!(jar.is_in(&app).await, "{kind}");
        assert!(second.is_in(&app).await, "{kind}");
        jar.sign_out(&app).await;
        assert!(!second.is_in(&app).await, "{kind}");
    }
}

#[tokio::test]
async fn a_sign_out_ends_a_login_under_the_same_id_that_lasts_longer() {
    let (world, user) = world().await;
    let right = format!("/log-in/code?code=code-of-{user}");
    for (kind, sessions) in world.both() {
        let app = app(&world, sessions);
        let mut jar = suspended(&app, &user).await;
        let mut longer = jar.clone();
        let short = format!("{right}&lifetime=60");
        let answer = longer.post(&app, &right);
        let (answer, _) = world.slow.during(answer, jar.post(&app, &short)).await;
        assert_eq!(answer.status(), 303, "{kind}");
        jar.sign_out(&app).await;
        world.clock.advance(DAY + 2 * MINUTE);
        // The store deletes what has expired once there is enough of it.
        let subjects = (0..5_000).map(|id| Subject::new(ISSUER, id.to_string()));
        let keys: Vec<_> = subjects.map(RevocationKey::UnknownSubject).collect();
        for _ in 0..2 {
            let keep_until = world.clock.read();
            world.users.revoke(&keys, keep_until).await.unwrap();
        }
        assert!(!longer.is_in(&app).await, "{kind}");
    }
}

#[tokio::test]
async fn a_sign_out_leaves_no_suspended_login_in_the_browser() {
    let (world, user) = world().await;
    for (kind, sessions) in world.both() {
        let app = app(&world, sessions);
        let mut jar = suspended(&app, &user).await;
        jar.sign_out(&app).await;
        assert_eq!(jar.names(), [""; 0], "{kind}");
    }
}

#[tokio::test]
async fn a_login_keeps_its_first_stamp_for_ten_minutes() {
    let (world, user) = world().await;
    for (kind, sessions) in world.both() {
        let app = app(&world, sessions);
        let right = format!("/log-in/code?code=code-of-{user}");
        for (wait, logs_out, words) in [
            (10 * MINUTE - SECOND, false, None),
            (10 * MINUTE, false, Some("took too long")),
            (0, true, Some("logged out in the meantime")),
        ] {
            let mut jar = suspended(&app, &user).await;
            world.clock.advance(wait);
            if logs_out {
                world.users.log_out(&user).await.unwrap();
            }
            let response = jar.post(&app, &right).await;
            let status = if words.is_some() { 403 } else { 303 };
            assert_eq!(response.status(), status, "{kind}: {wait}");
            let text = text(response).await;
            assert!(text.contains(words.unwrap_or_default()), "{kind}: {text}");
            assert_eq!(jar.is_in(&app).await, words.is_none(), "{kind}: {wait}");
        }
    }
}

#[tokio::test]
async fn a_suspended_login_is_no_login_and_a_login_is_not_suspended() {
    let (world, user) = world().await;
    for (kind, sessions) in world.both() {
        let app = app(&world, sessions);
        let right = format!("/log-in/code?code=code-of-{user}");
        let mut nothing = Jar::default();
        assert_eq!(nothing.post(&app, &right).await.status(), 403, "{kind}");

        let suspended = suspended(&app, &user).await;
        let value = &suspended.cookies["auth-9-suspended"];
        let mut as_login = Jar::default();
        as_login.cookies.insert("auth-9".to_owned(), value.clone());
        assert!(!as_login.is_in(&app).await, "{kind}");

        let mut logged_in = suspended.clone();
        logged_in.post(&app, &right).await;
        assert!(logged_in.is_in(&app).await, "{kind}");
        let value = &logged_in.cookies["auth-9"];
        let mut as_suspended = Jar::default();
        let name = "auth-9-suspended".to_owned();
        as_suspended.cookies.insert(name, value.clone());
        assert_eq!(
            as_suspended.post(&app, &right).await.status(),
            403,
            "{kind}"
        );
    }
}

#[tokio::test]
async fn a_page_of_another_site_completes_no_login() {
    let (world, user) = world().await;
    let app = app(&world, world.stored());
    let mut jar = suspended(&app, &user).await;
    let right = format!("/log-in/code?code=code-of-{user}");
    let elsewhere = [("origin", "https://evil.example")];
    let response = jar
        .send_with(&app, (Method::POST, &right), &elsewhere)
        .await;
    assert_eq!(response.status(), 403);
    assert!(!jar.is_in(&app).await);
}

#[tokio::test]
async fn the_idle_time_counts_from_the_last_step() {
    let (world, user) = world().await;
    for (kind, sessions) in world.both() {
        let builder = ClefLayer::builder(World::SITE, world.users.clone(), sessions);
        let builder = builder.idle_expiry(Duration::from_secs(5 * 60));
        let app = app_of(&world, builder);
        let mut jar = suspended(&app, &user).await;
        world.clock.advance(6 * MINUTE);
        let right = format!("/log-in/code?code=code-of-{user}");
        assert_eq!(jar.post(&app, &right).await.status(), 303, "{kind}");
        assert!(jar.is_in(&app).await, "{kind}");
        world.clock.advance(6 * MINUTE);
        assert!(!jar.is_in(&app).await, "{kind}");
    }
}

/// It shows whose login is suspended, and the check of the request finds no user.
#[tokio::test]
async fn no_cache_keeps_a_page_of_a_step() {
    let (world, user) = world().await;
    for (kind, sessions) in world.both() {
        let app = app(&world, sessions);
        let mut jar = suspended(&app, &user).await;
        let page = jar.get(&app, "/log-in/code").await;
        assert_eq!(page.headers()["cache-control"], "no-store", "{kind}");
        assert_eq!(text(page).await, user, "{kind}");
    }
}
