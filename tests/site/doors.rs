//! Bad input at each door: a clear answer, and nothing changes.

use std::sync::atomic::Ordering::SeqCst;

use axum::{Router, routing::post};
use axum_clef::{SameOrigin, Timestamp};
use reqwest::{Response, header::CONTENT_TYPE};
use tower_sessions::session::Id;

use crate::{
    attempts::made_up,
    support::{Browser, Node, World, browser::location},
};

/// A logged-in browser, whose login must outlive whatever is thrown at the doors.
async fn bystander(world: &World) -> (Node, Browser) {
    let node = world.node().await;
    let browser = Browser::new();
    browser.log_in(&node, "67890").await;
    (node, browser)
}

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
    let retry_after = response.headers().contains_key("retry-after");
    assert_eq!(retry_after, status == 503);
    let page = response.text().await.unwrap();
    assert!(page.contains(words), "{words:?} in {page}");
    assert!(page.contains("Log in with Clef"), "a way to try again");
}

// The start.

#[tokio::test]
async fn a_next_that_leads_elsewhere_is_refused() {
    let world = World::new();
    let node = world.node().await;
    for next in [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example/",
        "/\t/evil.example",
        "/\r\nSet-Cookie: a=b",
        "/\u{0}",
        "/.//evil.example",
        "javascript:alert(1)",
        "account",
    ] {
        let browser = Browser::new();
        let response = browser
            .get(&node, "/clef/login")
            .query(&[("next", next)])
            .send()
            .await
            .unwrap();
        assert_eq!(browser.cookies(&node), "", "{next:?}");
        assert_page(response, 400, "That is not a login").await;
    }
    let browser = Browser::new();
    let response = browser.open(&node, "/clef/login?next=/a&next=/b").await;
    assert_page(response, 400, "That is not a login").await;
}

#[tokio::test]
async fn a_login_leads_back_to_where_it_was_to_lead() {
    let world = World::new();
    let node = world.node().await;
    for (next, back) in [
        ("/account?tab=1#top", "/account?tab=1#top"),
        ("/", "/"),
        ("/caf\u{e9}", "/caf%C3%A9"),
        ("/?to=//evil.example", "/?to=//evil.example"),
        ("", "/"),
        // Back to a login would be a circle, back to the sign-out a dead end.
        ("/clef/login?next=/account", "/"),
        ("/x/../clef/sign-out", "/"),
    ] {
        let browser = Browser::new();
        let state = browser.begin(&node, next).await;
        let response = browser.come_back(&node, "code:12345", &state).await;
        assert_eq!(response.status(), 303);
        assert_eq!(location(&response), back);
    }
}

// The callback.

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
    let over = "This login is over";
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

    let state = browser.begin(&node, "/").await;
    let path = format!("/clef/callback?state={state}");
    assert_page(open(path).await, 400, "That is not a login").await;
    let state = browser.begin(&node, "/").await;
    let path = format!("/clef/callback?code=&state={state}");
    assert_page(open(path).await, 400, "That is not a login").await;
    let state = browser.begin(&node, "/").await;
    let path = format!("/clef/callback?code={}&state={state}", "x".repeat(5_000));
    assert_page(open(path).await, 400, "That is not a login").await;
    let state = browser.begin(&node, "/").await;
    let path = format!("/clef/callback?code=code:1&code=code:2&state={state}");
    assert_page(open(path).await, 400, "That is not a login").await;
    let path = format!("/clef/callback?error=access_denied&state={state}");
    assert_page(open(path).await, 403, "The login was not finished").await;

    assert_eq!(world.provider.exchanges.load(SeqCst), exchanges);
    assert!(!browser.is_in(&node).await);
    assert!(bystander.is_in(&node).await);
}

