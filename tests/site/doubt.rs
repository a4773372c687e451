//! In doubt, out: what cannot be read or compared is not logged in, and a store that cannot answer
//! is 503.

use std::{error::Error as _, sync::atomic::Ordering::SeqCst, time::Duration};

use axum::{http::Method, response::IntoResponse as _};
use axum_clef::{LoggedInRejection, User as _};
use serde_json::json;

use crate::support::{
    Jar, World,
    clock::MINUTE,
    jar::{notice, text},
    record::{change_login, login_in, put_login, put_text},
};

#[tokio::test]
async fn equal_stamps_are_out() {
    let (world, node, browser) = World::logged_in("12345").await;
    world.clock.freeze();
    assert_eq!(node.notice("token:12345").await, 200);

    // A login that begins with the very stamp of the logout.
    let state = browser.begin(&node, "/").await;
    let response = browser.come_back(&node, "code:12345", &state).await;
    assert_eq!(response.status(), 403);

    // And a record that has it.
    let logged_out_at = world.clock.read().as_micros();
    for (stamp, is_in) in [(logged_out_at, false), (logged_out_at + 1, true)] {
        change_login(&world.sessions, |login| {
            login.insert("at".to_owned(), stamp.into());
        })
        .await;
        assert_eq!(browser.is_in(&node).await, is_in);
    }
}

#[tokio::test]
async fn a_clock_that_steps_back_lets_no_login_outlive_a_logout() {
    let (world, node, browser) = World::logged_in("12345").await;
    world.clock.advance(-MINUTE);
    assert_eq!(node.notice("token:12345").await, 200);
    assert!(!browser.is_in(&node).await);
    world.clock.advance(MINUTE);
    assert!(!browser.is_in(&node).await, "nor when the clock is back");
}

#[tokio::test]
async fn a_record_that_lacks_a_field_or_has_a_broken_one_is_out() {
    let (world, app) = World::with_app();
    let mut jar = Jar::logged_in(&app, "12345").await;
    let record = world.sessions.last_saved();
    let fields = ["v", "for", "id", "user", "at", "auth_at", "secret", "seen"];
    let values = [
        json!(""),
        json!("1e99"),
        json!(null),
        json!(1e99),
        json!([]),
        json!({}),
        json!(true),
    ];
    for field in fields {
        for broken in values.iter().map(Some).chain([None]) {
            let (mut record, mut login) = (record.clone(), login_in(&record));
            assert!(login.contains_key(field), "{field}");
            match broken {
                Some(value) => login.insert(field.to_owned(), value.clone()),
                None => login.remove(field),
            };
            put_login(&mut record, &login);
            world.sessions.inner.save(&record).await.unwrap();
            // When the credentials were proven may be unknown. Then they were not recently.
            let unknown = field == "auth_at" && broken.is_none_or(|value| value.is_null());
            assert_eq!(jar.is_in(&app).await, unknown, "{field}: {broken:?}");
            let recent = jar.status(&app, "/recent").await;
            assert_eq!(recent, 401, "{field}: {broken:?}");
        }
    }
    // Nor is text that is truncated, of another format, or has more behind it.
    let text = record.data["axum-clef.login"].as_str().unwrap();
    for other in [
        "".to_owned(),
        text[..text.len() - 1].to_owned(),
        format!("{text}x"),
        format!("[{text}]"),
        json!(text).to_string(),
    ] {
        let mut record = record.clone();
        put_text(&mut record, &other);
        world.sessions.inner.save(&record).await.unwrap();
        assert!(!jar.is_in(&app).await, "{other}");
    }
    let mut record = record.clone();
    record
        .data
        .insert("axum-clef.login".to_owned(), json!(login_in(&record)));
    world.sessions.inner.save(&record).await.unwrap();
    assert!(!jar.is_in(&app).await, "it is no text");
}

/// A later version is written one release after it can be read.
#[tokio::test]
async fn a_record_of_a_later_version_is_out() {
    let (world, app) = World::with_app();
    let mut jar = Jar::logged_in(&app, "12345").await;
    for (version, is_in) in [(0, false), (2, false), (300, false), (-1, false), (1, true)] {
        change_login(&world.sessions, |login| {
            login.insert("v".to_owned(), version.into());
        })
        .await;
        assert_eq!(jar.is_in(&app).await, is_in, "{version}");
    }
}

