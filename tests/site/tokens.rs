//! Bearer tokens: made from a recent login, counted like its cookie, and ended like it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{
    Extension, Router,
    body::Body,
    extract::Query,
    http::{HeaderMap, Method, Response},
    routing::{get, post},
};
use axum_clef::{
    BuildError, ClefLayer, ClefLayerBuilder, LoggedInRejection, Login, LoginId, LogoutError,
    LogoutReason, LogoutSignal, NewToken, NewTokenError, RecentLogin, SessionKey, Sessions,
    UserStore as _, secrecy::ExposeSecret as _,
};
use futures_util::FutureExt as _;

use crate::support::{
    Jar, TestUsers, World,
    clock::{DAY, MINUTE, SECOND},
    jar::{location, notice, set_cookies, text},
};

type Builder = ClefLayerBuilder<TestUsers>;

#[derive(serde::Deserialize)]
struct Asked {
    name: String,
    lifetime: Option<u64>,
    #[serde(default)]
    meanwhile: Meanwhile,
}

/// What happens between the extractor and the token.
#[derive(Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Meanwhile {
    #[default]
    Nothing,
    Logout,
    StoreFails,
}

/// Answers with the token and its id.
async fn new_token(
    token: NewToken,
    Extension(world): Extension<World>,
    login: Login,
    Query(asked): Query<Asked>,
) -> Result<String, NewTokenError> {
    match asked.meanwhile {
        Meanwhile::Nothing => {}
        Meanwhile::Logout => drop(world.users.log_out(login.user_id()).await.unwrap()),
        Meanwhile::StoreFails => world.users.hook.failing.store(true, SeqCst),
    }
    let token = match asked.lifetime {
        Some(seconds) => token.lifetime(Duration::from_secs(seconds)),
        None => token,
    };
    let token = token.mint(&asked.name).await?;
    assert_eq!(token.logged_in_at(), login.logged_in_at());
    Ok(format!("{} {}", token.secret().expose_secret(), token.id()))
}

/// The login as a handler sees it.
async fn who(login: Login) -> String {
    let name = login.token_name().unwrap_or("no token");
    let since = login.logged_in_at().as_micros();
    let proven = login.authenticated_at();
    format!("{} {name} {since} {proven:?}", login.id())
}

async fn is_sensitive(headers: HeaderMap) -> String {
    let mut values = headers.get_all("authorization").iter();
    values.all(|value| value.is_sensitive()).to_string()
}

fn key(byte: u8) -> SessionKey {
    SessionKey::from_bytes([byte; 32])
}

/// The key of the tokens is the one that seals the cookies.
fn builder(world: &World, sessions: Sessions) -> Builder {
    world.builder_over(sessions).bearer_tokens([World::key()])
}

fn app_of(world: &World, builder: Builder) -> Router {
    app(world, &builder.build().unwrap())
}

fn app(world: &World, layer: &ClefLayer) -> Router {
    world
        .pages(layer.routes())
        .route("/new-token", post(new_token))
        .route("/who", get(who))
        .route("/sensitive", get(is_sensitive))
        .layer(layer.clone())
        .layer(Extension(world.clone()))
}

/// A token as a program has it.
#[derive(Clone)]
struct Token {
    secret: String,
    id: LoginId,
}

/// Makes a token in this browser.
async fn mint(jar: &mut Jar, app: &Router, rest: &str) -> Token {
    let path = format!("/new-token?name=laptop{rest}");
    let response = jar.post(app, &path).await;
    assert_eq!(response.status(), 200, "{rest}");
    assert_eq!(set_cookies(response.headers()).count(), 0);
    let text = text(response).await;
    let (secret, id) = text.split_once(' ').unwrap();
    Token {
        secret: secret.to_owned(),
        id: id.parse().unwrap(),
    }
}

impl Token {
    async fn new(app: &Router) -> Self {
        mint(&mut Jar::logged_in(app, "12345").await, app, "").await
    }

    fn header(&self) -> String {
        format!("Bearer {}", self.secret)
    }

