//! What a trial needs and a deployed site has already: two addresses, and a Clef service.

use std::{env, net::SocketAddr};

use axum::Router;
use axum_clef::{clef::Clef, stores::SqliteUserStore};
use clef_dev::ClefService;
use tokio::net::TcpListener;

use crate::loopback::{Failure, address, cannot_listen, serve};

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
        let site = TcpListener::bind(site_address)
            .await
            .map_err(cannot_listen("SITE_ADDR", site_address))?;
        let (clef_url, clef) = match env::var("CLEF_URL") {
            Ok(url) => {
                // Asked here already, to name the variable.
                Clef::new(&url, "", "")
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
            "Log in at the site and begin a note in your account, then press \"Log out now\" on"
        );
        println!(
            "the phone: the page covers itself. Log in again over it: the note is still there."
        );
        println!("Stop with Ctrl-C; logins end with it.");
        serve(self.site, app).await
    }
}
