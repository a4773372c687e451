//! What a trial needs and a deployed site has already: two addresses, a Clef service, and
//! errors in one line.

use std::{env, error::Error, fmt, io, net::SocketAddr};

use axum::Router;
use axum_clef::dev::ClefService;
use tokio::net::TcpListener;

/// Where the site and Clef listen, and where users are kept.
pub struct Surroundings {
    /// Of `DATABASE_URL`.
    pub database: String,
    site: TcpListener,
    site_address: SocketAddr,
    clef: ClefService,
}

impl Surroundings {
    pub async fn prepare() -> Result<Self, Failure> {
        let site_address = address("SITE_ADDR", "127.0.0.1:3000")?;
        let clef_address = address("CLEF_ADDR", "127.0.0.1:5050")?;
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
        let clef = ClefService::start(clef_address)
            .await
            .map_err(cannot_listen("CLEF_ADDR", clef_address))?;
        Ok(Self {
            database: env::var("DATABASE_URL")
                .unwrap_or_else(|_| "sqlite://quickstart.db".to_owned()),
            site_address: site.local_addr()?,
            site,
            clef,
        })
    }

    pub fn site_url(&self) -> String {
        format!("http://{}", self.site_address)
    }

    pub fn clef_url(&self) -> String {
        self.clef.url()
    }

    /// Says what to do, and serves until it is stopped.
    pub async fn serve(self, app: Router) -> Result<(), Failure> {
        println!("The site:  {}", self.site_url());
        println!("The phone: {}/phone", self.clef_url());
        println!();
        println!("Log in at the site, then press \"Log out now\" on the phone, and click on");
        println!("anything at the site: you are out. Stop with Ctrl-C.");
        axum::serve(self.site, app).await?;
        Ok(())
    }
}

fn address(variable: &str, default: &str) -> Result<SocketAddr, Failure> {
    let text = env::var(variable).unwrap_or_else(|_| default.to_owned());
    text.parse().map_err(|_| {
        Failure(format!(
            "{variable} is {text:?}; write it like {default}, with an IP address and a port"
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