#[tokio::test]
async fn a_state_of_another_browser_is_refused() {
    let world = World::new();
    let node = world.node().await;
    let (attacker, victim) = (Browser::new(), Browser::new());
    let foreign = attacker.begin(&node, "/").await;
    victim.begin(&node, "/").await;
    let response = victim.come_back(&node, "code:attacker", &foreign).await;
    assert_page(response, 403, "This login is over").await;
    assert!(!victim.is_in(&node).await);
    assert_eq!(world.provider.exchanges.load(SeqCst), 0);

    // Nor does a state fit whose cookie has the right name but another value.
    let own = victim.begin(&node, "/").await;
    let forged = format!("{}{}", &own[..8], "A".repeat(own.len() - 8));
    let response = victim.come_back(&node, "code:attacker", &forged).await;
    assert_page(response, 403, "This login is over").await;
    assert_eq!(world.provider.exchanges.load(SeqCst), 0);
}

#[tokio::test]
async fn a_callback_works_once() {
    let world = World::new();
    let node = world.node().await;
    let browser = Browser::new();
    let state = browser.begin(&node, "/").await;
    let copied = browser.cookies(&node);
    let response = browser.come_back(&node, "code:12345", &state).await;
    assert_eq!(response.status(), 303);
    let exchanges = world.provider.exchanges.load(SeqCst);

    let response = browser.come_back(&node, "code:12345", &state).await;
    assert_page(response, 403, "This login is over").await;
    // Nor for whoever kept a copy of the cookie.
    let response = reqwest::Client::new()
        .get(node.url(&format!("/clef/callback?code=code:12345&state={state}")))
        .header("cookie", copied)
        .send()
        .await
        .unwrap();
    assert_page(response, 403, "This login is over").await;
    assert_eq!(world.provider.exchanges.load(SeqCst), exchanges);
    assert!(browser.is_in(&node).await, "the login made with it stands");
}

#[tokio::test]
async fn a_state_is_burnt_even_where_the_login_then_fails() {
    let world = World::new();
    let node = world.node().await;
    let browser = Browser::new();
    let state = browser.begin(&node, "/account").await;
    world.provider.down.store(true, SeqCst);
    let response = browser.come_back(&node, "code:12345", &state).await;
    let page = response.text().await.unwrap();
    assert!(page.contains("/clef/login?next=%2Faccount"), "{page}");
    world.provider.down.store(false, SeqCst);
    let response = browser.come_back(&node, "code:12345", &state).await;
    assert_page(response, 403, "This login is over").await;
}

#[tokio::test]
async fn two_tabs_can_log_in_at_once() {
    let world = World::new();
    let node = world.node().await;
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
    let world = World::new();
    let node = world.node().await;
    let browser = Browser::new();
    let long = format!("/{}", "x".repeat(1_400));
    for _ in 0..12 {
        browser.begin(&node, &long).await;
    }
    assert!(browser.cookies(&node).len() < 3_000);
    let last = browser.begin(&node, "/").await;
    let attempts = browser.cookies(&node).matches("clef-attempt").count();
    assert_eq!(attempts, 4);
    let response = browser.come_back(&node, "code:12345", &last).await;
    assert_eq!(response.status(), 303, "the last one begun works");
}

