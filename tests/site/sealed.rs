//! Logins sealed in cookies: their keys, their size, and what opens.

use std::sync::atomic::Ordering::SeqCst;

use axum::{Router, http::Method};
use axum_clef::{SessionKey, Sessions};

use crate::support::{
    Jar, World,
    clock::DAY,
    jar::{location, notice, set_cookie, set_cookies, text},
};

/// The most that a browser keeps of one cookie, name and value together.
const LARGEST_COOKIE: usize = 4_096;

fn keys(keys: &[u8]) -> Sessions {
    let keys = keys.iter().map(|byte| SessionKey::from_bytes([*byte; 32]));
    Sessions::sealed(keys)
}

#[tokio::test]
async fn a_notice_ends_it_at_every_node_and_a_new_login_works() {
    let world = World::new();
    let [here, there] = [world.sealed(), world.sealed()].map(|s| world.app_over(s));
    let mut jar = Jar::logged_in(&here, "12345").await;
    let mut copy = jar.clone();
    assert!(jar.is_in(&there).await);
    assert_eq!(notice(&here, "token:12345").await, 200);
    for app in [&here, &there] {
        assert!(!jar.is_in(app).await);
        assert!(!copy.is_in(app).await);
    }
    jar.log_in(&here, "12345").await;
    assert!(jar.is_in(&there).await);
    assert!(!copy.is_in(&there).await);
}

#[tokio::test]
async fn a_new_key_logs_no_user_out() {
    let world = World::new();
    // Node by node: first as the last key, then as the first, then alone.
    let steps = [&[1][..], &[1, 2], &[2, 1], &[2]].map(|bytes| world.app_over(keys(bytes)));
    for (before, after) in steps.iter().zip(&steps[1..]) {
        let mut old = Jar::logged_in(before, "12345").await;
        let mut new = Jar::logged_in(after, "12345").await;
        // Each renews what the other has sealed.
        for app in [before, after, before, after] {
            world.clock.advance(DAY / 2);
            assert!(old.is_in(app).await);
            assert!(new.is_in(app).await);
        }
    }
    let mut jar = Jar::logged_in(&steps[0], "12345").await;
    assert!(!jar.is_in(&steps[3]).await, "the key is gone");
}

#[tokio::test]
async fn what_is_truncated_or_changed_does_not_open() {
    let world = World::new();
    let app = world.app_over(world.sealed());
    let jar = Jar::logged_in(&app, "12345").await;
    let sealed = jar.cookies["auth-9"].clone();
    let with = |value: String| {
        let mut jar = jar.clone();
        jar.cookies.insert("auth-9".to_owned(), value);
        jar
    };
    for length in 0..sealed.len() {
        assert!(
            !with(sealed[..length].to_owned()).is_in(&app).await,
            "{length}"
        );
        let other = if &sealed[length..=length] == "A" {
            "B"
        } else {
            "A"
        };
        let changed = [&sealed[..length], other, &sealed[length + 1..]].concat();
        // The last character may have bits that mean nothing, and then does not decode.
        assert!(!with(changed).is_in(&app).await, "{length}");
    }
    assert!(!with(format!("{sealed}A")).is_in(&app).await);
    assert!(!with(format!("{sealed}=")).is_in(&app).await);
    assert!(with(sealed).is_in(&app).await);
}

/// No answer gives a cookie that browsers drop.
fn assert_fits(headers: &axum::http::HeaderMap) {
    for cookie in set_cookies(headers) {
        let pair = cookie.split(';').next().unwrap();
        assert!(pair.len() <= LARGEST_COOKIE + 1, "{} bytes", pair.len());
    }
}

/// Logs in as a person whose id is so long: whether that worked.
async fn logs_in(app: &Router, length: usize) -> bool {
    let mut jar = Jar::default();
    let callback = jar.begin(app, &"x".repeat(length)).await;
    let response = jar.get(app, &callback).await;
    assert_fits(response.headers());
    let status = response.status().as_u16();
    if status != 303 {
        assert_eq!(status, 500);
        assert_eq!(set_cookie(response.headers(), "auth-9"), None);
        assert_eq!(set_cookie(response.headers(), "auth-9-idle"), None);
        assert!(text(response).await.contains("is misconfigured"));
    }
    let is_in = jar.is_in(app).await;
    assert_eq!(is_in, status == 303, "{length}");
    is_in
}

#[tokio::test]
async fn a_login_that_is_too_large_is_an_error_and_no_cookie() {
    let world = World::new();
    world.provider.hint_length.store(1, SeqCst);
    let app = world.app_over(world.sealed());
    let mut fits = 0;
    for length in (2_000..4_000).step_by(100) {
        if logs_in(&app, length).await {
            assert_eq!(fits, length.saturating_sub(2_000) / 100, "{length}");
            fits += 1;
        }
    }
    assert!((3..15).contains(&fits), "{fits}");
    // To the byte.
    let mut longest = 2_000 + (fits - 1) * 100;
    while logs_in(&app, longest + 1).await {
        longest += 1;
    }
    let jar = Jar::logged_in(&app, &"x".repeat(longest)).await;
    let size = "auth-9".len() + jar.cookies["auth-9"].len();
    assert!(
        (LARGEST_COOKIE - 2..=LARGEST_COOKIE).contains(&size),
        "{size}"
    );
    // A store has room for it.
    assert!(logs_in(&world.app(&world.layer()), 4_000).await);
}

/// Where a sign-out goes on: the length of the hint that the provider receives again.
async fn hint_of(world: &World, app: &Router, hint: usize, person: usize) -> usize {
    world.provider.hint_length.store(hint, SeqCst);
    let mut jar = Jar::logged_in(app, &"x".repeat(person)).await;
    assert!(jar.is_in(app).await);
    let response = jar.send(app, Method::POST, "/auth/sign-out").await;
    let (_, hint) = location(&response).rsplit_once("hint=").unwrap();
    hint.len()
}

#[tokio::test]
async fn a_hint_that_does_not_fit_is_left_out_first() {
    let world = World::new();
    world.provider.signs_out.store(true, SeqCst);
    let app = world.app_over(world.sealed());
    for (hint, person, kept) in [
        (100, 100, true),
        (2_048, 100, true),
        (2_049, 100, false),
        (1_000, 2_500, false),
        (3_000, 2_500, false),
    ] {
        let expected = if kept { hint } else { 0 };
        let left = hint_of(&world, &app, hint, person).await;
        assert_eq!(left, expected, "{hint} {person}");
    }
    // A hint of more than 2 KB is kept in no store either.
    let app = world.app(&world.layer());
    for (hint, expected) in [(2_048, 2_048), (2_049, 0), (100_000, 0)] {
        assert_eq!(hint_of(&world, &app, hint, 3_000).await, expected);
    }
}
