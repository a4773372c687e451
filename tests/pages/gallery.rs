//! A site that shows every kind of page, each as the crate has made it.

use std::{collections::BTreeMap, sync::atomic::Ordering::SeqCst};

use axum::{
    Router,
    body::Body,
    extract::{Path, Query, State},
    http::{Method, Response, StatusCode},
    response::{Html, IntoResponse as _},
    routing::get,
};
use axum_clef::{ClefLayerBuilder, Permitted, SuspendedLogin, UserPermission, stores::Account};
use test_support::{Jar, TestUsers, World, notice, text};
use tokio::net::TcpListener;

use crate::{french, german};

/// The colors of the example.
const COLORS: &str = include_str!("../../examples/languages/src/colors.css");
/// Not where a page redirects to: it stays to be seen.
const REFRESH: &str = "http-equiv=\"refresh\"";

pub struct Gallery {
    url: String,
    pages: Vec<Page>,
}

pub struct Page {
    pub name: String,
    pub url: String,
}

/// The pages by their paths, with their policies.
type Shown = BTreeMap<String, (String, String)>;

/// What no user may do.
struct NoUser;

impl UserPermission for NoUser {
    type User = Account;

    fn allows(_: &Account) -> bool {
        false
    }
}

impl Gallery {
    /// Makes the pages in three languages and in the colors of the example, and serves them.
    pub async fn open() -> Self {
        let mut shown = Shown::new();
        for (language, colors) in [("en", false), ("de", false), ("fr", false), ("en", true)] {
            for (name, response) in responses(language, colors).await {
                let headers = response.headers();
                assert_eq!(headers["content-language"], language, "{name}");
                let policy = headers["content-security-policy"].to_str().unwrap();
                let policy = policy.to_owned();
                let html = text(response).await.replace(REFRESH, "http-equiv=\"\"");
                let look = if colors { "-colors" } else { "" };
                shown.insert(format!("{name}-{language}{look}"), (html, policy));
            }
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let pages = shown.keys().map(|name| Page {
            url: format!("{url}/shown/{name}"),
            name: name.clone(),
        });
        let pages = pages.collect();
        let world = World::new();
        let layer = settings(world.builder_at(&url, world.stored()), false);
        let layer = layer.build().unwrap();
        let app = Router::new()
            .route("/shown/{name}", get(show))
            .route("/covered", get(covered))
            .with_state(shown)
            .merge(layer.routes())
            .layer(layer);
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, pages }
    }

    pub fn pages(&self) -> &[Page] {
        &self.pages
    }

    /// The URL of a page in this language that covers itself.
    pub fn covered(&self, language: &str, colors: bool) -> String {
        format!("{}/covered?language={language}&colors={colors}", self.url)
    }
}

async fn show(State(shown): State<Shown>, Path(name): Path<String>) -> axum::response::Response {
    match shown.get(&name) {
        Some((html, policy)) => {
            let policy = [("content-security-policy", policy.clone())];
            (policy, Html(html.clone())).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// A page of the application.
async fn covered(Query(query): Query<BTreeMap<String, String>>) -> Html<String> {
    let colors = if query["colors"] == "true" {
        COLORS
    } else {
        ""
    };
    Html(format!(
        "<!DOCTYPE html><html lang=\"{}\"><head><title>A page</title><style>{colors}</style>\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <meta name=\"color-scheme\" content=\"light dark\">\
         <script src=\"/auth/live.js\" data-private defer></script></head>\
         <body><main><h1>A page</h1><p>For a user.</p></main></body></html>",
        query["language"]
    ))
}

fn settings(builder: ClefLayerBuilder<TestUsers>, colors: bool) -> ClefLayerBuilder<TestUsers> {
    let builder = builder
        .translation("de", german::text)
        .translation("fr", french::text);
    match colors {
        true => builder.page_style(COLORS),
        false => builder,
    }
}

/// The responses in one language, each with a name.
async fn responses(language: &str, colors: bool) -> Vec<(&'static str, Response<Body>)> {
    let world = World::new();
    let app = |builder: ClefLayerBuilder<TestUsers>| {
        let layer = settings(builder, colors).build().unwrap();
        world
            .pages(layer.routes())
            .route("/never", get(async |_: Permitted<NoUser>| {}))
            .route("/step", get(async |_: SuspendedLogin| {}))
            .layer(layer)
    };
    let site = app(world.builder());
    let person = [("accept", "text/html"), ("accept-language", language)];
    let foreign = [
        person[0],
        person[1],
        ("origin", "https://evil.example"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-mode", "navigate"),
    ];
    let (read, send) = (Method::GET, Method::POST);
    let mut pages = Vec::new();
    let mut browser = Jar::default();

    let bad = (read.clone(), "/clef/login?next=https://evil.example");
    pages.push(("bad-link", browser.send_with(&site, bad, &person).await));
    let unknown = (read.clone(), "/clef/callback?code=a&state=b");
    pages.push(("unknown", browser.send_with(&site, unknown, &person).await));
    let callback = browser.begin(&site, "1").await;
    world.users.turning_away.store(true, SeqCst);
    let turned_away = (read.clone(), &*callback);
    pages.push(("away", browser.send_with(&site, turned_away, &person).await));
    world.users.turning_away.store(false, SeqCst);
    world.provider.down.store(true, SeqCst);
    let start = (read.clone(), "/clef/login");
    pages.push(("down", browser.send_with(&site, start, &person).await));
    world.provider.down.store(false, SeqCst);
    let start = (send.clone(), "/clef/login");
    pages.push(("redirect", browser.send_with(&site, start, &person).await));
    let back = (read.clone(), "/auth/live/back");
    pages.push(("back", browser.send_with(&site, back, &person).await));

    browser.log_in(&site, "1").await;
    let never = (read.clone(), "/never");
    pages.push(("forbidden", browser.send_with(&site, never, &person).await));
    let forged = (send.clone(), "/auth/sign-out");
    pages.push(("forged", browser.send_with(&site, forged, &foreign).await));
    let everywhere = app(world.builder().sign_out_everywhere());
    world.users.failing.store(true, SeqCst);
    let account = (read.clone(), "/account");
    let unavailable = browser.send_with(&site, account, &person).await;
    pages.push(("unavailable", unavailable));
    let sign_out = (send.clone(), "/auth/sign-out");
    let still_in = browser.send_with(&everywhere, sign_out, &person).await;
    pages.push(("still-in", still_in));
    world.users.failing.store(false, SeqCst);
    notice(&site, "token:1").await;
    let account = (send, "/account");
    pages.push(("ended", browser.send_with(&site, account, &person).await));

    let step = (read.clone(), "/step");
    pages.push(("form", browser.send_with(&site, step, &person).await));
    let layer = settings(world.builder(), colors).build().unwrap();
    let path = (read, "/clef/login");
    let no_layer = browser.send_with(&layer.routes(), path, &person).await;
    pages.push(("no-layer", no_layer));
    pages
}