#[tokio::test]
async fn a_login_that_fails_says_why_with_the_right_status() {
    let world = World::new();
    let node = world.node().await;
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
        (&world.users.failing, 503, "This is not possible right now"),
        (
            &world.users.clock_failing,
            503,
            "This is not possible right now",
        ),
        (
            &world.sessions.failing,
            503,
            "This is not possible right now",
        ),
        (
            &world.provider.misconfigured,
            500,
            "This site is not set up right",
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
    assert_page(failed, 502, "Clef cannot be reached").await;
    let browser = Browser::new();
    let failed = browser.open(&node, "/clef/login").await;
    assert_page(failed, 502, "Clef cannot be reached").await;
    assert_eq!(browser.cookies(&node), "", "nothing was begun");
}

#[tokio::test]
async fn a_forged_attempt_leads_nowhere() {
    let world = World::new();
    let node = world.node().await;
    let browser = Browser::new();
    let now = Timestamp::now().as_micros();
    for next in [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "",
    ] {
        let (value, state) = made_up(World::SITE, now, next);
        browser.set_cookie(&node, &format!("clef-attempt-9-0={value}"));
        let response = browser.come_back(&node, "code:12345", &state).await;
        assert_page(response, 403, "This login is over").await;
        assert!(!browser.is_in(&node).await);
    }
    // Which is no mistake of the forger.
    let (value, state) = made_up(World::SITE, now, "/account");
    browser.set_cookie(&node, &format!("clef-attempt-9-0={value}"));
    let response = browser.come_back(&node, "code:12345", &state).await;
    assert_eq!(response.status(), 303);
}

#[tokio::test]
async fn whoever_only_looks_begins_and_ends_nothing() {
    let world = World::new();
    let node = world.node().await;
    let browser = Browser::new();
    let state = browser.begin(&node, "/").await;
    let begun = browser.cookies(&node);
    for path in [
        "/clef/login".to_owned(),
        format!("/clef/callback?code=code:1&state={state}"),
    ] {
        let response = browser.head(&node, &path).send().await.unwrap();
        assert_eq!(response.status(), 405);
        assert_eq!(response.headers()["allow"], "GET");
    }
    assert_eq!(browser.cookies(&node), begun);
    assert_eq!(world.provider.exchanges.load(SeqCst), 0);
    let response = browser.come_back(&node, "code:1", &state).await;
    assert_eq!(response.status(), 303, "the state is not burnt");
}

// The session.

#[tokio::test]
async fn a_session_cookie_of_garbage_is_nobody() {
    let world = World::new();
    let (node, bystander) = bystander(&world).await;
    for garbage in [
        "".to_owned(),
        "garbage".to_owned(),
        "%00%ff".to_owned(),
        "A".repeat(22),
        "\u{e9}".repeat(50),
        Id::default().to_string(),
        "x".repeat(4_000),
    ] {
        let browser = Browser::new();
        browser.set_cookie(&node, &format!("clef-session-9={garbage}"));
        assert_eq!(browser.status(&node, "/account").await, 401, "{garbage:?}");
        assert_eq!(browser.status(&node, "/").await, 200);
        let state = browser.begin(&node, "/").await;
        let response = browser.come_back(&node, "code:12345", &state).await;
        assert_eq!(response.status(), 303, "{garbage:?}");
        assert!(browser.is_in(&node).await);
        if !garbage.is_empty() {
            assert!(!browser.cookies(&node).contains(&garbage), "not its id");
        }
    }
    assert!(bystander.is_in(&node).await);
}

#[tokio::test]
async fn the_session_store_never_sees_the_key() {
    let world = World::new();
    let node = world.node().await;
    let browser = Browser::new();
    browser.log_in(&node, "12345").await;
    let cookies = browser.cookies(&node);
    let (_, key) = cookies.split_once("clef-login-9=").unwrap();
    let key = key.split(';').next().unwrap();
    assert!(key.len() >= 43);
    let kept = format!("{:?}", world.sessions.last_saved());
    assert!(!kept.contains(key), "{kept}");
}

#[tokio::test]
async fn a_session_without_the_key_of_its_login_is_nobody() {
    let world = World::new();
    let node = world.node().await;
    let (browser, thief) = (Browser::new(), Browser::new());
    browser.log_in(&node, "12345").await;
    let id = world.sessions.last_saved().id;
    thief.set_cookie(&node, &format!("clef-session-9={id}"));
    assert!(
        !thief.is_in(&node).await,
        "as if read from the session store"
    );
    thief.set_cookie(&node, "clef-login-9=AAAA");
    assert!(!thief.is_in(&node).await);
    assert!(browser.is_in(&node).await);
}

#[tokio::test]
async fn another_host_of_the_domain_cannot_plant_cookies_in_disguise() {
    let world = World::new();
    let layer = axum_clef::ClefLayer::new(
        "https://example.com",
        world.provider.clone(),
        world.users.clone(),
        world.sessions.clone(),
    )
    .unwrap();
    let node = world.node_with(layer).await;
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let get = async |path: &str, cookies: &str| {
        let request = client.get(node.url(path)).header("cookie", cookies);
        request.send().await.unwrap()
    };
    let set = |response: &Response| {
        let cookies = response.headers().get_all("set-cookie").iter();
        let pairs = cookies.map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap());
        pairs.collect::<Vec<_>>().join("; ")
    };
    let log_in = async |person: &str| {
        let started = get("/clef/login", "").await;
        let state = crate::support::browser::state_in(location(&started));
        let callback = format!("/clef/callback?code=code:{person}&state={state}");
        set(&get(&callback, &set(&started)).await)
    };
    let victim = log_in("12345").await;
    let attacker = log_in("666").await;
    assert!(attacker.contains("__Host-clef-session="));
    for disguise in ["__%48ost-", "__Host%2d", "\u{2000}__Host-"] {
        let planted = attacker.replace("__Host-", disguise);
        assert_eq!(get("/account", &planted).await.status(), 401, "{planted}");
        let both = format!("{victim}; {planted}");
        let account = get("/account", &both).await;
        assert_eq!(account.text().await.unwrap(), "\"12345\"", "{planted}");
        // Nor can a login be begun for somebody.
        let now = Timestamp::now().as_micros();
        let (value, state) = made_up("https://example.com", now, "/");
        let attempt = format!("{disguise}clef-attempt-0={value}");
        let path = format!("/clef/callback?code=code:666&state={state}");
        assert_eq!(get(&path, &attempt).await.status(), 403);
    }
}

