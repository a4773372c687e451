//! The wave: what the browser of a person sees and does.

use std::time::Duration;

use clef_dev::{Application, ClefService, PEOPLE};
use reqwest::header::{COOKIE, HOST, LOCATION, SET_COOKIE};

use crate::bench::*;

const QUERY: [(&str, &str); 3] = [
    ("app_id", "4f318ac177a9391c2e0d221203725ffd"),
    ("redirect_url", REDIRECT),
    ("state", "s&\"><script>x</script>"),
];

#[tokio::test]
async fn the_login_page_shows_the_wave_and_the_code() {
    let bench = Bench::new().await;
    let answer = bench.get("/iframes/qr").query(&QUERY).send().await.unwrap();
    let policy = answer.headers()["content-security-policy"]
        .to_str()
        .unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"));
    assert!(policy.contains("frame-ancestors http://localhost:*"));
    for (name, value) in [
        ("referrer-policy", "same-origin"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(answer.headers()[name], value);
    }
    let (status, page) = page_of(answer).await;
    assert_eq!(status, 200);
    for shown in [
        "id=\"wave-code\"",
        "id=\"open-phone\"",
        "id=\"status\"",
        "localhost:3000",
    ] {
        assert!(page.contains(shown), "{shown}");
    }
    for person in &PEOPLE {
        assert!(page.contains(&person.name()) && page.contains(person.email().unwrap()));
    }
    assert!(!page.contains("<script>x"));
    assert_eq!(page.matches("<script").count(), 1, "its own");
}

#[tokio::test]
async fn pages_beside_the_login_are_not_embedded() {
    let bench = Bench::new().await;
    for path in ["/phone", "/phone/12345", "/phone/12345/deliveries"] {
        let answer = bench.get(path).send().await.unwrap();
        let policy = answer.headers()["content-security-policy"]
            .to_str()
            .unwrap();
        assert!(policy.contains("frame-ancestors 'none'"), "{path}");
    }
}

#[tokio::test]
async fn whoever_only_looks_ends_no_login() {
    let bench = Bench::new().await;
    let (key, id) = bench.wait(REDIRECT, "xyz").await;
    assert_eq!(bench.press(NOOR, "approve", &id).await, 303);
    let url = bench.url(&format!("/iframes/qr/{key}/finish"));
    let answer = reqwest::Client::new().head(url).send().await.unwrap();
    assert_eq!(answer.status(), 405);
    assert_eq!(bench.finish(&key).await.status(), 303, "it still stands");
}

#[tokio::test]
async fn the_phone_approves_and_the_page_goes_on() {
    let bench = Bench::new().await;
    let (key, id) = bench.wait(REDIRECT, "xyz").await;
    assert_ne!(key, id);
    let mut pushed = Pushed::from(bench.get(&format!("/iframes/qr/{key}/events"))).await;
    assert_eq!(pushed.next().await.unwrap(), "waiting");
    assert_eq!(
        bench.finish(&key).await.status(),
        410,
        "nobody has approved"
    );
    assert_eq!(
        bench.press(NOOR, "approve", &key).await,
        410,
        "phones know another name"
    );

    assert_eq!(bench.press(NOOR, "approve", &id).await, 303);
    assert_eq!(pushed.next().await.unwrap(), "approved");
    let mut late = Pushed::from(bench.get(&format!("/iframes/qr/{key}/events"))).await;
    assert_eq!(late.next().await.unwrap(), "approved", "told on connecting");

    let answer = bench.finish(&key).await;
    assert_eq!(answer.status(), 303);
    let url = location(&answer);
    assert_eq!(parameter(&url, "state"), "xyz");
    assert!(url.as_str().starts_with(REDIRECT));
    let access = token(bench.exchange(&parameter(&url, "code"), &[]).await);
    assert_eq!(
        bench.info(&access).await.1["info"]["email"],
        NOOR.email().unwrap()
    );

    assert_eq!(bench.finish(&key).await.status(), 410, "picked up once");
    assert_eq!(pushed.next().await.unwrap(), "over");
    assert_eq!(bench.press(NOOR, "approve", &id).await, 410);
}

#[tokio::test]
async fn a_login_refused_on_the_phone_can_go_back_to_the_site() {
    let bench = Bench::new().await;
    let (key, id) = bench.wait(REDIRECT, "xyz").await;
    let mut pushed = Pushed::from(bench.get(&format!("/iframes/qr/{key}/events"))).await;
    assert_eq!(pushed.next().await.unwrap(), "waiting");
    assert_eq!(bench.press(ALEX, "refuse", &id).await, 303);
    assert_eq!(pushed.next().await.unwrap(), "refused");
    assert_eq!(bench.finish(&key).await.status(), 410);

    let (_, page) = page_of(
        bench
            .get(&format!("/iframes/qr/{key}"))
            .send()
            .await
            .unwrap(),
    )
    .await;
    let back = format!("{REDIRECT}&amp;error=access_denied&amp;state=xyz");
    assert!(page.contains(&back), "{page}");
    let (again, _) = bench.wait(REDIRECT, "xyz").await;
    assert_ne!(again, key);
}

#[tokio::test]
async fn a_login_whose_page_was_closed_leaves_the_phone() {
    let bench = Bench::new().await;
    let (key, id) = bench.wait(REDIRECT, "xyz").await;
    let mut wave = Pushed::from(bench.get(&format!("/iframes/qr/{key}/events"))).await;
    wave.next().await.unwrap();
    let mut phone = Pushed::from(bench.get("/phone/12345/events")).await;
    phone.next().await.unwrap();
    let shows = async || {
        let page = bench.get("/phone/12345").send().await.unwrap();
        page_of(page).await.1.contains(&id)
    };
    assert!(shows().await);
    drop(wave);
    while shows().await {
        phone.next().await.unwrap();
    }
    // A page that lost its connection for a moment is still answered.
    assert_eq!(bench.press(ALEX, "approve", &id).await, 303);
}

/// Any page on the web may lead people here, so it may also begin logins by the hundred.
#[tokio::test]
async fn a_flood_from_another_site_pushes_out_no_login_that_is_looked_at() {
    let bench = Bench::new().await;
    let (key, id) = bench.wait(REDIRECT, "xyz").await;
    let mut wave = Pushed::from(bench.get(&format!("/iframes/qr/{key}/events"))).await;
    assert_eq!(wave.next().await.unwrap(), "waiting");
    let query = [("app_id", APP.id()), ("redirect_url", REDIRECT)];
    for site in ["cross-site", "same-site"] {
        for (mode, expected) in [("navigate", 200), ("no-cors", 403), ("cors", 403)] {
            for _ in 0..110 {
                let request = bench.get("/iframes/qr").query(&query);
                let request = request
                    .header("sec-fetch-site", site)
                    .header("sec-fetch-mode", mode);
                let status = request.send().await.unwrap().status();
                assert_eq!(status, expected, "{site}, {mode}");
            }
        }
    }
    assert_eq!(bench.press(NOOR, "approve", &id).await, 303);
    assert_eq!(wave.next().await.unwrap(), "approved");
    assert_eq!(bench.finish(&key).await.status(), 303);
}

#[tokio::test]
async fn a_login_is_not_begun_in_the_background_by_another_site() {
    let bench = Bench::new().await;
    let query = [("app_id", APP.id()), ("redirect_url", REDIRECT)];
    let status = async |path: &str, headers: &[(&str, &str)]| {
        let mut request = bench.get(path).query(&query);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap().status().as_u16()
    };
    for path in ["/iframes/qr", "/iframes/login"] {
        let site = ("sec-fetch-site", "cross-site");
        for mode in ["no-cors", "cors", "websocket", ""] {
            let headers = [site, ("sec-fetch-mode", mode)];
            assert_eq!(status(path, &headers).await, 403, "{path}, {mode}");
        }
        let navigates = ("sec-fetch-mode", "navigate");
        assert_eq!(status(path, &[site, navigates]).await, 200, "{path}");
        let own = ("sec-fetch-site", "same-origin");
        assert_eq!(status(path, &[own, navigates]).await, 200, "{path}");
        assert_eq!(status(path, &[]).await, 200, "a program, {path}");
    }
}

#[tokio::test]
async fn a_log_out_takes_an_approval_back() {
    let bench = Bench::new().await;
    let (key, id) = bench.wait(REDIRECT, "xyz").await;
    bench.press(ALEX, "approve", &id).await;
    bench.log_out(ALEX).await;
    assert_eq!(bench.finish(&key).await.status(), 410);
}

#[tokio::test]
async fn a_login_that_waits_too_long_is_over() {
    let builder = ClefService::builder().waiting_lifetime(Duration::from_millis(50));
    let bench = Bench::of(builder).await;
    let (key, id) = bench.wait(REDIRECT, "xyz").await;
    let mut pushed = Pushed::from(bench.get(&format!("/iframes/qr/{key}/events"))).await;
    let mut last = pushed.next().await.unwrap();
    if last == "waiting" {
        last = pushed.next().await.unwrap();
    }
    assert_eq!(last, "over");
    assert_eq!(bench.press(ALEX, "approve", &id).await, 410);
    let page = bench
        .get(&format!("/iframes/qr/{key}"))
        .send()
        .await
        .unwrap();
    assert_eq!(page_of(page).await.0, 410);
    let (_, phone) = page_of(
        bench
            .get("/phone/12345")
            .query(&[("login", id)])
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert!(phone.contains("waits no more"));
}

/// The value of the cookie that an answer sets.
fn cookie(answer: &reqwest::Response) -> String {
    let header = answer.headers()[SET_COOKIE].to_str().unwrap();
    assert!(
        header.contains("HttpOnly") && header.contains("SameSite=Lax"),
        "{header}"
    );
    header.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_second_site_in_the_same_browser_asks_one_click() {
    let bench = Bench::new().await;
    let (key, id) = bench.wait(REDIRECT, "one").await;
    bench.press(ALEX, "approve", &id).await;
    let browser = cookie(&bench.finish(&key).await);

    let second = [
        ("app_id", APP.id()),
        ("redirect_url", "http://localhost:3001/cb"),
    ];
    let open = async |more: &[(&str, &str)]| {
        let request = bench.get("/iframes/qr").query(&second).query(more);
        page_of(request.header(COOKIE, &browser).send().await.unwrap())
            .await
            .1
    };
    let page = open(&[]).await;
    assert!(
        page.contains("Alex Rivers") && page.contains(">Continue</button>"),
        "{page}"
    );
    assert!(
        open(&[("anew", "")]).await.contains("id=\"wave-code\""),
        "somebody else"
    );

    let click = async |page: &str| {
        let key = between(page, "/iframes/qr/", "/events");
        let press = bench.post(&format!("/iframes/qr/{key}/approve"));
        let answer = press.header(COOKIE, &browser).send().await.unwrap();
        (answer.status().as_u16(), key)
    };
    let (status, key) = click(&page).await;
    assert_eq!(status, 303);
    let url = location(&bench.finish(&key).await);
    assert!(url.as_str().starts_with("http://localhost:3001/cb?code="));

    // "Log out now" ends that too, and a page that is still open cannot bring it back.
    let open_page = open(&[]).await;
    bench.log_out(ALEX).await;
    assert_eq!(click(&open_page).await.0, 403);
    assert!(open(&[]).await.contains("id=\"wave-code\""));
}

#[tokio::test]
async fn without_a_phone_the_page_itself_approves() {
    let bench = Bench::new().await;
    for (display, target) in [("page", "finish"), ("popup", "?display=popup")] {
        let (key, _) = bench.wait(REDIRECT, display).await;
        let press = bench.post(&format!("/iframes/qr/{key}/approve"));
        let form = [("person", TEO.id()), ("display", display)];
        let answer = press.form(&form).send().await.unwrap();
        assert_eq!(answer.status(), 303);
        assert!(
            answer.headers()[LOCATION]
                .to_str()
                .unwrap()
                .ends_with(target)
        );
        assert_eq!(bench.finish(&key).await.status(), 303);
    }
    let (key, _) = bench.wait(REDIRECT, "stranger").await;
    let press = bench.post(&format!("/iframes/qr/{key}/approve"));
    assert_eq!(
        press.send().await.unwrap().status(),
        403,
        "nobody is known here"
    );
}

#[tokio::test]
async fn on_a_phone_the_login_is_approved_in_place() {
    let bench = Bench::new().await;
    let open = |cookie: &str| {
        bench
            .get("/iframes/login")
            .query(&QUERY)
            .header(COOKIE, cookie)
            .send()
    };
    let (_, page) = page_of(open("").await.unwrap()).await;
    assert!(page.contains("Whose phone is this?") && page.contains("Noor Haddad"));

    let choose = bench.post("/iframes/login").query(&QUERY);
    let answer = choose.form(&[("person", NOOR.id())]).send().await.unwrap();
    assert_eq!(answer.status(), 303);
    let phone = cookie(&answer);
    let (_, page) = page_of(open(&phone).await.unwrap()).await;
    assert!(page.contains(">Approve</button>") && page.contains("Noor Haddad"));

    let key = between(&page, "/iframes/qr/", "/approve");
    let refuse = bench.post(&format!("/iframes/qr/{key}/refuse")).send();
    let url = location(&refuse.await.unwrap());
    assert_eq!(parameter(&url, "error"), "access_denied");
    assert_eq!(parameter(&url, "state"), QUERY[2].1);
}

#[tokio::test]
async fn an_application_stays_on_its_domain() {
    let site = Site::start(Reply::Success).await;
    let domain = format!("shop.localhost:{}", site.address.port());
    let shop = Application::new("shop", "secret").on(&domain);
    let bench = Bench::of(ClefService::builder().application(shop)).await;
    let redirect = format!("http://{domain}/cb");
    let open = async |redirect: &str| {
        let query = [("app_id", "shop"), ("redirect_url", redirect)];
        let request = bench.get("/iframes/qr").query(&query);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(open(&redirect).await, 200);
    assert_eq!(open(&site.redirect()).await, 400);

    let exchange = async |hook: &str| {
        let url = bench
            .clef
            .log_in("12345", "shop", &redirect, None)
            .await
            .unwrap();
        let code = parameter(&url, "code");
        let form = [
            ("code", code.as_str()),
            ("app_id", "shop"),
            ("app_secret", "secret"),
            ("logout_hook", hook),
        ];
        bench.call("/api/v1/authorize", &form).await
    };
    assert_eq!(
        exchange(&site.hook()).await,
        error(400, "Invalid logout hook URL.")
    );
    token(exchange(&format!("http://{domain}/clef/logout")).await);
    assert!(bench.log_out(ALEX).await[0].get("error").is_none());
}

#[tokio::test]
async fn a_name_that_is_not_this_machine_is_refused() {
    let bench = Bench::new().await;
    let open =
        Bench::of(ClefService::builder().reachable_by_everybody_who_can_then_log_in_as_anybody())
            .await;
    for (host, welcome) in [
        ("localhost:5050", true),
        ("clef.localhost", true),
        ("127.0.0.1", true),
        ("[::1]:5050", true),
        ("clef.example.com", false),
        ("localhost.example.com:5050", false),
        ("192.168.1.5:5050", false),
    ] {
        for path in ["/phone/12345", "/api/v1/info", "/v3/clef.js"] {
            let ask = async |bench: &Bench| {
                let answer = bench.get(path).header(HOST, host).send().await.unwrap();
                answer
                    .text()
                    .await
                    .unwrap()
                    .contains("Only on this machine")
            };
            assert_eq!(ask(&bench).await, !welcome, "{host}");
            assert!(!ask(&open).await, "{host}");
        }
    }
}

#[tokio::test]
async fn the_service_ends_although_pages_listen() {
    let bench = Bench::new().await;
    let (key, _) = bench.wait(REDIRECT, "xyz").await;
    let mut wave = Pushed::from(bench.get(&format!("/iframes/qr/{key}/events"))).await;
    let mut phone = Pushed::from(bench.get("/phone/12345/events")).await;
    wave.next().await.unwrap();
    phone.next().await.unwrap();
    drop(bench);
    assert_eq!(wave.next().await, None);
    assert_eq!(phone.next().await, None);
}