    async fn send(&self, app: &Router, method: Method, path: &str) -> Response<Body> {
        let header = self.header();
        send(app, (method, path), &[("authorization", &header)]).await
    }

    async fn get(&self, app: &Router, path: &str) -> Response<Body> {
        self.send(app, Method::GET, path).await
    }

    async fn is_in(&self, app: &Router) -> bool {
        match self.get(app, "/account").await {
            response if response.status() == 200 => true,
            response => {
                assert_refused(&response, 401, "invalid_token");
                false
            }
        }
    }
}

/// A request without cookies.
async fn send(
    app: &Router,
    asked: (Method, &str),
    headers: &[(&'static str, &str)],
) -> Response<Body> {
    Jar::default().send_with(app, asked, headers).await
}

#[track_caller]
fn assert_refused(response: &Response<Body>, status: u16, error: &str) {
    let headers = response.headers();
    assert_eq!(response.status(), status, "{headers:?}");
    let challenge = format!("Bearer realm=\"axum-clef\", error=\"{error}\"");
    assert_eq!(headers["www-authenticate"], challenge);
    assert_eq!(headers.get_all("www-authenticate").iter().count(), 1);
    assert_eq!(headers["content-type"], "application/problem+json");
    assert_eq!(headers["cache-control"], "no-store");
    assert_eq!(set_cookies(headers).count(), 0);
}

#[tokio::test]
async fn a_token_counts_like_the_cookie_and_ends_with_every_logout() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let here = app_of(&world, builder(&world, sessions.clone()));
        let there = app_of(&world, builder(&world, sessions));
        let mut jar = Jar::logged_in(&here, "12345").await;
        let token = mint(&mut jar, &here, "").await;
        for app in [&here, &there] {
            for path in ["/account", "/members/one", "/twice", "/who"] {
                let response = token.get(app, path).await;
                assert_eq!(response.status(), 200, "{kind}: {path}");
            }
            let home = token.get(app, "/").await;
            assert_ne!(text(home).await, "unauthenticated", "{kind}");
        }
        // A sign-out of the browser is one of the browser.
        jar.sign_out(&here).await;
        assert!(token.is_in(&there).await, "{kind}");
        assert_eq!(notice(&here, "token:12345").await, 200);
        for app in [&here, &there] {
            assert!(!token.is_in(app).await, "{kind}");
        }
        jar.log_in(&here, "12345").await;
        assert!(!token.is_in(&there).await, "{kind}: never back");
        let new = mint(&mut jar, &here, "").await;
        assert!(new.is_in(&there).await, "{kind}: a new token works");
    }
}

#[tokio::test]
async fn a_handler_sees_the_token_and_the_login_that_it_was_made_from() {
    let world = World::new();
    let logins = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&logins);
    let builder = builder(&world, world.stored()).on_login(move |_, _| {
        counted.fetch_add(1, SeqCst);
        async { Ok(()) }
    });
    let app = app_of(&world, builder);
    let mut jar = Jar::logged_in(&app, "12345").await;
    let by_cookie = text(jar.get(&app, "/who").await).await;
    let token = mint(&mut jar, &app, "").await;
    let by_token = text(token.get(&app, "/who").await).await;
    let (own, same) = by_cookie.split_once(" no token ").unwrap();
    assert_eq!(by_token, format!("{} laptop {same}", token.id));
    assert_ne!(own, token.id.to_string());
    assert_eq!(logins.load(SeqCst), 1, "a token is no login");
    assert!(token.secret.starts_with("clef_"));
    assert!(token.secret.len() < 600, "{}", token.secret.len());
}

