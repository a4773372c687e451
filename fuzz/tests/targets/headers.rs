//! `Authorization`, `Accept`, `Accept-Language`, `Origin`, `Sec-Fetch-*` and what else of a browser
//! decides who gets in and what they see.

use arbitrary::Arbitrary;
use axum::body::Body;
use fuzz::{Edit, Kind, Piece, Site, VICTIM, edited, header_value, run};
use http::{HeaderName, HeaderValue, Method, Request, header};
use test_support::World;

const NAMES: [&str; 18] = [
    "authorization",
    "accept",
    "accept-language",
    "origin",
    "referer",
    "sec-fetch-site",
    "sec-fetch-mode",
    "sec-fetch-dest",
    "sec-fetch-user",
    "sec-purpose",
    "purpose",
    "x-moz",
    "x-requested-with",
    "content-type",
    "host",
    "x-forwarded-for",
    "forwarded",
    "cookie",
];
const REAL: [&str; 12] = [
    "",
    "text/html,application/xhtml+xml,*/*;q=0.8",
    "application/json",
    "de-AT,de;q=0.9,en;q=0.5",
    "navigate",
    "cors",
    "document",
    "same-origin",
    "cross-site",
    "none",
    "?1",
    "null",
];
const ROUTES: [(Method, &str); 12] = [
    (Method::GET, "/"),
    (Method::GET, "/account"),
    (Method::POST, "/account"),
    (Method::GET, "/recent"),
    (Method::POST, "/token"),
    (Method::GET, "/button"),
    (Method::GET, "/clef/login?next=/account"),
    (Method::POST, "/clef/login"),
    (Method::GET, "/clef/callback?code=code:other&state=x"),
    (Method::GET, "/clef/signed-out"),
    (Method::GET, "/auth/live?page=x"),
    (Method::GET, "/auth/live.js"),
];

use crate::LONGEST;

#[derive(Arbitrary, Debug)]
struct Input {
    kind: Kind,
    headers: Vec<Header>,
    route: u8,
    has_cookie: bool,
}

#[derive(Arbitrary, Debug)]
struct Header {
    name: u8,
    value: Value,
    edits: Vec<Edit>,
}

#[derive(Arbitrary, Debug)]
enum Value {
    Real(u8),
    Own,
    Token,
    Piece(Piece),
}

#[test]
fn headers() {
    bolero::check!()
        .with_max_len(LONGEST)
        .with_arbitrary::<Input>()
        .for_each(|input| run(false, target(input)));
}

async fn target(input: &Input) {
    let site = Site::with(input.kind, |builder| builder.bearer_tokens([World::key()]));
    let victim = site.log_in(VICTIM).await;
    let token = site
        .ask(&site.log_in("program").await, Method::POST, "/token")
        .await
        .text;
    assert!(token.starts_with("clef_"));
    let bearer = format!("Bearer {token}");
    let mut headers = Vec::new();
    for Header { name, value, edits } in &input.headers {
        let name = NAMES[usize::from(*name) % NAMES.len()];
        let value = match value {
            Value::Real(index) => REAL[usize::from(*index) % REAL.len()].as_bytes(),
            Value::Own => site.address.as_bytes(),
            Value::Token => bearer.as_bytes(),
            Value::Piece(piece) => piece.bytes(),
        };
        headers.push((
            HeaderName::from_static(name),
            header_value(edited(value, edits)),
        ));
    }
    let request = |method: &Method, path: &str| {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .body(Body::empty())
            .unwrap();
        if input.has_cookie {
            request
                .headers_mut()
                .insert(header::COOKIE, victim.header());
        }
        for (name, value) in &headers {
            request.headers_mut().append(name, value.clone());
        }
        request
    };
    let (method, path) = &ROUTES[usize::from(input.route) % ROUTES.len()];
    let reply = site.send(request(method, path)).await;
    if let Some(language) = reply.headers.get(header::CONTENT_LANGUAGE) {
        assert!(["en", "de"].contains(&language.to_str().unwrap()));
    }

    // A token counts before the cookie, also one that is none, and only as it was issued.
    let values = |name: &'static str| {
        headers
            .iter()
            .filter(move |(own, _)| own == name)
            .map(|(_, value)| value)
    };
    let authorization: Vec<_> = values("authorization").collect();
    let names_bearer = authorization.iter().any(|value| names_bearer(value));
    let is_token = match authorization[..] {
        [only] => is_token(only, &token),
        _ => false,
    };
    let reply = site.send(request(&Method::GET, "/account")).await;
    let person = (reply.status == 200).then_some(&*reply.text);
    let expected = match (is_token, names_bearer, input.has_cookie) {
        (true, ..) => Some("program"),
        (false, false, true) => Some(VICTIM),
        _ => None,
    };
    assert_eq!(person, expected, "{authorization:?}");

    // What a browser says of another origin is refused, unless a token came.
    let same = |value: &&HeaderValue| *value == "same-origin";
    let is_vouched = values("sec-fetch-site").any(|value| same(&value));
    let own = |value: &HeaderValue| value == site.address || is_vouched && value == "null";
    let is_ours = values("sec-fetch-site").all(|value| same(&value) || value == "none")
        && values("origin").all(own);
    let reply = site.send(request(&Method::POST, "/same-origin")).await;
    assert_eq!(reply.text == "taken", is_ours || is_token, "{headers:?}");
}

/// Whether the scheme is that of tokens (RFC 9110, section 11.4).
fn names_bearer(value: &HeaderValue) -> bool {
    let value = value.as_bytes();
    let scheme = value
        .get(..6)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer"));
    let ends = value
        .get(6)
        .is_none_or(|byte| !(byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte)));
    scheme && ends
}

/// Whether it is one scheme, spaces, and the token, which a server may follow with `=`.
fn is_token(value: &HeaderValue, token: &str) -> bool {
    let rest = value.as_bytes().get(6..).unwrap_or_default();
    names_bearer(value)
        && rest.first() == Some(&b' ')
        && rest
            .iter()
            .position(|byte| *byte != b' ')
            .map(|start| &rest[start..])
            == Some(token.as_bytes())
}
