use std::collections::{BTreeMap, BTreeSet};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, HeaderValue, Method, Request, Response, header},
};
use tower::ServiceExt as _;

use super::browser::state_in;

/// Name and value together, in bytes (RFC 6265bis, section 5.6).
const LARGEST_COOKIE: usize = 4_096;

/// A browser without a socket, as strict with cookies as real ones. A clone has the cookies that a
/// thief copied. Cookies can be any bytes, and requests can be dropped.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Jar {
    pub cookies: BTreeMap<String, String>,
    /// What is sent before and after them.
    pub around: (Vec<u8>, Vec<u8>),
}

impl Jar {
    /// The cookies as a header.
    pub fn header(&self) -> HeaderValue {
        let cookies: Vec<_> = self
            .cookies
            .iter()
            .map(|(n, v)| format!("{n}={v}"))
            .collect();
        let (before, after) = &self.around;
        let cookies = [before, cookies.join("; ").as_bytes(), after].concat();
        HeaderValue::from_bytes(&cookies).unwrap()
    }

    pub fn names(&self) -> Vec<&str> {
        self.cookies.keys().map(String::as_str).collect()
    }

    pub fn request(&self, method: Method, path: &str) -> Request<Body> {
        let request = Request::builder().method(method).uri(path);
        let request = request.header(header::COOKIE, self.header());
        request.body(Body::empty()).unwrap()
    }

    /// Sends a request whose answer does not reach the jar yet.
    pub async fn ask(&self, app: &Router, method: Method, path: &str) -> Response<Body> {
        let response = app.clone().oneshot(self.request(method, path)).await;
        response.unwrap()
    }

    pub async fn send(&mut self, app: &Router, method: Method, path: &str) -> Response<Body> {
        let response = self.ask(app, method, path).await;
        self.take(response.headers());
        response
    }

    pub async fn get(&mut self, app: &Router, path: &str) -> Response<Body> {
        self.send(app, Method::GET, path).await
    }

    pub async fn post(&mut self, app: &Router, path: &str) -> Response<Body> {
        self.send(app, Method::POST, path).await
    }

    /// Opens a page as a person does.
    pub async fn open(&mut self, app: &Router, path: &str) -> Response<Body> {
        let mut request = self.request(Method::GET, path);
        let html = HeaderValue::from_static("text/html,*/*;q=0.8");
        request.headers_mut().insert(header::ACCEPT, html);
        let response = app.clone().oneshot(request).await.unwrap();
        self.take(response.headers());
        response
    }

    /// Begins a login: the way back from the provider.
    pub async fn begin(&mut self, app: &Router, person: &str) -> String {
        self.begin_at(app, "/clef", person).await
    }

    /// A whole login.
    pub async fn log_in(&mut self, app: &Router, person: &str) {
        self.log_in_at(app, "/clef", person).await;
    }

    /// Begins a login at the provider whose routes are under this path.
    pub async fn begin_at(&mut self, app: &Router, under: &str, person: &str) -> String {
        let response = self.get(app, &format!("{under}/login?next=/account")).await;
        let state = state_in(location(&response));
        format!("{under}/callback?code=code:{person}&state={state}")
    }

    /// A whole login at that provider.
    pub async fn log_in_at(&mut self, app: &Router, under: &str, person: &str) {
        let callback = self.begin_at(app, under, person).await;
        let response = self.get(app, &callback).await;
        assert_eq!(response.status(), 303, "the login of {person}");
        assert_eq!(location(&response), "/account");
    }

    /// A browser that has just logged in.
    pub async fn logged_in(app: &Router, person: &str) -> Self {
        let mut jar = Self::default();
        jar.log_in(app, person).await;
        jar
    }

    /// The user of this browser, if it is authenticated.
    pub async fn user(&mut self, app: &Router) -> Option<String> {
        let response = self.get(app, "/account").await;
        match response.status().as_u16() {
            200 => Some(serde_json::from_str(&text(response).await).unwrap()),
            401 => None,
            other => panic!("neither authenticated nor not: {other}"),
        }
    }

    pub async fn is_in(&mut self, app: &Router) -> bool {
        self.user(app).await.is_some()
    }

    pub async fn sign_out(&mut self, app: &Router) -> Response<Body> {
        self.post(app, "/auth/sign-out").await
    }

    /// Does with the cookies of an answer what a browser does. No answer sets a name twice.
    pub fn take(&mut self, headers: &HeaderMap) {
        let mut names = BTreeSet::new();
        for cookie in set_cookies(headers) {
            let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
            let (name, value) = pair.split_once('=').unwrap();
            assert!(names.insert(name), "{name} is set twice");
            let mut attributes = attributes.split(';').map(str::trim);
            let has = |wanted| attributes.clone().any(|attribute| attribute == wanted);
            let prefixed = name.starts_with("__Host-") || name.starts_with("__Secure-");
            let too_large = name.len() + value.len() > LARGEST_COOKIE;
            if too_large || prefixed && !has("Secure") {
                continue;
            }
            if attributes.any(|attribute| attribute == "Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
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

pub fn location(response: &Response<Body>) -> &str {
    let location = response.headers().get(header::LOCATION);
    location.map_or("", |location| location.to_str().unwrap())
}

pub async fn text(response: Response<Body>) -> String {
    let body = to_bytes(response.into_body(), 100_000).await.unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

/// Sends a logout notice: the status.
pub async fn notice(app: &Router, token: &str) -> u16 {
    let request = Request::post("/clef/logout")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(format!("logout_token={token}")));
    let response = app.clone().oneshot(request.unwrap()).await.unwrap();
    assert_eq!(set_cookies(response.headers()).next(), None);
    response.status().as_u16()
}
