//! Logging in with a link.

use axum_clef::UserStore as _;
use magic_link::{LINK_LIFETIME, MOST_OPEN_LINKS};
use reqwest::header::{CACHE_CONTROL, REFERRER_POLICY, SET_COOKIE};

use crate::site::{FIREFOX, IPHONE, Served, location};

const ALEX: &str = "alex@example.com";

#[tokio::test]
async fn the_first_link_signs_up_and_the_next_ones_log_in() {
    let site = Served::start().await;
    let browser = site.member(ALEX).await;
    assert!(browser.text("/").await.contains("Hello, alex@example.com."));
    let again = site.browser();
    let link = site.link(&again, ALEX).await;
    again.send(&link, &[]).await;
    assert!(again.is_in().await && browser.is_in().await);

    browser.send("/auth/sign-out", &[]).await;
    assert!(!browser.is_in().await && again.is_in().await);
    let users = site.users.load("1").await.unwrap();
    assert!(users.is_some());
    assert!(site.users.load("2").await.unwrap().is_none(), "one user");
}

#[tokio::test]
async fn opening_a_link_spends_nothing() {
    let site = Served::start().await;
    let browser = site.browser();
    let link = site.link(&browser, ALEX).await;
    let scanner = site.browser_at([127, 0, 0, 2], "a mail scanner");
    for _ in 0..3 {
        assert_eq!(scanner.head(&link).await.status(), 200);
        let response = scanner.open(&link).await;
        assert_eq!(response.status(), 200);
        assert!(!response.headers().contains_key(SET_COOKIE));
        assert!(!scanner.is_in().await);
    }
    let response = browser.open(&link).await;
    assert_eq!(response.headers()[REFERRER_POLICY], "no-referrer");
    assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
    let page = response.text().await.unwrap();
    assert!(page.contains(ALEX), "{page}");
    assert!(
        page.contains("You requested this link in this browser."),
        "{page}"
    );
    assert_eq!(location(&browser.send(&link, &[]).await), "/");
    assert!(browser.is_in().await);
}

#[tokio::test]
async fn a_link_works_on_another_device_and_says_so() {
    let site = Served::start().await;
    let laptop = site.browser();
    let link = site.link(&laptop, ALEX).await;
    let phone = site.browser_at([127, 0, 0, 2], IPHONE);
    let page = phone.text(&link).await;
    let sentence = "This link was requested in another browser: Firefox on Linux.";
    assert!(page.contains(sentence), "{page}");
    assert!(page.contains("It logs you in here, not there."), "{page}");
    let response = phone.send(&link, &[]).await;
    assert_eq!(location(&response), "/");
    assert!(phone.is_in().await && !laptop.is_in().await);

    // The same kind of browser is not the same browser.
    let link = site.link(&laptop, ALEX).await;
    let page = site.browser().text(&link).await;
    assert!(page.contains(sentence), "{page}");
    // Of two links that one browser requested, it knows both.
    let newer = site.link(&laptop, ALEX).await;
    for link in [link, newer] {
        let page = laptop.text(&link).await;
        assert!(page.contains("in this browser."), "{page}");
    }
}

#[tokio::test]
async fn a_link_logs_in_once() {
    let site = Served::start().await;
    let link = site.link(&site.browser(), ALEX).await;
    let (one, two) = (site.browser(), site.browser());
    let form = [("remember", "on")];
    let (first, second) = tokio::join!(one.send(&link, &form), two.send(&link, &form));
    let mut statuses = [first.status().as_u16(), second.status().as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 410]);
    assert_ne!(one.is_in().await, two.is_in().await);
    for answer in [one.open(&link).await, two.send(&link, &[]).await] {
        assert_eq!(answer.status(), 410);
        let page = answer.text().await.unwrap();
        assert!(page.contains("This link no longer works"), "{page}");
    }
}

#[tokio::test]
async fn a_link_expires_after_ten_minutes() {
    let site = Served::start().await;
    let browser = site.browser();
    let link = site.link(&browser, ALEX).await;
    site.wait(LINK_LIFETIME / 2);
    assert_eq!(browser.open(&link).await.status(), 200);
    site.wait(LINK_LIFETIME / 2);
    assert_eq!(browser.open(&link).await.status(), 410);
    assert_eq!(browser.send(&link, &[]).await.status(), 410);
    assert!(!browser.is_in().await);
}