#[tokio::test]
async fn an_attempt_that_was_not_made_here_takes_no_memory() {
    let world = World::new();
    let node = world.node().await;
    let (value, good) = made_up(World::SITE, Timestamp::now().as_micros(), "/");
    for state in [
        good[..8].to_owned(),
        good[..50].to_owned(),
        format!("{good}A"),
        format!("{good}{}", "A".repeat(3_000)),
    ] {
        let browser = Browser::new();
        browser.set_cookie(&node, &format!("clef-attempt-9-0={value}"));
        let response = browser.come_back(&node, "code:666", &state).await;
        assert_page(response, 403, "This login is over").await;
    }
    assert_eq!(world.provider.exchanges.load(SeqCst), 0);
}

// The webhook.

#[tokio::test]
async fn a_notice_that_is_none_is_refused_before_anybody_is_asked() {
    let world = World::new();
    let (node, bystander) = bystander(&world).await;
    let client = reqwest::Client::new();
    let post = || client.post(node.url("/clef/logout"));
    let form = "application/x-www-form-urlencoded";
    let token = "logout_token=token:67890";
    for (request, status) in [
        (post(), 415),
        (post().header(CONTENT_TYPE, form), 400),
        (post().header(CONTENT_TYPE, form).body("logout_token="), 400),
        (
            post().header(CONTENT_TYPE, form).body("token=token:67890"),
            400,
        ),
        (
            post()
                .header(CONTENT_TYPE, form)
                .body(format!("{token}&{token}")),
            400,
        ),
        (
            post().header(CONTENT_TYPE, "application/json").body("{}"),
            415,
        ),
        (post().json(&[("logout_token", "token:67890")]), 415),
        (post().header(CONTENT_TYPE, "text/plain").body(token), 415),
        (
            post()
                .header(CONTENT_TYPE, form)
                .body(format!("{token}&padding={}", "x".repeat(17_000))),
            413,
        ),
        (
            post()
                .header(CONTENT_TYPE, form)
                .body(format!("{token}&padding={}", "x".repeat(1024 * 1024))),
            413,
        ),
    ] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(response.headers()["cache-control"], "no-store");
        let answer: serde_json::Value = response.json().await.unwrap();
        assert_eq!(answer["success"], false);
        assert!(answer["error"].is_string());
    }
    for method in ["GET", "HEAD", "PUT", "DELETE"] {
        let request = client.request(method.parse().unwrap(), node.url("/clef/logout"));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 405, "{method}");
        assert_eq!(response.headers()["cache-control"], "no-store");
    }
    assert_eq!(world.provider.notices.load(SeqCst), 0);
    assert!(bystander.is_in(&node).await);
}

