//! The site of this package, at <http://127.0.0.1:3000>.
//!
//! From the environment: `SITE_ADDR`, where it listens (127.0.0.1:3000), and `DATABASE_URL`, where
//! members and logins are kept (`sqlite://password.db`, made when missing).

#[path = "../../quickstart/src/loopback.rs"]
mod loopback;

use std::{env, sync::Arc};

use password::{Members, Passwords, Site, application};
use tokio::net::TcpListener;

use crate::loopback::{Failure, address, cannot_listen, serve};

#[tokio::main]
async fn main() -> Result<(), Failure> {
    tracing_subscriber::fmt()
        .with_env_filter("axum_clef=info,password=info")
        .with_writer(std::io::stderr)
        .without_time()
        .init();
    let site_address = address("SITE_ADDR", "127.0.0.1:3000")?;
    let listener = TcpListener::bind(site_address)
        .await
        .map_err(cannot_listen("SITE_ADDR", site_address))?;
    let url = format!("http://{}", listener.local_addr()?);

    let database = env::var("DATABASE_URL").unwrap_or_else(|_| "sqlite://password.db".to_owned());
    let members = Members::connect(&database)
        .await
        .map_err(|error| Failure(format!("DATABASE_URL is {database:?}: {error}")))?;
    let site = Site::new(members, Arc::new(Passwords::new().await?));
    let app = application(&url, site)
        .await
        .map_err(|error| Failure(error.to_string()))?;

    println!("The site: {url}");
    println!("Sign up, and log in in a second browser too. Then change the password in one.");
    println!("Stop with Ctrl-C; members and logins are kept.");
    serve(listener, app).await
}
