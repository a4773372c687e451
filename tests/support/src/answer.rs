use std::{collections::BTreeSet, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, Response, header},
};
use tokio::time::{Instant, timeout};
use tower::ServiceExt as _;

/// Something that answers requests without a socket.
pub trait App: Send + Sync {
    /// Its router.
    fn app(&self) -> Router;
}

impl App for Router {
    fn app(&self) -> Router {
        self.clone()
    }
}

impl<A: App> App for &A {
    fn app(&self) -> Router {
        (**self).app()
    }
}

/// A whole answer, and how long it took.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
    pub took: Duration,
}

impl Answer {
    /// A header, or an empty string.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    /// Where the browser is sent.
    pub fn location(&self) -> &str {
        self.header("location")
    }
}

/// Sends a request as it is, and reads the whole answer. Dropping this hangs up.
pub async fn answer(app: &impl App, request: Request<Body>) -> Answer {
    let begun = Instant::now();
    let response = timeout(Duration::from_secs(300), app.app().oneshot(request)).await;
    let (parts, body) = response.expect("no answer at all").unwrap().into_parts();
    let body = to_bytes(body, 1_000_000).await.unwrap();
    Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        text: String::from_utf8(body.to_vec()).unwrap(),
        took: begun.elapsed(),
    }
}

/// A logout notice with this token, which has no cookies.
pub fn notice_request(token: &str) -> Request<Body> {
    Request::post("/clef/logout")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(format!("logout_token={token}")))
        .unwrap()
}

/// Sends a logout notice. Returns the status. No answer to one sets a cookie.
pub async fn notice(app: &impl App, token: &str) -> u16 {
    let response = app.app().oneshot(notice_request(token)).await.unwrap();
    assert_eq!(set_cookies(response.headers()).next(), None);
    response.status().as_u16()
}

/// The `Set-Cookie` headers of an answer.
pub fn set_cookies(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let cookies = headers.get_all(header::SET_COOKIE).iter();
    cookies.map(|cookie| cookie.to_str().unwrap())
}

/// The `Set-Cookie` for a cookie of this name.
pub fn set_cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    set_cookies(headers).find(|cookie| cookie.split('=').next() == Some(name))
}

/// Asserts that no name is set twice.
pub(crate) fn assert_set_once(headers: &HeaderMap) {
    let mut names = BTreeSet::new();
    for cookie in set_cookies(headers) {
        let name = cookie.split('=').next().unwrap();
        assert!(names.insert(name), "{name} is set twice");
    }
}

/// Where an answer sends the browser, or an empty string.
pub fn location(response: &Response<Body>) -> &str {
    let location = response.headers().get(header::LOCATION);
    location.map_or("", |location| location.to_str().unwrap())
}

/// The body of an answer.
pub async fn text(response: Response<Body>) -> String {
    let body = to_bytes(response.into_body(), 100_000).await.unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}
