//! Bad input at the start and the callback of a login: a clear answer, and nothing changes.

use std::sync::atomic::Ordering::SeqCst;

use axum_clef::Timestamp;
use reqwest::Response;

use crate::{
    attempts::made_up,
    support::{
        Browser, World,
        browser::{bystander, location},
    },
};

async fn assert_page(response: Response, status: u16, words: &str) {
    assert_eq!(response.status(), status);
    assert_eq!(
        response.headers()["content-type"],
        "text/html; charset=utf-8"
    );
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(response.headers()["referrer-policy"], "no-referrer");
    let policy = response.headers()["content-security-policy"].to_str();
    let policy = policy.unwrap();
    assert!(policy.starts_with("default-src 'none'"));
    assert!(policy.ends_with("frame-ancestors 'none'"));
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    let opener_policy = &response.headers()["cross-origin-opener-policy"];
    assert_eq!(opener_policy, "same-origin");
    // What was burnt cannot be repeated.
    assert!(!response.headers().contains_key("retry-after"));
    let page = response.text().await.unwrap();
    assert!(page.contains(words), "{words:?} in {page}");
    assert!(page.contains("Log in with Clef"), "a way to try again");
}

#[tokio::test]
async fn a_next_that_leads_elsewhere_is_refused() {
    let (_, node) = World::with_node().await;
    for next in ["https://evil.example/", "javascript:alert(1)", "account"] {
        let browser = Browser::new();
        let response = browser
            .get(&node, "/clef/login")
            .query(&[("next", next)])
            .send()
            .await
            .unwrap();
        assert_eq!(browser.cookies(&node), "", "{next:?}");
        assert_page(response, 400, "Invalid login link").await;
    }
    let browser = Browser::new();
    let response = browser.open(&node, "/clef/login?next=/a&next=/b").await;
    assert_page(response, 400, "Invalid login link").await;
}

