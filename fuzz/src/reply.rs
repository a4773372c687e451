//! A whole answer, and what no answer may do.

use std::{collections::BTreeSet, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
};
use http::{HeaderMap, Request, header};
use tokio::time::timeout;
use tower::ServiceExt as _;
use url::{Host, Url};

/// How long an answer may take, by tokio's clock. The longest of the documented limits is below.
const LONGEST: Duration = Duration::from_secs(60);
/// How long a body may take. Below the keep-alive of event streams.
const LONGEST_BODY: Duration = Duration::from_secs(10);
/// The provider of most targets. The others are on loopback.
const PROVIDER: &str = "clef.test";

/// A whole answer.
#[derive(Debug)]
#[allow(missing_docs)] // Their names say it.
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Reply {
    /// Where the browser is sent, if anywhere.
    pub fn location(&self) -> Option<&str> {
        self.headers.get(header::LOCATION)?.to_str().ok()
    }
}

/// Sends a request to the site with this address. Panics if the answer does what none may do.
pub async fn send(app: &Router, site: &str, request: Request<Body>) -> Reply {
    send_allowing(app, site, request, &[]).await
}

/// The same, and the answer may have these statuses of a server that fails.
pub async fn send_allowing(
    app: &Router,
    site: &str,
    request: Request<Body>,
    failures: &[u16],
) -> Reply {
    let about = format!("{} {}", request.method(), request.uri());
    let speculation = ["sec-purpose", "purpose", "x-purpose", "x-moz"];
    let is_ahead = speculation
        .iter()
        .any(|name| request.headers().contains_key(*name));
    let answer = timeout(LONGEST, app.clone().oneshot(request)).await;
    let (parts, body) = answer
        .unwrap_or_else(|_| panic!("no answer in time: {about}"))
        .expect("infallible")
        .into_parts();
    let headers = parts.headers;
    let of_type = |kind: &str| {
        let value = headers.get(header::CONTENT_TYPE);
        value.is_some_and(|value| value.as_bytes().starts_with(kind.as_bytes()))
    };
    // Of an event stream, the first events: it ends with the login.
    let body = timeout(LONGEST_BODY, to_bytes(body, 1_000_000)).await;
    let body = match body {
        Ok(body) => body.expect("a body within its bounds"),
        Err(_) if of_type("text/event-stream") => Default::default(),
        Err(_) => panic!("a body that does not end: {about}"),
    };
    let text = String::from_utf8(body.to_vec()).expect("text");
    let status = parts.status.as_u16();
    assert!(
        status < 500 || failures.contains(&status) || status == 503 && is_ahead,
        "{status} for {about}: {text}"
    );
    assert!(
        !(of_type("text/html") && text.contains("<fuzz")),
        "unescaped in a page: {about}: {text}"
    );
    let mut names = BTreeSet::new();
    for cookie in headers.get_all(header::SET_COOKIE) {
        let cookie = cookie.to_str().expect("a cookie in ASCII");
        let name = cookie.split('=').next().unwrap_or_default().to_owned();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"));
        assert!(names.insert(name), "set twice: {about}: {cookie}");
        assert!(
            headers.contains_key(header::CACHE_CONTROL),
            "a cookie that a cache may keep: {about}"
        );
    }
    let reply = Reply {
        status,
        headers,
        text,
    };
    if let Some(location) = reply.headers.get(header::LOCATION) {
        let location = location.to_str().expect("an address in ASCII");
        assert!(leads_to(site, location), "{about} leads to {location}");
    }
    reply
}

/// Whether an address is one of the site or of a provider.
fn leads_to(site: &str, location: &str) -> bool {
    stays_on(site, location)
        || Url::parse(location).is_ok_and(|url| {
            let is_provider = match url.host() {
                Some(Host::Domain(name)) => {
                    name == PROVIDER || name == "localhost" || name.ends_with(".localhost")
                }
                Some(Host::Ipv4(address)) => address.is_loopback(),
                Some(Host::Ipv6(address)) => address.is_loopback(),
                None => false,
            };
            is_provider && matches!(url.scheme(), "http" | "https") && url.username().is_empty()
        })
}

/// Whether a browser stays on the site with this address, also one that is lax with slashes.
pub fn stays_on(site: &str, location: &str) -> bool {
    let mut characters = location.chars();
    let is_path = characters.next() == Some('/')
        && !matches!(characters.next(), Some('/' | '\\'))
        && !location.chars().any(char::is_control);
    let site = Url::parse(site).expect("an address");
    is_path
        && site
            .join(location)
            .is_ok_and(|url| url.origin() == site.origin())
}

/// A code names its user, and a sealed login of a longer name may not fit a cookie.
const LONGEST_NAME: usize = 1_000;

/// The failures that a callback may be answered with: what the provider says there may be an error of
/// its own, or of the site.
pub fn failures_of_callback(query: &[u8]) -> &'static [u16] {
    let mut fields = url::form_urlencoded::parse(query);
    let may_fail = fields.any(|(name, value)| {
        name == "error" || value.contains(":elsewhere:") || value.len() > LONGEST_NAME
    });
    match may_fail {
        true => &[500, 502],
        false => &[],
    }
}
