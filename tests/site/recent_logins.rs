//! `RecentLogin`: what counts as a recent proof of credentials, and the way to one at a provider.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{Method, Response},
};
use axum_clef::{ClefLayer, LoggedInRejection, Paths, RejectionKind, leased::Leased};
use tower::ServiceExt as _;

use crate::support::{
    Jar, ScriptedProvider, World,
    browser::state_in,
    clock::{DAY, MINUTE, SECOND},
    jar::{location, text},
};

const START: &str = "/clef/login?max_age=600&next=%2Frecent";

/// The status of the page that needs a recent login.
async fn recent(jar: &mut Jar, app: &Router) -> u16 {
    jar.open(app, "/recent").await.status().as_u16()
}

/// A browser whose login is too old, by a provider that answers with this.
async fn stale(world: &World, app: &Router, code: &str) -> Jar {
    let jar = Jar::logged_in(app, code).await;
    world.clock.advance(11 * MINUTE);
    jar
}

/// Begins a re-authentication: the state.
async fn begin(jar: &mut Jar, app: &Router, start: &str) -> String {
    let response = jar.open(app, start).await;
    assert_eq!(response.status(), 303, "{start}");
    let url = location(&response);
    assert!(url.contains("max_age="), "the provider is asked: {url}");
    state_in(url)
}

async fn come_back(jar: &mut Jar, app: &Router, code: &str, state: &str) -> Response<Body> {
    let path = format!("/clef/callback?code=code:{code}&state={state}");
    jar.open(app, &path).await
}

#[tokio::test]
async fn a_login_is_recent_for_so_many_minutes() {
    let world = World::new();
    world.clock.freeze();
    for (kind, sessions) in world.both() {
        let app = world.app_over(sessions);
        let mut jar = Jar::logged_in(&app, "12345").await;
        for (step, status) in [(0, 200), (10 * MINUTE, 200), (1, 303), (DAY / 2, 303)] {
            world.clock.advance(step);
            assert_eq!(recent(&mut jar, &app).await, status, "{kind}: {step}");
            assert!(jar.is_in(&app).await, "{kind}: {step}");
            let perhaps = text(jar.get(&app, "/recent/perhaps").await).await;
            assert_eq!(perhaps == "recent", status == 200, "{kind}: {step}");
        }
        let mut visitor = Jar::default();
        let response = visitor.open(&app, "/recent").await;
        assert_eq!(location(&response), "/clef/login?next=%2Frecent", "{kind}");
        assert_eq!(visitor.get(&app, "/recent").await.status(), 401, "{kind}");
        let perhaps = text(visitor.get(&app, "/recent/perhaps").await).await;
        assert_eq!(perhaps, "not recent", "{kind}");
    }
}

/// What counts is when the credentials were proven, never when the login began.
#[tokio::test]
async fn a_silent_round_trip_at_the_provider_proves_nothing() {
    let world = World::new();
    world.clock.freeze();
    let at = |minutes: i64| world.clock.next() - minutes * MINUTE;
    for (kind, sessions) in world.both() {
        let app = world.app_over(sessions);
        for (code, status) in [
            ("12345".to_owned(), 200),
            ("12345:silent".to_owned(), 303),
            (format!("12345:proven:{}", at(9)), 200),
            (format!("12345:proven:{}", at(11)), 303),
            (format!("12345:proven:{}", i64::MIN), 303),
        ] {
            let mut jar = Jar::logged_in(&app, &code).await;
            assert_eq!(recent(&mut jar, &app).await, status, "{kind}: {code}");
            // Once more in the same way changes nothing.
            jar.log_in(&app, &code).await;
            assert_eq!(recent(&mut jar, &app).await, status, "{kind}: {code}");
        }
        // A provider whose clock is ahead gains nothing: the login itself is the latest proof.
        let ahead = format!("12345:proven:{}", at(-60));
        let mut jar = Jar::logged_in(&app, &ahead).await;
        world.clock.advance(10 * MINUTE);
        assert_eq!(recent(&mut jar, &app).await, 200, "{kind}");
        world.clock.advance(1);
        assert_eq!(recent(&mut jar, &app).await, 303, "{kind}");
    }
}

