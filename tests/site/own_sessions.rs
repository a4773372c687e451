//! An application's own sessions of tower-sessions, inside the layer, outside of it, or not at all:
//! they have nothing to do with logins.

use axum::{
    Extension, Router,
    http::request::Parts,
    routing::{get, post},
};
use axum_clef::{BoxError, ClefLayerBuilder, LoggedIn, Login, stores::Account};
use time::OffsetDateTime;
use tower_sessions::{Expiry, MemoryStore, Session, SessionManagerLayer, cookie::SameSite};

use crate::support::{
    Jar, TestSessions, TestUsers, World,
    clock::MINUTE,
    jar::{set_cookie, text},
};

/// Where the application's session layer is, seen from ours.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Position {
    Inside,
    Outside,
    Nowhere,
}

const POSITIONS: [Position; 3] = [Position::Inside, Position::Outside, Position::Nowhere];

/// A site whose application has sessions in a store of its own.
fn app(
    world: &World,
    own: &TestSessions,
    position: Position,
    builder: ClefLayerBuilder<TestUsers>,
) -> Router {
    let sessions = SessionManagerLayer::new(own.clone())
        .with_secure(false)
        .with_same_site(SameSite::Lax);
    let layer = builder.build().unwrap();
    let pages = Router::new()
        .route("/has-session", get(has_session))
        .route("/cart", get(cart).post(fill_cart))
        .route("/flush", post(async |s: Session| s.flush().await.unwrap()))
        .route("/clear", post(async |s: Session| s.clear().await))
        .route(
            "/cycle",
            post(async |s: Session| s.cycle_id().await.unwrap()),
        )
        .route("/two-hours", post(two_hours))
        .route("/login", get(async |login: Login| login.id().to_string()))
        .merge(world.pages(layer.routes()));
    match position {
        Position::Inside => pages.layer(sessions).layer(layer),
        Position::Outside => pages.layer(layer).layer(sessions),
        Position::Nowhere => pages.layer(layer),
    }
}

async fn has_session(session: Option<Extension<Session>>) -> String {
    session.is_some().to_string()
}

async fn fill_cart(session: Session, _: Option<LoggedIn<Account>>) {
    session.insert("cart", "a book").await.unwrap();
}

async fn cart(session: Session) -> String {
    session.get("cart").await.unwrap().unwrap_or_default()
}

/// Its session is to end in two hours, and the login in a day.
async fn two_hours(session: Session, _: LoggedIn<Account>) {
    session.insert("cart", "a book").await.unwrap();
    let end = OffsetDateTime::now_utc() + time::Duration::hours(2);
    session.set_expiry(Some(Expiry::AtDateTime(end)));
}

fn own_sessions() -> TestSessions {
    TestSessions::new(MemoryStore::default())
}

#[tokio::test]
async fn a_login_survives_whatever_a_handler_does_to_its_session() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        for position in [Position::Inside, Position::Outside] {
            let builder = world.builder_over(sessions.clone());
            let own = own_sessions();
            let app = app(&world, &own, position, builder);
            let mut jar = Jar::default();
            jar.post(&app, "/cart").await;
            jar.log_in(&app, "12345").await;
            assert_eq!(text(jar.get(&app, "/cart").await).await, "a book");
            for deed in ["/cycle", "/cart", "/clear", "/cart", "/flush", "/cart"] {
                let response = jar.post(&app, deed).await;
                assert_eq!(response.status(), 200);
                assert_eq!(set_cookie(response.headers(), "auth-9"), None);
                let case = format!("{kind} {position:?} {deed}");
                assert_eq!(jar.user(&app).await.as_deref(), Some("12345"), "{case}");
            }
            // A sign-out leaves the application's session to the application.
            jar.sign_out(&app).await;
            assert!(!jar.is_in(&app).await);
            assert_eq!(text(jar.get(&app, "/cart").await).await, "a book");
        }
    }
}

#[tokio::test]
async fn the_layer_puts_no_session_into_a_request() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        for position in POSITIONS {
            let own = own_sessions();
            let builder = world.builder_over(sessions.clone());
            let app = app(&world, &own, position, builder);
            let mut jar = Jar::default();
            for _ in 0..2 {
                let has = text(jar.get(&app, "/has-session").await).await;
                let expected = (position != Position::Nowhere).to_string();
                assert_eq!(has, expected, "{kind} {position:?}");
                jar.log_in(&app, "12345").await;
            }
            // And nothing of ours is in the application's.
            if position != Position::Nowhere {
                jar.post(&app, "/cart").await;
                let data = own.last_saved().data;
                assert_eq!(data.keys().collect::<Vec<_>>(), ["cart"]);
            }
        }
    }
}

