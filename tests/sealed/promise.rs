//! The promise, where no server keeps the session.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use axum::{body::Body, http::Request};
use cookie::{Cookie, CookieJar, Key};
use futures_util::StreamExt as _;
use time::OffsetDateTime;
use tower::ServiceExt as _;
use tower_sessions_cookie_store::{decode_record, encode_record};

use crate::{
    browser::Browser,
    site::{LOGIN, SESSION, Site},
};

const DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// A browser that is logged in.
async fn logged_in(site: &Site) -> Browser {
    let mut browser = Browser::default();
    browser.log_in(&site.app(), "12345").await;
    browser
}

#[tokio::test]
async fn a_logged_in_request_asks_the_user_store_once_and_nobody_else() {
    let site = Site::new();
    let app = site.app();
    let mut browser = logged_in(&site).await;
    assert_eq!(site.users.loads.load(SeqCst), 0);
    assert_eq!(browser.is(&app).await.as_deref(), Some("12345"));
    assert_eq!(site.users.loads.load(SeqCst), 1);
    // Who never asks pays nothing.
    assert_eq!(browser.get(&app, "/public").await.status, 200);
    assert_eq!(site.users.loads.load(SeqCst), 1);

    // A visitor who never logs in gets no session.
    let mut visitor = Browser::default();
    assert_eq!(visitor.get(&app, "/public").await.status, 200);
    assert_eq!(visitor.is(&app).await, None);
    assert_eq!(visitor, Browser::default());
}

#[tokio::test]
async fn a_notice_ends_it_at_every_node_and_a_new_login_works() {
    let site = Site::new();
    let (here, there) = (site.app(), site.app());
    let mut browser = logged_in(&site).await;
    let mut copy = browser.clone();
    assert_eq!(browser.is(&there).await.as_deref(), Some("12345"));
    assert_eq!(Site::notice(&here, "12345").await, 200);
    for app in [&here, &there] {
        assert_eq!(browser.is(app).await, None);
        assert_eq!(copy.is(app).await, None);
    }
    browser.log_in(&here, "12345").await;
    assert_eq!(browser.is(&there).await.as_deref(), Some("12345"));
    assert_eq!(copy.is(&there).await, None);
}

#[tokio::test]
async fn a_sign_out_ends_this_browser_and_a_copy_of_its_cookies_lives_until_a_logout() {
    let site = Site::new();
    let app = site.app();
    let mut browser = logged_in(&site).await;
    browser.post(&app, "/note/10").await;
    let mut copy = browser.clone();
    let answer = browser.sign_out(&app).await;
    assert_eq!((answer.status, answer.header("location")), (303, "/"));
    assert_eq!(browser, Browser::default(), "as it was before");
    assert_eq!(browser.is(&app).await, None);

    assert_eq!(
        copy.is(&app).await.as_deref(),
        Some("12345"),
        "as documented"
    );
    assert_eq!(Site::notice(&app, "12345").await, 200);
    assert_eq!(copy.is(&app).await, None);
}

#[tokio::test]
async fn a_sealed_session_is_nobodys_without_the_key_of_its_login() {
    let site = Site::new();
    let app = site.app();
    let mut browser = logged_in(&site).await;
    let mut other = logged_in(&site).await;
    for (mine, theirs) in [
        (&mut browser, &other.clone()),
        (&mut other, &Browser::default()),
    ] {
        match theirs.0.get(LOGIN) {
            Some(key) => mine.0.insert(LOGIN.to_owned(), key.clone()),
            None => mine.0.remove(LOGIN),
        };
        assert_eq!(mine.is(&app).await, None);
    }
}

#[tokio::test]
async fn a_request_in_flight_hands_the_session_out_again_and_nobody_is_in() {
    let site = Site::new();
    let app = site.app();
    let mut browser = logged_in(&site).await;
    let mut in_flight = browser.clone();
    let late = tokio::spawn({
        let app = app.clone();
        async move {
            let answer = in_flight.post(&app, "/slow").await;
            answer.sets(SESSION).unwrap().to_owned()
        }
    });
    site.slow.0.notified().await;
    assert_eq!(browser.sign_out(&app).await.status, 303);
    site.slow.1.notify_one();
    let late = late.await.unwrap();
    let (_, sealed) = late.split(';').next().unwrap().split_once('=').unwrap();
    browser.0.insert(SESSION.to_owned(), sealed.to_owned());
    assert_eq!(browser.is(&app).await, None);
}