#[tokio::test]
async fn a_login_leads_back_to_where_it_was_to_lead() {
    let (_, node) = World::with_node().await;
    for (next, back) in [
        ("/account?tab=1#top", "/account?tab=1#top"),
        ("/", "/"),
        ("/caf\u{e9}", "/caf%C3%A9"),
        ("/?to=//evil.example", "/?to=//evil.example"),
        ("", "/"),
        // The guard redirects with any path of the site.
        ("/search?q=a\\b", "/search?q=a%5Cb"),
        ("//account", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("/\r\nSet-Cookie: a=b", "/"),
        ("/\u{0}", "/"),
        ("/.//evil.example", "/"),
        // Back to a login would be a circle, back to the sign-out a dead end.
        ("/clef/login?next=/account", "/"),
        ("/x/../auth/sign-out", "/"),
    ] {
        let browser = Browser::new();
        let state = browser.begin(&node, next).await;
        let response = browser.come_back(&node, "code:12345", &state).await;
        assert_eq!(response.status(), 303);
        assert_eq!(location(&response), back);
    }
}

#[tokio::test]
async fn a_callback_that_is_none_is_refused_and_changes_nothing() {
    let world = World::new();
    let (node, bystander) = bystander(&world).await;
    let exchanges = world.provider.exchanges.load(SeqCst);

    let browser = Browser::new();
    let open = |path: String| {
        let (browser, node) = (&browser, &node);
        async move { browser.open(node, &path).await }
    };
    let over = "This login is no longer valid";
    for path in [
        "/clef/callback",
        "/clef/callback?code=code:12345",
        "/clef/callback?code=code:12345&state=",
        "/clef/callback?code=code:12345&state=short",
        "/clef/callback?code=code:12345&state=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "/clef/callback?code=code:12345&state=%00%0d%0a%3b",
        "/clef/callback?error=access_denied",
    ] {
        assert_page(open(path.to_owned()).await, 403, over).await;
    }

    let long = format!("code={}&", "x".repeat(5_000));
    for (query, status, words) in [
        ("", 400, "Invalid login link"),
        ("code=&", 400, "Invalid login link"),
        (&long, 400, "Invalid login link"),
        ("code=code:1&code=code:2&", 400, "Invalid login link"),
        ("error=access_denied&", 403, "The login was not completed"),
    ] {
        let state = browser.begin(&node, "/").await;
        let path = format!("/clef/callback?{query}state={state}");
        assert_page(open(path).await, status, words).await;
    }

    assert_eq!(world.provider.exchanges.load(SeqCst), exchanges);
    assert!(!browser.is_in(&node).await);
    assert!(bystander.is_in(&node).await);
}

#[tokio::test]
async fn a_state_of_another_browser_is_refused() {
    let (world, node) = World::with_node().await;
    let (attacker, victim) = (Browser::new(), Browser::new());
    let foreign = attacker.begin(&node, "/").await;
    victim.begin(&node, "/").await;
    let response = victim.come_back(&node, "code:attacker", &foreign).await;
    assert_page(response, 403, "This login is no longer valid").await;
    assert!(!victim.is_in(&node).await);
    assert_eq!(world.provider.exchanges.load(SeqCst), 0);

    // Nor does a state fit whose cookie has the right name but another value.
    let own = victim.begin(&node, "/").await;
    let forged = format!("{}{}", &own[..8], "A".repeat(own.len() - 8));
    let response = victim.come_back(&node, "code:attacker", &forged).await;
    assert_page(response, 403, "This login is no longer valid").await;
    assert_eq!(world.provider.exchanges.load(SeqCst), 0);
}

#[tokio::test]
async fn a_state_is_burnt_even_where_the_login_then_fails() {
    let (world, node) = World::with_node().await;
    let browser = Browser::new();
    let state = browser.begin(&node, "/account").await;
    world.provider.down.store(true, SeqCst);
    let response = browser.come_back(&node, "code:12345", &state).await;
    let page = response.text().await.unwrap();
    assert!(page.contains("/clef/login?next=%2Faccount"), "{page}");
    world.provider.down.store(false, SeqCst);
    let response = browser.come_back(&node, "code:12345", &state).await;
    assert_page(
        response,
        403,
        "href=\"http://127.0.0.1:9/clef/login?next=%2Faccount\"",
    )
    .await;
    assert_eq!(world.provider.exchanges.load(SeqCst), 1);
}

#[tokio::test]
async fn two_tabs_can_log_in_at_once() {
    let (_, node) = World::with_node().await;
    let browser = Browser::new();
    let first = browser.begin(&node, "/account").await;
    let second = browser.begin(&node, "/twice").await;
    let response = browser.come_back(&node, "code:12345", &second).await;
    assert_eq!(location(&response), "/twice");
    let response = browser.come_back(&node, "code:12345", &first).await;
    assert_eq!(location(&response), "/account");
    assert!(browser.is_in(&node).await);
}

#[tokio::test]
async fn many_begun_logins_do_not_pile_up_in_the_browser() {
    let (_, node) = World::with_node().await;
    let browser = Browser::new();
    let long = format!("/{}", "x".repeat(1_400));
    for _ in 0..12 {
        browser.begin(&node, &long).await;
    }
    assert!(browser.cookies(&node).len() < 3_000);
    let last = browser.begin(&node, "/").await;
    let attempts = browser.cookies(&node).matches("-attempt-").count();
    assert_eq!(attempts, 4);
    let response = browser.come_back(&node, "code:12345", &last).await;
    assert_eq!(response.status(), 303, "the last one begun works");
}

#[tokio::test]
async fn a_login_that_fails_says_why_with_the_right_status() {
    let (world, node) = World::with_node().await;
    let browser = Browser::new();
    let log_in = |code: &'static str| {
        let (browser, node) = (&browser, &node);
        async move {
            let state = browser.begin(node, "/").await;
            browser.come_back(node, code, &state).await
        }
    };
    let refused = log_in("no good").await;
    assert_page(refused, 403, "Clef did not confirm the login").await;

    world.users.turning_away.store(true, SeqCst);
    let turned_away = log_in("code:12345").await;
    assert_page(turned_away, 403, "You cannot log in here").await;
    world.users.turning_away.store(false, SeqCst);

    for (switch, status, words) in [
        (&world.users.failing, 503, "Temporarily unavailable"),
        (&world.users.clock_failing, 503, "Temporarily unavailable"),
        (&world.sessions.failing, 503, "Temporarily unavailable"),
        (
            &world.provider.misconfigured,
            500,
            "This site is misconfigured",
        ),
    ] {
        switch.store(true, SeqCst);
        let failed = log_in("code:12345").await;
        switch.store(false, SeqCst);
        assert_page(failed, status, words).await;
        assert!(!browser.is_in(&node).await, "nothing half-done");
    }

    let state = browser.begin(&node, "/").await;
    world.provider.down.store(true, SeqCst);
    let failed = browser.come_back(&node, "code:12345", &state).await;
    assert_page(failed, 502, "Clef is temporarily unavailable").await;
    let browser = Browser::new();
    let failed = browser.open(&node, "/clef/login").await;
    assert_page(failed, 502, "Clef is temporarily unavailable").await;
    assert_eq!(browser.cookies(&node), "", "nothing was begun");
}

