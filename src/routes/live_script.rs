//! `GET /clef/live.js`: the script that covers a page when its login ends. And
//! `GET /clef/live/back`: where the window ends that such a page opens to log in again.

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

use super::{Context, Entrance, for_once, page, return_path::ReturnPath, way_to};

/// A function, which what is added calls.
const SOURCE: &str = include_str!("live.js");

/// A page that is opened within this time after an upgrade has the old script still.
const CACHING: &str = "max-age=300";

/// The script, as it is sent.
struct Script {
    path: String,
    text: String,
    tag: String,
}

/// Both routes.
pub(super) fn router<S>(context: &Context, entrance: &Entrance) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    Router::new()
        .route(entrance.paths.live_script(), get(send))
        .route(entrance.paths.live_back(), get(back))
        .with_state(Arc::new(Script::new(context, entrance)))
}

impl Script {
    fn new(context: &Context, entrance: &Entrance) -> Self {
        let paths = &entrance.paths;
        // Where there is no page to choose on, by the provider whose script it is: by another,
        // the same person is somebody else.
        let start = context.login_page().unwrap_or(paths.start());
        let back = ReturnPath::parse(&context.site, paths.live_back());
        let again = way_to(start, &back.unwrap_or_else(ReturnPath::front));
        let places = serde_json::json!([paths.live(), again]);
        let text = format!("{}(...{places});\n", spare(SOURCE));
        let tag = URL_SAFE_NO_PAD.encode(&Sha256::digest(&text)[..16]);
        Self {
            path: paths.live_script().to_owned(),
            text,
            tag: format!("\"{tag}\""),
        }
    }
}

/// Without what only its readers need: comments that have their line, and the space before each.
fn spare(source: &str) -> String {
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

/// Tells the covered page, whatever it is, to ask once more, and closes itself. Whether somebody
/// is logged in, this page does not know.
async fn back(State(script): State<Arc<Script>>) -> Response {
    let tells = html! { script src=(script.path) data-back defer {} };
    let content = html! {
        p { "It is as you left it, in the window that you came from. Close this one." }
        a class="quiet" href="/" { "To the front page" }
    };
    for_once(page::page(
        "Back to your page",
        &tells,
        &content,
        page::OWN_SCRIPT,
    ))
}
