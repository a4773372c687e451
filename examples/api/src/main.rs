//! The site of this package, at <http://127.0.0.1:3000>.
//!
//! From the environment: `SITE_ADDR`, where it listens (127.0.0.1:3000), `DATABASE_URL`, where users,
//! tokens and notes are kept (`sqlite://api.db`), and `KEY_FILE`, where its key is (`api.key`). Both
//! files are made when missing.

#[path = "../../quickstart/src/loopback.rs"]
mod loopback;
mod private_file;

use std::{env, io, path::Path};

use api::{Passwords, Site, application};
use axum_clef::{SessionKey, stores::SqliteUserStore};
use rand::Rng as _;
use tokio::net::TcpListener;

use crate::loopback::{Failure, address, cannot_listen, serve};

#[tokio::main]
async fn main() -> Result<(), Failure> {
    tracing_subscriber::fmt()
        .with_env_filter("axum_clef=info,api=info")
        .with_writer(std::io::stderr)
        .without_time()
        .init();
    let site_address = address("SITE_ADDR", "127.0.0.1:3000")?;
    let listener = TcpListener::bind(site_address)
        .await
        .map_err(cannot_listen("SITE_ADDR", site_address))?;
    let url = format!("http://{}", listener.local_addr()?);

    let database = env::var("DATABASE_URL").unwrap_or_else(|_| "sqlite://api.db".to_owned());
    let users = SqliteUserStore::connect(&database)
        .await
        .map_err(|error| Failure(format!("DATABASE_URL is {database:?}: {error}")))?;
    let file = env::var("KEY_FILE").unwrap_or_else(|_| "api.key".to_owned());
    let key =
        key(Path::new(&file)).map_err(|error| Failure(format!("KEY_FILE is {file:?}: {error}")))?;
    let site = Site::new(users, Passwords::new().await?).await;
    let site = site.map_err(|error| Failure(error.to_string()))?;
    let app = application(&url, key, site).map_err(|error| Failure(error.to_string()))?;

    println!("The site: {url}");
    println!("Sign up there, make a token, and give it to the CLI:");
    println!("    cargo run -p api --bin notes -- log-in {url}");
    println!("    cargo run -p api --bin notes -- add \"buy milk\"");
    println!("Then end it on the site. Stop with Ctrl-C; users, tokens and notes are kept.");
    serve(listener, app).await
}

/// The key of the site: 32 random bytes in a file that only its user can read. All nodes of a site
/// have the same one.
fn key(path: &Path) -> io::Result<SessionKey> {
    if !path.exists() {
        let mut bytes = [0; 32];
        rand::rng().fill_bytes(&mut bytes);
        private_file::write(path, &bytes)?;
    }
    let bytes = private_file::read(path)?;
    let bytes = bytes.try_into();
    let bytes = bytes.map_err(|_| io::Error::other("it has not 32 bytes"))?;
    Ok(SessionKey::from_bytes(bytes))
}