#[tokio::test]
async fn the_response_asks_a_person_or_a_script_to_prove_it_again() {
    let world = World::new();
    let app = world.app(&world.layer());
    let mut jar = stale(&world, &app, "12345").await;
    let html = ("accept", "text/html");
    let from = ("referer", "http://127.0.0.1:9/form?a=b");

    let response = jar.open(&app, "/recent?a=b%26c").await;
    assert_eq!(response.status(), 303);
    let way = "/clef/login?max_age=600&next=%2Frecent%3Fa%3Db%2526c";
    assert_eq!(location(&response), way);
    assert_eq!(response.headers()["cache-control"], "no-store");

    let challenge = "Cookie realm=\"axum-clef\", error=\"insufficient_user_authentication\", \
                     max_age=\"600\"";
    let sent = (Method::POST, "/recent");
    let response = jar.send_with(&app, sent.clone(), &[html, from]).await;
    assert_eq!(response.status(), 401);
    assert_eq!(response.headers()["www-authenticate"], challenge);
    let page = text(response).await;
    assert!(page.contains("it needs a recent login"), "{page}");
    let link = "href=\"/clef/login?max_age=600&amp;next=%2Fform%3Fa%3Db\"";
    assert!(page.contains(link), "{page}");

    let response = jar.send_with(&app, sent, &[from]).await;
    assert_eq!(response.status(), 401);
    assert_eq!(response.headers()["www-authenticate"], challenge);
    let kind = &response.headers()["content-type"];
    assert_eq!(kind, "application/problem+json");
    let problem: serde_json::Value = serde_json::from_str(&text(response).await).unwrap();
    let kind = problem["type"].as_str().unwrap();
    assert!(kind.starts_with("https://docs.rs/axum-clef/"), "{kind}");
    assert_eq!(
        problem["login"],
        "/clef/login?max_age=600&next=%2Fform%3Fa%3Db"
    );
    assert_eq!(problem["max_age"], 600);
    assert_eq!(problem["status"], 401);
}

#[tokio::test]
async fn an_application_renders_it_its_own_way() {
    let world = World::new();
    let render = |rejection: &LoggedInRejection| match rejection.kind() {
        RejectionKind::ReauthenticationRequired => {
            let path = rejection.login_path().unwrap().to_owned();
            Response::builder()
                .status(418)
                .body(Body::from(path))
                .unwrap()
        }
        _ => rejection.default_response(),
    };
    let app = world.app_of(world.builder().render_rejections(render));
    let mut jar = stale(&world, &app, "12345").await;
    let response = jar.open(&app, "/recent").await;
    assert_eq!(response.status(), 418);
    assert_eq!(text(response).await, START);
}

#[tokio::test]
async fn the_same_user_comes_back_to_where_they_were_and_a_stolen_copy_stays_old() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let app = world.app_over(sessions);
        for proof in ["", ":proven:now"] {
            let mut jar = stale(&world, &app, "12345").await;
            let mut copy = jar.clone();
            let state = begin(&mut jar, &app, START).await;
            let proof = proof.replace("now", &(world.clock.next() - SECOND).to_string());
            let code = format!("12345{proof}");
            let response = come_back(&mut jar, &app, &code, &state).await;
            assert_eq!(location(&response), "/recent", "{kind} {proof}");
            assert_eq!(recent(&mut jar, &app).await, 200, "{kind} {proof}");
            // The login that it replaces has ended, with every copy.
            assert_eq!(copy.status(&app, "/recent").await, 401, "{kind} {proof}");
            assert!(!copy.is_in(&app).await, "{kind} {proof}");
        }
    }
}

