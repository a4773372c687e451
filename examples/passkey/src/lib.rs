//! A whole site with passkeys and nothing else: sign up, log in without a name, add a second passkey,
//! remove one. `cargo run -p passkey` serves it at <http://localhost:3000>.
//!
//! `log_in.rs` and `account.rs` have the handlers, `ceremonies.rs` what waits for the answer of an
//! authenticator, `passkeys.rs` the table of passkeys, `passkey.js` the browser's part, `pages.rs`
//! the HTML. The members are in the ready store of axum-clef.

mod account;
#[path = "../../password/src/attempts.rs"]
mod attempts;
mod ceremonies;
mod log_in;
mod pages;
mod passkeys;
mod problem;

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
    BoxError, ClefLayer, LoggedIn,
    stores::{Account, SqliteUserStore},
    tower_sessions::ExpiredDeletion,
    url::Url,
};
use tower_sessions_sqlx_store::SqliteStore;
use webauthn_rs::{Webauthn, WebauthnBuilder};

use self::ceremonies::Ceremonies;
pub use self::{
    attempts::{Attempts, MOST_ATTEMPTS},
    ceremonies::CEREMONY_LIFETIME,
    passkeys::{MOST_PASSKEYS, Passkeys, StoredPasskey},
    problem::Problem,
};

/// The largest form, in bytes: the answer of an authenticator has a few hundred.
const LARGEST_FORM: usize = 16 * 1024;

/// The name that authenticators show.
const SITE_NAME: &str = "The Reading Room";

/// What the handlers share.
#[derive(Clone)]
pub struct Site {
    url: Arc<Url>,
    users: SqliteUserStore,
    passkeys: Passkeys,
    ceremonies: Ceremonies,
    webauthn: Arc<Webauthn>,
    attempts: Arc<Attempts>,
}

impl Site {
    /// A site with these users, and passkeys in the same database. `url` is how browsers reach it,
    /// such as `https://example.com`. Passkeys are bound to its domain for good, and an IP address
    /// has none.
    ///
    /// # Errors
    ///
    /// When the URL is invalid or has no domain, or the table of passkeys cannot be created.
    pub async fn new(url: &str, users: SqliteUserStore) -> Result<Self, BoxError> {
        let url: Url = url.parse()?;
        let domain = url.domain().ok_or("passkeys need a site with a domain")?;
        let webauthn = WebauthnBuilder::new(domain, &url)?
            .rp_name(SITE_NAME)
            .build()?;
        Ok(Self {
            passkeys: Passkeys::create(users.pool().clone()).await?,
            ceremonies: Ceremonies::default(),
            webauthn: Arc::new(webauthn),
            url: Arc::new(url),
            users,
            attempts: Arc::default(),
        })
    }

    fn is_https(&self) -> bool {
        self.url.scheme() == "https"
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
    tokio::spawn(delete_expired(logins.clone()));

    let auth = ClefLayer::builder(site.url.as_str(), site.users.clone(), logins)
        .login_page("/log-in")
        .build()?;
    let style = || async { ([(CONTENT_TYPE, "text/css")], pages::STYLE) };
    let script = || async { ([(CONTENT_TYPE, "text/javascript")], pages::SCRIPT) };

    Ok(Router::new()
        .route("/", get(home))
        .route("/sign-up", get(log_in::sign_up_page).post(log_in::sign_up))
        .route("/sign-up/start", post(log_in::start_sign_up))
        .route("/log-in", get(log_in::log_in_page).post(log_in::log_in))
        .route("/log-in/start", post(log_in::start_log_in))
        .route("/account", get(account::account))
        .route("/account/add", get(account::add_page).post(account::add))
        .route("/account/add/start", post(account::start_add))
        .route("/account/remove", post(account::remove))
        .route(
            "/account/log-out-everywhere",
            post(account::log_out_everywhere),
        )
        .route("/style.css", get(style))
        .route("/passkey.js", get(script))
        .layer(DefaultBodyLimit::max(LARGEST_FORM))
        .with_state(site)
        .merge(auth.routes()) // the sign-out of one browser
        .layer(auth)
        .layer(map_response(pages::under_policy)))
}

/// Public: greets the user, or links the forms.
async fn home(member: Option<LoggedIn<Account>>) -> Html<String> {
    pages::home(member.as_deref())
}

/// Deletes expired logins, once an hour. It goes on after an error of the database.
async fn delete_expired(logins: SqliteStore) {
    let mut hourly = tokio::time::interval(Duration::from_secs(60 * 60));
    loop {
        hourly.tick().await;
        if let Err(error) = logins.delete_expired().await {
            tracing::warn!(%error, "expired logins were not deleted");
        }
    }
}