/// Whatever else the request has: never the cookie instead, never a redirect, never "nobody".
#[tokio::test]
async fn a_bad_token_is_refused_whatever_comes_with_it() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let app = app_of(&world, builder(&world, sessions.clone()));
        let mut jar = Jar::logged_in(&app, "12345").await;
        let good = mint(&mut jar, &app, "").await.secret;
        let other_site = world
            .builder_at("http://127.0.0.1:10", sessions.clone())
            .bearer_tokens([World::key()]);
        let other_name = builder(&world, sessions.clone()).cookie_name("shop");
        let old_key = builder(&world, sessions).bearer_tokens([key(9)]);
        let mut foreign = Vec::new();
        for builder in [other_site, other_name, old_key] {
            foreign.push(Token::new(&app_of(&world, builder)).await.secret);
        }
        let cookie = &jar.cookies["auth-9"];
        let sealed = &good["clef_".len()..];
        let invalid = [
            format!("Bearer {cookie}"),
            format!("Bearer clef_{cookie}"),
            format!("Bearer {sealed}"),
            format!("Bearer CLEF_{sealed}"),
            format!("Bearer {good}A"),
            format!("Bearer {good}="),
            format!("Bearer {good}{good}"),
            format!("Bearer clef_{good}"),
            format!("Bearer {}", &good[..good.len() - 1]),
            format!("Bearer {}", &good[..good.len() / 2]),
            format!("Bearer {}", good.replace("clef_", "clef_A")),
            "Bearer clef_".to_owned(),
            "Bearer x".to_owned(),
            format!("Bearer clef_{}", "A".repeat(100_000)),
            format!("Bearer {}", foreign[0]),
            format!("Bearer {}", foreign[1]),
            format!("Bearer {}", foreign[2]),
        ];
        let invalid = invalid
            .iter()
            .map(|value| (vec![&**value], 401, "invalid_token"));
        let once = format!("Bearer {good}");
        let lines = [
            format!("Bearer {good} {good}"),
            format!("Bearer {good} "),
            format!("Bearer {good}, Bearer {good}"),
            format!("Bearer\t{good}"),
            format!("Bearer \"{good}\""),
        ];
        let mut malformed: Vec<_> = lines.iter().map(|value| vec![&**value]).collect();
        malformed.extend([
            vec!["Bearer"],
            vec![&*once, &*once],
            vec![&*once, "Basic YTpi"],
            vec!["Basic YTpi", &*once],
        ]);
        let malformed = malformed.into_iter().map(|v| (v, 400, "invalid_request"));
        for (values, status, error) in invalid.chain(malformed) {
            for path in ["/account", "/", "/twice", "/members/one", "/who"] {
                for (name, value) in [
                    ("accept", "*/*"),
                    ("accept", "text/html"),
                    ("sec-fetch-mode", "navigate"),
                ] {
                    let mut headers: Vec<_> = values
                        .iter()
                        .map(|value| ("authorization", *value))
                        .collect();
                    headers.push((name, value));
                    let asked = (Method::GET, path);
                    let response = jar.clone().send_with(&app, asked, &headers).await;
                    assert_refused(&response, status, error);
                    let text = text(response).await;
                    assert!(!text.contains(&good[5..20]), "{kind}: {text}");
                }
            }
        }
        assert!(jar.is_in(&app).await, "{kind}: nothing has changed");
        let header = format!("bEARER  {good}");
        let headers = [("authorization", &*header)];
        let both = jar.send_with(&app, (Method::GET, "/who"), &headers).await;
        let who = text(both).await;
        assert!(who.contains("laptop"), "{kind}: the token counts: {who}");
    }
}