/// So an application keys by it what it keeps for one login.
#[tokio::test]
async fn the_id_of_a_login_is_its_own_and_stays() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let builder = || world.builder_over(sessions.clone());
        let [here, there] = [builder(), builder()]
            .map(|builder| app(&world, &own_sessions(), Position::Nowhere, builder));
        let mut jar = Jar::logged_in(&here, "12345").await;
        let id = text(jar.get(&here, "/login").await).await;
        for app in [&here, &there] {
            world.clock.advance(120 * MINUTE);
            assert_eq!(text(jar.get(app, "/login").await).await, id, "{kind}");
        }
        assert!(!jar.cookies["auth-9"].contains(&id), "it proves nothing");
        let mut other = Jar::logged_in(&here, "12345").await;
        assert_ne!(text(other.get(&here, "/login").await).await, id, "{kind}");
        jar.log_in(&here, "12345").await;
        assert_ne!(text(jar.get(&here, "/login").await).await, id, "{kind}");
    }
}

#[tokio::test]
async fn the_expiry_of_a_session_and_the_renewal_of_a_login_do_not_meet() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        for position in [Position::Inside, Position::Outside] {
            let own = own_sessions();
            let app = app(&world, &own, position, world.builder_over(sessions.clone()));
            let mut jar = Jar::logged_in(&app, "12345").await;
            world.clock.advance(120 * MINUTE);
            jar.post(&app, "/two-hours").await;
            let left = own.last_saved().expiry_date - OffsetDateTime::now_utc();
            assert!(left <= time::Duration::hours(2), "{kind} {position:?}");
            assert!(left > time::Duration::minutes(119), "{kind} {position:?}");
            // The renewal was due, and is done.
            for _ in 0..2 {
                world.clock.advance(23 * 60 * MINUTE);
                assert!(jar.is_in(&app).await, "{kind} {position:?}");
            }
        }
    }
}

async fn cycle(parts: Parts, login: Login) -> Result<(), BoxError> {
    let session = parts.extensions.get::<Session>().ok_or("no session")?;
    session.cycle_id().await?;
    session.insert("login", login.id()).await?;
    Ok(())
}

async fn clear(parts: Parts, login: Login) -> Result<(), BoxError> {
    let session = parts.extensions.get::<Session>().ok_or("no session")?;
    assert_eq!(session.get("login").await?, Some(login.id()));
    session.flush().await?;
    Ok(())
}

#[tokio::test]
async fn hooks_cycle_and_clear_the_session_of_the_application() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        for position in [Position::Inside, Position::Outside] {
            for sign_out in ["/auth/sign-out", "/leave"] {
                let own = own_sessions();
                let builder = world.builder_over(sessions.clone());
                let builder = builder.on_login(cycle).on_sign_out(clear);
                let app = app(&world, &own, position, builder);
                let case = format!("{kind} {position:?} {sign_out}");
                let mut jar = Jar::default();
                jar.post(&app, "/cart").await;
                let (before, id) = (own.last_saved().id, jar.cookies["id"].clone());
                jar.log_in(&app, "12345").await;
                assert_ne!(jar.cookies["id"], id, "{case}");
                assert_eq!(own.inner.load(&before).await.unwrap(), None, "{case}");
                assert_eq!(text(jar.get(&app, "/cart").await).await, "a book");

                let last = own.last_saved().id;
                assert!(jar.post(&app, sign_out).await.status().as_u16() < 400);
                assert_eq!(jar, Jar::default(), "{case}");
                assert_eq!(own.inner.load(&last).await.unwrap(), None, "{case}");
            }
        }
    }
}

async fn fails(_: Parts, _: Login) -> Result<(), BoxError> {
    Err("the hook fails".into())
}

#[tokio::test]
async fn a_login_whose_hook_fails_is_none_and_a_sign_out_is_one_all_the_same() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let builder = world.builder_over(sessions.clone()).on_login(fails);
        let app = world.app_of(builder);
        let mut jar = Jar::default();
        let callback = jar.begin(&app, "12345").await;
        assert_eq!(jar.get(&app, &callback).await.status(), 503, "{kind}");
        let is_attempt = |name: &&str| name.contains("-attempt-");
        assert!(jar.names().iter().all(is_attempt), "{kind}: {jar:?}");

        let app = world.app_of(world.builder_over(sessions).on_sign_out(fails));
        jar.log_in(&app, "12345").await;
        let mut copy = jar.clone();
        assert_eq!(jar.sign_out(&app).await.status(), 303, "{kind}");
        assert!(!copy.is_in(&app).await, "{kind}");
    }
}
