//! Where a login leads: `next`, the page that was asked for, and the page that sent the request.

use arbitrary::Arbitrary;
use axum::body::Body;
use fuzz::{
    Edit, Kind, Site, VICTIM, edited, edited_text, header_value, percent_encoded, run, stays_on,
};
use http::{HeaderValue, Method, Uri, header};
use test_support::Jar;

use crate::LONGEST;

#[derive(Arbitrary, Debug)]
struct Input {
    kind: Kind,
    way: Way,
    max_age: Option<Vec<Edit>>,
}

#[derive(Arbitrary, Debug)]
enum Way {
    Query(Vec<Edit>),
    /// Not encoded.
    RawQuery(Vec<Edit>),
    Form(Vec<Edit>),
    /// The page that a person asks for.
    Page(Vec<Edit>),
    /// The page from which a script asks.
    Script(Vec<Edit>),
    /// The page from which a form comes.
    Sender(Vec<Edit>),
}

#[test]
fn next() {
    bolero::check!()
        .with_max_len(LONGEST)
        .with_arbitrary::<Input>()
        .for_each(|input| run(false, target(input)));
}

async fn target(input: &Input) {
    let site = Site::new(input.kind);
    let mut jar = Jar::default();
    let max_age = input.max_age.as_ref().map(|edits| edited("600", edits));
    let max_age = max_age.map(|value| format!("&max_age={}", percent_encoded(value)));
    let max_age = max_age.unwrap_or_default();
    let html = HeaderValue::from_static("text/html");
    let (method, path, referer, body) = match &input.way {
        Way::Query(edits) => {
            let next = percent_encoded(edited("/account?tab=1#top", edits));
            let path = format!("/clef/login?next={next}{max_age}");
            (Method::GET, path, None, String::new())
        }
        Way::RawQuery(edits) => {
            let path = format!(
                "/clef/login?next={}{max_age}",
                edited_text("/account", edits)
            );
            (Method::GET, path, None, String::new())
        }
        Way::Form(edits) => {
            let next = percent_encoded(edited("/account", edits));
            let body = format!("next={next}{max_age}");
            (Method::POST, "/clef/login".to_owned(), None, body)
        }
        Way::Page(edits) => (
            Method::GET,
            edited_text("/deep/page?x=1", edits),
            None,
            String::new(),
        ),
        Way::Script(edits) | Way::Sender(edits) => {
            let referer = format!("{}/page?x=1", site.address);
            let referer = header_value(edited(referer, edits));
            (
                Method::POST,
                "/account".to_owned(),
                Some(referer),
                String::new(),
            )
        }
    };
    // What no server passes on is not sent.
    let Ok(uri) = path.parse::<Uri>() else {
        return;
    };
    let mut request = jar.request(method, "/");
    *request.uri_mut() = uri;
    *request.body_mut() = Body::from(body);
    let headers = request.headers_mut();
    if !matches!(input.way, Way::Script(_)) {
        headers.insert(header::ACCEPT, html);
    }
    let form = HeaderValue::from_static("application/x-www-form-urlencoded");
    headers.insert(header::CONTENT_TYPE, form);
    headers.extend(referer.map(|referer| (header::REFERER, referer)));
    let mut reply = site.send(request).await;
    jar.take(&reply.headers);

    // From a guard to the start.
    let login = reply
        .location()
        .map(str::to_owned)
        .or_else(|| login_in(&reply.text));
    if let Some(login) = login.filter(|login| login.starts_with("/clef/login")) {
        reply = site.ask(&jar, Method::GET, &login).await;
        jar.take(&reply.headers);
    }
    let at_provider = reply
        .location()
        .map(str::to_owned)
        .or_else(|| provider_in(&reply.text));
    let Some(at_provider) = at_provider.filter(|url| url.starts_with("https://clef.test/")) else {
        assert!((200..500).contains(&reply.status), "{}", reply.status);
        return;
    };
    let state = test_support::state_in(&at_provider);
    let callback = format!("/clef/callback?code=code:{VICTIM}&state={state}");
    let reply = site.ask(&jar, Method::GET, &callback).await;
    let location = reply.location().expect("a login leads on");
    assert!(
        stays_on(site.address, location),
        "the login leads to {location}"
    );
    jar.take(&reply.headers);
    assert_eq!(site.person(&jar).await.as_deref(), Some(VICTIM));
    // The page is one that can be asked for.
    let page = location.split('#').next().unwrap_or_default();
    assert!(page.parse::<Uri>().is_ok(), "{location}");
}

/// The address of the login in a problem for a script or in a page.
fn login_in(text: &str) -> Option<String> {
    let start = text.find("/clef/login")?;
    let rest = &text[start..];
    let end = rest.find(['"', '<', ' ', '\''])?;
    Some(rest[..end].replace("&amp;", "&"))
}

/// The address of the provider in a page that redirects by itself.
fn provider_in(text: &str) -> Option<String> {
    let start = text.find("https://clef.test/")?;
    let rest = &text[start..];
    Some(rest[..rest.find('"')?].replace("&amp;", "&"))
}