/// A thief has a copy of the cookies and no credentials.
#[tokio::test]
async fn a_copied_cookie_never_becomes_recent() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let app = world.app_over(sessions);
        let mut victim = stale(&world, &app, "12345").await;
        let mut thief = victim.clone();
        // With the thief's own account, and with a session that the provider remembers.
        for code in ["67890", "67890:silent", "12345:silent"] {
            let state = begin(&mut thief, &app, START).await;
            let response = come_back(&mut thief, &app, code, &state).await;
            assert_eq!(response.status(), 403, "{kind}: {code}");
            assert_eq!(recent(&mut thief, &app).await, 303, "{kind}: {code}");
        }
        assert!(victim.is_in(&app).await, "{kind}: the login stays");
        // Nor by an ordinary login as another user, which is not the victim's any more.
        thief.log_in(&app, "67890").await;
        assert_eq!(thief.user(&app).await.as_deref(), Some("67890"), "{kind}");
    }
}

#[tokio::test]
async fn another_user_or_an_old_proof_begins_no_login_and_ends_none() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let app = world.app_over(sessions);
        let mut jar = stale(&world, &app, "12345").await;
        let now = world.clock.next();
        for (code, sentence) in [
            ("67890".to_owned(), "This is another account"),
            ("67890:silent".to_owned(), "This is another account"),
            ("12345:silent".to_owned(), "did not ask who you are"),
            (format!("12345:proven:{}", now - 11 * MINUTE), "did not ask"),
            ("12345:proven:0".to_owned(), "did not ask"),
        ] {
            let state = begin(&mut jar, &app, START).await;
            let response = come_back(&mut jar, &app, &code, &state).await;
            assert_eq!(response.status(), 403, "{kind}: {code}");
            let page = text(response).await;
            assert!(page.contains(sentence), "{kind}: {code}: {page}");
            assert!(page.contains("Nothing has changed"), "{kind}: {page}");
            let again = "/clef/login?max_age=600&amp;next=%2Frecent";
            assert!(page.contains(again), "{kind}: {code}: {page}");
            let user = jar.user(&app).await;
            assert_eq!(user.as_deref(), Some("12345"), "{kind}: {code}");
            assert_eq!(recent(&mut jar, &app).await, 303, "{kind}: {code}");
            // The attempt is used.
            let response = come_back(&mut jar, &app, "12345", &state).await;
            assert_eq!(response.status(), 403, "{kind}: {code}");
        }
        let state = begin(&mut jar, &app, START).await;
        come_back(&mut jar, &app, "12345", &state).await;
        assert_eq!(recent(&mut jar, &app).await, 200, "{kind}");
    }
}

/// The user was logged out meanwhile: fresh credentials begin a login, and only theirs.
#[tokio::test]
async fn a_logout_during_the_way_leaves_it_open_to_the_same_user_alone() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let app = world.app_over(sessions);
        for (code, status) in [("67890", 403), ("12345:silent", 403), ("12345", 303)] {
            let mut jar = stale(&world, &app, "12345").await;
            let state = begin(&mut jar, &app, START).await;
            jar.sign_out(&app).await;
            let response = come_back(&mut jar, &app, code, &state).await;
            assert_eq!(response.status(), status, "{kind}: {code}");
            assert_eq!(jar.is_in(&app).await, status == 303, "{kind}: {code}");
        }
    }
}

/// Nobody is logged in: any user may log in, with fresh credentials.
#[tokio::test]
async fn without_a_login_the_credentials_have_to_be_fresh_all_the_same() {
    let (_, app) = World::with_app();
    for (code, status) in [("12345:silent", 403), ("12345", 303), ("67890", 303)] {
        let mut jar = Jar::default();
        let state = begin(&mut jar, &app, START).await;
        let response = come_back(&mut jar, &app, code, &state).await;
        assert_eq!(response.status(), status, "{code}");
        assert_eq!(jar.is_in(&app).await, status == 303, "{code}");
    }
}

