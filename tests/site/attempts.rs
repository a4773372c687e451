//! The cookies of logins under way: how many a browser holds, and how long they are good.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use axum::http::{HeaderValue, Method, Request, Response, header};
use axum_clef::{Timestamp, provider::LoginSecret};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use tower::ServiceExt as _;

use crate::support::{
    Jar, World,
    browser::state_in,
    clock::{DAY, MINUTE, SECOND},
    jar::text,
};

/// Made up offline, as an attacker does: the value of a cookie, and the state that fits it.
pub fn made_up(site: &str, begun_at: i64, next: &str) -> (String, String) {
    let secret = LoginSecret::from_bytes([7; 32]);
    let purpose = format!("state for {site}/clef/callback {begun_at} {next}");
    let state = secret.derive("handle of the state")[..8].to_owned() + &secret.derive(&purpose);
    let secret = URL_SAFE_NO_PAD.encode([7; 32]);
    let value = URL_SAFE_NO_PAD.encode(format!("p.{secret}.{begun_at}.{next}"));
    (value, state)
}

#[tokio::test]
async fn an_attempt_that_is_too_old_or_from_the_future_is_no_login() {
    let now = Timestamp::now().as_micros();
    for (begun_at, counts) in [
        (now, true),
        // By some seconds only, as this takes time too.
        (now - 9 * MINUTE, true),
        (now - 10 * MINUTE, false),
        (now - DAY, false),
        (0, false),
        (1, false),
        (-1, false),
        (i64::MIN, false),
        (now + 30 * SECOND, true),
        (now + 2 * MINUTE, false),
        (now + 365 * DAY, false),
        (i64::MAX, false),
    ] {
        let world = World::new();
        let app = world.app(&world.layer());
        let (value, state) = made_up(World::SITE, begun_at, "/account");
        let path = format!("/clef/callback?code=code:12345&state={state}");
        let cookie = format!("auth-9-attempt-2={value}");
        let request = Request::get(path).header(header::COOKIE, cookie);
        let request = request.body(axum::body::Body::empty()).unwrap();
        let response = app.oneshot(request).await.unwrap();
        let status = if counts { 303 } else { 403 };
        assert_eq!(response.status(), status, "{}", begun_at - now);
        let exchanges = world.provider.exchanges.load(SeqCst);
        assert_eq!(exchanges, usize::from(counts), "{}", begun_at - now);
    }
}

#[tokio::test]
async fn with_a_key_no_attempt_counts_that_the_browser_made_up() {
    let world = World::new();
    let (value, state) = made_up(World::SITE, Timestamp::now().as_micros(), "/account");
    for (sessions, status) in [(world.stored(), 303), (world.sealed(), 403)] {
        let app = world.app_over(sessions);
        let mut jar = Jar::default();
        jar.cookies
            .insert("auth-9-attempt-1".to_owned(), value.clone());
        let path = format!("/clef/callback?code=code:12345&state={state}");
        assert_eq!(jar.get(&app, &path).await.status(), status);
    }
}

#[tokio::test]
async fn how_long_a_login_may_take_is_a_setting() {
    let now = Timestamp::now().as_micros();
    let world = World::new();
    for (minutes, age, counts) in [(1, 0, true), (1, 2, false), (60, 30, true), (60, 61, false)] {
        let timeout = Duration::from_secs(60 * minutes);
        let app = world.app_of(world.builder().login_timeout(timeout));
        let start = Jar::default().ask(&app, Method::GET, "/clef/login").await;
        let cookie = start.headers()[header::SET_COOKIE].to_str().unwrap();
        let max_age = format!("Max-Age={}", timeout.as_secs());
        assert!(cookie.contains(&max_age), "{cookie}");
        let (value, state) = made_up(World::SITE, now - age * MINUTE, "/account");
        let mut jar = Jar::default();
        jar.cookies.insert("auth-9-attempt-1".to_owned(), value);
        let path = format!("/clef/callback?code=code:12345&state={state}");
        let response = jar.get(&app, &path).await;
        let status = if counts { 303 } else { 403 };
        assert_eq!(response.status(), status, "{minutes}: {age}");
        if !counts {
            // The browser's own attempt shows where the login was to lead.
            let page = text(response).await;
            assert!(page.contains("/clef/login?next=%2Faccount"), "{page}");
        }
    }
    for timeout in [Duration::ZERO, Duration::from_nanos(999)] {
        let error = world.builder().login_timeout(timeout).build().unwrap_err();
        assert!(error.to_string().contains("login_timeout"), "{error}");
    }
    // The longest one saturates.
    let app = world.app_of(world.builder().login_timeout(Duration::MAX));
    Jar::logged_in(&app, "12345").await;
}

