//! A browser, as far as it takes one: a cookie jar.

use std::collections::BTreeMap;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Method, Request, StatusCode, header},
    response::Response,
};
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

use crate::world::Node;

#[derive(Clone, Default)]
pub struct Browser {
    cookies: BTreeMap<String, String>,
}

/// An answer that has not reached the browser yet.
pub struct Answer {
    pub status: StatusCode,
    pub body: String,
    pub location: String,
    set_cookies: Vec<String>,
}

impl Browser {
    /// A request with the cookies of now.
    pub fn request(&self, method: Method, uri: &str) -> Request<Body> {
        let cookies: Vec<_> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        Request::builder()
            .method(method)
            .uri(uri)
            .header(header::COOKIE, cookies.join("; "))
            .body(Body::empty())
            .unwrap()
    }

    /// An answer arrives.
    pub fn take(&mut self, answer: &Answer) {
        for cookie in &answer.set_cookies {
            let mut parts = cookie.split("; ");
            let (name, value) = parts.next().unwrap().split_once('=').unwrap();
            if value.is_empty() || parts.any(|attribute| attribute == "Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

/// Sends a request to a node, in process.
pub async fn send(node: &Node, request: Request<Body>) -> Answer {
    send_to(node.router.clone(), request).await
}

/// As [`send`], to be waited for elsewhere.
pub fn spawn(node: &Node, request: Request<Body>) -> JoinHandle<Answer> {
    tokio::spawn(send_to(node.router.clone(), request))
}

async fn send_to(router: Router, request: Request<Body>) -> Answer {
    let Ok(response) = router.oneshot(request).await;
    answer(response).await
}

async fn answer(response: Response) -> Answer {
    let (head, body) = response.into_parts();
    let text = |name| {
        let values = head.headers.get_all(name).iter();
        values.map(|value| value.to_str().unwrap().to_owned())
    };
    let (location, set_cookies) = (text(header::LOCATION).next(), text(header::SET_COOKIE));
    let (location, set_cookies) = (location.unwrap_or_default(), set_cookies.collect());
    let body = to_bytes(body, 1 << 20).await.unwrap();
    Answer {
        status: head.status,
        body: String::from_utf8_lossy(&body).into_owned(),
        location,
        set_cookies,
    }
}