#[tokio::test]
async fn a_token_is_no_cookie() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let app = app_of(&world, builder(&world, sessions));
        let token = Token::new(&app).await.secret;
        for value in [&*token, &token["clef_".len()..]] {
            for name in ["auth-9", "auth-9-suspended"] {
                let mut jar = Jar::default();
                jar.cookies.insert(name.to_owned(), value.to_owned());
                assert!(!jar.is_in(&app).await, "{kind}: {name}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_no_bearer_token_changes_nothing() {
    let world = World::new();
    let app = app_of(&world, builder(&world, world.stored()));
    let without = world.app(&world.layer());
    let mut jar = Jar::logged_in(&app, "12345").await;
    let token = Token::new(&app).await;
    let bearer = token.header();
    for (app, value) in [
        (&app, "Basic YTpi"),
        (&app, "Digest username=\"a\""),
        (&app, ""),
        (&app, "Bearerx abc"),
        (&without, "Basic YTpi"),
        (&without, &*bearer),
        (&without, "Bearer"),
    ] {
        let headers = [("authorization", value)];
        let response = jar
            .send_with(app, (Method::GET, "/account"), &headers)
            .await;
        assert_eq!(response.status(), 200, "{value}");
        let response = send(app, (Method::GET, "/account"), &headers).await;
        assert_eq!(response.status(), 401, "{value}");
        let html = [headers[0], ("accept", "text/html")];
        let response = send(app, (Method::GET, "/account"), &html).await;
        assert_eq!(response.status(), 303, "{value}");
    }
}

#[tokio::test]
async fn a_challenge_names_bearer_where_tokens_are_accepted() {
    let world = World::new();
    let with = app_of(&world, builder(&world, world.stored()));
    let without = world.app(&world.layer());
    let cookie = "Cookie realm=\"axum-clef\"";
    for (app, expected) in [
        (&with, &[cookie, "Bearer realm=\"axum-clef\""][..]),
        (&without, &[cookie]),
    ] {
        let response = send(app, (Method::GET, "/account"), &[]).await;
        let challenges = response.headers().get_all("www-authenticate");
        assert!(challenges.iter().eq(expected), "{challenges:?}");
    }
}

#[tokio::test]
async fn only_a_recent_login_by_cookie_makes_a_token_on_a_page_of_the_site() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let app = app_of(&world, builder(&world, sessions));
        let mut jar = Jar::logged_in(&app, "12345").await;
        let token = mint(&mut jar, &app, "").await;
        let ask = (Method::POST, "/new-token?name=laptop");
        let html = ("accept", "text/html");

        let response = send(&app, ask.clone(), &[]).await;
        assert_eq!(response.status(), 401, "{kind}: unauthenticated");
        let response = token.send(&app, Method::POST, ask.1).await;
        assert_eq!(response.status(), 403, "{kind}: by a token");
        let both = [("authorization", &*token.header())];
        let response = jar.send_with(&app, ask.clone(), &both).await;
        assert_eq!(response.status(), 403, "{kind}: by a token");
        for header in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            let response = jar.send_with(&app, ask.clone(), &[header, html]).await;
            assert_eq!(response.status(), 403, "{kind}: {header:?}");
        }
        world.clock.advance(10 * MINUTE - SECOND);
        mint(&mut jar, &app, "").await;
        world.clock.advance(SECOND);
        let response = jar.send_with(&app, ask.clone(), &[]).await;
        assert_eq!(response.status(), 401, "{kind}: not recent");
        let problem = text(response).await;
        assert!(problem.contains("Recent login required"), "{problem}");
        assert!(jar.is_in(&app).await, "{kind}");
    }
}

/// A program is never sent to a login, also where a guard beside `LoggedIn` refuses it.
#[tokio::test]
async fn a_token_is_never_recent_and_never_redirected() {
    let world = World::new();
    let layer = builder(&world, world.stored()).build().unwrap();
    let app = world
        .pages(layer.routes())
        .route("/new-token", post(new_token))
        .route("/dangerous", get(async |_: RecentLogin<10>| "done"))
        .layer(layer)
        .layer(Extension(world.clone()));
    let token = Token::new(&app).await;
    // It proves no credentials, even if its login did a moment ago.
    let header = token.header();
    let headers = [("authorization", &*header), ("accept", "text/html")];
    let response = send(&app, (Method::GET, "/dangerous"), &headers).await;
    assert_eq!(response.status(), 401);
    let content = &response.headers()["content-type"];
    assert_eq!(content, "application/problem+json");
}

#[tokio::test]
async fn a_name_is_of_1_to_100_plain_characters() {
    let world = World::new();
    let app = app_of(&world, builder(&world, world.stored()));
    let mut jar = Jar::logged_in(&app, "12345").await;
    let long = "%C3%A9".repeat(100);
    for (name, status) in [
        ("a", 200),
        ("%20%20the%20laptop%20", 200),
        (&*long, 200),
        (&format!("{long}a"), 400),
        ("", 400),
        ("%20", 400),
        ("a%00", 400),
        ("a%0Ab", 400),
        ("a%1B[31m", 400),
    ] {
        let path = format!("/new-token?name={name}");
        let response = jar.post(&app, &path).await;
        assert_eq!(response.status(), status, "{name}");
    }
}

