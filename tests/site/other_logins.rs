//! Ending every login of a user but that of this browser.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::Query,
    http::{Method, Response},
    response::Redirect,
    routing::{get, post},
};
use axum_clef::{
    ClefLayer, IdentityStore, LogInError, Login, NewLogin, NewToken, NewTokenError, OtherLogins,
    OtherLoginsError, Sessions, leased::Leased, secrecy::ExposeSecret as _, stores::Account,
};
use tower::ServiceExt as _;

use crate::support::{
    Jar, TestUsers, World,
    clock::{MINUTE, SECOND},
    jar::{location, notice, set_cookie, text},
};

async fn others(others: OtherLogins) -> Result<&'static str, OtherLoginsError> {
    others.log_out().await?;
    Ok("alone")
}

/// What the application sees of a login, without its stamps.
async fn login(login: Login) -> String {
    format!(
        "{} {:?} {:?} {:?} {} {:?}",
        login.id(),
        login.logged_in_at(),
        login.authenticated_at(),
        login.ends_at(),
        login.is_remembered(),
        login.subject().map(|subject| subject.id().to_owned()),
    )
}

#[derive(serde::Deserialize)]
struct Form {
    user: String,
    #[serde(default)]
    brief: bool,
    lifetime: Option<u64>,
}

async fn own(login: NewLogin, Query(form): Query<Form>) -> Result<Redirect, LogInError> {
    let login = match form.lifetime {
        Some(seconds) => login.lifetime(Duration::from_secs(seconds)),
        None => login,
    };
    login.remember(!form.brief).begin(&form.user).await
}

/// A node whose users are in this store.
pub fn node(
    world: &World,
    users: impl IdentityStore<User = Account>,
    sessions: Sessions,
) -> Router {
    let layer = ClefLayer::builder(World::SITE, users, sessions)
        .provider(world.provider.clone())
        .build()
        .unwrap();
    world
        .pages(layer.routes())
        .route("/others", post(others))
        .route("/login", get(login))
        .route("/own", post(own))
        .layer(layer)
}

fn app(world: &World, sessions: &Sessions) -> Router {
    node(world, world.users.clone(), sessions.clone())
}

async fn press(jar: &mut Jar, app: &Router) -> Response<Body> {
    jar.post(app, "/others").await
}

async fn user(jar: &mut Jar, app: &Router) -> String {
    text(jar.get(app, "/").await).await
}

/// At three nodes: a browser stays with a new cookie, and every other login ends, copies of the old
/// cookie and logins of another kind too.
pub async fn one_browser_stays(nodes: &[Router; 3]) {
    let [first, second, third] = nodes;
    let mut here = Jar::logged_in(first, "12345").await;
    let user = user(&mut here, first).await;
    let mut copy = here.clone();
    let mut there = Jar::logged_in(second, "12345").await;
    let mut own = Jar::default();
    own.post(third, &format!("/own?user={user}")).await;
    let mut bystander = Jar::logged_in(third, "67890").await;
    for node in nodes {
        for jar in [&mut here, &mut copy, &mut there, &mut own, &mut bystander] {
            assert!(jar.is_in(node).await);
        }
    }
    for round in 0..3 {
        let pressed = press(&mut here, &nodes[round]).await;
        assert_eq!(pressed.status(), 200, "{round}");
        assert_eq!(pressed.headers()["cache-control"], "no-store");
        for node in nodes {
            assert!(here.is_in(node).await, "{round}");
            assert!(bystander.is_in(node).await, "{round}");
            for jar in [&mut copy, &mut there, &mut own] {
                assert!(!jar.is_in(node).await, "{round}");
            }
        }
        // New logins work, and the next press ends them.
        copy = here.clone();
        there = Jar::logged_in(third, "12345").await;
        own.post(first, &format!("/own?user={user}")).await;
        assert!(there.is_in(first).await && own.is_in(second).await);
    }
    assert_eq!(press(&mut own, first).await.status(), 200, "an own login");
    assert!(own.is_in(third).await && !here.is_in(second).await);
    assert_eq!(notice(second, "token:12345").await, 200);
    assert!(!own.is_in(first).await, "a logout of the user ends it");
}

#[tokio::test]
async fn every_login_of_the_user_ends_but_one() {
    for kind in 0..2 {
        let world = World::new();
        let sessions = &world.both()[kind].1;
        one_browser_stays(&[(); 3].map(|()| app(&world, sessions))).await;
    }
}

