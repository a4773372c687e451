//! A small Clef service on your own machine, for development and tests.
//!
//! Clef was a login without passwords: a phone answered the wave on the screen, and "log out now"
//! on the phone ended the login at every site. The hosted service closed in 2017. [`ClefService`]
//! speaks its wire, so that a site that logs in with Clef can be built and tested from end to end:
//! the login page, the code, the person's data, the phone, and the webhook that tells every site
//! of a log-out.
//!
//! **Never for production.** Whoever can reach it can log in as anybody. So it listens on loopback
//! addresses only, and sends people and webhooks to loopback addresses only.
//!
//! # What it answers
//!
//! | route | what it is |
//! |---|---|
//! | `POST /api/v1/authorize` | exchanges a code for an access token |
//! | `GET /api/v1/info` | whom an access token belongs to |
//! | `POST /api/v1/logout` | exchanges a logout token for the person who logged out |
//! | `GET /iframes/qr`, `GET /iframes/login` | the login page: choose who you are |
//! | `GET /phone`, `GET /phone/{person}` | the phone: who is logged in where |
//! | `POST /phone/{person}/log-in` | the button of the login page, for scripts too |
//! | `POST /phone/{person}/log-out` | "log out now", for scripts too |
//! | `GET /v3/clef.js` | the script of the login button |
//!
//! The applications are [`TEST_APPLICATIONS`], the people are [`PEOPLE`]; `{person}` is a
//! [`Person::id`]. A request may carry up to 16 KiB.
//!
//! # How long things last
//!
//! - A code is good for one exchange, within one minute, by the application it was made for. A
//!   refused exchange does not use it up.
//! - An access token opens the person's data for one minute.
//! - A logout token is good for one exchange, within five minutes, by the application that it was
//!   sent to.
//! - Codes and access tokens die when their person logs out.
//! - The published test code `code_1234567890` is the exception: both applications may exchange it
//!   at any time and as often as they like, for `token_1234567890`, which never ends. There is no
//!   redirect URL to compare with, so any `logout_hook` on this machine is taken.
//!
//! # Logging in and out from a script
//!
//! `POST /phone/{person}/log-in` takes the form fields `app_id`, `redirect_url` and, if you like,
//! `state`, and answers 303 to the redirect URL with `code` and `state` added. The redirect URL is
//! an absolute http or https URL on this machine: `localhost`, a name under `.localhost`,
//! 127.0.0.0/8 or `[::1]`, without a user name, a password, a fragment or white space. `state` is
//! up to 2 KiB of text without control characters.
//!
//! `POST /phone/{person}/log-out` first ends the person's codes and access tokens, then calls the
//! logout hooks of all sites that the person entered, all at the same time, and answers when all
//! have: a JSON array with a row for each site, or a page for a browser.
//!
//! ```json
//! [
//!   { "url": "http://localhost:3000/clef/logout", "status": 200, "milliseconds": 3 },
//!   { "url": "http://localhost:3001/clef/logout", "status": null, "milliseconds": 1,
//!     "error": "No connection. Is the site running?" },
//!   { "url": null, "status": null, "milliseconds": 0,
//!     "error": "No logout hook was given when localhost:3002 was entered, so it cannot be told." }
//! ]
//! ```
//!
//! A site is told with `status` 200 and a JSON body whose `success` is true, or the text `Ok` or
//! `bye`. A connection may take two seconds, the whole call five; redirects are not followed, and
//! an answer may have up to 64 KiB. A site that could not be told stays on the list: log out once
//! more to tell it again.
//!
//! Both refuse with 403 what a browser sends from another site's page, sites on other ports of this
//! machine included.

mod accept;
mod api;
mod applications;
mod fetch_site;
mod fields;
mod log_out;
mod logins;
mod loopback;
mod pages;
mod people;
mod phone;
mod service;
mod short_lived;
mod webhook;

use std::{fmt, io, net::SocketAddr};

use tokio::{net::TcpListener, sync::oneshot};

use self::service::Service;
pub use self::{
    applications::{Application, TEST_APPLICATIONS},
    people::{PEOPLE, Person},
};

/// A running Clef service.
///
/// It stops when this is dropped: the port is given back, idle connections are closed, and
/// requests under way are still answered.
///
/// # Example
///
/// ```
/// use axum_clef::dev::{ClefService, PEOPLE, TEST_APPLICATIONS};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let clef = ClefService::start("127.0.0.1:0".parse()?).await?;
///
/// // Alex presses the button on the login page …
/// let browser = reqwest::Client::builder()
///     .redirect(reqwest::redirect::Policy::none())
///     .build()?;
/// let answer = browser
///     .post(format!("{}/phone/{}/log-in", clef.url(), PEOPLE[0].id))
///     .form(&[
///         ("app_id", TEST_APPLICATIONS[0].id),
///         ("redirect_url", "http://localhost:3000/clef/callback"),
///         ("state", "xyz"),
///     ])
///     .send()
///     .await?;
///
/// // … and arrives at the site with a code.
/// assert_eq!(answer.status(), 303);
/// let location = answer.headers()["location"].to_str()?;
/// assert!(location.starts_with("http://localhost:3000/clef/callback?code="));
/// assert!(location.ends_with("&state=xyz"));
/// # Ok(())
/// # }
/// ```
pub struct ClefService {
    address: SocketAddr,
    /// The server waits for this to go.
    _running: oneshot::Sender<()>,
}

impl ClefService {
    /// Binds `address` and serves on it; port 0 takes a free one.
    ///
    /// It runs on the tokio runtime that this is called in, which needs its IO and time drivers.
    ///
    /// # Errors
    ///
    /// - [`InvalidInput`](io::ErrorKind::InvalidInput) if `address` is not a loopback address.
    /// - What the system says if the address cannot be bound, for example
    ///   [`AddrInUse`](io::ErrorKind::AddrInUse).
    /// - [`Other`](io::ErrorKind::Other) if the client that calls the webhooks cannot be built.
    pub async fn start(address: SocketAddr) -> io::Result<Self> {
        if !address.ip().is_loopback() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "{address} is not a loopback address: whoever reaches this Clef service can \
                     log in as anybody, so nobody else may"
                ),
            ));
        }
        let service = Service::new().map_err(io::Error::other)?;
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;

        let (running, stopped) = oneshot::channel::<()>();
        let server = axum::serve(listener, service.router()).with_graceful_shutdown(async {
            // An error is what a dropped sender gives, and it is what is waited for.
            let _ = stopped.await;
        });
        tokio::spawn(async move {
            if let Err(error) = server.await {
                tracing::error!(%error, "the Clef service broke down");
            }
        });
        tracing::info!(%address, "the Clef service is running");
        Ok(Self {
            address,
            _running: running,
        })
    }

    /// Where the service listens, with the port that was taken.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address as a URL without a slash at the end: `http://127.0.0.1:5050`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl fmt::Debug for ClefService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClefService")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
