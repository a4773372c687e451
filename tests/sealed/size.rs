//! A session must fit into a cookie. What does not is an error, and not a silence.

use std::time::Duration;

use axum::http::Request;

use crate::{
    browser::{Answer, Browser},
    log,
    site::{LOGIN, SESSION, Site},
};

/// No answer gives a cookie that browsers drop.
fn assert_fits(answer: &Answer) {
    for cookie in answer.headers.get_all("set-cookie") {
        let pair = cookie.to_str().unwrap().split(';').next().unwrap();
        assert!(pair.len() <= 4_097, "{} bytes", pair.len());
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_put_into_the_session_is_kept_or_the_answer_is_503() {
    let site = Site::new();
    let app = site.app();
    let mut browser = Browser::default();
    browser.log_in(&app, "12345").await;
    let mut kept = "0".to_owned();
    let (mut fit, mut did_not, mut too_large_by_sealing) = (0, 0, 0);
    // Some are too large only once they are sealed, some are so before.
    for size in (100..4_000).step_by(100) {
        // The log has one line a second of each kind.
        tokio::time::advance(Duration::from_secs(1)).await;
        log::listen();
        let answer = browser.post(&app, &format!("/note/{size}")).await;
        assert_fits(&answer);
        match answer.status {
            200 => {
                kept = size.to_string();
                fit += 1;
            }
            503 => {
                assert_eq!(answer.header("retry-after"), "5");
                let before = log::text().contains("cookie session save failed");
                let why = match before {
                    false => "and browsers keep 4096 at the most",
                    // The session layer keeps the error to itself.
                    true => "the session store did not take the session",
                };
                log::assert_one(&[" ERROR ", why], &size.to_string());
                too_large_by_sealing += usize::from(!before);
                assert_eq!(answer.sets(SESSION), None);
                did_not += 1;
            }
            other => panic!("{size}: {other}"),
        }
        assert_eq!(browser.get(&app, "/note").await.text, kept, "{size}");
    }
    // As the README says: some 1,800. What a session is beside them varies by a few bytes.
    assert!(too_large_by_sealing > 5, "{too_large_by_sealing}");
    assert!((18..=20).contains(&fit), "{fit} fit, {did_not} did not");
    assert_eq!(browser.is(&app).await.as_deref(), Some("12345"));
}

#[tokio::test]
async fn a_login_that_does_not_fit_is_none_and_says_so() {
    let site = Site::new();
    let app = site.app();
    // A visitor's, with room for no login.
    let mut browser = Browser::default();
    let answer = browser.post(&app, "/note/2100").await;
    assert_eq!(answer.status, 200);
    let callback = browser.begin(&app, "12345").await;
    let answer = browser.get(&app, &callback).await;
    assert_eq!(answer.status, 503);
    assert!(answer.text.contains("This is not possible right now"));
    assert_fits(&answer);
    assert_eq!(answer.sets(LOGIN), None);
    assert_eq!(browser.is(&app).await, None);

    browser.post(&app, "/note/10").await;
    browser.log_in(&app, "12345").await;
    assert_eq!(browser.get(&app, "/note").await.text, "10");
}

#[tokio::test]
async fn a_cookie_of_the_handler_is_left_alone() {
    let site = Site::new();
    let large = format!("large={}", "x".repeat(5_000));
    let value = axum::http::HeaderValue::try_from(&large).unwrap();
    let layer = site.layer();
    let route = axum::routing::get(async move || [("set-cookie", value)]);
    let app = axum::Router::new().route("/large", route).layer(layer);
    let (mut visitor, mut browser) = (Browser::default(), Browser::default());
    browser.log_in(&site.app(), "12345").await;
    for (browser, session) in [(&mut visitor, false), (&mut browser, true)] {
        let answer = browser.send(&app, Request::get("/large")).await;
        assert_eq!((answer.status, answer.sets("large")), (200, Some(&*large)));
        assert_eq!(answer.sets(SESSION).is_some(), session);
    }
}