#[tokio::test(start_paused = true)]
async fn every_login_but_one_ends_before_the_answer_where_users_are_leased() {
    for kind in 0..2 {
        let world = World::new();
        let sessions = &world.both()[kind].1;
        let leased = || Leased::new(world.users.clone(), Duration::from_secs(2));
        let nodes = [(); 3].map(|()| node(&world, leased(), sessions.clone()));
        one_browser_stays(&nodes).await;
    }
}

#[tokio::test]
async fn the_login_that_stays_is_the_same_to_the_application() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let app = app(&world, &sessions);
        let mut at_provider = Jar::logged_in(&app, "12345").await;
        let user = user(&mut at_provider, &app).await;
        let (mut brief, mut short) = (Jar::default(), Jar::default());
        brief
            .post(&app, &format!("/own?user={user}&brief=true"))
            .await;
        assert!(brief.is_in(&app).await);
        let mut longest = String::new();
        for jar in [&mut at_provider, &mut brief, &mut short] {
            if jar.cookies.is_empty() {
                jar.post(&app, &format!("/own?user={user}&lifetime=3600"))
                    .await;
            } else if !jar.is_in(&app).await {
                jar.post(&app, &format!("/own?user={user}&brief=true"))
                    .await;
            }
            let before = text(jar.get(&app, "/login").await).await;
            world.clock.advance(10 * MINUTE);
            let pressed = press(jar, &app).await;
            assert_eq!(pressed.status(), 200, "{kind}");
            let cookie = set_cookie(pressed.headers(), "auth-9").unwrap();
            longest.push_str(match cookie.contains("Max-Age=") {
                true => "remembered ",
                false => "brief ",
            });
            assert_eq!(text(jar.get(&app, "/login").await).await, before, "{kind}");
        }
        assert_eq!(longest, "remembered brief remembered ", "{kind}");
        // Its end is no later than it was.
        world.clock.advance(50 * MINUTE - SECOND);
        assert!(short.is_in(&app).await, "{kind}");
        world.clock.advance(SECOND);
        assert!(!short.is_in(&app).await, "{kind}");
    }
}

#[tokio::test]
async fn what_ends_the_login_before_ends_the_one_that_stays() {
    for ending in ["session", "sign-out", "everyone", "issuer", "user"] {
        for kind in 0..2 {
            let world = World::new();
            let sessions = &world.both()[kind].1;
            let layer = world.builder_over(sessions.clone()).build().unwrap();
            let (app, elsewhere) = (app(&world, sessions), world.app(&layer));
            let mut jar = Jar::logged_in(&app, "12345:sid:abc").await;
            let mut copy = jar.clone();
            let before = world.users.before_log_out.clone();
            before.set();
            // Once the request is checked, and before the logout of the others is written.
            let (pressed, ()) = tokio::join!(press(&mut jar, &app), async {
                before.reached().await;
                match ending {
                    "session" => {
                        assert_eq!(notice(&elsewhere, "session:abc").await, 200);
                    }
                    "sign-out" => drop(copy.sign_out(&elsewhere).await),
                    "everyone" => layer.logouts().log_out_everyone().await.unwrap(),
                    "issuer" => {
                        let issuer = crate::support::provider::ISSUER;
                        layer.logouts().log_out_issuer(issuer).await.unwrap();
                    }
                    _ => assert_eq!(notice(&elsewhere, "token:12345").await, 200),
                }
                before.go();
            });
            assert_eq!(pressed.status(), 403, "{ending}");
            assert!(set_cookie(pressed.headers(), "auth-9").is_none());
            let page = text(pressed).await;
            assert!(
                page.contains("You were logged out in the meantime"),
                "{page}"
            );
            assert!(!jar.is_in(&app).await, "{ending}");
            assert!(!copy.is_in(&elsewhere).await, "{ending}");
        }
    }
}

/// A tab may send it before the answer to another tab brings the new cookie.
#[tokio::test]
async fn a_sign_out_with_the_cookie_of_before_ends_the_login_that_stays_for_a_minute() {
    for (after, ends) in [(0, true), (MINUTE - SECOND, true), (MINUTE + SECOND, false)] {
        let world = World::new();
        for (kind, sessions) in world.both() {
            let app = app(&world, &sessions);
            let mut jar = Jar::logged_in(&app, "12345").await;
            let mut before = jar.clone();
            assert_eq!(press(&mut jar, &app).await.status(), 200);
            assert!(!before.is_in(&app).await, "{kind}");
            world.clock.advance(after);
            assert_eq!(before.sign_out(&app).await.status(), 303, "{kind}");
            assert_eq!(jar.is_in(&app).await, !ends, "{kind}, {after}");
        }
    }
}