#[tokio::test]
async fn log_out_everywhere_ends_open_links_too() {
    let site = Served::start().await;
    let browser = site.member(ALEX).await;
    let bystander = site.link(&site.browser(), "noor@example.com").await;
    let mut links = Vec::new();
    for _ in 0..MOST_OPEN_LINKS {
        links.push(
            site.link(&site.browser_at([127, 0, 0, 2], FIREFOX), ALEX)
                .await,
        );
    }
    browser.send("/account/log-out-everywhere", &[]).await;
    assert!(!browser.is_in().await);

    // A link that is requested after it works, and so do those of other addresses.
    let after = site.link(&browser, ALEX).await;
    let thief = site.browser_at([127, 0, 0, 3], FIREFOX);
    for link in links {
        assert_eq!(thief.send(&link, &[]).await.status(), 410);
        assert!(!thief.is_in().await);
    }
    assert_eq!(location(&browser.send(&after, &[]).await), "/");
    assert!(browser.is_in().await);
    assert_eq!(location(&thief.send(&bystander, &[]).await), "/");
}

#[tokio::test]
async fn any_other_logout_ends_open_links_too() {
    let site = Served::start().await;
    site.member(ALEX).await;
    let browser = site.browser();
    let link = site.link(&browser, ALEX).await;
    assert!(site.users.log_out("1").await.unwrap());
    assert_eq!(browser.send(&link, &[]).await.status(), 410);
    assert!(!browser.is_in().await);
    site.member(ALEX).await;
}

#[tokio::test]
async fn a_form_of_another_site_spends_nothing() {
    let site = Served::start().await;
    let browser = site.browser();
    let link = site.link(&browser, ALEX).await;
    for origin in ["https://evil.example", "http://127.0.0.1:1", "null"] {
        let response = browser.send_from(origin, &link, &[]).await;
        assert_eq!(response.status(), 403, "{origin}");
        assert!(!browser.is_in().await, "{origin}");
    }
    assert_eq!(location(&browser.send(&link, &[]).await), "/");
}

#[tokio::test]
async fn a_token_that_was_made_up_is_an_error_of_the_client() {
    let site = Served::start().await;
    let link = site.link(&site.browser(), ALEX).await;
    let (path, token) = link.split_once('=').unwrap();
    for (query, status) in [
        ("".to_owned(), 400),
        ("?token=".to_owned(), 410),
        ("?token=%00".to_owned(), 410),
        (format!("?token={}", &token[1..]), 410),
        (format!("?token=%20{token}"), 410),
        (format!("?token={token}&token={token}"), 400),
        (format!("?token={}", "long".repeat(1_000)), 410),
    ] {
        let path = format!("{}{query}", path.strip_suffix("?token").unwrap());
        let browser = site.browser();
        assert_eq!(browser.open(&path).await.status(), status, "{query}");
        assert_eq!(browser.send(&path, &[]).await.status(), status, "{query}");
        assert!(!browser.is_in().await, "{query}");
    }
    assert_eq!(location(&site.browser().send(&link, &[]).await), "/");
}

#[tokio::test]
async fn the_login_leads_to_the_page_that_was_asked_for() {
    let site = Served::start().await;
    for (next, leads_to) in [
        ("/account", "/account"),
        ("https://evil.example/", "/"),
        ("//evil.example", "/"),
    ] {
        let browser = site.browser();
        let form = [("email", ALEX)];
        browser.send(&format!("/log-in?next={next}"), &form).await;
        let (_, link) = site.mailbox.latest(ALEX);
        let response = browser.send(&link, &[]).await;
        assert_eq!(location(&response), leads_to, "{next}");
    }
    let guarded = site.browser().open("/account").await;
    assert_eq!(location(&guarded), "/log-in?next=%2Faccount");
}

#[tokio::test]
async fn a_login_that_is_not_remembered_ends_with_the_browser() {
    let site = Served::start().await;
    for (form, lasts) in [(&[][..], false), (&[("remember", "on")], true)] {
        let browser = site.browser();
        let link = site.link(&browser, ALEX).await;
        let response = browser.send(&link, form).await;
        let cookie = response.headers()[SET_COOKIE].to_str().unwrap();
        assert_eq!(cookie.contains("Max-Age="), lasts, "{cookie}");
    }
}
