//! The phone.

use reqwest::header::{COOKIE, HeaderValue, LOCATION, SET_COOKIE};

use crate::bench::*;

async fn phone(bench: &Bench) -> String {
    page_of(bench.get("/phone/12345").send().await.unwrap())
        .await
        .1
}

#[tokio::test]
async fn the_front_page_has_what_a_site_needs() {
    let bench = Bench::new().await;
    let (status, page) = page_of(bench.get("/").send().await.unwrap()).await;
    assert_eq!(status, 200);
    let api = format!("{}/api", bench.clef.url());
    for needed in [
        &*api,
        APP.id(),
        APP.secret(),
        OTHER_APP.secret(),
        "href=\"/phone\"",
    ] {
        assert!(page.contains(needed), "{needed}: {page}");
    }
}

#[tokio::test]
async fn the_person_is_chosen_once() {
    let bench = Bench::new().await;
    let open = async |path: &str, cookie: &str| {
        let request = bench.get(path).header(COOKIE, cookie);
        request.send().await.unwrap()
    };
    let answer = open("/phone?login=a%26b", "").await;
    let (_, page) = page_of(answer).await;
    assert!(page.contains("Whose phone is this?") && page.contains("value=\"a&amp;b\""));

    let form = [("person", "12345"), ("login", "a&b")];
    let answer = bench.post("/phone").form(&form).send().await.unwrap();
    assert_eq!(answer.headers()[LOCATION], "/phone/12345?login=a%26b");
    let cookie = answer.headers()[SET_COOKIE].to_str().unwrap();
    let cookie = cookie.split(';').next().unwrap();

    assert_eq!(
        open("/phone", cookie).await.headers()[LOCATION],
        "/phone/12345"
    );
    // A neighbouring port can set a cookie of any bytes.
    let beside = [b"name=Andr\xc3\xa9; x=\xff; ", cookie.as_bytes()].concat();
    let beside = HeaderValue::from_bytes(&beside).unwrap();
    let request = bench.get("/phone").header(COOKIE, beside);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.headers()[LOCATION], "/phone/12345");
    let again = page_of(open("/phone?anew", cookie).await).await.1;
    assert!(again.contains("Whose phone is this?"));
    let nobody = bench
        .post("/phone")
        .form(&[("person", "x")])
        .send()
        .await
        .unwrap();
    assert_eq!(nobody.status(), 404);
}

#[tokio::test]
async fn what_waits_appears_by_itself() {
    let bench = Bench::new().await;
    let mut pushed = Pushed::from(bench.get("/phone/12345/events")).await;
    pushed.next().await.unwrap();
    assert!(!phone(&bench).await.contains(">Approve</button>"));
    let (_, first) = bench.wait(REDIRECT, "first").await;
    pushed.next().await.unwrap();
    let (_, second) = bench.wait("http://localhost:3001/cb", "second").await;

    let page = phone(&bench).await;
    assert!(page.contains("localhost:3000") && page.contains("localhost:3001"));
    let position = |page: &str, id: &str| page.find(&format!("value=\"{id}\"")).unwrap();
    assert!(
        position(&page, &second) < position(&page, &first),
        "the newest first"
    );
    let scanned = bench.get("/phone/12345").query(&[("login", &first)]);
    let scanned = page_of(scanned.send().await.unwrap()).await.1;
    assert!(
        position(&scanned, &first) < position(&scanned, &second),
        "the scanned one first"
    );

    bench.press(ALEX, "refuse", &first).await;
    assert!(!phone(&bench).await.contains("localhost:3000"));
}

#[tokio::test]
async fn the_timer_is_set() {
    let bench = Bench::new().await;
    let set = async |length: &str| {
        let request = bench.post("/phone/12345/timer").form(&[("length", length)]);
        request.send().await.unwrap().status().as_u16()
    };
    let pressed = |page: &str, length: &str| {
        let button = between(page, &format!("id=\"timer-{length}\""), ">");
        button.contains("aria-pressed=\"true\"")
    };
    assert!(pressed(&phone(&bench).await, "1h"), "an hour by default");
    for length in ["15m", "8h", "never", "1h"] {
        assert_eq!(set(length).await, 303);
        let page = phone(&bench).await;
        assert!(pressed(&page, length), "{length}");
        let (_, page) = page.split_once("<main>").unwrap();
        assert_eq!(page.matches("aria-pressed=\"true\"").count(), 1);
    }
    for wrong in ["", "2h", "-1"] {
        assert_eq!(set(wrong).await, 400);
    }
    bench.code(ALEX, REDIRECT).await;
    let left: u64 = between(&phone(&bench).await, "data-left=\"", "\"")
        .parse()
        .unwrap();
    assert!((3590..=3600).contains(&left), "{left}");
    set("never").await;
    assert!(phone(&bench).await.contains("Never logs you out"));
}

#[tokio::test]
async fn a_site_that_has_not_heard_is_shown_as_such() {
    let bench = Bench::new().await;
    let site = Site::start(Reply::Page).await;
    bench.log_in(ALEX, &site.redirect(), &site.hook()).await;
    assert!(!phone(&bench).await.contains("has not heard"));
    bench.log_out(ALEX).await;
    assert!(phone(&bench).await.contains("has not heard"));
}

#[tokio::test]
async fn buttons_of_the_new_pages_are_pressed_there_alone() {
    let bench = Bench::new().await;
    let (key, id) = bench.wait(REDIRECT, "xyz").await;
    let approve = format!("/iframes/qr/{key}/approve");
    for (path, form) in [
        ("/phone", [("person", "12345")]),
        ("/phone/12345/approve", [("login", id.as_str())]),
        ("/phone/12345/refuse", [("login", id.as_str())]),
        ("/phone/12345/timer", [("length", "15m")]),
        ("/iframes/login", [("person", "12345")]),
        (&approve, [("person", "12345")]),
    ] {
        let press = bench
            .post(path)
            .form(&form)
            .header("sec-fetch-site", "same-site");
        assert_eq!(press.send().await.unwrap().status(), 403, "{path}");
    }
    assert_eq!(
        bench.press(ALEX, "approve", &id).await,
        303,
        "none of that had an effect"
    );
}

#[tokio::test]
async fn garbage_at_the_new_doors_is_answered() {
    let bench = Bench::new().await;
    for path in [
        "/phone/nobody/approve",
        "/phone/nobody/refuse",
        "/phone/nobody/timer",
        "/phone/nobody/deliveries",
        "/phone/%ff/approve",
        "/iframes/qr/%ff/approve",
        "/iframes/qr/nothing/refuse",
        "/iframes/login",
    ] {
        for body in ["", "login=%zz&person=%ff&length=", "\u{0}"] {
            let request = bench
                .post(path)
                .header("content-type", "application/x-www-form-urlencoded");
            let status = request.body(body).send().await.unwrap().status();
            assert!(status.is_client_error(), "{path} {body:?}: {status}");
        }
    }
    for path in ["/iframes/qr/nothing", "/iframes/qr/nothing/finish"] {
        let request = bench
            .get(path)
            .header(COOKIE, "clef-phone-1; =; clef-browser-1=\"");
        assert_eq!(request.send().await.unwrap().status(), 410, "{path}");
    }
    let mut pushed = Pushed::from(bench.get("/iframes/qr/nothing/events")).await;
    assert_eq!(pushed.next().await.unwrap(), "over");
}
