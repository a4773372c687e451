//! The local Clef service, over the wire.

#![cfg(feature = "dev")]

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Form, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response as Answer},
    routing::post,
};
use axum_clef::dev::{Application, ClefService, PEOPLE, Person, TEST_APPLICATIONS};
use reqwest::{Client, RequestBuilder, Response, redirect::Policy};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Barrier,
};
use url::Url;

const ALEX: &Person = &PEOPLE[0];
const NOOR: &Person = &PEOPLE[1];
const TEO: &Person = &PEOPLE[2];
const APP: &Application = &TEST_APPLICATIONS[0];
const OTHER_APP: &Application = &TEST_APPLICATIONS[1];
const REDIRECT: &str = "http://localhost:3000/clef/callback?next=%2Fa";

struct Bench {
    clef: ClefService,
    http: Client,
}

impl Bench {
    async fn new() -> Self {
        Self {
            clef: ClefService::start(SocketAddr::from(([127, 0, 0, 1], 0)))
                .await
                .unwrap(),
            http: Client::builder()
                .redirect(Policy::none())
                .no_proxy()
                .build()
                .unwrap(),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.clef.url())
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(self.url(path))
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.http.post(self.url(path))
    }

    async fn call(&self, path: &str, form: &[(&str, &str)]) -> (u16, Value) {
        json_of(self.post(path).form(form).send().await.unwrap()).await
    }

    fn press_log_in(&self, person: &Person, form: &[(&str, &str)]) -> RequestBuilder {
        self.post(&format!("/phone/{}/log-in", person.id))
            .form(form)
    }

    fn press_log_out(&self, person: &Person) -> RequestBuilder {
        self.post(&format!("/phone/{}/log-out", person.id))
    }

    async fn code(&self, person: &Person, redirect: &str) -> String {
        let form = [("app_id", APP.id), ("redirect_url", redirect)];
        let answer = self.press_log_in(person, &form).send().await.unwrap();
        assert_eq!(answer.status(), 303);
        parameter(&location(&answer), "code")
    }

    async fn exchange(&self, code: &str, more: &[(&str, &str)]) -> (u16, Value) {
        let mut form = vec![
            ("code", code),
            ("app_id", APP.id),
            ("app_secret", APP.secret),
        ];
        form.extend_from_slice(more);
        self.call("/api/v1/authorize", &form).await
    }

    async fn info(&self, access_token: &str) -> (u16, Value) {
        let request = self.get("/api/v1/info");
        let request = request.query(&[("access_token", access_token)]);
        json_of(request.send().await.unwrap()).await
    }

    async fn log_in(&self, person: &Person, redirect: &str, hook: &str) -> String {
        let code = self.code(person, redirect).await;
        token(self.exchange(&code, &[("logout_hook", hook)]).await)
    }

    async fn log_out(&self, person: &Person) -> Value {
        let (status, rows) = json_of(self.press_log_out(person).send().await.unwrap()).await;
        assert_eq!(status, 200);
        rows
    }
}

async fn json_of(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    assert_eq!(response.headers()["content-type"], "application/json");
    let body = response.bytes().await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

async fn page_of(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let kind = response.headers()["content-type"].to_str().unwrap();
    assert!(kind.starts_with("text/html"), "{kind}");
    (status, response.text().await.unwrap())
}

fn location(response: &Response) -> Url {
    let text = response.headers()["location"].to_str().unwrap();
    Url::parse(text).unwrap()
}

fn parameter(url: &Url, name: &str) -> String {
    let mut values = url.query_pairs().filter(|(key, _)| key == name);
    let value = values.next().unwrap().1.into_owned();
    assert!(values.next().is_none(), "{name} came twice");
    value
}

fn token((status, body): (u16, Value)) -> String {
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["success"], json!(true));
    body["access_token"].as_str().unwrap().to_owned()
}

fn error(status: u16, text: &str) -> (u16, Value) {
    (status, json!({ "error": text }))
}

/// The calls that a hook got: headers and form.
type Heard = Arc<Mutex<Vec<(HeaderMap, HashMap<String, String>)>>>;

/// A site that does as it is told when its hook is called.
struct Site {
    address: SocketAddr,
    heard: Heard,
    answer: Arc<Mutex<Reply>>,
}

#[derive(Clone, Copy)]
enum Reply {
    Success,
    Page,
    Redirect,
    /// Exactly as much as is read, or a byte more.
    Long(usize),
    /// Its own words, with the token in them.
    Quote,
}

