//! A whole site with names and passwords of its own: sign up, log in, change the password, log out
//! everywhere, delete the account. `cargo run -p password` serves it at <http://127.0.0.1:3000>.
//!
//! `log_in.rs` and `account.rs` have the handlers, `store.rs` the table of members, `passwords.rs`
//! the hashes, `attempts.rs` the limits, `pages.rs` the HTML.

mod account;
mod attempts;
mod log_in;
mod pages;
mod passwords;
mod problem;
mod store;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::header::CONTENT_TYPE,
    middleware::map_response,
    response::Html,
    routing::{get, post},
};
use axum_clef::{
    BoxError, ClefLayer, LoggedIn, secrecy::SecretString, tower_sessions::ExpiredDeletion as _,
};
use tower_sessions_sqlx_store::SqliteStore;

pub use self::{
    attempts::{Attempts, MOST_ATTEMPTS},
    passwords::{HashError, Passwords, check_length},
    problem::Problem,
    store::{Member, Members, StoredPassword},
};

/// The largest form, in bytes.
const LARGEST_FORM: usize = 4 * 1024;

/// What the handlers share.
#[derive(Debug, Clone)]
pub struct Site {
    members: Members,
    passwords: Arc<Passwords>,
    attempts: Arc<Attempts>,
}

impl Site {
    /// A site with these members.
    pub fn new(members: Members, passwords: Arc<Passwords>) -> Self {
        Self {
            members,
            passwords,
            attempts: Arc::default(),
        }
    }

    /// The stored password of the member with this name, if this is their password. The answer takes
    /// as long for a name that no member has.
    async fn verify(
        &self,
        name: &str,
        password: &SecretString,
    ) -> Result<Option<StoredPassword>, Problem> {
        let stored = match store::member_name(name) {
            Some(name) => self.members.password(&name).await?,
            None => None,
        };
        let hash = stored.as_ref().map(StoredPassword::hash);
        let is_right = self.passwords.verify(password, hash).await?;
        Ok(stored.filter(|_| is_right))
    }
}

/// The whole site. `address` is how browsers reach it, such as `https://example.com`.
///
/// Serve it with `into_make_service_with_connect_info::<SocketAddr>()`: attempts are counted per
/// client.
///
/// # Errors
///
/// When the table of logins cannot be created, or the address is neither https nor of this machine.
pub async fn application(address: &str, site: Site) -> Result<Router, BoxError> {
    // Logins in a table beside the members. Sealed logins would need no table, and a key to keep.
    let logins = SqliteStore::new(site.members.pool().clone());
    logins.migrate().await?;
    tokio::spawn(delete_expired(logins.clone(), site.members.clone()));

    let auth = ClefLayer::builder(address, site.members.clone(), logins)
        .login_page("/log-in")
        .build()?;
    let style = || async { ([(CONTENT_TYPE, "text/css")], pages::STYLE) };

    Ok(Router::new()
        .route("/", get(home))
        .route("/sign-up", get(log_in::sign_up_page).post(log_in::sign_up))
        .route("/log-in", get(log_in::log_in_page).post(log_in::log_in))
        .route("/account", get(account::account))
        .route(
            "/account/password",
            get(account::password_page).post(account::change_password),
        )
        .route(
            "/account/delete",
            get(account::delete_page).post(account::delete),
        )
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

/// Public: greets a member, and leads everybody else to the forms.
async fn home(member: Option<LoggedIn<Member>>) -> Html<String> {
    pages::home(member.as_deref())
}

/// Deletes what is over, once an hour. It goes on after an error of the database.
async fn delete_expired(logins: SqliteStore, members: Members) {
    let mut hourly = tokio::time::interval(Duration::from_secs(60 * 60));
    loop {
        hourly.tick().await;
        if let Err(error) = logins.delete_expired().await {
            tracing::warn!(%error, "expired logins were not deleted");
        }
        if let Err(error) = members.delete_old_revocations().await {
            tracing::warn!(%error, "old revocations were not deleted");
        }
    }
}