#[tokio::test]
async fn the_age_is_a_number_of_seconds_from_a_minute_to_a_day() {
    let (_, app) = World::with_app();
    for (given, status) in [
        ("60", 303),
        ("86400", 303),
        ("59", 400),
        ("0", 400),
        ("86401", 400),
        ("99999999999999999999", 400),
        ("-600", 400),
        ("%2B600", 400),
        ("600.5", 400),
        ("", 400),
        ("soon", 400),
        ("600&max_age=60", 400),
    ] {
        let mut jar = Jar::default();
        let path = format!("/clef/login?next=/recent&max_age={given}");
        let response = jar.open(&app, &path).await;
        assert_eq!(response.status(), status, "{given}");
        assert_eq!(jar.names().is_empty(), status == 400, "{given}");
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let mut request = jar.request(Method::POST, "/clef/login");
        request
            .headers_mut()
            .insert(form[0].0, form[0].1.parse().unwrap());
        *request.body_mut() = Body::from(format!("max_age={given}&next=/recent"));
        let response = app.clone().oneshot(request).await.unwrap();
        let status = if status == 303 { 200 } else { status };
        assert_eq!(response.status(), status, "{given}: by a form");
    }
}

#[tokio::test]
async fn a_store_that_does_not_answer_begins_none() {
    let (world, app) = World::with_app();
    let mut jar = stale(&world, &app, "12345").await;
    let before = jar.clone();
    world.users.failing.store(true, SeqCst);
    for path in ["/recent", "/recent/perhaps", START] {
        let response = jar.open(&app, path).await;
        assert_eq!(response.status(), 503, "{path}");
    }
    world.users.failing.store(false, SeqCst);
    assert_eq!(jar, before);
}

#[tokio::test]
async fn a_page_that_is_loaded_ahead_of_time_begins_none() {
    let (world, app) = World::with_app();
    let mut jar = stale(&world, &app, "12345").await;
    let before = jar.clone();
    let ahead = [("sec-purpose", "prefetch"), ("accept", "text/html")];
    let response = jar.send_with(&app, (Method::GET, START), &ahead).await;
    assert_eq!(response.status(), 503);
    assert_eq!(jar, before);
}

/// The attempt says whose it is. The browser can change its cookie, and then the state is another.
#[tokio::test]
async fn an_attempt_that_was_changed_is_none() {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

    let (world, app) = World::with_app();
    for change in ["nobody", "longer", "ordinary"] {
        let mut jar = stale(&world, &app, "12345").await;
        let state = begin(&mut jar, &app, START).await;
        for (name, value) in &mut jar.cookies {
            if name.contains("attempt") {
                let text = URL_SAFE_NO_PAD.decode(&value).unwrap();
                let text = String::from_utf8(text).unwrap();
                let Some((before, rest)) = text.split_once(":600:") else {
                    continue; // that of the login
                };
                let (_, next) = rest.split_once('.').unwrap();
                let changed = match change {
                    "nobody" => format!("{before}:600.{next}"),
                    "longer" => text.replace(":600:", ":86400:"),
                    _ => format!("{before}.{next}"),
                };
                *value = URL_SAFE_NO_PAD.encode(changed);
            }
        }
        let response = come_back(&mut jar, &app, "67890", &state).await;
        assert_eq!(response.status(), 403, "{change}");
        assert_eq!(world.provider.exchanges.swap(0, SeqCst), 1, "the login's");
    }
}

#[tokio::test]
async fn a_browser_holds_less_than_3_kb_of_these_attempts_too() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let app = world.app_of(world.builder_at("https://example.com", sessions));
        let mut jar = Jar::logged_in(&app, "12345").await;
        let login = jar.header().len();
        let start = format!("/clef/login?max_age=86400&next=/{}", "x".repeat(383));
        for _ in 0..6 {
            begin(&mut jar, &app, &start).await;
        }
        let attempts = jar.header().len() - login;
        assert!(attempts < 3_000, "{kind}: {attempts}");
    }
}