impl Site {
    async fn start(reply: Reply) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let site = Self {
            address: listener.local_addr().unwrap(),
            heard: Arc::default(),
            answer: Arc::new(Mutex::new(reply)),
        };
        let state = (Arc::clone(&site.heard), Arc::clone(&site.answer));
        let app = Router::new()
            .route("/clef/logout", post(hook))
            .with_state(state);
        tokio::spawn(async move { axum::serve(listener, app).await });
        site
    }

    fn redirect(&self) -> String {
        format!("http://localhost:{}/clef/callback", self.address.port())
    }

    fn hook(&self) -> String {
        format!("http://localhost:{}/clef/logout", self.address.port())
    }

    fn now_answers(&self, reply: Reply) {
        *self.answer.lock().unwrap() = reply;
    }

    /// The logout tokens that arrived, in order.
    fn tokens(&self) -> Vec<String> {
        let heard = self.heard.lock().unwrap();
        heard
            .iter()
            .map(|(_, f)| f["logout_token"].clone())
            .collect()
    }
}

async fn hook(
    State((heard, reply)): State<(Heard, Arc<Mutex<Reply>>)>,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Answer {
    let token = form["logout_token"].clone();
    heard.lock().unwrap().push((headers, form));
    let reply = *reply.lock().unwrap();
    match reply {
        Reply::Success => r#"{"success":true}"#.into_response(),
        Reply::Page => axum::response::Html("<!doctype html><p>Hello").into_response(),
        Reply::Redirect => Redirect::to("/login").into_response(),
        Reply::Long(length) => {
            let json = r#"{"success":true}"#;
            format!("{json}{}", " ".repeat(length - json.len())).into_response()
        }
        Reply::Quote => {
            let body = json!({ "success": false, "error": format!("what is {token}?") });
            (StatusCode::SERVICE_UNAVAILABLE, body.to_string()).into_response()
        }
    }
}

#[tokio::test]
async fn authorize_takes_both_spellings() {
    let bench = Bench::new().await;
    let code = bench.code(ALEX, REDIRECT).await;
    token(bench.exchange(&code, &[]).await);

    let code = bench.code(ALEX, REDIRECT).await;
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", APP.id),
        ("client_secret", APP.secret),
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
        authorize(&[("app_id", APP.id), ("code", "x")]).await,
        no_secret
    );
    let foreign_secret = [
        ("app_id", APP.id),
        ("app_secret", OTHER_APP.secret),
        ("code", &code),
    ];
    assert_eq!(authorize(&foreign_secret).await, no_secret);

    let foreign_code = [
        ("app_id", OTHER_APP.id),
        ("app_secret", OTHER_APP.secret),
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
        (TEO, json!(TEO.id)),
    ] {
        let code = bench.code(person, REDIRECT).await;
        let token = token(bench.exchange(&code, &[]).await);
        let expected = json!({
            "success": true,
            "info": {
                "id": id,
                "first_name": person.first_name,
                "last_name": person.last_name,
                "email": person.email,
                "phone_number": person.phone_number,
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
            ("app_id", application.id),
            ("app_secret", application.secret),
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
async fn the_published_code_is_a_login_too() {
    let bench = Bench::new().await;
    let site = Site::start(Reply::Success).await;
    // A name that no name server knows.
    let hook = site.hook().replace("localhost", "shop.localhost");
    token(
        bench
            .exchange("code_1234567890", &[("logout_hook", &hook)])
            .await,
    );
    let rows = bench.log_out(ALEX).await;
    assert_eq!(rows[0]["url"], json!(hook));
    assert_eq!(rows[0]["status"], json!(200));
    assert_eq!(site.tokens().len(), 1);
}

#[tokio::test]
async fn a_login_goes_back_to_the_site_with_all_it_had() {
    let bench = Bench::new().await;
    let redirect = "http://localhost:3000/cb?next=%2Fa%20b&flag&code=old&state=old";
    let state = "a&b=ü #+";
    let form = [
        ("app_id", APP.id),
        ("redirect_url", redirect),
        ("state", state),
    ];
    let answer = bench.press_log_in(TEO, &form).send().await.unwrap();
    assert_eq!(answer.status(), 303);
    assert_eq!(answer.headers()["referrer-policy"], "no-referrer");
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
async fn the_login_page_offers_everybody() {
    let bench = Bench::new().await;
    for path in ["/iframes/qr", "/iframes/login"] {
        let query = [
            ("app_id", APP.id),
            ("redirect_url", REDIRECT),
            ("state", "\"><script>x</script>"),
        ];
        let answer = bench.get(path).query(&query).send().await.unwrap();
        for (name, value) in [
            (
                "content-security-policy",
                "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'",
            ),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(answer.headers()[name], value);
        }
        let (status, page) = page_of(answer).await;
        assert_eq!(status, 200);
        for person in &PEOPLE {
            assert!(page.contains(&format!("/phone/{}/log-in", person.id)));
            assert!(page.contains(person.email));
        }
        assert!(page.contains("localhost:3000"));
        assert!(page.contains(&format!("value=\"{REDIRECT}\"")));
        assert!(page.contains("&quot;&gt;&lt;script&gt;x"));
        assert!(!page.contains("<script"));
    }
}

#[tokio::test]
async fn a_login_elsewhere_is_refused() {
    let bench = Bench::new().await;
    let long = "s".repeat(2049);
    for (app_id, redirect, state, status, title) in [
        ("", REDIRECT, "", 403, "Invalid App ID."),
        ("unknown", REDIRECT, "", 403, "Invalid App ID."),
        (APP.id, "", "", 400, "Invalid redirect URL."),
        (APP.id, "/cb", "", 400, "Invalid redirect URL."),
        (
            APP.id,
            "javascript:alert(1)",
            "",
            400,
            "Invalid redirect URL.",
        ),
        (
            APP.id,
            "http://example.com/cb",
            "",
            400,
            "Invalid redirect URL.",
        ),
        (
            APP.id,
            "http://a:b@localhost/cb",
            "",
            400,
            "Invalid redirect URL.",
        ),
        (
            APP.id,
            "http://localhost/cb#x",
            "",
            400,
            "Invalid redirect URL.",
        ),
        (APP.id, REDIRECT, &long, 400, "Invalid state."),
        (APP.id, REDIRECT, "a\nb", 400, "Invalid state."),
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
async fn a_log_out_tells_every_site() {
    let bench = Bench::new().await;
    let (one, two) = (
        Site::start(Reply::Success).await,
        Site::start(Reply::Success).await,
    );
    let mut access_tokens = Vec::new();
    for site in [&one, &two] {
        let token = bench.log_in(NOOR, &site.redirect(), &site.hook()).await;
        access_tokens.push(token);
    }
    bench.log_in(TEO, &one.redirect(), &one.hook()).await;
    let unused = bench.code(NOOR, REDIRECT).await;

    let rows = bench.log_out(NOOR).await;

    assert_eq!(rows.as_array().unwrap().len(), 2);
    for (row, site) in rows.as_array().unwrap().iter().zip([&one, &two]) {
        assert_eq!(row["url"], json!(site.hook()));
        assert_eq!(row["status"], json!(200));
        assert!(row["milliseconds"].is_u64());
        assert!(row.get("error").is_none());
        assert_eq!(row.as_object().unwrap().len(), 3);
    }
    assert_eq!(
        bench.exchange(&unused, &[]).await,
        error(403, "Invalid OAuth Code.")
    );
    for token in &access_tokens {
        assert_eq!(bench.info(token).await, error(403, "Invalid token."));
    }

    // What the sites were sent, and what they can do with it.
    let (headers, form) = one.heard.lock().unwrap()[0].clone();
    assert_eq!(headers["user-agent"], "Clef/1.0 (https://getclef.com)");
    assert_eq!(headers["content-type"], "application/x-www-form-urlencoded");
    assert_eq!(form.len(), 1);
    assert_ne!(one.tokens(), two.tokens());
    let logout = async |token: &str, app: &Application, secret: &str| {
        let form = [
            ("logout_token", token),
            ("app_id", app.id),
            ("app_secret", secret),
        ];
        bench.call("/api/v1/logout", &form).await
    };
    let no_app = error(403, "Invalid App.");
    let no_token = error(403, "Invalid Logout Token.");
    let sent = &one.tokens()[0];
    assert_eq!(bench.call("/api/v1/logout", &[]).await, no_app);
    assert_eq!(logout(sent, APP, OTHER_APP.secret).await, no_app);
    assert_eq!(logout("1234567890", APP, APP.secret).await, no_token);
    assert_eq!(logout(sent, OTHER_APP, OTHER_APP.secret).await, no_token);
    let told = json!({ "success": true, "clef_id": 6_283_383_571_u64 });
    assert_eq!(logout(sent, APP, APP.secret).await, (200, told));
    assert_eq!(logout(sent, APP, APP.secret).await, no_token);

    // Noor is nowhere now; Teo still is.
    assert_eq!(bench.log_out(NOOR).await, json!([]));
    assert_eq!(bench.log_out(TEO).await.as_array().unwrap().len(), 1);
    let id = json!(TEO.id);
    let last = &one.tokens()[1];
    assert_eq!(logout(last, APP, APP.secret).await.1["clef_id"], id);
}

/// A site whose hook answers only once another call has come to the same barrier.
async fn meeting_site(barrier: Arc<Barrier>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let wait = async move || {
        barrier.wait().await;
        "Ok"
    };
    let app = Router::new().route("/clef/logout", post(wait));
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://127.0.0.1:{port}")
}

#[tokio::test]
async fn sites_are_told_at_the_same_time() {
    let bench = Bench::new().await;
    let barrier = Arc::new(Barrier::new(2));
    for _ in 0..2 {
        let site = meeting_site(Arc::clone(&barrier)).await;
        let hook = format!("{site}/clef/logout");
        bench.log_in(ALEX, &format!("{site}/cb"), &hook).await;
    }
    let rows = bench.log_out(ALEX).await;
    assert_eq!(rows.as_array().unwrap().len(), 2);
    assert!(!rows.to_string().contains("error"), "{rows}");
}

#[tokio::test]
async fn a_login_during_a_log_out_stays() {
    let bench = Bench::new().await;
    let barrier = Arc::new(Barrier::new(2));
    let site = meeting_site(Arc::clone(&barrier)).await;
    let (redirect, hook) = (format!("{site}/cb"), format!("{site}/clef/logout"));
    let old = bench.log_in(ALEX, &redirect, &hook).await;

    let new_login = async {
        // The log-out has begun when the access token is dead; its call waits at the barrier.
        while bench.info(&old).await.0 == 200 {}
        let new = bench.log_in(ALEX, &redirect, &hook).await;
        barrier.wait().await;
        new
    };
    let (rows, new) = tokio::join!(bench.log_out(ALEX), new_login);

    assert!(rows[0].get("error").is_none(), "{rows}");
    assert_eq!(bench.info(&new).await.0, 200);
    let page = bench.get("/phone/12345").send().await.unwrap();
    let (_, page) = page_of(page).await;
    assert!(page.contains("just now"));
}

#[tokio::test]
async fn a_site_that_was_not_told_is_told_again() {
    let bench = Bench::new().await;
    let site = Site::start(Reply::Page).await;
    bench.log_in(ALEX, &site.redirect(), &site.hook()).await;

    let explained = |rows: &Value, status: u16, words: &str| {
        assert_eq!(rows[0]["status"], json!(status), "{rows}");
        let error = rows[0]["error"].as_str().unwrap();
        assert!(error.contains(words), "{error}");
    };
    explained(&bench.log_out(ALEX).await, 200, "page");
    site.now_answers(Reply::Redirect);
    explained(&bench.log_out(ALEX).await, 303, "redirect");
    site.now_answers(Reply::Long(64 * 1024 + 1));
    explained(&bench.log_out(ALEX).await, 200, "64 KiB");
    site.now_answers(Reply::Quote);
    let rows = bench.log_out(ALEX).await;
    explained(&rows, 503, "what is …?");
    let tokens = site.tokens();
    assert_eq!(tokens.len(), 4);
    assert!(tokens.iter().all(|token| !rows.to_string().contains(token)));

    site.now_answers(Reply::Long(64 * 1024));
    let rows = bench.log_out(ALEX).await;
    assert!(rows[0].get("error").is_none(), "{rows}");
    assert_eq!(bench.log_out(ALEX).await, json!([]));
}

#[tokio::test]
async fn sites_that_cannot_be_called_are_explained() {
    let bench = Bench::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
    drop(listener);
    let hook = format!("{base}/clef/logout");
    bench.log_in(ALEX, &format!("{base}/cb"), &hook).await;
    let code = bench.code(ALEX, REDIRECT).await;
    token(bench.exchange(&code, &[]).await);

    let rows = bench.log_out(ALEX).await;
    assert_eq!(rows[0]["url"], json!(hook));
    assert_eq!(rows[0]["status"], Value::Null);
    assert!(
        rows[0]["error"]
            .as_str()
            .unwrap()
            .starts_with("No connection")
    );
    assert_eq!(rows[1]["url"], Value::Null);
    assert_eq!(rows[1]["status"], Value::Null);
    let error = rows[1]["error"].as_str().unwrap();
    assert!(error.contains("No logout hook") && error.contains("localhost:3000"));

    // The one may come back; the other cannot ever be told.
    assert_eq!(bench.log_out(ALEX).await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_browser_gets_pages() {
    let bench = Bench::new().await;
    let site = Site::start(Reply::Page).await;
    bench.log_in(ALEX, &site.redirect(), &site.hook()).await;
    let name = format!("localhost:{}", site.address.port());

    for path in ["/", "/phone", "/phone/12345"] {
        let (status, page) = page_of(bench.get(path).send().await.unwrap()).await;
        assert_eq!(status, 200);
        assert!(page.contains(&name), "{path}");
        assert!(page.contains("just now"));
        assert!(page.contains("/phone/12345/log-out"));
    }
    let path = format!("/phone/{}", TEO.id);
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
    let form = [("app_id", APP.id), ("redirect_url", REDIRECT)];
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
