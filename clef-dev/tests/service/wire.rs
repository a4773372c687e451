//! The API, the pages as a script sees them, and bad input.

use std::time::Duration;

use clef_dev::ClefService;
use reqwest::RequestBuilder;
use serde_json::json;
use tokio::net::TcpStream;

use crate::bench::*;

#[tokio::test]
async fn authorize_takes_both_spellings() {
    let bench = Bench::new().await;
    let code = bench.code(ALEX, REDIRECT).await;
    token(bench.exchange(&code, &[]).await);

    let code = bench.code(ALEX, REDIRECT).await;
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", APP.id()),
        ("client_secret", APP.secret()),
        ("redirect_uri", REDIRECT),
        ("code", &code),
    ];
    token(bench.call("/api/v1/authorize", &form).await);
}

#[tokio::test]
async fn authorize_refuses_in_the_words_of_the_wire() {
    let bench = Bench::new().await;
    let code = bench.code(ALEX, REDIRECT).await;
    let authorize = async |form: &[(&str, &str)]| bench.call("/api/v1/authorize", form).await;

    let unknown = "0".repeat(32);
    let no_id = error(403, "Invalid App ID.");
    let no_secret = error(403, "Invalid App Secret.");
    let no_code = error(403, "Invalid OAuth Code.");

    assert_eq!(authorize(&[]).await, no_id);
    assert_eq!(
        authorize(&[("app_id", &unknown), ("code", "x")]).await,
        no_id
    );
    assert_eq!(
        authorize(&[("client_id", &unknown), ("code", &code)]).await,
        no_id
    );
    assert_eq!(
        authorize(&[("app_id", APP.id()), ("code", "x")]).await,
        no_secret
    );
    let foreign_secret = [
        ("app_id", APP.id()),
        ("app_secret", OTHER_APP.secret()),
        ("code", &code),
    ];
    assert_eq!(authorize(&foreign_secret).await, no_secret);

    let foreign_code = [
        ("app_id", OTHER_APP.id()),
        ("app_secret", OTHER_APP.secret()),
        ("code", &code),
    ];
    assert_eq!(authorize(&foreign_code).await, no_code);
    assert_eq!(bench.exchange("", &[]).await, no_code);
    assert_eq!(bench.exchange("unknown", &[]).await, no_code);
    for more in [
        ("redirect_uri", "http://localhost:3000/clef/callback"),
        ("redirect_uri", ""),
        ("grant_type", "password"),
    ] {
        assert_eq!(bench.exchange(&code, &[more]).await, no_code, "{more:?}");
    }

    let no_hook = error(400, "Invalid logout hook URL.");
    for hook in [
        "",
        "/clef/logout",
        "http://localhost:3001/clef/logout",
        "http://example.com/clef/logout",
        "ftp://localhost:3000/clef/logout",
        "http://localhost:3000/clef/logout#now",
    ] {
        let refused = bench.exchange(&code, &[("logout_hook", hook)]).await;
        assert_eq!(refused, no_hook, "{hook}");
    }

    // None of that burnt the code; an exchange does.
    let hook = ("logout_hook", "http://localhost:3000/clef/logout");
    token(bench.exchange(&code, &[hook]).await);
    assert_eq!(bench.exchange(&code, &[hook]).await, no_code);
}

#[tokio::test]
async fn info_tells_who_it_is() {
    let bench = Bench::new().await;
    for (person, id) in [
        (ALEX, json!("12345")),
        (NOOR, json!(6_283_383_571_u64)),
        (TEO, json!(TEO.id())),
    ] {
        let code = bench.code(person, REDIRECT).await;
        let token = token(bench.exchange(&code, &[]).await);
        let expected = json!({
            "success": true,
            "info": {
                "id": id,
                "first_name": person.first_name(),
                "last_name": person.last_name(),
                "email": person.email(),
                "phone_number": person.phone_number(),
            },
        });
        assert_eq!(bench.info(&token).await, (200, expected));
    }
}

