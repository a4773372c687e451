//! A service, a browser-like client, and sites that do as they are told.

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
use clef_dev::{Application, ClefService, ClefServiceBuilder, PEOPLE, Person, TEST_APPLICATIONS};
use reqwest::{Client, RequestBuilder, Response, redirect::Policy};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use url::Url;

pub const ALEX: &Person = &PEOPLE[0];
pub const NOOR: &Person = &PEOPLE[1];
pub const TEO: &Person = &PEOPLE[2];
pub const APP: &Application = &TEST_APPLICATIONS[0];
pub const OTHER_APP: &Application = &TEST_APPLICATIONS[1];
pub const REDIRECT: &str = "http://localhost:3000/clef/callback?next=%2Fa";

pub struct Bench {
    pub clef: ClefService,
    pub http: Client,
}

impl Bench {
    pub async fn new() -> Self {
        Self::of(ClefService::builder()).await
    }

    pub async fn of(builder: ClefServiceBuilder) -> Self {
        Self {
            clef: builder.start().await.unwrap(),
            http: Client::builder()
                .redirect(Policy::none())
                .no_proxy()
                .build()
                .unwrap(),
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.clef.url())
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(self.url(path))
    }

    pub fn post(&self, path: &str) -> RequestBuilder {
        self.http.post(self.url(path))
    }

    pub async fn call(&self, path: &str, form: &[(&str, &str)]) -> (u16, Value) {
        json_of(self.post(path).form(form).send().await.unwrap()).await
    }

    pub fn press_log_in(&self, person: &Person, form: &[(&str, &str)]) -> RequestBuilder {
        self.post(&format!("/phone/{}/log-in", person.id()))
            .form(form)
    }

    pub fn press_log_out(&self, person: &Person) -> RequestBuilder {
        self.post(&format!("/phone/{}/log-out", person.id()))
    }

    pub async fn code(&self, person: &Person, redirect: &str) -> String {
        let form = [("app_id", APP.id()), ("redirect_url", redirect)];
        let answer = self.press_log_in(person, &form).send().await.unwrap();
        assert_eq!(answer.status(), 303);
        parameter(&location(&answer), "code")
    }

    pub async fn exchange(&self, code: &str, more: &[(&str, &str)]) -> (u16, Value) {
        let mut form = vec![
            ("code", code),
            ("app_id", APP.id()),
            ("app_secret", APP.secret()),
        ];
        form.extend_from_slice(more);
        self.call("/api/v1/authorize", &form).await
    }

    pub async fn info(&self, access_token: &str) -> (u16, Value) {
        let request = self.get("/api/v1/info");
        let request = request.query(&[("access_token", access_token)]);
        json_of(request.send().await.unwrap()).await
    }

    pub async fn log_in(&self, person: &Person, redirect: &str, hook: &str) -> String {
        let code = self.code(person, redirect).await;
        token(self.exchange(&code, &[("logout_hook", hook)]).await)
    }

    /// Waits at the wave: the key of the login, and the id that phones know it by.
    pub async fn wait(&self, site: &str, state: &str) -> (String, String) {
        let query = [
            ("app_id", APP.id()),
            ("redirect_url", site),
            ("state", state),
        ];
        let request = self.get("/iframes/qr").query(&query);
        let (status, page) = page_of(request.send().await.unwrap()).await;
        assert_eq!(status, 200, "{page}");
        (
            between(&page, "/iframes/qr/", "/events"),
            between(&page, "/phone?login=", "\""),
        )
    }

    /// Presses a button on a phone.
    pub async fn press(&self, person: &Person, button: &str, login: &str) -> u16 {
        let request = self.post(&format!("/phone/{}/{button}", person.id()));
        let request = request.form(&[("login", login)]);
        request.send().await.unwrap().status().as_u16()
    }

    /// Where the browser with the wave goes in the end.
    pub async fn finish(&self, key: &str) -> Response {
        let request = self.get(&format!("/iframes/qr/{key}/finish"));
        request.send().await.unwrap()
    }