#[tokio::test]
async fn a_session_in_use_is_renewed_and_one_that_was_idle_for_too_long_is_over() {
    let site = Site::new();
    let app = site.app();
    let mut browser = logged_in(&site).await;
    let answer = browser.get(&app, "/account").await;
    let renewed = answer.sets(SESSION).unwrap();
    let age = renewed.split("Max-Age=").nth(1).unwrap();
    let age: u32 = age.split(';').next().unwrap().parse().unwrap();
    assert!((86_000..=86_400).contains(&age), "{renewed}");

    // The end stands inside of it too, whatever the browser keeps.
    let mut kept = browser.clone();
    age_by(&site, &mut kept, time::Duration::hours(23));
    assert_eq!(kept.is(&app).await.as_deref(), Some("12345"));
    age_by(&site, &mut browser, time::Duration::hours(25));
    assert_eq!(browser.is(&app).await, None);
    assert!(!browser.0.contains_key(SESSION), "it is taken away");
}

#[tokio::test]
async fn an_open_page_is_no_use_of_a_sealed_session() {
    let site = Site::new();
    let app = site.app();
    let browser = logged_in(&site).await;
    let cookies: Vec<_> = browser.0.iter().map(|(n, v)| format!("{n}={v}")).collect();
    let request = Request::get("/clef/live").header("cookie", cookies.join("; "));
    let request = request.body(Body::empty()).unwrap();
    let answer = app.oneshot(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    // It would be renewed each time that the page comes back, and what another request has
    // changed meanwhile would be undone.
    assert!(!answer.headers().contains_key("set-cookie"));
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let mut told = answer.into_body().into_data_stream();
    let told = told.next().await.unwrap().unwrap();
    assert!(told.starts_with(b"event: logged-in"));
}

/// Makes a sealed session so much older, as only who has the key can.
fn age_by(site: &Site, browser: &mut Browser, by: time::Duration) {
    let key = Key::from(site.key.master());
    let sealed = Cookie::new(SESSION, browser.0[SESSION].clone());
    let mut jar = CookieJar::new();
    let open = jar.private(&key).decrypt(sealed).unwrap();
    let mut record = decode_record(open.value()).unwrap();
    assert!(record.expiry_date > OffsetDateTime::now_utc());
    record.expiry_date -= by;
    let cookie = Cookie::new(SESSION, encode_record(&record).unwrap());
    jar.private_mut(&key).add(cookie);
    let sealed = jar.get(SESSION).unwrap().value().to_owned();
    browser.0.insert(SESSION.to_owned(), sealed);
}

#[tokio::test]
async fn a_copy_that_is_kept_busy_ends_with_the_lifetime() {
    let site = Site::new();
    let lifetime = Duration::from_secs(30 * 24 * 60 * 60);
    let app = site.app_with(site.layer().lifetime(lifetime));
    let mut copy = logged_in(&site).await;
    for _ in 0..29 {
        site.users.ahead.fetch_add(DAY, SeqCst);
        assert_eq!(copy.is(&app).await.as_deref(), Some("12345"));
    }
    site.users.ahead.fetch_add(DAY, SeqCst);
    assert_eq!(copy.is(&app).await, None);
}

#[tokio::test]
async fn no_cache_stores_an_answer_that_carries_a_session() {
    let site = Site::new();
    let app = site.app();
    let answer = Browser::default().get(&app, "/public").await;
    assert_eq!(answer.header("cache-control"), "public");
    let mut browser = logged_in(&site).await;
    let answer = browser.get(&app, "/public").await;
    assert!(answer.sets(SESSION).is_some());
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[tokio::test]
async fn a_session_of_another_key_is_nobody() {
    let (site, other) = (Site::new(), Site::new());
    let mut browser = logged_in(&other).await;
    assert_eq!(browser.is(&site.app()).await, None);
    assert!(!browser.0.contains_key(SESSION), "it is taken away");
    browser.log_in(&site.app(), "12345").await;
    assert_eq!(browser.is(&site.app()).await.as_deref(), Some("12345"));
}
