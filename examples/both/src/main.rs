//! The site of this package at <http://127.0.0.1:3000>, and its provider at <http://127.0.0.1:3100>.
//!
//! From the environment: `SITE_ADDR` and `PROVIDER_ADDR`, where they listen, and `DATABASE_URL`, where
//! members and logins are kept (`sqlite://both.db`, made when missing).

#[path = "../../quickstart/src/loopback.rs"]
mod loopback;

use std::env;

use axum_clef::oidc::{Oidc, SigningAlgorithm};
use both::{
    Members, application,
    local_provider::{self, CLIENT_ID, CLIENT_SECRET},
};
use tokio::net::TcpListener;

use crate::loopback::{Failure, address, cannot_listen, serve};

#[tokio::main]
async fn main() -> Result<(), Failure> {
    tracing_subscriber::fmt()
        .with_env_filter("axum_clef=info,both=info")
        .with_writer(std::io::stderr)
        .without_time()
        .init();
    let (listener, site) = listen("SITE_ADDR", "127.0.0.1:3000").await?;
    let (provider, issuer) = listen("PROVIDER_ADDR", "127.0.0.1:3100").await?;
    let routes = local_provider::router(&issuer, &site).map_err(failure)?;
    tokio::spawn(async move { axum::serve(provider, routes).await });

    let database = env::var("DATABASE_URL").unwrap_or_else(|_| "sqlite://both.db".to_owned());
    let members = Members::connect(&database)
        .await
        .map_err(|error| Failure(format!("DATABASE_URL is {database:?}: {error}")))?;
    let provider = Oidc::discover(&*issuer, CLIENT_ID, CLIENT_SECRET)
        .await?
        .signing_algorithm(SigningAlgorithm::EdDsa)
        .display_name("the provider of this machine");
    let app = application(&site, members, provider)
        .await
        .map_err(failure)?;

    println!("The site:     {site}");
    println!("The provider: {issuer}");
    println!("Sign up with a password, link an identity, sign out, and log in with it.");
    println!("Stop with Ctrl-C; members and logins are kept.");
    serve(listener, app).await
}

async fn listen(variable: &str, default: &str) -> Result<(TcpListener, String), Failure> {
    let address = address(variable, default)?;
    let listener = TcpListener::bind(address)
        .await
        .map_err(cannot_listen(variable, address))?;
    let url = format!("http://{}", listener.local_addr()?);
    Ok((listener, url))
}

fn failure(error: axum_clef::BoxError) -> Failure {
    Failure(error.to_string())
}
