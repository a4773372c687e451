use std::collections::BTreeMap;

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, HeaderValue, Method, Request, Response, header},
};
use tower::ServiceExt as _;

use super::browser::state_in;

/// A browser without a socket: its cookies can be any bytes, and its requests can be dropped.
#[derive(Clone, Default)]
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

    pub async fn send(&mut self, app: &Router, method: Method, path: &str) -> Response<Body> {
        let response = app.clone().oneshot(self.request(method, path)).await;
        let response = response.unwrap();
        self.take(response.headers());
        response
    }

    pub async fn get(&mut self, app: &Router, path: &str) -> Response<Body> {
        self.send(app, Method::GET, path).await
    }

    /// Begins a login: the way back from the provider.
    pub async fn begin(&mut self, app: &Router, person: &str) -> String {
        let response = self.get(app, "/clef/login?next=/account").await;
        let location = response.headers()[header::LOCATION].to_str().unwrap();
        let state = state_in(location);
        format!("/clef/callback?code=code:{person}&state={state}")
    }

    /// A whole login.
    pub async fn log_in(&mut self, app: &Router, person: &str) {
        let callback = self.begin(app, person).await;
        let response = self.get(app, &callback).await;
        assert_eq!(response.status(), 303, "the login of {person}");
    }

    pub async fn is_in(&mut self, app: &Router) -> bool {
        let status = self.get(app, "/account").await.status().as_u16();
        assert!(
            status == 200 || status == 401,
            "neither in nor out: {status}"
        );
        status == 200
    }

    /// Does with the cookies of an answer what a browser does.
    pub fn take(&mut self, headers: &HeaderMap) {
        for cookie in headers.get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            if cookie.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}
