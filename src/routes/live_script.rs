//! `GET /auth/live.js`: the script that covers a page when its login ends. `GET /auth/live/back`:
//! the end of a login in the window that a covered page opens.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use maud::html;
use sha2::{Digest as _, Sha256};

use super::{
    failure_page::no_store,
    state::{LoginTarget, RoutesState},
};
use crate::{
    auth::AuthState,
    page,
    site::{LivePaths, ReturnPath},
};

/// A function expression, to which the call is appended.
const SOURCE: &str = include_str!("live.js");

/// After an upgrade, pages may use the old script for five minutes.
const CACHING: &str = "max-age=300";

/// The script and its headers.
struct Script {
    path: String,
    front: String,
    text: String,
    tag: String,
}

pub(super) fn router<S>(shared: &RoutesState) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let paths = &shared.settings.live;
    Router::new()
        .route(&paths.script, get(send))
        .route(&paths.back, get(back))
        .with_state(Arc::new(Script::new(&shared.auth, paths)))
}

impl Script {
    fn new(auth: &AuthState, paths: &LivePaths) -> Self {
        let site = &auth.site;
        let back = ReturnPath::parse(site, &site.path(&paths.back));
        let target = LoginTarget {
            next: back.unwrap_or_else(|| ReturnPath::front(site)),
            max_age: None,
            links: false,
        };
        let again = target.login_path(auth, None);
        let arguments = serde_json::json!([site.path(&paths.events), again]);
        let text = format!("{}(...{arguments});\n", strip_comments(SOURCE));
        let tag = URL_SAFE_NO_PAD.encode(&Sha256::digest(&text)[..16]);
        Self {
            path: site.path(&paths.script),
            front: site.path("/"),
            text,
            tag: format!("\"{tag}\""),
        }
    }
}

/// Removes indentation, empty lines and lines with a comment only.
fn strip_comments(source: &str) -> String {
    let lines = source.lines().map(str::trim_start);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

async fn send(State(script): State<Arc<Script>>, headers: HeaderMap) -> Response {
    let about = [
        (header::CACHE_CONTROL, CACHING),
        (header::ETAG, &script.tag),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    let known = headers.get_all(header::IF_NONE_MATCH).iter();
    let mut known = known.filter_map(|value| value.to_str().ok());
    if known.any(|tags| tags.contains(&script.tag)) {
        return (StatusCode::NOT_MODIFIED, about).into_response();
    }
    let kind = [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")];
    (about, kind, script.text.clone()).into_response()
}

/// A page whose script notifies the covered page, which then checks its login, and closes the
/// window.
async fn back(State(script): State<Arc<Script>>) -> Response {
    let head = html! { script src=(script.path) data-back defer {} };
    let content = html! {
        p { "You can close this window and return to your page." }
        a class="quiet" href=(script.front) { "Go to the front page" }
    };
    no_store(page::page(
        "You can close this window",
        &head,
        &content,
        page::OWN_SCRIPT,
    ))
}
