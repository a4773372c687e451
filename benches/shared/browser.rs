//! Logs in as a browser would, and keeps the cookies.

use axum::{
    Router,
    body::Body,
    http::{Request, Response, header},
};
use tower::ServiceExt as _;

/// A browser at one application.
pub struct Browser<'a> {
    app: &'a Router,
    cookies: Vec<(String, String)>,
}

impl<'a> Browser<'a> {
    pub fn new(app: &'a Router) -> Self {
        Self {
            app,
            cookies: Vec::new(),
        }
    }

    pub async fn get(&mut self, path: &str) -> Response<Body> {
        let request = Request::get(path)
            .header(header::COOKIE, self.cookies())
            .body(Body::empty())
            .unwrap();
        let response = self.app.clone().oneshot(request).await.unwrap();
        for cookie in response.headers().get_all(header::SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.retain(|(other, _)| other != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        response
    }

    /// What it sends as `Cookie`.
    pub fn cookies(&self) -> String {
        let pairs: Vec<_> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.join("; ")
    }
}
