//! A site whose people log in at an OpenID provider, and out there: two commands, each in a
//! terminal of its own.
//!
//! ```sh
//! (cd tests/real_provider/provider && npm ci && npm start)
//! cargo run -p oidc
//! ```
//!
//! The first needs Node.js 20.12 or newer, and says so where it is older, as in Debian 12.
//!
//! From the environment: `SITE_ADDR`, where the site listens (127.0.0.1:3000), and `OIDC_ISSUER`,
//! `OIDC_CLIENT_ID` and `OIDC_CLIENT_SECRET`, another provider than that of
//! `tests/real_provider/provider/`, which listens at 127.0.0.1:3100. If that port is taken, or the site's:
//!
//! ```sh
//! (cd tests/real_provider/provider && PORT=3101 SITE_URL=http://127.0.0.1:3001 npm start)
//! OIDC_ISSUER=http://127.0.0.1:3101 SITE_ADDR=127.0.0.1:3001 cargo run -p oidc
//! ```
//!
//! Everything that a site
//! of your own needs stands in `main` and in the two handlers below it.

#[path = "../../quickstart/src/loopback.rs"]
mod loopback;
mod pages;

use std::env;

use axum::{Router, response::Html, routing::get};
use axum_clef::{
    ClefLayer, LoggedIn, Login,
    oidc::Oidc,
    stores::{Account, MemoryUserStore},
};
use tokio::net::TcpListener;
use tower_sessions::MemoryStore;

use crate::loopback::{Failure, address, cannot_listen, serve};

#[tokio::main]
async fn main() -> Result<(), Failure> {
    tell_what_happens();
    let site_address = address("SITE_ADDR", "127.0.0.1:3000")?;
    let listener = TcpListener::bind(site_address)
        .await
        .map_err(cannot_listen("SITE_ADDR", site_address))?;
    let site = format!("http://{}", listener.local_addr()?);

    // The provider. If it is not running yet, logins fail until it is.
    let issuer = setting("OIDC_ISSUER", "http://127.0.0.1:3100");
    let client_id = setting("OIDC_CLIENT_ID", "axum-clef-example");
    let client_secret = setting("OIDC_CLIENT_SECRET", "only-for-this-machine");
    let provider = Oidc::discover(&*issuer, client_id, client_secret)
        .await
        .map_err(|error| Failure(format!("OIDC_ISSUER is {issuer:?}: {error}")))?;

    // Users and logins in memory; for stores that last, see docs/getting_started.md.
    let (users, sessions) = (MemoryUserStore::new(), MemoryStore::default());
    let auth = ClefLayer::builder(&site, users, sessions)
        .provider(provider)
        .build()?;

    let app = Router::new()
        .route("/", get(home))
        .route("/account", get(account))
        .merge(auth.routes())
        .layer(auth);

    introduce(&site, &issuer);
    serve(listener, app).await
}

/// Public: greets the user, or links the login.
async fn home(user: Option<LoggedIn<Account>>) -> Html<String> {
    match user {
        Some(LoggedIn(user)) => pages::greeting(&user),
        None => pages::welcome(),
    }
}

/// Guarded: the extractor is the guard.
async fn account(LoggedIn(user): LoggedIn<Account>, login: Login) -> Html<String> {
    pages::account(&user, &login)
}

fn setting(variable: &str, default: &str) -> String {
    env::var(variable).unwrap_or_else(|_| default.to_owned())
}

/// Shows the crate's log: logins, logouts and notices.
fn tell_what_happens() {
    tracing_subscriber::fmt()
        .with_env_filter("axum_clef=info")
        .with_writer(std::io::stderr)
        .without_time()
        .init();
}

fn introduce(site: &str, issuer: &str) {
    println!("The site:     {site}");
    println!("The provider: {issuer}");
    println!();
    println!("If it is not running yet:");
    println!("    (cd tests/real_provider/provider && npm ci && SITE_URL={site} npm start)");
    println!("Another provider must know three addresses of the site:");
    println!("    redirect URI             {site}/clef/callback");
    println!("    back-channel logout URI  {site}/clef/logout");
    println!("    post-logout redirect URI {site}/clef/signed-out");
    println!("Stop with Ctrl-C; logins end with it.");
}
