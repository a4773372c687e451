//! The `Cookie` header: any bytes around, between and in our cookies, at every route that reads them.

use arbitrary::Arbitrary;
use axum::body::Body;
use fuzz::{BYSTANDER, Edit, Kind, Piece, Site, VICTIM, edited, header_value, run};
use http::{HeaderValue, Method, Request, header};
use test_support::Jar;

const ROUTES: [(Method, &str); 8] = [
    (Method::GET, "/"),
    (Method::GET, "/clef/login?next=/account"),
    (Method::GET, "/clef/login?max_age=600"),
    (Method::GET, "/clef/callback?code=code:victim&state=x"),
    (Method::GET, "/clef/signed-out?state=x"),
    (Method::POST, "/clef/callback"),
    (Method::GET, "/auth/live"),
    (Method::GET, "/recent"),
];

use crate::LONGEST;

#[derive(Arbitrary, Debug)]
struct Input {
    kind: Kind,
    cookies: Vec<Cookie>,
    /// Before the header is sent.
    edits: Vec<Edit>,
    second_header: Option<Piece>,
    route: u8,
    signs_out: bool,
}

#[derive(Arbitrary, Debug)]
struct Cookie {
    /// One that was issued, with its name.
    issued: u8,
    other_name: Option<u8>,
    edits: Vec<Edit>,
}

#[test]
fn cookies() {
    bolero::check!()
        .with_max_len(LONGEST)
        .with_arbitrary::<Input>()
        .for_each(|input| run(false, target(input)));
}

async fn target(input: &Input) {
    let site = Site::new(input.kind);
    let mut victim = site.log_in(VICTIM).await;
    victim.get(&site.app, "/clef/login").await;
    let bystander = site.log_in(BYSTANDER).await;
    let ended = site.log_in("gone").await;
    ended.clone().sign_out(&site.app).await;
    let name = site.cookie_name();
    let issued: Vec<(String, String)> = [&victim, &bystander, &ended]
        .iter()
        .flat_map(|jar| jar.cookies.clone())
        .collect();
    let mut header = Vec::new();
    for cookie in &input.cookies {
        let of = |index: u8| &issued[usize::from(index) % issued.len()];
        let (own_name, value) = of(cookie.issued);
        let name = cookie.other_name.map_or(own_name, |index| &of(index).0);
        header.extend([name.as_bytes(), b"=", &edited(value, &cookie.edits), b"; "].concat());
    }
    let mut headers = vec![header_value(edited(header, &input.edits))];
    headers.extend(
        input
            .second_header
            .as_ref()
            .map(|piece| header_value(piece.bytes().to_vec())),
    );
    let request = |method: &Method, path: &str| {
        let mut request = Request::builder().method(method).uri(path);
        for header in &headers {
            request = request.header(header::COOKIE, header);
        }
        request.body(Body::empty()).unwrap()
    };
    // What a login is issued as is the only thing that is one, and three cookies count.
    let came: Vec<_> = values(&headers, name).into_iter().take(3).collect();
    let has = |jar: &Jar| {
        came.iter()
            .any(|value| *value == jar.cookies[name].as_bytes())
    };
    let reply = site.send(request(&Method::GET, "/account")).await;
    // A sealed login that has ended still names its user, and two users are none.
    let names_ended = input.kind.sealed && has(&ended);
    let expected = match (has(&victim), has(&bystander), names_ended) {
        (true, false, false) => Some(VICTIM),
        (false, true, false) => Some(BYSTANDER),
        _ => None,
    };
    let person = (reply.status == 200).then_some(&*reply.text);
    assert_eq!(person, expected, "{came:?}");

    let (method, path) = &ROUTES[usize::from(input.route) % ROUTES.len()];
    site.send(request(method, path)).await;
    let (ends_victim, ends_bystander) = match input.signs_out {
        true => {
            site.send(request(&Method::POST, "/auth/sign-out")).await;
            (has(&victim), has(&bystander))
        }
        false => (false, false),
    };
    for (jar, name, ends) in [
        (&victim, VICTIM, ends_victim),
        (&bystander, BYSTANDER, ends_bystander),
    ] {
        let person = site.person(jar).await;
        assert_eq!(person.as_deref(), (!ends).then_some(name), "{came:?}");
    }
}

/// The cookies of a name, as RFC 6265 has them.
fn values<'a>(headers: &'a [HeaderValue], name: &str) -> Vec<&'a [u8]> {
    let cookies = headers
        .iter()
        .flat_map(|header| header.as_bytes().split(|byte| *byte == b';'));
    let pairs = cookies.filter_map(|cookie| {
        let cookie = cookie.trim_ascii();
        let end = cookie.iter().position(|byte| *byte == b'=')?;
        (cookie[..end] == *name.as_bytes()).then(|| &cookie[end + 1..])
    });
    pairs.collect()
}