/// Media types are case-insensitive (RFC 9110, section 8.3.1).
#[tokio::test]
async fn a_notice_is_a_form_in_capitals_too_and_with_a_charset() {
    let world = World::new();
    let (node, bystander) = bystander(&world).await;
    let client = reqwest::Client::new();
    for (number, (content_type, status)) in [
        ("application/x-www-form-urlencoded", 200),
        ("APPLICATION/X-WWW-FORM-URLENCODED", 200),
        ("Application/X-WWW-Form-UrlEncoded; Charset=UTF-8", 200),
        ("application/x-www-form-urlencoded ;charset=utf-8", 200),
        ("application/json; x=application/x-www-form-urlencoded", 415),
    ]
    .into_iter()
    .enumerate()
    {
        let request = client
            .post(node.url("/clef/logout"))
            .header(CONTENT_TYPE, content_type)
            .body(format!("logout_token=token:67890:{number}"));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status, "{content_type}");
    }
    assert_eq!(world.provider.notices.load(SeqCst), 4);
    assert!(!bystander.is_in(&node).await);
}

#[tokio::test]
async fn a_notice_with_a_bad_token_or_for_nobody_here_says_so() {
    let world = World::new();
    let (node, bystander) = bystander(&world).await;
    for (token, status, error) in [
        // What Clef's own self-test posts.
        ("1234567890", 400, "Invalid Logout Token."),
        ("token:11111", 404, "Nobody here has this Clef id."),
    ] {
        let response = reqwest::Client::new()
            .post(node.url("/clef/logout"))
            .form(&[("logout_token", token), ("ignored", "parameter")])
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), status);
        let answer: serde_json::Value = response.json().await.unwrap();
        assert_eq!(answer["error"], error);
    }
    assert!(bystander.is_in(&node).await);
}

#[tokio::test]
async fn a_notice_that_comes_twice_at_once_is_applied_once() {
    let world = World::new();
    let (node, bystander) = bystander(&world).await;
    let browser = Browser::new();
    browser.log_in(&node, "12345").await;
    world.provider.during_notice.set();
    let (first, second, ()) = tokio::join!(
        node.notice("token:12345"),
        node.notice("token:12345"),
        async {
            world.provider.during_notice.reached().await;
            world.provider.during_notice.go();
        }
    );
    assert_eq!((first, second), (200, 200));
    assert_eq!(world.provider.notices.load(SeqCst), 1);
    assert!(!browser.is_in(&node).await);
    assert!(bystander.is_in(&node).await);
}

#[tokio::test]
async fn a_notice_needs_no_cookie_and_touches_no_session() {
    let world = World::new();
    let (node, bystander) = bystander(&world).await;
    let calls = world.sessions.calls.load(SeqCst);
    let cookies = bystander.cookies(&node);
    let response = bystander
        .post(&node, "/clef/logout")
        .form(&[("logout_token", "token:67890")])
        .header("origin", "https://clef.test")
        .header("sec-fetch-site", "cross-site")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers().get("set-cookie"), None);
    assert_eq!(world.sessions.calls.load(SeqCst), calls);
    assert_eq!(bystander.cookies(&node), cookies);
}

// The sign-out.

#[tokio::test]
async fn a_page_of_another_site_cannot_sign_anybody_out() {
    let world = World::new();
    let (node, browser) = bystander(&world).await;
    for (header, value) in [
        ("origin", "https://evil.example"),
        ("origin", "http://127.0.0.1:10"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let request = browser.post(&node, "/clef/sign-out").header(header, value);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 403, "{header}: {value}");
        assert!(browser.is_in(&node).await);
    }
    assert_eq!(browser.status(&node, "/clef/sign-out").await, 405, "GET");
    let both = browser
        .post(&node, "/clef/sign-out")
        .header("origin", "https://evil.example")
        .header("sec-fetch-site", "same-origin");
    assert_eq!(both.send().await.unwrap().status(), 403);
    assert!(browser.is_in(&node).await);
}

