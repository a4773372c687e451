//! The site of this package, at <http://127.0.0.1:3000>.
//!
//! From the environment: `SITE_ADDR`, where it listens (127.0.0.1:3000), and `DATABASE_URL`, where
//! members and logins are kept (`sqlite://magic_link.db`, made when missing). With the feature `smtp`,
//! also `SMTP_URL` (`smtps://name:password@mail.example.com`) and `MAIL_FROM`; without `SMTP_URL`, the
//! mail is printed here.

#[path = "../../quickstart/src/loopback.rs"]
mod loopback;

use std::env;

use axum_clef::stores::SqliteUserStore;
use magic_link::{Site, Terminal, application};
use tokio::net::TcpListener;

use crate::loopback::{Failure, address, cannot_listen, serve};

#[tokio::main]
async fn main() -> Result<(), Failure> {
    tracing_subscriber::fmt()
        .with_env_filter("axum_clef=info,magic_link=info")
        .with_writer(std::io::stderr)
        .without_time()
        .init();
    let site_address = address("SITE_ADDR", "127.0.0.1:3000")?;
    let listener = TcpListener::bind(site_address)
        .await
        .map_err(cannot_listen("SITE_ADDR", site_address))?;
    let url = format!("http://{}", listener.local_addr()?);

    let database = env::var("DATABASE_URL").unwrap_or_else(|_| "sqlite://magic_link.db".to_owned());
    let users = SqliteUserStore::connect(&database)
        .await
        .map_err(|error| Failure(format!("DATABASE_URL is {database:?}: {error}")))?;
    let site = match env::var("SMTP_URL") {
        Ok(server) => with_smtp(&url, users, &server).await?,
        Err(_) => with_terminal(&url, users).await?,
    };
    let app = application(site)
        .await
        .map_err(|error| Failure(error.to_string()))?;

    println!("The site: {url}");
    println!(
        "Request a link there with any address. Stop with Ctrl-C; members and logins are kept."
    );
    serve(listener, app).await
}

async fn with_terminal(url: &str, users: SqliteUserStore) -> Result<Site, Failure> {
    let site = Site::new(url, users, Terminal).await;
    site.map_err(|error| Failure(error.to_string()))
}

#[cfg(feature = "smtp")]
async fn with_smtp(url: &str, users: SqliteUserStore, server: &str) -> Result<Site, Failure> {
    let from = env::var("MAIL_FROM")
        .map_err(|_| Failure("set MAIL_FROM to the sender of the mail".to_owned()))?;
    // Not the URL, which has a password.
    let mailer = magic_link::Smtp::new(server, &from)
        .map_err(|error| Failure(format!("SMTP_URL or MAIL_FROM is invalid: {error}")))?;
    let site = Site::new(url, users, mailer).await;
    site.map_err(|error| Failure(error.to_string()))
}

#[cfg(not(feature = "smtp"))]
async fn with_smtp(_: &str, _: SqliteUserStore, _: &str) -> Result<Site, Failure> {
    let advice = "SMTP_URL is set; build with `--features smtp` to send mail";
    Err(Failure(advice.to_owned()))
}
