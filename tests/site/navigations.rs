//! Users, scripts, timers, and browsers that load pages ahead of time.

use std::sync::atomic::Ordering::SeqCst;

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Method, Response, header},
};
use serde_json::Value;
use tower::ServiceExt as _;

use crate::support::{
    Jar, World,
    browser::state_in,
    jar::{location, set_cookies, text},
};

type Headers<'a> = &'a [(&'static str, &'static str)];

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// Sends a request with these headers.
async fn ask(
    app: &Router,
    jar: &mut Jar,
    method: Method,
    path: &str,
    headers: Headers<'_>,
) -> Response<Body> {
    jar.send_with(app, (method, path), headers).await
}

fn is_problem(headers: &HeaderMap) -> bool {
    headers[header::CONTENT_TYPE] == "application/problem+json"
}

#[tokio::test]
async fn a_page_that_is_loaded_ahead_of_time_begins_and_burns_nothing() {
    let world = World::new();
    world.provider.signs_out.store(true, SeqCst);
    let app = world.app(&world.layer());
    for speculative in [
        ("sec-purpose", "prefetch"),
        ("sec-purpose", "prefetch;prerender"),
        ("sec-purpose", "prefetch;anonymous-client-ip"),
        ("purpose", "prefetch"),
        ("x-purpose", "preview"),
        ("x-moz", "prefetch"),
    ] {
        let headers = [
            speculative,
            ("sec-fetch-mode", "navigate"),
            ("accept", BROWSER),
        ];
        let mut jar = Jar::default();
        let start = ask(&app, &mut jar, Method::GET, "/clef/login", &headers).await;
        assert_eq!(start.status(), 503, "{speculative:?}");
        assert_eq!(start.headers()[header::CACHE_CONTROL], "no-store");
        assert_eq!(jar, Jar::default(), "{speculative:?}");

        let button = ask(&app, &mut jar, Method::GET, "/button", &headers).await;
        let button = text(button).await;
        assert!(button.starts_with("<a href="), "{speculative:?}: {button}");
        assert_eq!(jar, Jar::default(), "{speculative:?}");

        let callback = jar.begin(&app, "12345").await;
        let begun = jar.clone();
        let exchanges = world.provider.exchanges.load(SeqCst);
        let ahead = ask(&app, &mut jar, Method::GET, &callback, &headers).await;
        assert_eq!(ahead.status(), 503, "{speculative:?}");
        assert_eq!(ahead.headers()[header::CACHE_CONTROL], "no-store");
        assert_eq!(jar, begun, "{speculative:?}");
        assert_eq!(world.provider.exchanges.load(SeqCst), exchanges);
        // Then by the person.
        let response = jar.get(&app, &callback).await;
        assert_eq!(location(&response), "/account", "{speculative:?}");

        // The way back from the provider's sign-out.
        let out = jar.sign_out(&app).await;
        let state = state_in(location(&out));
        let back = format!("/clef/signed-out?state={state}");
        let leaving = jar.clone();
        assert_eq!(leaving.names(), ["auth-9-sign-out"]);
        let ahead = ask(&app, &mut jar, Method::GET, &back, &headers).await;
        assert_eq!(ahead.status(), 503, "{speculative:?}");
        assert_eq!(jar, leaving, "{speculative:?}");
        assert_eq!(location(&jar.get(&app, &back).await), "/");
    }
}