// A form of the application's own.

#[tokio::test]
async fn a_page_of_another_origin_cannot_send_a_form_here() {
    let world = World::new();
    let (node, browser) = bystander(&world).await;
    let own = ("origin", World::SITE);
    let calls = world.sessions.calls.load(SeqCst);
    for headers in [
        &[("origin", "https://evil.example")][..],
        &[
            ("origin", "http://127.0.0.1:10"),
            ("sec-fetch-site", "same-site"),
        ],
        &[("origin", "null")],
        &[("sec-fetch-site", "same-site")],
        &[own, ("sec-fetch-site", "cross-site")],
        &[own, ("origin", "https://evil.example")],
    ] {
        for request in [
            browser.post(&node, "/same-origin"),
            browser.get(&node, "/same-origin"),
        ] {
            let request = headers.iter().fold(request, |request, (name, value)| {
                request.header(*name, *value)
            });
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), 403, "{headers:?}");
            assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
            assert_eq!(response.headers()["cache-control"], "no-store");
        }
    }
    assert_eq!(world.sessions.calls.load(SeqCst), calls, "nothing is asked");
    for headers in [
        &[][..],
        &[own],
        &[own, ("sec-fetch-site", "same-origin")],
        &[("origin", "null"), ("sec-fetch-site", "same-origin")],
    ] {
        let request = browser.post(&node, "/same-origin");
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        });
        assert_eq!(request.send().await.unwrap().status(), 200, "{headers:?}");
    }
}

#[tokio::test]
async fn the_origin_cannot_be_checked_outside_of_the_layer() {
    let world = World::new();
    let app = Router::new().route("/", post(|_: SameOrigin| async {}));
    let node = world.serve(app, world.layer()).await;
    let response = Browser::new().post(&node, "/").send().await.unwrap();
    assert_eq!(response.status(), 500);
    assert!(response.text().await.unwrap().contains("ClefLayer"));
}

#[tokio::test]
async fn signing_out_ends_this_device_and_no_other() {
    let world = World::new();
    let node = world.node().await;
    let (here, there) = (Browser::new(), Browser::new());
    here.log_in(&node, "12345").await;
    there.log_in(&node, "12345").await;
    let copied = here.cookies(&node);
    let response = here
        .post(&node, "/clef/sign-out")
        .header("origin", World::SITE)
        .header("sec-fetch-site", "same-origin")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 303);
    assert_eq!(location(&response), "/");
    assert!(!here.is_in(&node).await);
    assert_eq!(here.cookies(&node), "", "the browser is as it was before");
    assert!(there.is_in(&node).await);

    // A copy of the cookies is worth nothing either: the session is gone.
    let request = reqwest::Client::new().get(node.url("/account"));
    let response = request.header("cookie", copied).send().await.unwrap();
    assert_eq!(response.status(), 401);

    let response = here.post(&node, "/clef/sign-out").send().await.unwrap();
    assert_eq!(response.status(), 303, "once more does no harm");

    // From a page of our own with `Referrer-Policy: no-referrer`.
    let request = there.post(&node, "/clef/sign-out").header("origin", "null");
    let response = request.header("sec-fetch-site", "same-origin").send();
    assert_eq!(response.await.unwrap().status(), 303);
    assert!(!there.is_in(&node).await);
}

#[tokio::test]
async fn signing_out_while_the_store_is_down_still_ends_this_browser() {
    let world = World::new();
    let node = world.node().await;
    let browser = Browser::new();
    browser.log_in(&node, "12345").await;
    world.sessions.failing.store(true, SeqCst);
    let response = browser.post(&node, "/clef/sign-out").send().await.unwrap();
    assert_eq!(response.status(), 503);
    world.sessions.failing.store(false, SeqCst);
    assert!(!browser.is_in(&node).await);
}
