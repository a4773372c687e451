//! The setting that turns a sign-out into a logout everywhere.

use std::sync::atomic::Ordering::SeqCst;

use axum::{Router, http::Request};
use axum_clef::{ClefLayer, Subject};

use crate::{
    browser::{Answer, Browser},
    site::{ISSUER, Layer, Site},
};

fn layer(site: &Site) -> Layer {
    site.layer().sign_out_everywhere()
}

async fn logged_in(app: &Router) -> Browser {
    let mut browser = Browser::default();
    browser.log_in(app, "12345").await;
    browser
}

/// The browser hears that it is not signed out, and can try again.
fn assert_not_signed_out(answer: &Answer) {
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("retry-after"), "5");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(answer.text.contains("You are not signed out yet"));
    let again = r#"<form method="post" action="/clef/sign-out">"#;
    assert!(answer.text.contains(again), "{}", answer.text);
}

#[tokio::test]
async fn a_sign_out_ends_every_login_of_the_person_copied_ones_too() {
    let site = Site::new();
    let (here, there) = (site.app_with(layer(&site)), site.app_with(layer(&site)));
    let mut browser = logged_in(&here).await;
    let (mut copy, mut elsewhere) = (browser.clone(), logged_in(&there).await);
    let mut stranger = Browser::default();
    stranger.log_in(&here, "67890").await;

    let answer = browser.sign_out(&here).await;
    assert_eq!((answer.status, answer.header("location")), (303, "/"));
    assert_eq!(browser, Browser::default());
    for app in [&here, &there] {
        assert_eq!(copy.is(app).await, None);
        assert_eq!(elsewhere.is(app).await, None);
    }
    assert_eq!(stranger.is(&here).await.as_deref(), Some("67890"));
    browser.log_in(&here, "12345").await;
    assert_eq!(browser.is(&there).await.as_deref(), Some("12345"));
}

#[tokio::test]
async fn whoever_has_kept_a_login_that_is_over_ends_nobody_elses() {
    let site = Site::new();
    let app = site.app_with(layer(&site));
    let mut old = logged_in(&app).await;
    assert_eq!(Site::notice(&app, "12345").await, 200);
    let mut new = logged_in(&app).await;
    let log_outs = site.users.log_outs.load(SeqCst);

    let mut without_key = new.clone();
    without_key.0.remove(crate::site::LOGIN);
    for browser in [&mut old, &mut without_key, &mut Browser::default()] {
        let answer = browser.sign_out(&app).await;
        assert_eq!((answer.status, answer.header("location")), (303, "/"));
        assert_eq!(*browser, Browser::default(), "its cookies are taken away");
    }
    let foreign = Request::post("/clef/sign-out").header("sec-fetch-site", "cross-site");
    assert_eq!(new.send(&app, foreign).await.status, 403);
    assert_eq!(site.users.log_outs.load(SeqCst), log_outs);
    assert_eq!(new.is(&app).await.as_deref(), Some("12345"));
}

#[tokio::test(start_paused = true)]
async fn a_logout_that_is_not_written_yet_is_no_sign_out() {
    let site = Site::new();
    let (here, there) = (layer(&site), layer(&site));
    let counted = here.clone();
    let (here, there) = (site.app_with(here), site.app_with(there));
    site.provider.signs_out.store(true, SeqCst);
    let mut browser = logged_in(&here).await;
    let mut copy = browser.clone();

    site.users.log_out_fails.store(true, SeqCst);
    assert_not_signed_out(&browser.sign_out(&here).await);
    assert_eq!(counted.pending_logouts(), 1);
    // Here the person is refused; another node does not know, so they are not out.
    assert_eq!(browser.is(&here).await, None);
    assert_eq!(copy.is(&there).await.as_deref(), Some("12345"));
    assert_not_signed_out(&browser.sign_out(&here).await);
    assert_eq!(counted.pending_logouts(), 1, "one is enough");
    assert_not_signed_out(&browser.clone().sign_out(&there).await);

    site.users.log_out_fails.store(false, SeqCst);
    tokio::time::sleep(std::time::Duration::from_secs(10)).await;
    assert_eq!(counted.pending_logouts(), 0, "it holds at last");
    assert_eq!(copy.is(&there).await, None);
    // The way goes on where it would have.
    let answer = browser.sign_out(&here).await;
    assert_eq!(answer.status, 303);
    assert_eq!(
        answer.header("location"),
        format!("{ISSUER}/sign-out?hint=hint-12345")
    );
    assert!(!browser.0.contains_key(crate::site::SESSION));
    assert!(!browser.0.contains_key(crate::site::LOGIN));
}