#[tokio::test]
async fn a_logout_while_a_token_is_made_wins() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let app = app_of(&world, builder(&world, sessions));
        for (meanwhile, status) in [("logout", 401), ("store-fails", 503)] {
            let mut jar = Jar::logged_in(&app, "12345").await;
            let path = format!("/new-token?name=laptop&meanwhile={meanwhile}");
            let response = jar.post(&app, &path).await;
            world.users.hook.failing.store(false, SeqCst);
            assert_eq!(response.status(), status, "{kind}: {meanwhile}");
            assert!(!text(response).await.contains("clef_"), "{kind}");
        }
    }
}

#[tokio::test]
async fn a_token_lasts_as_long_as_it_says_within_the_limits() {
    let world = World::new();
    let short = |builder: Builder| builder.lifetime(Duration::from_secs(600));
    for (limited, asked, lasts) in [
        (false, "", 30 * DAY),
        (false, "&lifetime=120", 2 * MINUTE),
        (false, "&lifetime=99999999999999", 365 * DAY),
        // Counted from the login, which was a minute ago.
        (true, "", 9 * MINUTE),
        (true, "&lifetime=120", 2 * MINUTE),
    ] {
        let builder = builder(&world, world.stored());
        let builder = if limited { short(builder) } else { builder };
        let app = app_of(&world, builder);
        let mut jar = Jar::logged_in(&app, "12345").await;
        world.clock.advance(MINUTE);
        let token = mint(&mut jar, &app, asked).await;
        world.clock.advance(lasts - SECOND);
        assert!(token.is_in(&app).await, "{asked}");
        world.clock.advance(SECOND);
        assert!(!token.is_in(&app).await, "{asked}");
    }
    // Sealed logins have a lifetime of 30 days, unless the layer has another.
    let app = app_of(&world, builder(&world, world.sealed()));
    let token = mint(
        &mut Jar::logged_in(&app, "12345").await,
        &app,
        "&lifetime=9999999",
    )
    .await;
    world.clock.advance(30 * DAY - SECOND);
    assert!(token.is_in(&app).await);
    world.clock.advance(SECOND);
    assert!(!token.is_in(&app).await);
}

#[tokio::test(start_paused = true)]
async fn one_token_is_ended_by_its_id_alone() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let layer = builder(&world, sessions).build().unwrap();
        let app = app(&world, &layer);
        let mut jar = Jar::logged_in(&app, "12345").await;
        let one = mint(&mut jar, &app, "").await;
        let other = mint(&mut jar, &app, "").await;
        layer.logouts().end_login(one.id).await.unwrap();
        assert!(!one.is_in(&app).await, "{kind}");
        assert!(other.is_in(&app).await, "{kind}");
        assert!(jar.is_in(&app).await, "{kind}");
        // Until the store has taken the end, this node refuses the token.
        world.users.revoke_fails.store(true, SeqCst);
        for again in [false, true] {
            let ended = layer.logouts().end_login(other.id).await;
            assert_eq!(ended, Err(LogoutError::Pending), "{kind}, {again}");
        }
        assert!(!other.is_in(&app).await, "{kind}");
        world.users.revoke_fails.store(false, SeqCst);
        // The cookie of a browser has an id too.
        let who = text(jar.get(&app, "/who").await).await;
        let id = who.split(' ').next().unwrap().parse().unwrap();
        layer.logouts().end_login(id).await.unwrap();
        assert!(!jar.is_in(&app).await, "{kind}");
    }
    world.users.no_revocations.store(true, SeqCst);
    let id = "AAECAwQFBgcICQoLDA0ODw".parse().unwrap();
    let ended = world.layer().logouts().end_login(id).await;
    assert!(ended.unwrap_err().to_string().contains("no revocations"));
}