/// Who asks for a guarded page, and whether that is a person.
const READERS: [(Headers<'_>, bool); 12] = [
    (&[("accept", BROWSER)], true),
    (&[("accept", "*/*")], false),
    (&[("accept", "application/json")], false),
    (&[("accept", BROWSER), ("sec-fetch-mode", "navigate")], true),
    (&[("accept", "*/*"), ("sec-fetch-mode", "navigate")], true),
    (
        &[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")],
        true,
    ),
    (
        &[("accept", "text/html"), ("sec-fetch-mode", "cors")],
        false,
    ),
    (
        &[("accept", BROWSER), ("sec-fetch-mode", "same-origin")],
        false,
    ),
    (&[("accept", BROWSER), ("sec-fetch-dest", "image")], false),
    (
        &[("accept", BROWSER), ("x-requested-with", "XMLHttpRequest")],
        false,
    ),
    (
        &[("accept", BROWSER), ("x-requested-with", "com.example.app")],
        true,
    ),
    (
        &[("sec-fetch-mode", "websocket"), ("accept", BROWSER)],
        false,
    ),
];

#[tokio::test]
async fn a_person_is_redirected_to_the_login_and_a_script_is_not() {
    let (_, app) = World::with_app();
    for (headers, is_person) in READERS {
        let mut jar = Jar::default();
        for method in [Method::GET, Method::HEAD] {
            let response = ask(&app, &mut jar, method, "/account?a=1", headers).await;
            if is_person {
                assert_eq!(response.status(), 303, "{headers:?}");
                let start = "/clef/login?next=%2Faccount%3Fa%3D1";
                assert_eq!(location(&response), start, "{headers:?}");
            } else {
                assert_eq!(response.status(), 401, "{headers:?}");
                assert!(is_problem(response.headers()), "{headers:?}");
            }
        }
        assert_eq!(jar, Jar::default(), "{headers:?}");
    }
}

#[tokio::test]
async fn a_script_that_comes_to_the_start_begins_no_login() {
    let (_, app) = World::with_app();
    for (headers, is_person) in READERS {
        let mut jar = Jar::default();
        let path = "/clef/login?next=/account";
        let start = ask(&app, &mut jar, Method::GET, path, headers).await;
        // A program that says nothing of itself may log in.
        let says_nothing = matches!(headers, [("accept", "*/*")]);
        if is_person || says_nothing {
            assert_eq!(start.status(), 303, "{headers:?}");
            assert_eq!(jar.names().len(), 1, "{headers:?}");
        } else {
            assert_eq!(start.status(), 401, "{headers:?}");
            let challenge = &start.headers()[header::WWW_AUTHENTICATE];
            assert_eq!(challenge, "Cookie realm=\"axum-clef\"", "{headers:?}");
            let problem: Value = serde_json::from_str(&text(start).await).unwrap();
            assert_eq!(problem["login"], "/clef/login", "{headers:?}");
            assert_eq!(jar, Jar::default(), "{headers:?}");
        }
    }
}

#[tokio::test]
async fn a_login_after_a_script_leads_back_to_the_page_and_not_to_the_data() {
    let world = World::new();
    let app = world.app_of(world.builder().login_page("/log-in"));
    for (referer, login) in [
        (
            Some("http://127.0.0.1:9/orders?page=2"),
            "/log-in?next=%2Forders%3Fpage%3D2",
        ),
        (Some("http://127.0.0.1:9/"), "/log-in?next=%2F"),
        (Some("http://127.0.0.1:9/log-in?next=%2Fa"), "/log-in"),
        (Some("http://127.0.0.1:9/clef/login"), "/log-in"),
        (Some("http://127.0.0.1:10/orders"), "/log-in"),
        (Some("https://evil.example/orders"), "/log-in"),
        (Some("about:client"), "/log-in"),
        (Some(""), "/log-in"),
        (None, "/log-in"),
    ] {
        for (method, mode) in [
            (Method::GET, "cors"),
            (Method::POST, "cors"),
            // A form leads back to its page.
            (Method::POST, "navigate"),
        ] {
            let mut headers = vec![("sec-fetch-mode", mode)];
            headers.extend(referer.map(|referer| ("referer", referer)));
            let response = ask(&app, &mut Jar::default(), method, "/account", &headers).await;
            assert_eq!(response.status(), 401, "{referer:?}");
            if mode == "navigate" {
                let page = text(response).await;
                let link = format!("<a href=\"{login}\">Log in</a>");
                assert!(page.contains(&link), "{referer:?}: {page}");
            } else {
                let problem: Value = serde_json::from_str(&text(response).await).unwrap();
                assert_eq!(problem["login"], login, "{referer:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_form_that_is_sent_after_the_login_has_ended_is_answered_by_a_page() {
    let (_, app) = World::with_app();
    let forms: [(Headers<'_>, bool); 4] = [
        (&[("sec-fetch-mode", "navigate")], true),
        (&[("accept", BROWSER)], true),
        (&[("sec-fetch-mode", "cors"), ("accept", BROWSER)], false),
        (&[("accept", "*/*")], false),
    ];
    for (headers, is_person) in forms {
        let response = ask(&app, &mut Jar::default(), Method::POST, "/account", headers).await;
        assert_eq!(response.status(), 401, "{headers:?}");
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        assert!(response.headers().contains_key(header::WWW_AUTHENTICATE));
        assert_eq!(is_problem(response.headers()), !is_person, "{headers:?}");
        if is_person {
            let policy = response.headers()[header::CONTENT_SECURITY_POLICY].clone();
            let policy = policy.to_str().unwrap();
            assert!(policy.starts_with("default-src 'none'"), "{policy}");
            let page = text(response).await;
            assert!(page.contains("You are logged out"), "{page}");
            assert!(
                page.contains("<a href=\"/clef/login\">Log in</a>"),
                "{page}"
            );
        }
    }
}

#[tokio::test]
async fn a_person_is_shown_a_page_where_a_store_does_not_answer() {
    let (world, app) = World::with_app();
    let mut jar = Jar::logged_in(&app, "12345").await;
    world.users.failing.store(true, SeqCst);
    for (headers, is_person) in READERS {
        let response = ask(&app, &mut jar, Method::GET, "/account", headers).await;
        assert_eq!(response.status(), 503, "{headers:?}");
        assert_eq!(response.headers()[header::RETRY_AFTER], "5");
        assert_eq!(is_problem(response.headers()), !is_person, "{headers:?}");
    }
}

/// Five polls of a page, which are redirected to the start.
#[tokio::test]
async fn what_runs_in_the_background_ends_no_login_that_is_under_way() {
    let world = World::new();
    let polls: [Headers<'_>; 5] = [
        &[("accept", "*/*")],
        &[("accept", BROWSER), ("sec-fetch-mode", "cors")],
        &[("accept", BROWSER), ("x-requested-with", "XMLHttpRequest")],
        // A frame or a refresh of the page.
        &[("accept", BROWSER), ("sec-fetch-mode", "navigate")],
        // An older browser.
        &[("accept", BROWSER)],
    ];
    for sessions in [world.stored(), world.sealed()] {
        let app = world.app_over(sessions);
        for poll in polls {
            let mut jar = Jar::default();
            let clicked = [("sec-fetch-mode", "navigate"), ("sec-fetch-user", "?1")];
            let path = "/clef/login?next=/account";
            let start = ask(&app, &mut jar, Method::GET, path, &clicked).await;
            let state = state_in(location(&start));
            for _ in 0..12 {
                let page = ask(&app, &mut jar, Method::GET, "/account", poll).await;
                if page.status() == 303 {
                    let start = location(&page).to_owned();
                    ask(&app, &mut jar, Method::GET, &start, poll).await;
                }
            }
            let callback = format!("/clef/callback?code=code:12345&state={state}");
            let response = jar.get(&app, &callback).await;
            assert_eq!(location(&response), "/account", "{poll:?}");
        }
    }
}

#[tokio::test]
async fn a_browser_with_a_sealed_login_and_thirty_starts_sends_less_than_8_kb() {
    let world = World::new();
    world.provider.hint_length.store(2_048, SeqCst);
    for site in ["https://example.com", World::SITE] {
        let builder = world.builder_at(site, world.sealed());
        let app = world.app_of(builder.cookie_name("x".repeat(64)));
        let mut jar = Jar::logged_in(&app, "12345").await;
        let path = format!("/clef/login?next=/{}", "x".repeat(383));
        let tabs: Vec<_> = (0..30).map(|_| jar.clone()).collect();
        for tab in tabs {
            let start = tab.ask(&app, Method::GET, &path).await;
            jar.take(start.headers());
        }
        for _ in 0..30 {
            jar.get(&app, &path).await;
        }
        let attempts = jar.cookies.iter().filter(|(n, _)| n.contains("-attempt-"));
        let attempts: usize = attempts.map(|(n, v)| n.len() + v.len() + 3).sum();
        assert!(attempts < 3_000, "{attempts}");
        let all = jar.header().len();
        assert!(all < 8_000, "{all}");
    }
}

#[tokio::test]
async fn a_cookie_that_is_not_ascii_hides_no_attempt() {
    let (_, app) = World::with_app();
    for odd in ["city=Zürich; ".as_bytes(), b"name=Andr\xe9; ", b"\xff; "] {
        let mut jar = Jar::default();
        jar.around.0 = odd.to_vec();
        for _ in 0..12 {
            jar.get(&app, "/clef/login").await;
        }
        assert_eq!(jar.names().len(), 4, "the attempts are limited");
        jar.log_in(&app, "12345").await;
        assert!(jar.is_in(&app).await);
    }
}

#[tokio::test]
async fn a_form_starts_a_login_by_a_page_that_redirects() {
    let (_, app) = World::with_app();
    let form = |body: &'static str, headers: Headers<'static>| {
        let app = app.clone();
        async move {
            let mut jar = Jar::default();
            let mut request = jar.request(Method::POST, "/clef/login");
            *request.body_mut() = Body::from(body);
            for (name, value) in headers {
                let name = HeaderName::from_static(name);
                let value = HeaderValue::from_static(value);
                request.headers_mut().append(name, value);
            }
            let response = app.oneshot(request).await.unwrap();
            jar.take(response.headers());
            (response, jar)
        }
    };
    const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
    let (response, mut jar) = form("next=%2Faccount", &[FORM, ("origin", World::SITE)]).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    assert_eq!(set_cookies(response.headers()).count(), 1);
    let page = text(response).await;
    let (_, url) = page.split_once("content=\"0; url=").unwrap();
    let url = url.split('"').next().unwrap().replace("&amp;", "&");
    assert!(page.contains(">Continue</a>"), "{page}");
    let callback = format!("/clef/callback?code=code:12345&state={}", state_in(&url));
    assert_eq!(location(&jar.get(&app, &callback).await), "/account");

    let (response, _) = form("", &[("origin", World::SITE)]).await;
    assert_eq!(response.status(), 200, "without fields");
    // Larger than any form that starts a login.
    let long: &'static str = format!("next=/{}", "x".repeat(20_000)).leak();
    let foreign: Headers<'static> = &[FORM, ("origin", "https://evil.example")];
    for (body, headers, status) in [
        ("next=/a&next=/b", &[FORM][..], 400),
        (long, &[FORM], 400),
        ("next=https://evil.example", &[FORM], 400),
        ("next=/a", foreign, 400),
        ("next=/a", &[FORM, ("sec-fetch-mode", "cors")], 401),
        ("next=/a", &[FORM, ("sec-purpose", "prefetch")], 503),
    ] {
        let (response, jar) = form(body, headers).await;
        assert_eq!(response.status(), status, "{body}");
        let is_challenged = response.headers().contains_key(header::WWW_AUTHENTICATE);
        assert_eq!(is_challenged, status == 401, "{body}");
        assert_eq!(jar, Jar::default(), "{body}");
    }
}

#[tokio::test]
async fn a_sign_out_leads_on_to_the_provider_by_a_page_for_a_person_and_by_json_for_a_script() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let app = world.app_over(sessions);
        for signs_out in [true, false] {
            world.provider.signs_out.store(signs_out, SeqCst);
            let senders: [(Headers<'_>, &str); 7] = [
                (&[("sec-fetch-mode", "navigate")], "page"),
                (&[("accept", BROWSER)], "page"),
                (&[("accept", "application/json")], "json"),
                (&[("sec-fetch-mode", "cors"), ("accept", BROWSER)], "json"),
                (&[("x-requested-with", "XMLHttpRequest")], "json"),
                (&[("accept", "*/*")], "redirect"),
                (&[], "redirect"),
            ];
            for (headers, answer) in senders {
                let mut jar = Jar::logged_in(&app, "12345").await;
                let path = "/auth/sign-out";
                let response = ask(&app, &mut jar, Method::POST, path, headers).await;
                assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
                assert!(!jar.is_in(&app).await, "{kind}");
                let status = response.status();
                let location = location(&response).to_owned();
                let body = text(response).await;
                let url = match answer {
                    "json" => {
                        assert_eq!(status, 200, "{headers:?}");
                        let json: Value = serde_json::from_str(&body).unwrap();
                        json["location"].as_str().unwrap().to_owned()
                    }
                    "page" if signs_out => {
                        assert_eq!(status, 200, "{headers:?}");
                        let (_, url) = body.split_once("content=\"0; url=").unwrap();
                        let url = url.split('"').next().unwrap();
                        assert!(body.contains(&format!("href=\"{url}\"")), "{body}");
                        url.replace("&amp;", "&")
                    }
                    _ => {
                        assert_eq!(status, 303, "{headers:?}");
                        location
                    }
                };
                match signs_out {
                    true => assert!(url.starts_with("https://clef.test/sign-out?"), "{url}"),
                    false => assert_eq!(url, "/"),
                }
            }
        }
    }
}

/// Its record is gone, and the browser still has the cookie.
#[tokio::test]
async fn a_sign_out_of_an_idle_login_goes_on_to_the_provider() {
    let world = World::new();
    world.provider.signs_out.store(true, SeqCst);
    let app = world.app(&world.layer());
    let mut jar = Jar::logged_in(&app, "12345").await;
    let record = world.sessions.last_saved();
    world.sessions.inner.delete(&record.id).await.unwrap();
    let response = jar.sign_out(&app).await;
    let url = location(&response);
    assert!(url.starts_with("https://clef.test/sign-out?"), "{url}");
    assert!(url.ends_with("&hint="), "{url}");
    assert!(jar.names().iter().all(|name| *name == "auth-9-sign-out"));
    // Without a cookie there was no login.
    let response = Jar::default().sign_out(&app).await;
    assert_eq!(location(&response), "/");
}

#[tokio::test(start_paused = true)]
async fn a_script_whose_sign_out_fails_gets_a_problem() {
    let world = World::new();
    let app = world.app(&world.layer());
    for (headers, is_script) in [
        (&[("sec-fetch-mode", "cors")][..], true),
        (&[("sec-fetch-mode", "navigate")], false),
    ] {
        let mut jar = Jar::logged_in(&app, "12345").await;
        world.sessions.failing.store(true, SeqCst);
        let path = "/auth/sign-out";
        let response = ask(&app, &mut jar, Method::POST, path, headers).await;
        world.sessions.failing.store(false, SeqCst);
        assert_eq!(response.status(), 503, "{headers:?}");
        assert_eq!(is_problem(response.headers()), is_script, "{headers:?}");
        let text = text(response).await;
        assert!(
            text.contains("You are signed out in this browser"),
            "{text}"
        );
    }
}
