//! A trial listens on this machine alone, and says in one line what is in its way.

use std::{env, error::Error, fmt, io, net::SocketAddr};

use axum::{
    Router,
    extract::Request,
    http::header::HOST,
    middleware::{Next, from_fn},
    response::{IntoResponse as _, Redirect, Response},
};
use tokio::net::TcpListener;

/// The address that a variable of the environment names.
pub fn address(variable: &str, default: &str) -> Result<SocketAddr, Failure> {
    let text = env::var(variable).unwrap_or_else(|_| default.to_owned());
    let written = text.parse::<SocketAddr>();
    written
        .ok()
        .filter(|address| address.ip().is_loopback())
        .ok_or_else(|| {
            Failure(format!(
                "{variable} is {text:?}; write it like {default}: an address of this machine alone \
                 (a login over plain http is for nobody else) and a port"
            ))
        })
}

/// What to say where nobody can listen at the address that the variable names.
pub fn cannot_listen(variable: &str, address: SocketAddr) -> impl FnOnce(io::Error) -> Failure {
    move |error| {
        let advice = match error.kind() {
            io::ErrorKind::AddrInUse => "it is taken; stop whoever has it, or",
            _ => "the system refuses it;",
        };
        Failure(format!(
            "cannot listen on {address}: {advice} set {variable} to another address ({error})"
        ))
    }
}

/// Serves until it is stopped.
pub async fn serve(listener: TcpListener, app: Router) -> Result<(), Failure> {
    let site = listener.local_addr()?.to_string();
    let app = app.layer(from_fn(move |request, next| {
        by_its_own_name(site.clone(), request, next)
    }));
    // With the client's address, by which the login routes limit each client.
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app).await?;
    Ok(())
}

/// Leads whoever came as `localhost` to the address that the site goes by: browsers keep the
/// cookies of two names apart, so a login begun under one would not end under the other.
async fn by_its_own_name(site: String, request: Request, next: Next) -> Response {
    let host = request.headers().get(HOST);
    if host.is_some_and(|host| host.as_bytes().starts_with(b"localhost:")) {
        let path = request.uri().path_and_query();
        let path = path.map_or("/", |path| path.as_str());
        return Redirect::temporary(&format!("http://{site}{path}")).into_response();
    }
    next.run(request).await
}

/// Why the trial ends. `main` prints it in one line and exits with 1.
pub struct Failure(pub String);

impl fmt::Debug for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl<E: Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}
