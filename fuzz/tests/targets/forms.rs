//! The bodies and queries of the routes: what is not a form, fields that are repeated, missing or long.

use arbitrary::Arbitrary;
use axum::body::Body;
use fuzz::{
    Edit, Kind, Piece, Site, VICTIM, edited, failures_of_callback, header_value, percent_encoded,
    run, send_allowing,
};
use http::{HeaderValue, Method, header};
use test_support::Jar;

const ROUTES: [(Method, &str); 10] = [
    (Method::POST, "/clef/login"),
    (Method::POST, "/clef/callback"),
    (Method::POST, "/clef/logout"),
    (Method::POST, "/auth/sign-out"),
    (Method::POST, "/account"),
    (Method::GET, "/clef/login"),
    (Method::GET, "/clef/callback"),
    (Method::GET, "/clef/signed-out"),
    (Method::GET, "/auth/live"),
    (Method::GET, "/auth/live.js"),
];
const FIELDS: [&str; 12] = [
    "next",
    "max_age",
    "link",
    "code",
    "state",
    "error",
    "iss",
    "user",
    "logout_token",
    "page",
    "lang",
    "error_description",
];

use crate::LONGEST;

#[derive(Arbitrary, Debug)]
struct Input {
    kind: Kind,
    route: u8,
    fields: Vec<Field>,
    edits: Vec<Edit>,
    content_type: Option<Piece>,
    has_login: bool,
    is_opened: bool,
}

#[derive(Arbitrary, Debug)]
struct Field {
    name: u8,
    /// The state of a login that is under way in this browser.
    is_state: bool,
    value: Vec<Piece>,
    times: u8,
}

#[test]
fn forms() {
    bolero::check!()
        .with_max_len(LONGEST)
        .with_arbitrary::<Input>()
        .for_each(|input| run(false, target(input)));
}

async fn target(input: &Input) {
    let site = Site::new(input.kind);
    site.world
        .provider
        .names_sessions
        .store(true, std::sync::atomic::Ordering::SeqCst);
    let victim = site.log_in(VICTIM).await;
    let mut jar = match input.has_login {
        true => site.log_in("someone").await,
        false => Jar::default(),
    };
    let callback = jar.begin(&site.app, VICTIM).await;
    let (_, state) = callback.rsplit_once("state=").unwrap();
    let mut form = Vec::new();
    for field in &input.fields {
        let mut value: Vec<u8> = field
            .value
            .iter()
            .flat_map(|piece| piece.bytes().to_vec())
            .collect();
        if field.is_state {
            value.extend_from_slice(state.as_bytes());
        }
        // Logs the victim out, as the scripted provider says.
        let is_notice = String::from_utf8_lossy(&value).contains(VICTIM);
        if is_notice {
            continue;
        }
        let name = FIELDS[usize::from(field.name) % FIELDS.len()];
        let pair = format!("{name}={}&", percent_encoded(value));
        form.extend(pair.repeat(usize::from(field.times % 4) + 1).into_bytes());
    }
    let (method, path) = &ROUTES[usize::from(input.route) % ROUTES.len()];
    let is_get = method == Method::GET;
    let mut form = edited(form, &input.edits);
    let mut query = "".into();
    if is_get {
        form.retain(|byte| byte.is_ascii_graphic() && !b"#\"<>".contains(byte));
        query = String::from_utf8_lossy(&form);
    }
    let mut request = jar.request(method.clone(), &format!("{path}?{query}"));
    let headers = request.headers_mut();
    let content_type = match &input.content_type {
        Some(piece) => header_value(piece.bytes().to_vec()),
        None => HeaderValue::from_static("application/x-www-form-urlencoded"),
    };
    headers.insert(header::CONTENT_TYPE, content_type);
    if input.is_opened {
        headers.insert(header::ACCEPT, HeaderValue::from_static("text/html"));
    }
    if !is_get {
        *request.body_mut() = Body::from(form.clone());
    }
    let failures = failures_of_callback(&form);
    let reply = send_allowing(&site.app, site.address, request, failures).await;
    jar.take(&reply.headers);
    if let Some(location) = reply
        .location()
        .filter(|to| to.starts_with("/clef/callback"))
    {
        let request = jar.request(Method::GET, location);
        let reply = send_allowing(&site.app, site.address, request, failures).await;
        jar.take(&reply.headers);
    }
    assert_eq!(site.person(&victim).await.as_deref(), Some(VICTIM));
    assert_ne!(site.person(&jar).await.as_deref(), Some(VICTIM));
}
