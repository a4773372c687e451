//! A site whose users log in with GitHub: everything that a site of your own needs is here and in
//! `github.rs`.
//!
//! GitHub supports OAuth 2.0 and not OpenID Connect. It sends no notice when a user logs out there, so
//! the site has "log out everywhere" itself. When a user revokes the app at GitHub, its webhook ends their
//! logins: `webhook.rs`.

pub mod github;
pub mod local_github;
mod pages;
pub mod webhook;

use axum::{
    Router,
    response::{Html, Redirect},
    routing::{get, post},
};
use axum_clef::{
    BoxError, ClefLayer, LoggedIn, Login, LogoutCause, LogoutError, Logouts, SameOrigin,
    oauth2::OAuth2,
    stores::{Account, MemoryUserStore},
};
use tower_sessions::MemoryStore;

use self::webhook::Webhook;

/// Where GitHub sends its webhook.
pub const WEBHOOK_PATH: &str = "/github/webhook";

/// The router of the site at this URL. An OAuth app has no webhook; a GitHub App has one.
///
/// # Errors
///
/// If the URL is not valid for a site.
pub fn application(
    site: &str,
    provider: OAuth2,
    webhook: Option<Webhook>,
) -> Result<Router, BoxError> {
    // Users and logins in memory; for stores that last, see docs/getting_started.md.
    let (users, sessions) = (MemoryUserStore::new(), MemoryStore::default());
    let mut auth = ClefLayer::builder(site, users, sessions).provider(provider);
    if let Some(webhook) = webhook {
        auth = auth.logout_endpoint(WEBHOOK_PATH, webhook);
    }
    let auth = auth.build()?;
    Ok(Router::new()
        .route("/", get(home))
        .route("/account", get(account))
        .route("/account/log-out-everywhere", post(log_out_everywhere))
        .merge(auth.routes())
        .layer(auth))
}

/// Public: with the user if there is one.
async fn home(user: Option<LoggedIn<Account>>) -> Html<String> {
    pages::home(user.as_deref())
}

/// Guarded: the extractor is the guard.
async fn account(LoggedIn(user): LoggedIn<Account>, login: Login) -> Html<String> {
    pages::account(&user, &login)
}

/// Ends every login of the user here, on all devices. The user stays logged in at GitHub.
async fn log_out_everywhere(
    _: SameOrigin,
    login: Login,
    logouts: Logouts,
) -> Result<Redirect, LogoutError> {
    let logouts = logouts.with_cause(LogoutCause::User);
    logouts.log_out_user(login.user_id()).await?;
    Ok(Redirect::to("/"))
}
