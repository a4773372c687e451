//! What a trial needs and a deployed site has already: two addresses, a Clef service, and
//! errors in one line.

use std::{env, error::Error, fmt, io, net::SocketAddr};

use axum::{
    Router,
    extract::Request,
    http::header::HOST,
    middleware::{Next, from_fn},
    response::{IntoResponse as _, Redirect, Response},
};
use axum_clef::{clef::Clef, dev::ClefService, stores::SqliteUserStore};
use tokio::net::TcpListener;

/// Where the site and Clef listen, and where users are kept.
pub struct Surroundings {
    site: TcpListener,
    site_address: SocketAddr,
    clef_url: String,
    /// Serves until it is dropped; `None` if `CLEF_URL` names one that runs already.
    _clef: Option<ClefService>,
}

impl Surroundings {
    pub async fn prepare() -> Result<Self, Failure> {
        let site_address = address("SITE_ADDR", "127.0.0.1:3000")?;
        let cannot_listen = |variable, address: SocketAddr| {
            move |error: io::Error| {
                let advice = match error.kind() {
                    io::ErrorKind::AddrInUse => "it is taken; stop whoever has it, or",
                    _ => "the system refuses it;",
                };
                Failure(format!(
                    "cannot listen on {address}: {advice} set {variable} to another address \
                     ({error})"
                ))
            }
        };
        let site = TcpListener::bind(site_address)
            .await
            .map_err(cannot_listen("SITE_ADDR", site_address))?;
        let (clef_url, clef) = match env::var("CLEF_URL") {
            Ok(url) => {
                // Asked here already, to name the variable.
                Clef::new("", "")
                    .base_url(&url)
                    .map_err(|error| Failure(format!("CLEF_URL is {url:?}: {error}")))?;
                (url.trim_end_matches('/').to_owned(), None)
            }
            Err(_) => {
                let address = address("CLEF_ADDR", "127.0.0.1:5050")?;
                let clef = ClefService::start(address)
                    .await
                    .map_err(cannot_listen("CLEF_ADDR", address))?;
                (clef.url(), Some(clef))
            }
        };
        Ok(Self {
            site_address: site.local_addr()?,
            site,
            clef_url,
            _clef: clef,
        })
    }

    /// The users, in the database of `DATABASE_URL`, which is made when missing.
    pub async fn users(&self) -> Result<SqliteUserStore, Failure> {
        let url = env::var("DATABASE_URL").unwrap_or_else(|_| "sqlite://quickstart.db".to_owned());
        let users = SqliteUserStore::connect(&url).await;
        users.map_err(|error| Failure(format!("DATABASE_URL is {url:?}: {error}")))
    }

    pub fn site_url(&self) -> String {
        format!("http://{}", self.site_address)
    }

    pub fn clef_url(&self) -> String {
        self.clef_url.clone()
    }

    /// Says what to do, and serves until it is stopped.
    pub async fn serve(self, app: Router) -> Result<(), Failure> {
        println!("The site:  {}", self.site_url());
        println!("The phone: {}/phone", self.clef_url());
        println!();
        println!(
            "Log in at the site, then press \"Log out now\" on the phone, and open your account"
        );
        println!("at the site again: you are out. Stop with Ctrl-C; logins end with it.");
        let site = self.site_address.to_string();
        let app = app.layer(from_fn(move |request, next| {
            by_its_own_name(site.clone(), request, next)
        }));
        axum::serve(self.site, app).await?;
        Ok(())
    }
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

fn address(variable: &str, default: &str) -> Result<SocketAddr, Failure> {
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

/// Why the trial ends. `main` prints it in one line and exits with 1.
pub struct Failure(String);

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