#[tokio::test]
async fn a_sign_out_with_a_token_ends_that_token_alone() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let ended = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&ended);
        let builder = builder(&world, sessions).on_sign_out(move |_, login| {
            assert_eq!(login.token_name(), Some("laptop"));
            counted.fetch_add(1, SeqCst);
            async { Ok(()) }
        });
        let app = app_of(&world, builder);
        let mut jar = Jar::logged_in(&app, "12345").await;
        for path in ["/auth/sign-out", "/leave"] {
            let token = mint(&mut jar, &app, "").await;
            let other = mint(&mut jar, &app, "").await;
            // From another origin too: no browser adds a token by itself.
            let header = token.header();
            let headers = [
                ("authorization", &*header),
                ("origin", "https://app.example"),
                ("accept", "text/html"),
            ];
            let ask = (Method::POST, path);
            let expected = if path == "/leave" { 200 } else { 204 };
            let response = jar.send_with(&app, ask.clone(), &headers).await;
            assert_eq!(response.status(), expected, "{kind}: {path}");
            assert_eq!(location(&response), "", "{kind}: {path}");
            assert_eq!(set_cookies(response.headers()).count(), 0, "{kind}");
            assert!(!token.is_in(&app).await, "{kind}: {path}");
            assert!(other.is_in(&app).await, "{kind}: {path}");
            assert!(jar.is_in(&app).await, "{kind}: {path}");
            // Again, which changes nothing and calls no hook.
            let response = token.send(&app, Method::POST, path).await;
            assert_eq!(response.status(), expected, "{kind}: {path}");

            let bad = [("authorization", "Bearer clef_AAAA")];
            let response = jar.send_with(&app, ask, &bad).await;
            assert_refused(&response, 401, "invalid_token");
            assert!(jar.is_in(&app).await, "{kind}: {path}");
        }
        assert_eq!(ended.load(SeqCst), 2, "{kind}");
    }
}

#[tokio::test]
async fn a_sign_out_everywhere_with_a_token_ends_every_login() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let builder = builder(&world, sessions).sign_out_everywhere();
        let app = app_of(&world, builder);
        let mut jar = Jar::logged_in(&app, "12345").await;
        let token = mint(&mut jar, &app, "").await;
        let other = mint(&mut jar, &app, "").await;
        for _ in 0..2 {
            let response = token.send(&app, Method::POST, "/auth/sign-out").await;
            assert_eq!(response.status(), 204, "{kind}");
            assert!(!other.is_in(&app).await, "{kind}");
            assert!(!jar.is_in(&app).await, "{kind}");
        }
        // A token that has ended ends no newer login.
        jar.log_in(&app, "12345").await;
        let response = token.send(&app, Method::POST, "/auth/sign-out").await;
        assert_eq!(response.status(), 204, "{kind}");
        assert!(jar.is_in(&app).await, "{kind}");
    }
}

#[tokio::test]
async fn a_token_is_no_concern_of_csrf_and_a_cookie_beside_a_bad_one_is() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let app = app_of(&world, builder(&world, sessions));
        let mut jar = Jar::logged_in(&app, "12345").await;
        let token = mint(&mut jar, &app, "").await;
        let elsewhere = ("origin", "https://app.example");
        let ask = (Method::POST, "/same-origin");
        for (authorization, status) in [
            (&*token.header(), 200),
            ("Bearer clef_AAAA", 403),
            ("Bearer", 403),
            ("Basic YTpi", 403),
            ("", 403),
        ] {
            let headers = [elsewhere, ("authorization", authorization)];
            let response = jar.send_with(&app, ask.clone(), &headers).await;
            assert_eq!(response.status(), status, "{kind}: {authorization}");
        }
        // One that has ended passes, and is refused by the guard.
        assert_eq!(notice(&app, "token:12345").await, 200);
        let headers = [elsewhere, ("authorization", &*token.header())];
        let response = jar.send_with(&app, ask.clone(), &headers).await;
        assert_refused(&response, 401, "invalid_token");
    }
}

