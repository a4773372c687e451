//! `GET /auth/live.js`: the script that covers a page when its login ends. `GET /auth/live/back`:
//! the end of a login in the window that a covered page opens.

use std::{collections::BTreeMap, sync::Arc};

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
    page::{OWN_SCRIPT, PageRenderer, PageSettings},
    site::{LivePaths, ReturnPath},
    texts::PageText,
};

/// A function expression, to which the call is appended.
const SOURCE: &str = include_str!("live.js");

/// After an upgrade, pages may use the old script for five minutes.
const CACHING: &str = "max-age=300";

/// The script and its headers.
struct Script {
    path: String,
    text: String,
    tag: String,
    pages: Arc<PageSettings>,
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
        let texts = cover_texts(&auth.pages);
        let arguments = serde_json::json!([site.path(&paths.events), again, texts]);
        let text = format!("{}(...{arguments});\n", shortened(SOURCE).trim_end());
        let tag = URL_SAFE_NO_PAD.encode(&Sha256::digest(&text)[..16]);
        Self {
            path: site.path(&paths.script),
            text,
            tag: format!("\"{tag}\""),
            pages: Arc::clone(&auth.pages),
        }
    }
}

/// The texts of the cover in every language, by its tag in lower case. The script chooses the language
/// of the page.
fn cover_texts(pages: &Arc<PageSettings>) -> BTreeMap<String, BTreeMap<&'static str, String>> {
    let languages = pages.languages.all();
    let texts = languages.map(|language| {
        let pages = PageRenderer::in_language(pages, language);
        let texts = [
            ("title", PageText::CoverTitle),
            ("ended", PageText::CoverEnded),
            ("text", PageText::CoverText),
            ("button", PageText::CoverButton),
            ("wait", PageText::CoverWait),
            ("at", PageText::AtTime),
        ];
        let texts = texts.map(|(name, text)| (name, pages.plain(text, "{time}")));
        (pages.language().to_ascii_lowercase(), BTreeMap::from(texts))
    });
    texts.collect()
}

/// Removes indentation, empty lines, comments, and the ends of lines that end no statement by
/// themselves. No text in the script has ` // `.
fn shortened(source: &str) -> String {
    let lines = source.lines().map(str::trim_start);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with("//"));
    let lines = lines.filter_map(|line| line.split(" // ").next());
    let mut text = String::new();
    for line in lines {
        text += line;
        if !line.ends_with([';', '{', ',']) {
            text.push('\n');
        }
    }
    text
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
async fn back(State(script): State<Arc<Script>>, headers: HeaderMap) -> Response {
    let pages = PageRenderer::new(&script.pages, &headers);
    let head = html! { script src=(script.path) data-back defer {} };
    let content = html! {
        p { (pages.text(PageText::CloseWindow)) }
        (pages.to_front(true))
    };
    let headline = PageText::CloseWindowTitle;
    no_store(pages.page(headline, "", &head, &content, OWN_SCRIPT))
}
