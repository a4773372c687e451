//! A browser without a socket, so that the time can be turned: a cookie jar before a router.

use std::{collections::BTreeMap, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request},
};
use tokio::{task::JoinSet, time::Instant};
use tower::ServiceExt as _;
use tower_sessions::session::Id;

/// What a request got, and how long that took.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
    pub took: Duration,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }
}

#[derive(Clone, Default)]
pub struct Browser(BTreeMap<String, String>);

impl Browser {
    pub async fn get(&mut self, app: &Router, path: &str) -> Answer {
        let request = Request::get(path).body(Body::empty()).unwrap();
        self.send(app, request).await
    }

    pub async fn post(&mut self, app: &Router, path: &str) -> Answer {
        let request = Request::post(path).body(Body::empty()).unwrap();
        self.send(app, request).await
    }

    async fn send(&mut self, app: &Router, mut request: Request<Body>) -> Answer {
        let cookies: Vec<_> = self.0.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let cookies = cookies.join("; ").parse().unwrap();
        request.headers_mut().insert("cookie", cookies);
        let answer = send(app, request).await;
        for cookie in answer.headers.get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            if cookie.contains("Max-Age=0") {
                self.0.remove(name);
            } else {
                self.0.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// Begins a login: the way back from the provider, with the code of a person.
    pub async fn begin(&mut self, app: &Router, code: &str) -> String {
        let answer = self.get(app, "/clef/login?next=/account").await;
        assert_eq!(answer.status, 303);
        let (_, state) = answer.header("location").rsplit_once("state=").unwrap();
        format!("/clef/callback?code={code}&state={state}")
    }

    /// A whole login.
    pub async fn log_in(&mut self, app: &Router, code: &str) {
        let callback = self.begin(app, code).await;
        let answer = self.get(app, &callback).await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (303, "/account")
        );
    }

    /// What it keeps and no log may have: states, record ids and the secrets of logins.
    pub fn secrets(&self) -> impl Iterator<Item = String> {
        let parts = self.0.values().flat_map(|value| value.split('.'));
        // The start of an attempt is in the clear.
        let parts = parts.filter(|part| part.parse::<i64>().is_err());
        let ids = parts.clone().filter_map(|part| part.parse::<Id>().ok());
        // As `Debug` of tower-sessions has it.
        let ids = ids.map(|id| id.0.to_string());
        parts.map(str::to_owned).chain(ids)
    }

    /// Who this browser is: the provider's id.
    pub async fn is(&mut self, app: &Router) -> Option<String> {
        let answer = self.get(app, "/account").await;
        match answer.status {
            200 => Some(answer.text),
            401 => None,
            other => panic!("neither in nor out: {other}"),
        }
    }
}

/// A logout notice, which has no cookies.
pub async fn notice(app: &Router, token: &str) -> Answer {
    let request = Request::post("/clef/logout")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(format!("logout_token={token}")))
        .unwrap();
    send(app, request).await
}

/// Sends a request, in a task of its own as a server does. Dropped, it hangs up.
pub async fn send(app: &Router, request: Request<Body>) -> Answer {
    let begun = Instant::now();
    let mut connection = JoinSet::new();
    connection.spawn(app.clone().oneshot(request));
    let answer = tokio::time::timeout(Duration::from_secs(300), connection.join_next()).await;
    let answer = answer.expect("no answer at all").unwrap();
    let answer = answer.expect("a panic").unwrap();
    let (parts, body) = answer.into_parts();
    let body = to_bytes(body, 1_000_000).await.unwrap();
    Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        text: String::from_utf8(body.to_vec()).unwrap(),
        took: begun.elapsed(),
    }
}
