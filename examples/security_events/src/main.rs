//! The site of this package at <http://127.0.0.1:3000>, and the directory that sends it events at
//! <http://127.0.0.1:3100>.
//!
//! From the environment: `SITE_ADDR` and `DIRECTORY_ADDR`, where they listen.

#[path = "../../quickstart/src/loopback.rs"]
mod loopback;

use security_events::{application, directory, register};
use tokio::net::TcpListener;

use crate::loopback::{Failure, address, cannot_listen, serve};

#[tokio::main]
async fn main() -> Result<(), Failure> {
    tracing_subscriber::fmt()
        .with_env_filter("axum_clef=info")
        .with_writer(std::io::stderr)
        .without_time()
        .init();
    let (listener, site) = listen("SITE_ADDR", "127.0.0.1:3000").await?;
    let (directory_listener, issuer) = listen("DIRECTORY_ADDR", "127.0.0.1:3100").await?;
    let routes = directory::router(&issuer, &site).map_err(failure)?;
    tokio::spawn(async move { axum::serve(directory_listener, routes).await });
    let (app, stream) = application(&site, &issuer).map_err(failure)?;
    let served = tokio::spawn(serve(listener, app));
    register(&site, &stream).await.map_err(failure)?;

    println!("The site:      {site}");
    println!("The directory: {issuer}");
    println!("Log in at the site in two browsers. Then revoke the sessions in the directory.");
    println!("Stop with Ctrl-C; logins end with it.");
    served.await?
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