#[tokio::test]
async fn answers_to_a_token_are_not_cached_and_set_nothing() {
    let world = World::new();
    let vary = |response: &Response<Body>| {
        let values = response.headers().get_all("vary").iter();
        let values: Vec<_> = values.map(|value| value.to_str().unwrap()).collect();
        values.join(", ")
    };
    for (kind, sessions) in world.both() {
        let app = app_of(&world, builder(&world, sessions));
        let token = Token::new(&app).await;
        for _ in 0..3 {
            world.clock.advance(120 * MINUTE);
            let saves = world.sessions.calls.load(SeqCst);
            for path in ["/account", "/", "/who"] {
                let response = token.get(&app, path).await;
                assert_eq!(response.status(), 200, "{kind}: {path}");
                assert_eq!(response.headers()["cache-control"], "no-store");
                assert_eq!(vary(&response), "cookie, authorization", "{kind}: {path}");
                assert_eq!(set_cookies(response.headers()).count(), 0);
            }
            assert_eq!(world.sessions.calls.load(SeqCst), saves, "{kind}");
        }
        let home = send(&app, (Method::GET, "/"), &[]).await;
        assert_eq!(vary(&home), "cookie, authorization", "{kind}");
        let public = token.get(&app, "/public").await;
        assert_eq!(vary(&public), "", "{kind}");
        assert_eq!(public.headers()["cache-control"], "public", "{kind}");
    }
}

#[tokio::test]
async fn a_request_with_a_token_asks_the_user_store_once_and_no_other_store() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let app = app_of(&world, builder(&world, sessions));
        let token = Token::new(&app).await;
        let calls = || {
            let calls = world.users.calls.swap(0, SeqCst);
            (world.sessions.calls.swap(0, SeqCst), calls)
        };
        calls();
        for (path, asked) in [("/account", 1), ("/twice", 1), ("/", 1), ("/public", 0)] {
            assert_eq!(token.get(&app, path).await.status(), 200);
            assert_eq!(calls(), (0, asked), "{kind}: {path}");
        }
        let bad = [("authorization", "Bearer clef_AAAA")];
        send(&app, (Method::GET, "/account"), &bad).await;
        assert_eq!(calls(), (0, 0), "{kind}: a bad token costs no call");
    }
}

#[tokio::test]
async fn the_header_is_sensitive_for_what_logs_inside() {
    let world = World::new();
    let app = app_of(&world, builder(&world, world.stored()));
    let ask = (Method::GET, "/sensitive");
    for values in [
        &["Bearer x"][..],
        &["Basic YTpi"],
        &["Bearer x", "Bearer y"],
    ] {
        let headers: Vec<_> = values
            .iter()
            .map(|value| ("authorization", *value))
            .collect();
        let response = send(&app, ask.clone(), &headers).await;
        assert_eq!(text(response).await, "true", "{values:?}");
    }
}

#[tokio::test]
async fn a_store_that_cannot_answer_is_503_and_never_a_bad_token() {
    let world = World::new();
    let app = app_of(&world, builder(&world, world.stored()));
    let token = Token::new(&app).await;
    world.users.hook.failing.store(true, SeqCst);
    for path in ["/account", "/"] {
        assert_eq!(token.get(&app, path).await.status(), 503);
    }
    world.users.hook.failing.store(false, SeqCst);
    world.sessions.failing.store(true, SeqCst);
    assert!(token.is_in(&app).await, "its store is not asked");
}

#[tokio::test]
async fn a_rendering_of_the_application_keeps_the_challenge_and_sees_a_script() {
    let world = World::new();
    let render = |rejection: &LoggedInRejection| {
        assert!(!rejection.is_navigation());
        assert_eq!(rejection.login_path(), None);
        let mut response = Response::new(Body::from("own"));
        *response.status_mut() = rejection.status();
        response
    };
    let app = app_of(
        &world,
        builder(&world, world.stored()).render_rejections(render),
    );
    for (value, status) in [("Bearer x", 401), ("Bearer", 400)] {
        let headers = [("authorization", value), ("sec-fetch-mode", "navigate")];
        let response = send(&app, (Method::GET, "/account"), &headers).await;
        assert_eq!(response.status(), status);
        assert!(response.headers().contains_key("www-authenticate"));
        assert_eq!(text(response).await, "own");
    }
}