#[tokio::test(start_paused = true)]
async fn who_presses_twice_is_signed_out_by_both() {
    let site = Site::new();
    let app = site.app_with(layer(&site));
    let mut browser = logged_in(&app).await;
    let press = |mut browser: Browser| {
        let app = app.clone();
        tokio::spawn(async move { (browser.sign_out(&app).await.status, browser) })
    };
    site.users.log_out_held.store(true, SeqCst);
    let first = press(browser.clone());
    site.users.log_out_hold.0.notified().await;
    let second = press(browser.clone());
    // So far that it waits too, and no idle moment in which the time goes on.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!second.is_finished());
    site.users.log_out_hold.1.notify_one();
    for pressed in [first, second] {
        assert_eq!(pressed.await.unwrap(), (303, Browser::default()));
    }
    assert_eq!(site.users.log_outs.load(SeqCst), 1);
    assert_eq!(browser.is(&app).await, None);
}

#[tokio::test]
async fn whose_login_cannot_be_checked_is_not_signed_out() {
    let site = Site::new();
    let app = site.app_with(layer(&site));
    let mut browser = logged_in(&app).await;
    site.users.failing.store(true, SeqCst);
    assert_not_signed_out(&browser.sign_out(&app).await);
    site.users.failing.store(false, SeqCst);
    assert_eq!(browser.is(&app).await.as_deref(), Some("12345"));
    assert_eq!(site.users.log_outs.load(SeqCst), 0);
    assert_eq!(browser.sign_out(&app).await.status, 303);
    assert_eq!(site.users.log_outs.load(SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn where_too_many_logouts_wait_nothing_is_done() {
    let site = Site::new();
    let layer = layer(&site).pending_logout_limit(1);
    let logouts = layer.logouts();
    let app = site.app_with(layer);
    let mut browser = logged_in(&app).await;
    site.users.log_out_fails.store(true, SeqCst);
    let other = Subject::new(ISSUER, "67890");
    assert!(logouts.log_out(&other).await.is_err());
    assert_not_signed_out(&browser.sign_out(&app).await);
    assert_eq!(browser.is(&app).await.as_deref(), Some("12345"));
}

#[tokio::test]
async fn a_sign_out_goes_on_at_the_provider_once_all_logins_are_over() {
    let site = Site::new();
    let app = site.app_with(layer(&site));
    site.provider.signs_out.store(true, SeqCst);
    let mut browser = logged_in(&app).await;
    let mut copy = browser.clone();
    let answer = browser.sign_out(&app).await;
    let expected = format!("{ISSUER}/sign-out?hint=hint-12345");
    assert_eq!(answer.header("location"), expected);
    assert_eq!(copy.is(&app).await, None);
}

#[tokio::test(start_paused = true)]
async fn it_is_the_same_where_sessions_are_in_a_store() {
    let site = Site::new();
    let sessions = tower_sessions::MemoryStore::default();
    let (provider, users) = (site.provider.clone(), site.users.clone());
    let layer = ClefLayer::new("https://example.com", provider, users, sessions).unwrap();
    let layer = layer.sign_out_everywhere();
    let app = site.pages(layer.routes()).layer(layer.clone());
    let (mut browser, mut elsewhere) = (logged_in(&app).await, logged_in(&app).await);

    site.users.log_out_fails.store(true, SeqCst);
    for _ in 0..2 {
        assert_not_signed_out(&browser.sign_out(&app).await);
        assert_eq!(layer.pending_logouts(), 1);
    }
    site.users.log_out_fails.store(false, SeqCst);
    tokio::time::sleep(std::time::Duration::from_secs(10)).await;
    assert_eq!(browser.sign_out(&app).await.status, 303);
    assert_eq!(browser, Browser::default());
    assert_eq!(elsewhere.is(&app).await, None);
}