#[tokio::test]
async fn info_refuses_in_the_words_of_the_wire() {
    let bench = Bench::new().await;
    let no_token = error(403, "Invalid token.");
    assert_eq!(bench.info("unknown").await, no_token);
    let answer = bench.get("/api/v1/info").send().await.unwrap();
    assert_eq!(json_of(answer).await, no_token);
}

#[tokio::test]
async fn the_published_code_opens_alex_again_and_again() {
    let bench = Bench::new().await;
    for application in [APP, OTHER_APP, APP] {
        let form = [
            ("code", "code_1234567890"),
            ("app_id", application.id()),
            ("app_secret", application.secret()),
        ];
        let token = token(bench.call("/api/v1/authorize", &form).await);
        assert_eq!(token, "token_1234567890");
    }
    let (status, body) = bench.info("token_1234567890").await;
    assert_eq!(status, 200);
    assert_eq!(body["info"]["id"], json!("12345"));
    assert_eq!(body["info"]["email"], json!("alex@getclef.com"));

    let outside = [("logout_hook", "https://example.com/hook")];
    assert_eq!(
        bench.exchange("code_1234567890", &outside).await,
        error(400, "Invalid logout hook URL.")
    );
}

#[tokio::test]
async fn a_login_goes_back_to_the_site_with_all_it_had() {
    let bench = Bench::new().await;
    let redirect = "http://localhost:3000/cb?next=%2Fa%20b&flag&code=old&state=old";
    let state = "a&b=ü #+";
    let form = [
        ("app_id", APP.id()),
        ("redirect_url", redirect),
        ("state", state),
    ];
    let answer = bench.press_log_in(TEO, &form).send().await.unwrap();
    assert_eq!(answer.status(), 303);
    assert_eq!(answer.headers()["referrer-policy"], "same-origin");
    let url = location(&answer);
    let code = parameter(&url, "code");
    assert_eq!(code.len(), 32);
    assert_eq!(parameter(&url, "state"), state);
    assert!(
        url.as_str()
            .starts_with("http://localhost:3000/cb?next=%2Fa%20b&flag&code=")
    );
    // OAuth 2 compares with the URL as the site wrote it.
    token(bench.exchange(&code, &[("redirect_uri", redirect)]).await);
}

#[tokio::test]
async fn a_login_elsewhere_is_refused() {
    let bench = Bench::new().await;
    let long = "s".repeat(2049);
    for (app_id, redirect, state, status, title) in [
        ("", REDIRECT, "", 403, "Invalid App ID."),
        ("unknown", REDIRECT, "", 403, "Invalid App ID."),
        (APP.id(), "", "", 400, "Invalid redirect URL."),
        (APP.id(), "/cb", "", 400, "Invalid redirect URL."),
        (
            APP.id(),
            "javascript:alert(1)",
            "",
            400,
            "Invalid redirect URL.",
        ),
        (
            APP.id(),
            "http://example.com/cb",
            "",
            400,
            "Invalid redirect URL.",
        ),
        (
            APP.id(),
            "http://a:b@localhost/cb",
            "",
            400,
            "Invalid redirect URL.",
        ),
        (
            APP.id(),
            "http://localhost/cb#x",
            "",
            400,
            "Invalid redirect URL.",
        ),
        (APP.id(), REDIRECT, &long, 400, "Invalid state."),
        (APP.id(), REDIRECT, "a\nb", 400, "Invalid state."),
    ] {
        let fields = [
            ("app_id", app_id),
            ("redirect_url", redirect),
            ("state", state),
        ];
        let page = bench.get("/iframes/qr").query(&fields).send();
        let press = bench.press_log_in(ALEX, &fields).send();
        for answer in [page.await.unwrap(), press.await.unwrap()] {
            let (got, page) = page_of(answer).await;
            assert_eq!(got, status, "{fields:?}");
            assert!(page.contains(title), "{fields:?}");
        }
    }
    let answer = bench.post("/phone/99999/log-in").send().await.unwrap();
    assert_eq!(answer.status(), 404);
}

