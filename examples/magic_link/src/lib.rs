//! A whole site without passwords: it mails a link that logs in once. `cargo run -p magic_link`
//! serves it at <http://127.0.0.1:3000> and prints the mail in the terminal.
//!
//! `log_in.rs` and `account.rs` have the handlers, `links.rs` the table of open links, `address.rs`
//! and `requesting_browser.rs` what a link is for, `mail.rs` the way to the mailbox, `pages.rs` the HTML.
//! The members are in the ready store of axum-clef.

mod account;
mod address;
#[path = "../../password/src/attempts.rs"]
mod attempts;
mod links;
mod log_in;
mod mail;
mod pages;
mod problem;
mod requesting_browser;
#[cfg(feature = "smtp")]
mod smtp;

use std::{fmt, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::header::CONTENT_TYPE,
    middleware::map_response,
    response::Html,
    routing::{get, post},
};
use axum_clef::{
    BoxError, ClefLayer, LoggedIn, UserStore as _,
    stores::{Account, SqliteUserStore},
    tower_sessions::ExpiredDeletion as _,
    url::Url,
};
use tower_sessions_sqlx_store::SqliteStore;

#[cfg(feature = "smtp")]
pub use self::smtp::Smtp;
pub use self::{
    address::Address,
    attempts::{Attempts, MOST_ATTEMPTS},
    links::{LINK_LIFETIME, Link, LinkToken, Links, MOST_OPEN_LINKS},
    mail::{Mail, Mailer, Terminal},
    problem::Problem,
};

/// The largest form, in bytes.
const LARGEST_FORM: usize = 4 * 1024;

/// What the handlers share.
#[derive(Clone)]
pub struct Site {
    url: Arc<Url>,
    users: SqliteUserStore,
    links: Links,
    mailer: Arc<dyn Mailer>,
    attempts: Arc<Attempts>,
}

impl Site {
    /// A site with these users, and links in the same database. `url` is how browsers reach it, such
    /// as `https://example.com`.
    ///
    /// # Errors
    ///
    /// When the URL is invalid, or the table of links cannot be created.
    pub async fn new(
        url: &str,
        users: SqliteUserStore,
        mailer: impl Mailer,
    ) -> Result<Self, BoxError> {
        Ok(Self {
            url: Arc::new(url.parse()?),
            links: Links::create(users.pool().clone()).await?,
            users,
            mailer: Arc::new(mailer),
            attempts: Arc::default(),
        })
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Site")
            .field("url", &self.url.as_str())
            .finish_non_exhaustive()
    }
}

/// The whole site.
///
/// Serve it with `into_make_service_with_connect_info::<SocketAddr>()`: attempts are counted per
/// client.
///
/// # Errors
///
/// When the table of logins cannot be created, or the address is neither https nor of this machine.
pub async fn application(site: Site) -> Result<Router, BoxError> {
    let logins = SqliteStore::new(site.users.pool().clone());
    logins.migrate().await?;
    tokio::spawn(delete_expired(logins.clone(), site.clone()));

    let auth = ClefLayer::builder(site.url.as_str(), site.users.clone(), logins)
        .login_page("/log-in")
        .build()?;
    let style = || async { ([(CONTENT_TYPE, "text/css")], pages::STYLE) };
    let link = get(log_in::link_page)
        .post(log_in::log_in)
        .layer(map_response(pages::secret));

    Ok(Router::new()
        .route("/", get(home))
        .route("/log-in", get(log_in::address_page).post(log_in::send_link))
        .route("/log-in/sent", get(log_in::sent_page))
        .route("/log-in/link", link)
        .route("/account", get(account::account))
        .route(
            "/account/log-out-everywhere",
            post(account::log_out_everywhere),
        )
        .route("/style.css", get(style))
        .layer(DefaultBodyLimit::max(LARGEST_FORM))
        .with_state(site)
        .merge(auth.routes()) // the sign-out of one browser
        .layer(auth)
        .layer(map_response(pages::under_policy)))
}

/// Public: greets the user, or links the form.
async fn home(member: Option<LoggedIn<Account>>) -> Html<String> {
    pages::home(member.as_deref())
}

/// Deletes what has expired, once a minute. It goes on after an error of the database.
async fn delete_expired(logins: SqliteStore, site: Site) {
    let mut minutes = tokio::time::interval(Duration::from_secs(60));
    loop {
        minutes.tick().await;
        if let Err(error) = logins.delete_expired().await {
            tracing::warn!(%error, "expired logins were not deleted");
        }
        let deleted = match site.users.now().await {
            Ok(now) => site.links.delete_expired(now).await.map_err(Into::into),
            Err(error) => Err(error),
        };
        if let Err(error) = deleted {
            tracing::warn!(error, "expired links were not deleted");
        }
    }
}