    pub async fn log_out(&self, person: &Person) -> Value {
        let (status, rows) = json_of(self.press_log_out(person).send().await.unwrap()).await;
        assert_eq!(status, 200);
        rows
    }
}

pub fn between(text: &str, start: &str, end: &str) -> String {
    let (_, rest) = text.split_once(start).unwrap();
    rest.split_once(end).unwrap().0.to_owned()
}

/// What must come. The limit only turns a test that would hang into one that fails.
pub async fn soon<F: Future>(future: F) -> F::Output {
    let limit = Duration::from_secs(20);
    tokio::time::timeout(limit, future).await.unwrap()
}

/// What the service pushes, event by event.
pub struct Pushed {
    response: Response,
    read: String,
}

impl Pushed {
    pub async fn from(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            response,
            read: String::new(),
        }
    }

    /// The next event's data; `None` if the stream has ended.
    pub async fn next(&mut self) -> Option<String> {
        loop {
            if let Some((event, rest)) = self.read.split_once("\n\n") {
                let data = event.lines().find_map(|line| line.strip_prefix("data: "));
                let data = data.map(str::to_owned);
                self.read = rest.to_owned();
                if data.is_some() {
                    return data;
                }
                continue;
            }
            let chunk = soon(self.response.chunk()).await.ok()??;
            self.read += std::str::from_utf8(&chunk).unwrap();
        }
    }
}

pub async fn json_of(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    assert_eq!(response.headers()["content-type"], "application/json");
    let body = response.bytes().await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

pub async fn page_of(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let kind = response.headers()["content-type"].to_str().unwrap();
    assert!(kind.starts_with("text/html"), "{kind}");
    (status, response.text().await.unwrap())
}

pub fn location(response: &Response) -> Url {
    let text = response.headers()["location"].to_str().unwrap();
    Url::parse(text).unwrap()
}

pub fn parameter(url: &Url, name: &str) -> String {
    let mut values = url.query_pairs().filter(|(key, _)| key == name);
    let value = values.next().unwrap().1.into_owned();
    assert!(values.next().is_none(), "{name} came twice");
    value
}

pub fn token((status, body): (u16, Value)) -> String {
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["success"], json!(true));
    body["access_token"].as_str().unwrap().to_owned()
}

pub fn error(status: u16, text: &str) -> (u16, Value) {
    (status, json!({ "error": text }))
}

/// The calls that a hook got: headers and form.
pub type Heard = Arc<Mutex<Vec<(HeaderMap, HashMap<String, String>)>>>;

/// A site that does as it is told when its hook is called.
pub struct Site {
    pub address: SocketAddr,
    pub heard: Heard,
    answer: Arc<Mutex<Reply>>,
}

#[derive(Clone, Copy)]
pub enum Reply {
    Success,
    Page,
    Redirect,
    /// Exactly as much as is read, or a byte more.
    Long(usize),
    /// Its own words, with the token in them.
    Quote,
    /// 503 as often as this, and then a success.
    FailsFirst(usize),
    /// Nobody here by that name.
    Nobody,
}

impl Site {
    pub async fn start(reply: Reply) -> Self {
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

    pub fn redirect(&self) -> String {
        format!("http://localhost:{}/clef/callback", self.address.port())
    }

    pub fn hook(&self) -> String {
        format!("http://localhost:{}/clef/logout", self.address.port())
    }

    pub fn now_answers(&self, reply: Reply) {
        *self.answer.lock().unwrap() = reply;
    }

    /// The logout tokens that arrived, in order.
    pub fn tokens(&self) -> Vec<String> {
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
    let calls = {
        let mut heard = heard.lock().unwrap();
        heard.push((headers, form));
        heard.len()
    };
    let reply = *reply.lock().unwrap();
    match reply {
        Reply::Success => r#"{"success":true}"#.into_response(),
        Reply::FailsFirst(times) if calls > times => r#"{"success":true}"#.into_response(),
        Reply::FailsFirst(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Reply::Nobody => {
            let body = json!({ "success": false, "error": "who is that?" });
            (StatusCode::NOT_FOUND, body.to_string()).into_response()
        }
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
