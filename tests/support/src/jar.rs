use std::collections::BTreeMap;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Method, Request, Response, header},
};
use tower::ServiceExt as _;

use crate::{
    App,
    answer::{assert_set_once, location, set_cookies, text},
    browser::state_in,
};

/// Name and value together, in bytes (RFC 6265bis, section 5.6).
const LARGEST_COOKIE: usize = 4_096;

/// A browser without a socket, as strict with cookies as real ones. A clone has the cookies that a
/// thief copied. Cookies can be any bytes, and dropping a request hangs up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Jar {
    /// Names and values.
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

    /// The names of the cookies.
    pub fn names(&self) -> Vec<&str> {
        self.cookies.keys().map(String::as_str).collect()
    }

    /// A request with the cookies of now.
    pub fn request(&self, method: Method, path: &str) -> Request<Body> {
        let request = Request::builder().method(method).uri(path);
        let request = request.header(header::COOKIE, self.header());
        request.body(Body::empty()).unwrap()
    }

    /// Sends a request whose answer does not reach the jar yet.
    pub async fn ask(&self, app: &impl App, method: Method, path: &str) -> Response<Body> {
        let response = app.app().oneshot(self.request(method, path)).await;
        response.unwrap()
    }

    /// Sends a request.
    pub async fn send(&mut self, app: &impl App, method: Method, path: &str) -> Response<Body> {
        let response = self.ask(app, method, path).await;
        self.take(response.headers());
        response
    }

    /// Sends a request with more headers.
    pub async fn send_with(
        &mut self,
        app: &impl App,
        (method, path): (Method, &str),
        headers: &[(&'static str, &str)],
    ) -> Response<Body> {
        let mut request = self.request(method, path);
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        let response = app.app().oneshot(request).await.unwrap();
        self.take(response.headers());
        response
    }

    /// `GET`.
    pub async fn get(&mut self, app: &impl App, path: &str) -> Response<Body> {
        self.send(app, Method::GET, path).await
    }

    /// `POST`.
    pub async fn post(&mut self, app: &impl App, path: &str) -> Response<Body> {
        self.send(app, Method::POST, path).await
    }

    /// The status of a page.
    pub async fn status(&mut self, app: &impl App, path: &str) -> u16 {
        self.get(app, path).await.status().as_u16()
    }

    /// Opens a page as a person does.
    pub async fn open(&mut self, app: &impl App, path: &str) -> Response<Body> {
        let html = [("accept", "text/html,*/*;q=0.8")];
        self.send_with(app, (Method::GET, path), &html).await
    }

    /// Begins a login: the way back from the provider.
    pub async fn begin(&mut self, app: &impl App, person: &str) -> String {
        self.begin_at(app, "/clef", person).await
    }

    /// Begins to link an identity of this person to the logged-in user.
    pub async fn begin_link(&mut self, app: &impl App, person: &str) -> String {
        let mut request = self.request(Method::POST, "/clef/login");
        let headers = request.headers_mut();
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(header::CONTENT_TYPE, form);
        headers.insert(header::ACCEPT, HeaderValue::from_static("text/html"));
        *request.body_mut() = Body::from("link=true&next=/account");
        let response = app.app().oneshot(request).await.unwrap();
        self.take(response.headers());
        let state = state_in(&linking_url(response).await);
        format!("/clef/callback?code=code:{person}&state={state}")
    }

    /// A whole login.
    pub async fn log_in(&mut self, app: &impl App, person: &str) {
        self.log_in_at(app, "/clef", person).await;
    }

    /// Begins a login at the provider whose routes are under this path.
    pub async fn begin_at(&mut self, app: &impl App, under: &str, person: &str) -> String {
        let response = self.get(app, &format!("{under}/login?next=/account")).await;
        assert_eq!(response.status(), 303, "the start of a login");
        let state = state_in(location(&response));
        format!("{under}/callback?code=code:{person}&state={state}")
    }

    /// A whole login at that provider.
    pub async fn log_in_at(&mut self, app: &impl App, under: &str, person: &str) {
        let callback = self.begin_at(app, under, person).await;
        let response = self.get(app, &callback).await;
        assert_eq!(response.status(), 303, "the login of {person}");
        assert_eq!(location(&response), "/account");
    }

    /// A browser that has just logged in.
    pub async fn logged_in(app: &impl App, person: &str) -> Self {
        let mut jar = Self::default();
        jar.log_in(app, person).await;
        jar
    }

    /// The user of this browser by the page `/account`, if it is authenticated.
    pub async fn user(&mut self, app: &impl App) -> Option<String> {
        let response = self.get(app, "/account").await;
        match response.status().as_u16() {
            200 => Some(serde_json::from_str(&text(response).await).unwrap()),
            401 => None,
            other => panic!("neither authenticated nor not: {other}"),
        }
    }

    /// Whether this browser is authenticated.
    pub async fn is_in(&mut self, app: &impl App) -> bool {
        self.user(app).await.is_some()
    }

    /// Signs out.
    pub async fn sign_out(&mut self, app: &impl App) -> Response<Body> {
        self.post(app, "/auth/sign-out").await
    }

    /// Does with the cookies of an answer what a browser does. No answer sets a name twice.
    pub fn take(&mut self, headers: &HeaderMap) {
        assert_set_once(headers);
        for cookie in set_cookies(headers) {
            let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
            let (name, value) = pair.split_once('=').unwrap();
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

/// The address at the provider that the page leads to which a form with `link=true` is answered with.
pub async fn linking_url(response: Response<Body>) -> String {
    assert_eq!(response.status(), 200, "a page that redirects");
    let page = text(response).await;
    let refresh = page.split_once("url=").map(|(_, url)| url);
    let url = refresh.and_then(|url| url.split(['"', ' ', '\'']).next());
    url.unwrap_or_default().replace("&amp;", "&")
}