#[tokio::test]
async fn a_browser_gets_pages() {
    let bench = Bench::new().await;
    let site = Site::start(Reply::Page).await;
    bench.log_in(ALEX, &site.redirect(), &site.hook()).await;
    let name = format!("localhost:{}", site.address.port());

    let (status, page) = page_of(bench.get("/phone/12345").send().await.unwrap()).await;
    assert_eq!(status, 200);
    assert!(page.contains(&name) && page.contains("just now"));
    assert!(page.contains("/phone/12345/log-out"));
    let path = format!("/phone/{}", TEO.id());
    let (_, page) = page_of(bench.get(&path).send().await.unwrap()).await;
    assert!(!page.contains(&name) && page.contains("Not logged in anywhere."));

    let press = || {
        bench
            .press_log_out(ALEX)
            .header("accept", "text/html,application/xml;q=0.9,*/*;q=0.8")
            .header("sec-fetch-site", "same-origin")
    };
    let (status, page) = page_of(press().send().await.unwrap()).await;
    assert_eq!(status, 200);
    assert!(page.contains(&name) && page.contains("Tell them again"));
    assert!(!page.contains(&site.tokens()[0]));

    site.now_answers(Reply::Success);
    let (_, page) = page_of(press().send().await.unwrap()).await;
    assert!(page.contains("Alex is logged out") && page.contains("href=\"/phone/12345\""));
}

#[tokio::test]
async fn other_sites_cannot_press_the_buttons() {
    let bench = Bench::new().await;
    let site = Site::start(Reply::Success).await;
    bench.log_in(ALEX, &site.redirect(), &site.hook()).await;
    let form = [("app_id", APP.id()), ("redirect_url", REDIRECT)];
    for (from, welcome) in [
        ("cross-site", false),
        ("same-site", false),
        ("anything", false),
        ("same-origin", true),
        ("none", true),
    ] {
        let press = bench
            .press_log_in(ALEX, &form)
            .header("sec-fetch-site", from);
        let status = press.send().await.unwrap().status();
        assert_eq!(status, if welcome { 303 } else { 403 }, "{from}");
        let press = bench.press_log_out(ALEX).header("sec-fetch-site", from);
        let status = press.send().await.unwrap().status();
        assert_eq!(status, if welcome { 200 } else { 403 }, "{from}");
        assert_eq!(site.tokens().is_empty(), !welcome);
    }
}

#[tokio::test]
async fn the_button_is_a_script() {
    let bench = Bench::new().await;
    let answer = bench.get("/v3/clef.js").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(
        answer.headers()["content-type"],
        "text/javascript; charset=utf-8"
    );
    let script = answer.text().await.unwrap();
    assert!(script.contains("/iframes/qr"));
    for risky in ["innerHTML", "eval", "document.write", "onclick"] {
        assert!(!script.contains(risky), "{risky}");
    }
    // A page of another site could take a fixed name before, and get the window of the login.
    let (_, popup) = script.split_once("window.open(").unwrap();
    let (arguments, _) = popup.split_once(");").unwrap();
    assert!(arguments.contains("randomName()"), "{arguments}");
}