#[tokio::test]
async fn unknown_fields_survive_a_renewal() {
    let (world, app) = World::with_app();
    let mut jar = Jar::logged_in(&app, "12345").await;
    let mut record = world.sessions.last_saved();
    let mut login = login_in(&record);
    let later = json!({"nested": ["\u{e9}", 1.5, null]});
    let of_a_later_release = "100".to_owned();
    login.insert(of_a_later_release, later.clone());
    put_login(&mut record, &login);
    record.data.insert("beside".to_owned(), later.clone());
    world.sessions.inner.save(&record).await.unwrap();

    world.clock.advance(120 * MINUTE);
    assert!(jar.is_in(&app).await);
    let renewed = world.sessions.last_saved();
    let mut fields = login_in(&renewed);
    assert_eq!(renewed.data["beside"], later);
    assert_ne!(fields.remove("seen"), login.remove("seen"), "it was due");
    assert_eq!(fields, login);
    assert!(jar.is_in(&app).await);
}

#[tokio::test]
async fn a_stamp_more_than_five_minutes_ahead_is_out() {
    let (world, node, browser) = World::logged_in("12345").await;
    world.clock.advance(-4 * MINUTE);
    assert!(browser.is_in(&node).await);
    world.clock.advance(-2 * MINUTE);
    assert!(!browser.is_in(&node).await);
}

#[tokio::test]
async fn an_unreadable_record_is_out_and_the_next_login_works() {
    let (world, node, browser) = World::logged_in("12345").await;
    world.sessions.unreadable.store(true, SeqCst);
    assert!(!browser.is_in(&node).await);
    browser.log_in(&node, "12345").await;
    world.sessions.unreadable.store(false, SeqCst);
    assert!(browser.is_in(&node).await);
}

#[tokio::test]
async fn a_store_that_cannot_answer_is_503_and_leaves_the_login_alone() {
    let (world, node, browser) = World::logged_in("12345").await;
    let cookies = browser.cookies(&node);

    for failing in [
        &world.users.failing,
        &world.users.clock_failing,
        &world.sessions.failing,
    ] {
        failing.store(true, SeqCst);
        for path in ["/", "/account", "/members/one", "/twice"] {
            let response = browser.open(&node, path).await;
            assert_eq!(response.status(), 503, "{path}");
            assert_eq!(response.headers()["retry-after"], "5");
            assert_eq!(response.headers().get("set-cookie"), None);
        }
        failing.store(false, SeqCst);
        assert_eq!(browser.cookies(&node), cookies);
        assert!(browser.is_in(&node).await, "as if nothing had been");
    }
}

#[tokio::test]
async fn the_source_of_a_rejection_is_the_error_of_the_store() {
    let world = World::new();
    let render = |rejection: &LoggedInRejection| {
        let source = rejection.source().unwrap();
        source.to_string().into_response()
    };
    let app = world.app_of(world.builder().render_rejections(render));
    let mut jar = Jar::logged_in(&app, "12345").await;
    world.users.failing.store(true, SeqCst);
    let error = text(jar.get(&app, "/account").await).await;
    assert_eq!(error, "the user store fails");
}

/// Without a socket, so that the time can be turned.
#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_is_one_that_cannot_answer() {
    let (world, app) = World::with_app();
    let get = async |jar: &mut Jar, path: &str| {
        // Longer than every limit of ours.
        let answer = tokio::time::timeout(Duration::from_secs(60), jar.get(&app, path)).await;
        answer.expect("an answer in time").status().as_u16()
    };
    let mut jar = Jar::logged_in(&app, "12345").await;
    let mut other = Jar::default();
    let callback = other.begin(&app, "12345").await;

    for hanging in [&world.sessions.hanging, &world.users.hanging] {
        hanging.store(true, SeqCst);
        for path in ["/", "/account", "/members/one"] {
            assert_eq!(get(&mut jar, path).await, 503, "{path}");
        }
        hanging.store(false, SeqCst);
        assert_eq!(get(&mut jar, "/account").await, 200);
    }
    world.users.hanging.store(true, SeqCst);
    assert_eq!(get(&mut other, &callback).await, 503);
    assert_eq!(notice(&app, "token:12345").await, 503);

    world.users.hanging.store(false, SeqCst);
    // The attempt that hangs is given up, and the next one writes.
    let user = async || world.users.inner.load("1").await.unwrap().unwrap();
    while user().await.logged_out_at().is_none() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let response = jar.ask(&app, Method::GET, "/account").await;
    assert_eq!(response.status(), 401);
}
