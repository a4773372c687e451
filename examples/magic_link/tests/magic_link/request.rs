//! Requesting a link.

use magic_link::{LINK_LIFETIME, MOST_ATTEMPTS, MOST_OPEN_LINKS};
use reqwest::header::{RETRY_AFTER, SET_COOKIE};

use crate::site::{FIREFOX, Served, location};

#[tokio::test]
async fn a_members_address_and_an_unknown_one_are_answered_alike() {
    let site = Served::start().await;
    site.member("alex@example.com").await;
    let mut answers = Vec::new();
    for address in ["alex@example.com", "noor@example.com"] {
        let response = site.browser().request(address).await;
        let cookie = response.headers()[SET_COOKIE].to_str().unwrap();
        let (name, attributes) = (cookie.split('='), cookie.split("; ").skip(1));
        let cookie: Vec<_> = name.take(1).chain(attributes).map(str::to_owned).collect();
        let mut headers: Vec<_> = response.headers().keys().cloned().collect();
        headers.sort_by_key(ToString::to_string);
        answers.push((location(&response).to_owned(), cookie, headers));
        let (mail, _) = site.mailbox.latest(address);
        let mail: Vec<_> = mail.lines().filter(|line| !line.contains("http")).collect();
        assert!(
            mail.join("\n").contains("requested in Firefox on Linux"),
            "{mail:?}"
        );
    }
    assert_eq!(answers[0], answers[1]);
    assert!(answers[0].1.contains(&"HttpOnly".to_owned()), "{answers:?}");
}

#[tokio::test]
async fn an_address_gets_three_links_in_ten_minutes() {
    let site = Served::start().await;
    let mut answers = Vec::new();
    for _ in 0..2 * MOST_OPEN_LINKS {
        let browser = site.browser_at([127, 0, 0, 2], FIREFOX);
        answers.push(location(&browser.request("Alex@example.com").await).to_owned());
    }
    assert!(answers.iter().all(|answer| answer == "/log-in/sent"));
    assert_eq!(site.mailbox.len(), MOST_OPEN_LINKS as usize);
    site.browser().request("noor@example.com").await;
    assert_eq!(site.mailbox.len(), MOST_OPEN_LINKS as usize + 1);

    // The latest one works, and a link that is spent makes room for another.
    let (_, link) = site.mailbox.latest("alex@example.com");
    let browser = site.browser();
    assert_eq!(location(&browser.send(&link, &[]).await), "/");
    site.link(&browser, "alex@example.com").await;
    assert_eq!(site.mailbox.len(), MOST_OPEN_LINKS as usize + 2);
    site.wait(LINK_LIFETIME);
    site.link(&browser, "alex@example.com").await;
    assert_eq!(site.mailbox.len(), MOST_OPEN_LINKS as usize + 3);
}

#[tokio::test]
async fn requests_at_once_send_three_links_too() {
    let site = Served::start().await;
    let (site, browser) = (&site, &site.browser());
    let requested = (0..2 * MOST_OPEN_LINKS).map(|_| browser.request("alex@example.com"));
    for answer in futures_util::future::join_all(requested).await {
        assert_eq!(location(&answer), "/log-in/sent");
    }
    assert_eq!(site.mailbox.len(), MOST_OPEN_LINKS as usize);
}

#[tokio::test]
async fn too_many_attempts_of_a_client_are_429() {
    let site = Served::start().await;
    let browser = site.browser();
    let mut refused = None;
    for number in 0..10 * MOST_ATTEMPTS.get() {
        let response = browser
            .request(&format!("member-{number}@example.com"))
            .await;
        if response.status() == 429 {
            refused = Some(response);
            break;
        }
    }
    let refused = refused.unwrap();
    let wait = refused.headers()[RETRY_AFTER].to_str().unwrap();
    assert!((1..=7).contains(&wait.parse::<u64>().unwrap()), "{wait}");

    // Another client is none the worse, unless it is the one in 65,536 with the same counter.
    let mut others = Vec::new();
    for last in 2..5 {
        let other = site.browser_at([127, 0, 0, last], FIREFOX);
        others.push(other.request("alex@example.com").await.status());
    }
    assert!(others.iter().any(|status| *status == 303), "{others:?}");
}

#[tokio::test]
async fn what_is_no_address_gets_no_mail() {
    let site = Served::start().await;
    for address in [
        "",
        "alex",
        "<b>@example.com",
        "alex@example.com\r\nBcc: noor@example.com",
    ] {
        let browser = site.browser();
        let response = browser.request(address).await;
        assert_eq!(response.status(), 422, "{address}");
        let page = response.text().await.unwrap();
        assert!(page.contains("This is not an e-mail address"), "{page}");
        assert!(!page.contains("<b>"), "{page}");
    }
    let response = site.browser().send("/log-in", &[]).await;
    assert_eq!(response.status(), 422, "no field");
    let form = [("email", "alex@example.com"), ("email", "noor@example.com")];
    let response = site.browser().send("/log-in", &form).await;
    assert_eq!(response.status(), 422, "two of them");
    let response = site.browser().request(&"long".repeat(2_000)).await;
    assert_eq!(response.status(), 413);
    let form = [("email", "alex@example.com")];
    let response = site
        .browser()
        .send_from("https://evil.example", "/log-in", &form)
        .await;
    assert_eq!(response.status(), 403, "a page of another site");
    assert_eq!(site.mailbox.len(), 0);
}

#[tokio::test]
async fn a_mail_server_that_fails_is_503() {
    let site = Served::start().await;
    site.mailbox.fail(true);
    for _ in 0..=MOST_OPEN_LINKS {
        let response = site.browser().request("alex@example.com").await;
        assert_eq!(response.status(), 503);
    }
    site.mailbox.fail(false);
    site.member("alex@example.com").await;
}