#[tokio::test]
async fn what_is_open_ends_with_the_token() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let layer = builder(&world, sessions).build().unwrap();
        let signals = Arc::new(std::sync::Mutex::new(Vec::new()));
        let listening = Arc::clone(&signals);
        let listen = async move |signal: LogoutSignal| listening.lock().unwrap().push(signal);
        let app = world
            .pages(layer.routes())
            .route("/new-token", post(new_token))
            .route("/listen", get(listen))
            .layer(layer.clone())
            .layer(Extension(world.clone()));
        let mut jar = Jar::logged_in(&app, "12345").await;
        let token = mint(&mut jar, &app, "").await;
        assert_eq!(token.get(&app, "/listen").await.status(), 200);
        assert_eq!(jar.get(&app, "/listen").await.status(), 200);
        layer.logouts().end_login(token.id).await.unwrap();
        let mut by_cookie = signals.lock().unwrap().pop().unwrap();
        let by_token = signals.lock().unwrap().pop().unwrap();
        assert_eq!(by_token.await, LogoutReason::SignedOut, "{kind}");
        assert!((&mut by_cookie).now_or_never().is_none(), "{kind}");
        assert_eq!(notice(&app, "token:12345").await, 200);
        assert_eq!(by_cookie.await, LogoutReason::LoggedOut, "{kind}");
    }
}

#[tokio::test]
async fn the_end_of_a_session_at_the_provider_is_not_that_of_a_token() {
    let world = World::new();
    world.provider.names_sessions.store(true, SeqCst);
    let app = app_of(&world, builder(&world, world.stored()));
    let mut jar = Jar::logged_in(&app, "12345:sid:home").await;
    let token = mint(&mut jar, &app, "").await;
    assert_eq!(notice(&app, "session:home:of:12345").await, 200);
    assert!(!jar.is_in(&app).await);
    assert!(token.is_in(&app).await);
    assert_eq!(notice(&app, "token:12345").await, 200);
    assert!(!token.is_in(&app).await);
}

#[tokio::test]
async fn a_new_key_ends_no_token() {
    let world = World::new();
    let with = |keys: &[u8]| {
        let keys = keys.iter().map(|byte| key(*byte));
        app_of(&world, world.builder().bearer_tokens(keys))
    };
    let steps = [&[1][..], &[1, 2], &[2, 1], &[2]].map(with);
    for (before, after) in steps.iter().zip(&steps[1..]) {
        let (old, new) = (Token::new(before).await, Token::new(after).await);
        for app in [before, after] {
            assert!(old.is_in(app).await);
            assert!(new.is_in(app).await);
        }
    }
    assert!(!Token::new(&steps[0]).await.is_in(&steps[3]).await);
}

#[tokio::test]
async fn a_token_that_is_too_large_for_a_header_is_not_made() {
    let world = World::new();
    let app = app_of(&world, builder(&world, world.stored()));
    let mut jar = Jar::logged_in(&app, &"x".repeat(3_500)).await;
    let response = jar.post(&app, "/new-token?name=laptop").await;
    assert_eq!(response.status(), 500);
    let mut jar = Jar::logged_in(&app, &"x".repeat(2_000)).await;
    let token = mint(&mut jar, &app, "").await;
    assert!(token.secret.len() <= 4_096);
    assert!(token.is_in(&app).await);
}

#[tokio::test]
async fn tokens_need_a_key_a_store_that_ends_one_and_their_setting() {
    let world = World::new();
    let built = world.builder().bearer_tokens([]).build();
    assert_eq!(built.unwrap_err(), BuildError::NoTokenKey);
    let app = app(&world, &world.layer());
    let mut jar = Jar::logged_in(&app, "12345").await;
    let response = jar.post(&app, "/new-token?name=laptop").await;
    assert_eq!(response.status(), 500);
    assert!(text(response).await.contains("bearer_tokens"));
    world.users.no_revocations.store(true, SeqCst);
    let built = world.builder().bearer_tokens([key(1)]).build();
    assert_eq!(built.unwrap_err(), BuildError::TokensNotRevocable);
}