#[tokio::test]
async fn garbage_is_answered() {
    let bench = Bench::new().await;
    let status = async |request: RequestBuilder| request.send().await.unwrap().status().as_u16();

    assert_eq!(status(bench.get("/favicon.ico")).await, 204);
    for path in ["/nowhere", "/api/v1", "/api/v2/info", "/phone/1/log-in/2"] {
        let answer = bench.get(path).send().await.unwrap();
        assert_eq!(answer.status(), 404, "{path}");
        assert_eq!(
            answer.headers()["content-type"],
            "text/plain; charset=utf-8"
        );
    }
    for path in ["/phone/nobody", "/phone/%00", "/phone/12345%20"] {
        assert_eq!(status(bench.get(path)).await, 404, "{path}");
    }
    assert_eq!(status(bench.get("/phone/%ff")).await, 400);
    assert_eq!(status(bench.get("/api/v1/authorize")).await, 405);
    assert_eq!(status(bench.post("/api/v1/info")).await, 405);
    assert_eq!(status(bench.get("/phone/12345/log-out")).await, 405);
    let nobody = bench.post("/phone/nobody/log-out").send().await.unwrap();
    assert_eq!(json_of(nobody).await.0, 404);

    let form = "application/x-www-form-urlencoded";
    for (kind, body) in [
        (form, &b"\xff\xfe=%zz&&=&%"[..]),
        (form, b""),
        ("application/json", b"{\"app_id\":"),
        ("text/plain", b"app_id=4f318ac177a9391c2e0d221203725ffd"),
        ("\"", b"x"),
    ] {
        let send = |path: &str| {
            let request = bench.post(path).header("content-type", kind);
            request.body(body.to_vec()).send()
        };
        let answer = json_of(send("/api/v1/authorize").await.unwrap()).await;
        assert_eq!(answer, error(403, "Invalid App ID."));
        let answer = json_of(send("/api/v1/logout").await.unwrap()).await;
        assert_eq!(answer, error(403, "Invalid App."));
        let answer = send("/phone/12345/log-in").await.unwrap();
        assert_eq!(page_of(answer).await.0, 403);
    }
    let send = |length: usize| {
        let request = bench.post("/api/v1/authorize").header("content-type", form);
        request.body("a".repeat(length))
    };
    assert_eq!(status(send(16 * 1024)).await, 403);
    assert_eq!(status(send(16 * 1024 + 1)).await, 413);
}

#[tokio::test]
async fn only_loopback_is_served() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "[2001:db8::1]:0"] {
        let refused = ClefService::start(address.parse().unwrap())
            .await
            .unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::InvalidInput);
        assert!(refused.to_string().contains("loopback"));
    }
    let bench = Bench::new().await;
    let taken = ClefService::start(bench.clef.address()).await.unwrap_err();
    assert_eq!(taken.kind(), std::io::ErrorKind::AddrInUse);
    assert_eq!(
        bench.clef.url(),
        format!("http://127.0.0.1:{}", bench.clef.address().port())
    );
}

#[tokio::test]
async fn dropping_it_stops_it() {
    let bench = Bench::new().await;
    let address = bench.clef.address();
    bench.get("/phone").send().await.unwrap();
    drop(bench);
    // The server learns of it when it is its turn.
    let stopped = async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), stopped)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_page_of_another_site_is_no_server() {
    let bench = Bench::new().await;
    let site = Site::start(Reply::Success).await;
    let form = [
        ("code", "code_1234567890"),
        ("app_id", APP.id()),
        ("app_secret", APP.secret()),
        ("logout_hook", &site.hook()),
    ];
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
    ] {
        let post = bench.post("/api/v1/authorize").form(&form);
        let answer = post.header(name, value).send().await.unwrap();
        assert_eq!(answer.status(), 403, "{name}: {value}");
        for path in ["/iframes/qr/none/events", "/phone/12345/events"] {
            let answer = bench.get(path).header(name, value).send().await.unwrap();
            assert_eq!(answer.status(), 403, "{name}: {value}");
        }
    }
    assert!(bench.clef.log_out("12345").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_host_is_made_of_what_hosts_are_made_of() {
    let bench = Bench::new().await;
    for host in [
        "*;.localhost",
        "*,.localhost",
        "a'b.localhost",
        "*.localhost",
    ] {
        let redirect = format!("http://{host}/cb");
        let query = [("app_id", APP.id()), ("redirect_url", &redirect)];
        let answer = bench.get("/iframes/qr").query(&query).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{host}");
    }
}
