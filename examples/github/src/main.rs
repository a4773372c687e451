//! The site of this package, at <http://127.0.0.1:3000>.
//!
//! ```sh
//! cargo run -p github -- demo
//! GITHUB_CLIENT_ID=… GITHUB_CLIENT_SECRET=… GITHUB_WEBHOOK_SECRET=… cargo run -p github
//! ```
//!
//! The first one needs no network: its GitHub is on this machine. For the second one, register an OAuth
//! app or a GitHub App at GitHub whose callback URL is `http://127.0.0.1:3000/clef/callback`. The webhook
//! is that of a GitHub App, which has to reach the site, and can be left out. `SITE_ADDR` is another address
//! to listen at.

#[path = "../../quickstart/src/loopback.rs"]
mod loopback;

use std::env;

use axum_clef::oauth2::OAuth2;
use github::{
    application,
    github::{GITHUB, provider},
    local_github::LocalGithub,
    webhook::Webhook,
};
use tokio::net::TcpListener;

use crate::loopback::{Failure, address, cannot_listen, serve};

#[tokio::main]
async fn main() -> Result<(), Failure> {
    tracing_subscriber::fmt()
        .with_env_filter("axum_clef=info")
        .with_writer(std::io::stderr)
        .without_time()
        .init();
    let site_address = address("SITE_ADDR", "127.0.0.1:3000")?;
    let listener = TcpListener::bind(site_address)
        .await
        .map_err(cannot_listen("SITE_ADDR", site_address))?;
    let site = format!("http://{}", listener.local_addr()?);

    let (provider, webhook) = match env::args().nth(1).as_deref() {
        Some("demo") => demo(&site).await?,
        Some(other) => return Err(Failure(format!("{other:?} is unknown; write `demo`"))),
        None => {
            let (id, secret) = (
                setting("GITHUB_CLIENT_ID")?,
                setting("GITHUB_CLIENT_SECRET")?,
            );
            let provider = provider(GITHUB, &id, &secret);
            let provider = provider.map_err(|error| Failure(error.to_string()))?;
            let secret = env::var("GITHUB_WEBHOOK_SECRET").ok();
            (
                provider,
                secret.map(|secret| Webhook::new(GITHUB.issuer, secret)),
            )
        }
    };
    let app = application(&site, provider, webhook);
    let app = app.map_err(|error| Failure(error.to_string()))?;

    println!("The site: {site}");
    println!("Log in, and in a second browser too. Then log out everywhere.");
    println!("Stop with Ctrl-C; logins end with it.");
    serve(listener, app).await
}

/// Starts a GitHub on this machine.
async fn demo(site: &str) -> Result<(OAuth2, Option<Webhook>), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let origin = format!("http://{}", listener.local_addr()?);
    println!("The settings of your account at its GitHub: {origin}/settings/apps");
    let github = LocalGithub::new(origin, site);
    let routes = github.routes();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let provider = github.provider();
    let provider = provider.map_err(|error| Failure(error.to_string()))?;
    Ok((provider, Some(github.webhook())))
}

fn setting(variable: &str) -> Result<String, Failure> {
    env::var(variable).map_err(|_| {
        Failure(format!(
            "{variable} is not set; it is in the settings of your OAuth app at GitHub. Without one: \
             `cargo run -p github -- demo`"
        ))
    })
}
