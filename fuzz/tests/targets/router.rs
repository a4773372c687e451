//! The router as a whole: a few requests of one browser, of any method, to any path, with any headers
//! and any body, while a bystander stays logged in.

use arbitrary::Arbitrary;
use axum::body::Body;
use fuzz::{
    BYSTANDER, Edit, Kind, Piece, Site, VICTIM, edited, edited_text, header_value, run,
    send_allowing,
};
use http::{HeaderName, Method, Request, Uri, header};
use test_support::{Jar, World};

const METHODS: [Method; 6] = [
    Method::GET,
    Method::POST,
    Method::HEAD,
    Method::PUT,
    Method::OPTIONS,
    Method::DELETE,
];
const PATHS: [&str; 16] = [
    "/",
    "/account",
    "/recent",
    "/same-origin",
    "/token",
    "/button",
    "/clef/login",
    "/clef/login?next=/account&max_age=600",
    "/clef/callback",
    "/clef/logout",
    "/clef/signed-out",
    "/auth/sign-out",
    "/auth/live",
    "/auth/live.js",
    "/auth/live/back",
    "/elsewhere?x=1",
];
const HEADERS: [&str; 14] = [
    "accept",
    "accept-language",
    "authorization",
    "content-type",
    "content-length",
    "cookie",
    "host",
    "origin",
    "referer",
    "sec-fetch-mode",
    "sec-fetch-site",
    "sec-fetch-dest",
    "sec-purpose",
    "x-requested-with",
];

use crate::LONGEST;

#[derive(Arbitrary, Debug)]
struct Input {
    kind: Kind,
    has_base: bool,
    signs_out_at_provider: bool,
    is_logged_in: bool,
    steps: Vec<Step>,
}

#[derive(Arbitrary, Debug)]
enum Step {
    Request {
        method: u8,
        path: u8,
        path_edits: Vec<Edit>,
        headers: Vec<(u8, Piece)>,
        body: Vec<Piece>,
        is_form: bool,
        is_opened: bool,
    },
    /// Back from the provider, with the state of the last start.
    Callback {
        code: u8,
        edits: Vec<Edit>,
        is_form: bool,
    },
    /// What the browser sends from now on.
    Cookies(Vec<Edit>),
    Later(u32),
}

#[test]
fn router() {
    bolero::check!()
        .with_max_len(LONGEST)
        .with_arbitrary::<Input>()
        .for_each(|input| run(false, target(input)));
}

async fn target(input: &Input) {
    let site = Site::with(input.kind, |builder| {
        let builder = builder.bearer_tokens([World::key()]);
        match input.has_base {
            true => builder.login_page("/").sign_out_everywhere(),
            false => builder,
        }
    });
    let provider = &site.world.provider;
    provider.signs_out.store(
        input.signs_out_at_provider,
        std::sync::atomic::Ordering::SeqCst,
    );
    let bystander = site.log_in(BYSTANDER).await;
    let mut jar = match input.is_logged_in {
        true => site.log_in(VICTIM).await,
        false => Jar::default(),
    };
    let mut state = "none".to_owned();
    for step in input.steps.iter().take(8) {
        let request = match step {
            Step::Request {
                method,
                path,
                path_edits,
                headers,
                body,
                is_form,
                is_opened,
            } => {
                let path = edited_text(PATHS[usize::from(*path) % PATHS.len()], path_edits);
                let Ok(uri) = path.parse::<Uri>() else {
                    continue;
                };
                let method = &METHODS[usize::from(*method) % METHODS.len()];
                let body: Vec<u8> = body
                    .iter()
                    .flat_map(|piece| piece.bytes().to_vec())
                    .collect();
                let mut request = jar.request(method.clone(), "/");
                *request.uri_mut() = uri;
                *request.body_mut() = Body::from(body);
                let form = is_form.then_some(("content-type", "application/x-www-form-urlencoded"));
                let html = is_opened.then_some(("accept", "text/html"));
                for (name, value) in form.into_iter().chain(html) {
                    request.headers_mut().insert(name, value.parse().unwrap());
                }
                for (name, piece) in headers {
                    let name = HeaderName::from_static(HEADERS[usize::from(*name) % HEADERS.len()]);
                    request
                        .headers_mut()
                        .append(name, header_value(piece.bytes().to_vec()));
                }
                request
            }
            Step::Callback {
                code,
                edits,
                is_form,
            } => {
                let code = ["victim", "victim:sid:1", "victim:silent"][usize::from(*code) % 3];
                let query = edited_text(&format!("code=code:{code}&state={state}"), edits);
                match is_form {
                    true => Request::post("/clef/callback")
                        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                        .body(Body::from(query))
                        .unwrap(),
                    false => {
                        let path = format!("/clef/callback?{query}");
                        let Ok(uri) = path.parse::<Uri>() else {
                            continue;
                        };
                        let mut request = jar.request(Method::GET, "/");
                        *request.uri_mut() = uri;
                        request
                    }
                }
            }
            Step::Cookies(edits) => {
                let cookies = edited(jar.header(), edits);
                jar.cookies.clear();
                jar.around.0 = header_value(cookies).as_bytes().to_vec();
                continue;
            }
            Step::Later(seconds) => {
                site.world
                    .clock
                    .advance(i64::from(*seconds) * test_support::SECOND);
                continue;
            }
        };
        // What a provider says in a callback may be a failure of the provider or the site.
        let failures: &[u16] = match request.uri().to_string().contains("callback") {
            true => &[500, 502],
            false => &[],
        };
        let about = format!("{} {}", request.method(), request.uri());
        let reply = send_allowing(&site.app, site.address, request, failures).await;
        assert!(!reply.text.contains(BYSTANDER), "{about}: {}", reply.text);
        jar.take(&reply.headers);
        let location = reply.location().unwrap_or_default();
        if let Some((_, new)) = location.split_once("&state=") {
            state = new.split('&').next().unwrap_or_default().to_owned();
        }
    }
    // Years may have gone by: then the bystander logs in again.
    let is_late = input
        .steps
        .iter()
        .any(|step| matches!(step, Step::Later(_)));
    if !is_late {
        assert_eq!(site.person(&bystander).await.as_deref(), Some(BYSTANDER));
    }
    site.log_in(BYSTANDER).await;
}