/// Two requests with one state share the exchange, and each is held to the same user.
#[tokio::test]
async fn a_second_request_with_the_state_is_no_way_around() {
    let (world, app) = World::with_app();
    for (code, statuses) in [("12345", (303, 303)), ("67890", (403, 403))] {
        let mut jar = stale(&world, &app, "12345").await;
        let state = begin(&mut jar, &app, START).await;
        let (mut one, mut two) = (jar.clone(), jar.clone());
        let (first, second) = tokio::join!(
            come_back(&mut one, &app, code, &state),
            come_back(&mut two, &app, code, &state),
        );
        let both = (first.status().as_u16(), second.status().as_u16());
        assert_eq!(both, statuses, "{code}");
    }
    // Once more in a browser without the login: the credentials are asked for again.
    let mut jar = stale(&world, &app, "12345").await;
    let state = begin(&mut jar, &app, START).await;
    come_back(&mut jar, &app, "12345", &state).await;
    jar.cookies.retain(|name, _| name.contains("attempt"));
    for _ in 0..8 {
        jar.ask(
            &app,
            Method::GET,
            &format!("/clef/callback?code=code:12345&state={state}"),
        )
        .await;
    }
    let response = come_back(&mut jar, &app, "12345", &state).await;
    assert_eq!(location(&response), START);
}

/// Each login is proven again where it came from, also beside a page with a choice.
#[tokio::test]
async fn a_login_is_proven_again_at_its_own_provider() {
    for has_page in [false, true] {
        let world = World::new();
        let other = Paths::under("/other").unwrap();
        let builder = world
            .builder()
            .provider_at(other, ScriptedProvider::other());
        let app = world.app_of(match has_page {
            true => builder.login_page("/log-in"),
            false => builder,
        });
        for under in ["/clef", "/other"] {
            let mut jar = Jar::default();
            jar.log_in_at(&app, under, "12345").await;
            world.clock.advance(11 * MINUTE);
            let response = jar.open(&app, "/recent").await;
            let start = format!("{under}/login?max_age=600&next=%2Frecent");
            assert_eq!(location(&response), start);
            let state = begin(&mut jar, &app, &start).await;
            let callback = format!("{under}/callback?code=code:12345&state={state}");
            assert_eq!(location(&jar.open(&app, &callback).await), "/recent");
            assert_eq!(recent(&mut jar, &app).await, 200);
        }
        // The same number at the other provider is another user.
        let mut jar = stale(&world, &app, "12345").await;
        let start = START.replace("/clef", "/other");
        let state = begin(&mut jar, &app, &start).await;
        let callback = format!("/other/callback?code=code:12345&state={state}");
        assert_eq!(jar.open(&app, &callback).await.status(), 403);
        assert!(jar.is_in(&app).await);
    }
}

/// The clock of a kept answer goes on, so a login does not stay recent as long as its lease.
#[tokio::test(start_paused = true)]
async fn a_leased_answer_ages() {
    let world = World::new();
    let users = Leased::new(world.users.clone(), Duration::from_secs(3));
    let layer = ClefLayer::builder(World::SITE, users, world.sealed())
        .provider(world.provider.clone())
        .build();
    let app = world.app(&layer.unwrap());
    let proven = world.clock.next() - 10 * MINUTE + SECOND;
    let mut jar = Jar::logged_in(&app, &format!("12345:proven:{proven}")).await;
    assert_eq!(recent(&mut jar, &app).await, 200);
    let calls = world.users.calls.load(SeqCst);
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(recent(&mut jar, &app).await, 303);
    assert_eq!(world.users.calls.load(SeqCst), calls, "no store was asked");
}