fn set_cookies(response: &Response<axum::body::Body>) -> (usize, usize) {
    let cookies = response.headers().get_all(header::SET_COOKIE).iter();
    let sizes = cookies.map(|cookie| cookie.len());
    sizes.fold((0, 0), |(count, size), next| (count + 1, size + next))
}

#[tokio::test]
async fn the_answer_to_a_flood_of_attempt_cookies_is_small() {
    let (_, app) = World::with_app();
    let (good, _) = made_up(World::SITE, Timestamp::now().as_micros(), "/account");
    for value in ["", "x", &good] {
        let named = |name: String| format!("auth-9-attempt-{name}={value}");
        for cookies in [
            (0..16_500)
                .map(|i| named(i.to_string()))
                .collect::<Vec<_>>(),
            (0..16_500).map(|i| named(format!("{i:08}"))).collect(),
            (0..16_500).map(|i| named((i % 4).to_string())).collect(),
        ] {
            let cookies: HeaderValue = cookies.join("; ").parse().unwrap();
            let state = "A".repeat(43);
            for path in [
                "/clef/login?next=/account".to_owned(),
                "/button".to_owned(),
                format!("/clef/callback?code=code:12345&state={state}"),
            ] {
                let request = Request::get(&path).header(header::COOKIE, &cookies);
                let request = request.body(axum::body::Body::empty()).unwrap();
                let response = app.clone().oneshot(request).await.unwrap();
                let (count, size) = set_cookies(&response);
                assert!(count <= 1 && size < 1_000, "{path}: {count}, {size}");
            }
        }
    }
}

#[tokio::test]
async fn a_browser_holds_less_than_3_kb_of_attempts_whatever_next_is() {
    for site in ["https://example.com", World::SITE] {
        let world = World::new();
        let app = world.app_of(world.builder_at(site, world.stored()));
        for next in [
            "/".to_owned(),
            format!("/{}", "x".repeat(383)),
            format!("/{}", "x".repeat(384)),
            format!("/{}", "%C3%A9".repeat(500)),
            format!("/?{}", ";,".repeat(200)),
        ] {
            // Opened at once, before any answer sets a cookie, and one after the other.
            let tabs: Vec<_> = (0..20).map(|_| Jar::default()).collect();
            let mut browser = Jar::default();
            let path = format!("/clef/login?next={next}");
            for tab in tabs {
                let response = app.clone().oneshot(tab.request(Method::GET, &path));
                browser.take(response.await.unwrap().headers());
            }
            for _ in 0..20 {
                browser.get(&app, &path).await;
            }
            assert_eq!(browser.names().len(), 4, "{next}");
            let size = browser.header().len();
            assert!(size < 3_000, "{size}: {next}");

            let last = browser.get(&app, &path).await;
            let state = state_in(last.headers()[header::LOCATION].to_str().unwrap());
            let callback = format!("/clef/callback?code=code:12345&state={state}");
            let response = browser.get(&app, &callback).await;
            let leads_to = &response.headers()[header::LOCATION];
            let kept = next.len() <= 384;
            assert_eq!(leads_to, if kept { &*next } else { "/" }, "{next}");
        }
    }
}