#[tokio::test]
async fn a_forged_attempt_leads_nowhere() {
    let (_, node) = World::with_node().await;
    let browser = Browser::new();
    let now = Timestamp::now().as_micros();
    for next in [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "",
    ] {
        let (value, state) = made_up(World::SITE, now, next);
        browser.set_cookie(&node, &format!("auth-9-attempt-0={value}"));
        let response = browser.come_back(&node, "code:12345", &state).await;
        assert_page(response, 403, "This login is no longer valid").await;
        assert!(!browser.is_in(&node).await);
    }
    // The same with a path of this site works: it harms its holder alone.
    let (value, state) = made_up(World::SITE, now, "/account");
    browser.set_cookie(&node, &format!("auth-9-attempt-0={value}"));
    let response = browser.come_back(&node, "code:12345", &state).await;
    assert_eq!(response.status(), 303);
}

#[tokio::test]
async fn a_head_request_begins_and_ends_nothing() {
    let (world, node) = World::with_node().await;
    let browser = Browser::new();
    let state = browser.begin(&node, "/").await;
    let begun = browser.cookies(&node);
    for (path, allow) in [
        ("/clef/login".to_owned(), "GET, POST"),
        (format!("/clef/callback?code=code:1&state={state}"), "GET"),
    ] {
        let response = browser.head(&node, &path).send().await.unwrap();
        assert_eq!(response.status(), 405);
        assert_eq!(response.headers()["allow"], allow);
    }
    assert_eq!(browser.cookies(&node), begun);
    assert_eq!(world.provider.exchanges.load(SeqCst), 0);
    let response = browser.come_back(&node, "code:1", &state).await;
    assert_eq!(response.status(), 303, "the state is not burnt");
}

#[tokio::test]
async fn an_attempt_that_was_not_made_here_takes_no_memory() {
    let (world, node) = World::with_node().await;
    let (value, good) = made_up(World::SITE, Timestamp::now().as_micros(), "/");
    for state in [
        good[..8].to_owned(),
        good[..50].to_owned(),
        format!("{good}A"),
        format!("{good}{}", "A".repeat(3_000)),
    ] {
        let browser = Browser::new();
        browser.set_cookie(&node, &format!("auth-9-attempt-0={value}"));
        let response = browser.come_back(&node, "code:666", &state).await;
        assert_page(response, 403, "This login is no longer valid").await;
    }
    assert_eq!(world.provider.exchanges.load(SeqCst), 0);
}