#[tokio::test]
async fn a_login_with_the_cookie_of_before_ends_the_login_that_stays() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let app = app(&world, &sessions);
        let mut jar = Jar::logged_in(&app, "12345").await;
        let user = user(&mut jar, &app).await;
        let mut before = jar.clone();
        assert_eq!(press(&mut jar, &app).await.status(), 200);
        before.post(&app, &format!("/own?user={user}")).await;
        assert!(before.is_in(&app).await, "{kind}");
        assert!(!jar.is_in(&app).await, "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_logout_that_waits_for_the_store_wins() {
    let world = World::new();
    let layer = world.builder().build().unwrap();
    let app = world
        .pages(layer.routes())
        .route("/others", post(others))
        .layer(layer.clone());
    let mut jar = Jar::logged_in(&app, "12345").await;
    let before = world.users.before_log_out.clone();
    before.set();
    let (pressed, ()) = tokio::join!(press(&mut jar, &app), async {
        before.reached().await;
        world.users.revoke_fails.store(true, SeqCst);
        assert!(layer.logouts().log_out_everyone().await.is_err());
        before.go();
    });
    assert_eq!(pressed.status(), 403);
    assert!(!jar.is_in(&app).await);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_leaves_others_or_ends_all_and_says_which() {
    for kind in 0..2 {
        let world = World::new();
        let sessions = &world.both()[kind].1;
        let app = app(&world, sessions);
        let mut here = Jar::logged_in(&app, "12345").await;
        let mut there = Jar::logged_in(&app, "12345").await;
        world.users.log_out_fails.store(true, SeqCst);
        let pressed = press(&mut here, &app).await;
        assert_eq!(pressed.status(), 503);
        assert_eq!(pressed.headers()["retry-after"], "5");
        let page = text(pressed).await;
        assert!(page.contains("may still be active"), "{page}");
        world.users.log_out_fails.store(false, SeqCst);
        assert!(here.is_in(&app).await && there.is_in(&app).await);

        // The check after the logout, or the record.
        for last in 0..2 - kind {
            let after = world.users.after_log_out.clone();
            after.set();
            let (pressed, ()) = tokio::join!(press(&mut here, &app), async {
                after.reached().await;
                match last {
                    0 => world.users.clock_failing.store(true, SeqCst),
                    _ => world.sessions.failing.store(true, SeqCst),
                }
                after.go();
            });
            assert_eq!(pressed.status(), 503);
            assert!(set_cookie(pressed.headers(), "auth-9").is_none());
            let page = text(pressed).await;
            assert!(
                page.contains("You were logged out on all devices"),
                "{page}"
            );
            world.users.clock_failing.store(false, SeqCst);
            world.sessions.failing.store(false, SeqCst);
            assert!(!here.is_in(&app).await && !there.is_in(&app).await);
            here.log_in(&app, "12345").await;
            there.log_in(&app, "12345").await;
        }
    }
}

#[tokio::test]
async fn a_request_without_a_login_or_of_another_site_ends_nothing() {
    let world = World::new();
    let app = app(&world, &world.stored());
    let mut here = Jar::logged_in(&app, "12345").await;
    let mut there = Jar::logged_in(&app, "12345").await;
    let mut foreign = here.request(Method::POST, "/others");
    let origin = "https://evil.example".parse().unwrap();
    foreign.headers_mut().insert("origin", origin);
    assert_eq!(app.clone().oneshot(foreign).await.unwrap().status(), 403);
    let unauthenticated = press(&mut Jar::default(), &app).await;
    assert_eq!(unauthenticated.status(), 401);
    let page = Jar::default().open(&app, "/login").await;
    assert_eq!(location(&page), "/clef/login?next=%2Flogin");
    assert_eq!(world.users.log_outs.load(SeqCst), 0);
    assert!(here.is_in(&app).await && there.is_in(&app).await);
}

/// A client that hangs up while the logout is written is out too, and nothing is half done.
#[tokio::test]
async fn a_client_that_hangs_up_aborts_nothing() {
    let world = World::new();
    let app = app(&world, &world.stored());
    let mut here = Jar::logged_in(&app, "12345").await;
    let mut there = Jar::logged_in(&app, "12345").await;
    let before = world.users.before_log_out.clone();
    before.set();
    let mut pressing = Box::pin(press(&mut here, &app));
    tokio::select! {
        biased;
        _ = &mut pressing => panic!("it waits"),
        () = before.reached() => {}
    }
    drop(pressing);
    before.go();
    while there.is_in(&app).await {
        tokio::task::yield_now().await;
    }
    assert!(!here.is_in(&app).await, "its new cookie never arrived");
    here.log_in(&app, "12345").await;
    assert!(here.is_in(&app).await);
}

/// A store that leaves the method to its default, and says that it implements it.
#[tokio::test]
async fn a_store_that_only_claims_to_keep_one_login_says_what_to_implement() {
    #[derive(Clone)]
    struct Plain(TestUsers);

    impl axum_clef::UserStore for Plain {
        type User = Account;

        async fn load(&self, id: &str) -> Result<Option<Account>, axum_clef::BoxError> {
            self.0.load(id).await
        }

        async fn log_in(&self, id: &str) -> Result<Option<Account>, axum_clef::BoxError> {
            self.0.log_in(id).await
        }

        async fn log_out(&self, id: &str) -> Result<bool, axum_clef::BoxError> {
            self.0.log_out(id).await
        }

        fn keeps_one_login(&self) -> bool {
            true
        }

        async fn now(&self) -> Result<axum_clef::Timestamp, axum_clef::BoxError> {
            self.0.now().await
        }
    }

    impl IdentityStore for Plain {
        async fn find_or_create(
            &self,
            profile: &axum_clef::Profile,
        ) -> Result<Option<Account>, axum_clef::BoxError> {
            self.0.find_or_create(profile).await
        }

        async fn log_out_subject(
            &self,
            subject: &axum_clef::Subject,
        ) -> Result<Vec<String>, axum_clef::BoxError> {
            self.0.log_out_subject(subject).await
        }
    }

    async fn says(others: OtherLogins) -> String {
        let error = others.log_out().await.unwrap_err();
        let source = std::error::Error::source(&error).unwrap();
        format!("{} {source}", error.status())
    }

    let world = World::new();
    let layer = ClefLayer::builder(World::SITE, Plain(world.users.clone()), world.stored())
        .provider(world.provider.clone())
        .build()
        .unwrap();
    let app = world
        .pages(layer.routes())
        .route("/others", post(says))
        .layer(layer);
    let mut here = Jar::logged_in(&app, "12345").await;
    let said = text(press(&mut here, &app).await).await;
    assert!(said.starts_with("500"), "{said}");
    assert!(said.contains("UserStore::log_out_others"), "{said}");
    assert!(here.is_in(&app).await, "nothing was done");
}

/// Answers with a new token.
async fn token(token: NewToken) -> Result<String, NewTokenError> {
    let token = token.mint("laptop").await?;
    Ok(token.secret().expose_secret().to_owned())
}

async fn with_token(app: &Router, method: Method, path: &str, token: &str) -> u16 {
    let mut request = Jar::default().request(method, path);
    let value = format!("Bearer {token}").parse().unwrap();
    request.headers_mut().insert("authorization", value);
    let response = app.clone().oneshot(request).await.unwrap();
    assert!(set_cookie(response.headers(), "auth-9").is_none());
    response.status().as_u16()
}

#[tokio::test]
async fn tokens_end_with_the_others_and_keep_no_login() {
    for kind in 0..2 {
        let world = World::new();
        let sessions = world.both()[kind].1.clone();
        let builder = world.builder_over(sessions);
        let layer = builder.bearer_tokens([World::key()]).build().unwrap();
        let app = world
            .pages(layer.routes())
            .route("/others", post(others))
            .route("/token", post(token))
            .layer(layer);
        let mut jar = Jar::logged_in(&app, "12345").await;
        let before = text(jar.post(&app, "/token").await).await;
        assert_eq!(
            with_token(&app, Method::GET, "/account", &before).await,
            200
        );
        // It is the login of no browser, so it becomes none.
        assert_eq!(
            with_token(&app, Method::POST, "/others", &before).await,
            403
        );
        assert!(jar.is_in(&app).await);

        assert_eq!(press(&mut jar, &app).await.status(), 200);
        assert_eq!(
            with_token(&app, Method::GET, "/account", &before).await,
            401
        );
        // One that the kept login makes has its stamps.
        let after = text(jar.post(&app, "/token").await).await;
        assert_eq!(with_token(&app, Method::GET, "/account", &after).await, 200);
        assert_eq!(press(&mut jar, &app).await.status(), 200);
        assert_eq!(with_token(&app, Method::GET, "/account", &after).await, 401);
    }
}
