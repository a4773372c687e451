//! The site of this package, at <http://localhost:3000>.
//!
//! From the environment: `SITE_ADDR`, where it listens (127.0.0.1:3000), and `DATABASE_URL`, where
//! members and logins are kept (`sqlite://passkey.db`, made when missing).

#[path = "../../quickstart/src/loopback.rs"]
#[expect(dead_code, reason = "it serves under another name")]
mod loopback;

use std::{env, net::SocketAddr};

use axum::{
    extract::{Request, State},
    http::header::HOST,
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse as _, Redirect, Response},
};
use axum_clef::stores::SqliteUserStore;
use passkey::{Site, application};
use tokio::net::TcpListener;

use crate::loopback::{Failure, address, cannot_listen};

#[tokio::main]
async fn main() -> Result<(), Failure> {
    tracing_subscriber::fmt()
        .with_env_filter("axum_clef=info,passkey=info")
        .with_writer(std::io::stderr)
        .without_time()
        .init();
    let site_address = address("SITE_ADDR", "127.0.0.1:3000")?;
    let listener = TcpListener::bind(site_address)
        .await
        .map_err(cannot_listen("SITE_ADDR", site_address))?;
    // Not 127.0.0.1: passkeys are bound to a domain.
    let host = format!("localhost:{}", listener.local_addr()?.port());
    let url = format!("http://{host}");

    let database = env::var("DATABASE_URL").unwrap_or_else(|_| "sqlite://passkey.db".to_owned());
    let users = SqliteUserStore::connect(&database)
        .await
        .map_err(|error| Failure(format!("DATABASE_URL is {database:?}: {error}")))?;
    let site = Site::new(&url, users)
        .await
        .map_err(|error| Failure(error.to_string()))?;
    let app = application(site)
        .await
        .map_err(|error| Failure(error.to_string()))?;
    let app = app.layer(from_fn_with_state(host, by_its_name));

    println!("The site: {url}");
    println!("Sign up, sign out, and log in without a name. Stop with Ctrl-C; members are kept.");
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app).await?;
    Ok(())
}

/// Redirects from the IP address to the name of the site.
async fn by_its_name(State(host): State<String>, request: Request, next: Next) -> Response {
    if request
        .headers()
        .get(HOST)
        .is_some_and(|asked| *asked == *host)
    {
        return next.run(request).await;
    }
    let path = request.uri().path_and_query();
    let path = path.map_or("/", |path| path.as_str());
    Redirect::temporary(&format!("http://{host}{path}")).into_response()
}
