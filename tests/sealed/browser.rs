//! A browser before a router, as strict with cookies as real ones.

use std::collections::BTreeMap;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request},
};
use tower::ServiceExt as _;

/// Name and value together, in bytes (RFC 6265bis, section 5.6).
const LARGEST_COOKIE: usize = 4_096;

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    /// The `Set-Cookie` for a cookie of this name.
    pub fn sets(&self, name: &str) -> Option<&str> {
        let all = self.headers.get_all("set-cookie").iter();
        let mut all = all.map(|cookie| cookie.to_str().unwrap());
        all.find(|cookie| cookie.split('=').next() == Some(name))
    }
}

/// A cookie jar; a copy of it is what a thief of cookies has.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct Browser(pub BTreeMap<String, String>);

impl Browser {
    pub async fn get(&mut self, app: &Router, path: &str) -> Answer {
        self.send(app, Request::get(path)).await
    }

    pub async fn post(&mut self, app: &Router, path: &str) -> Answer {
        self.send(app, Request::post(path)).await
    }

    pub async fn send(&mut self, app: &Router, request: axum::http::request::Builder) -> Answer {
        let cookies: Vec<_> = self.0.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let request = request.header("cookie", cookies.join("; "));
        let request = request.body(Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        for cookie in parts.headers.get_all("set-cookie") {
            self.take(cookie.to_str().unwrap());
        }
        let text = to_bytes(body, 100_000).await.unwrap().to_vec();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            text: String::from_utf8(text).unwrap(),
        }
    }

    fn take(&mut self, cookie: &str) {
        let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
        let (name, value) = pair.split_once('=').unwrap();
        let has = |wanted: &str| {
            let mut attributes = attributes.split(';');
            attributes.any(|attribute| attribute.trim().eq_ignore_ascii_case(wanted))
        };
        let prefixed = name.starts_with("__Host-") || name.starts_with("__Secure-");
        if name.len() + value.len() > LARGEST_COOKIE || prefixed && !has("secure") {
            return;
        }
        if has("max-age=0") {
            self.0.remove(name);
        } else {
            self.0.insert(name.to_owned(), value.to_owned());
        }
    }

    /// Begins a login: the way back from the provider, with the code of a person.
    pub async fn begin(&mut self, app: &Router, person: &str) -> String {
        let answer = self.get(app, "/clef/login?next=/account").await;
        assert_eq!(answer.status, 303);
        let (_, state) = answer.header("location").rsplit_once("state=").unwrap();
        format!("/clef/callback?code={person}&state={state}")
    }

    pub async fn log_in(&mut self, app: &Router, person: &str) {
        let callback = self.begin(app, person).await;
        let answer = self.get(app, &callback).await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (303, "/account"),
            "{}",
            answer.text
        );
    }

    /// Who this browser is there.
    pub async fn is(&mut self, app: &Router) -> Option<String> {
        let answer = self.get(app, "/account").await;
        match answer.status {
            200 => Some(answer.text),
            401 => None,
            other => panic!("neither in nor out: {other}"),
        }
    }

    pub async fn sign_out(&mut self, app: &Router) -> Answer {
        self.post(app, "/clef/sign-out").await
    }
}
