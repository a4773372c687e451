//! A site whose pages of axum-clef are in English, German and French, and in the site's own colors:
//! `cargo run -p languages`.

mod french;
mod german;

use std::net::SocketAddr;

use axum::{Router, response::Html, routing::get};
use axum_clef::{
    BoxError, ClefButton, ClefLayer, LoggedIn,
    clef::Clef,
    stores::{Account, MemoryUserStore},
};
use clef_dev::{ClefService, TEST_APPLICATIONS};
use maud::{DOCTYPE, PreEscaped, html};
use tokio::net::TcpListener;
use tower_sessions::MemoryStore;

/// The colors of the site, on its own page, on the cover over it, and on the pages of axum-clef.
const COLORS: &str = include_str!("colors.css");

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let service = ClefService::start(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let application = &TEST_APPLICATIONS[0];
    let clef = Clef::new(&service.url(), application.id(), application.secret())?;
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    let site = format!("http://{}", listener.local_addr()?);

    let auth = ClefLayer::builder(&*site, MemoryUserStore::new(), MemoryStore::default())
        .provider(clef)
        .translation("de", german::text)
        .translation("fr", french::text)
        .page_style(COLORS)
        .build()?;
    let app = Router::new()
        .route("/", get(home))
        .merge(auth.routes())
        .layer(auth);

    println!("The site:  {site}");
    println!("The phone: {}/phone", service.url());
    println!("A page in the language of your browser: {site}/clef/callback");
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    Ok(axum::serve(listener, app).await?)
}

/// A page in German, so that its cover is in German too.
async fn home(user: Option<LoggedIn<Account>>, button: ClefButton) -> Html<String> {
    let page = html! {
        (DOCTYPE)
        html lang="de" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Drei Sprachen" }
                style { (PreEscaped(COLORS)) }
            }
            body {
                main {
                    h1 { "Drei Sprachen" }
                    @match user {
                        Some(LoggedIn(user)) => {
                            p { "Angemeldet als " (user.profile().name().unwrap_or_default()) "." }
                            script src="/auth/live.js" data-private defer {}
                        }
                        None => (PreEscaped(button.html())),
                    }
                }
            }
        }
    };
    Html(page.into_string())
}
