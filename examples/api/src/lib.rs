//! A site and its CLI: users log in on the site and make tokens, and `notes` uses one.
//! `cargo run -p api` serves the site at <http://127.0.0.1:3000>.
//!
//! `tokens.rs` has the page and the table of tokens, `notes.rs` the interface for programs,
//! `bin/notes.rs` the CLI. `log_in.rs` and `accounts.rs` are the login form and its table,
//! `pages.rs` the HTML. Passwords are hashed, and attempts limited, as in the example `password`.

mod accounts;
#[path = "../../password/src/attempts.rs"]
mod attempts;
mod log_in;
mod notes;
mod pages;
#[path = "../../password/src/passwords.rs"]
mod passwords;
mod problem;
mod tokens;

use std::{fmt, sync::Arc};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::header::CONTENT_TYPE,
    middleware::map_response,
    response::Html,
    routing::{get, post},
};
use axum_clef::{
    BoxError, ClefLayer, LoggedIn, SessionKey, Sessions,
    stores::{Account, SqliteUserStore},
};

use self::{accounts::Accounts, notes::Notes, tokens::Tokens};
pub use self::{
    attempts::{Attempts, MOST_ATTEMPTS},
    passwords::{HashError, Passwords},
    problem::Problem,
};

/// The largest form or note, in bytes.
const LARGEST_BODY: usize = 4 * 1024;

/// What the handlers share.
#[derive(Clone)]
pub struct Site {
    users: SqliteUserStore,
    accounts: Accounts,
    tokens: Tokens,
    notes: Notes,
    passwords: Arc<Passwords>,
    attempts: Arc<Attempts>,
}

impl Site {
    /// A site with these users, and all else in the same database.
    ///
    /// # Errors
    ///
    /// When a table cannot be created.
    pub async fn new(users: SqliteUserStore, passwords: Passwords) -> Result<Self, BoxError> {
        Ok(Self {
            accounts: Accounts::create(users.clone()).await?,
            tokens: Tokens::create(users.pool().clone()).await?,
            notes: Notes::create(users.pool().clone()).await?,
            users,
            passwords: Arc::new(passwords),
            attempts: Arc::default(),
        })
    }
}

/// The whole site. `address` is how browsers and programs reach it, such as `https://example.com`.
///
/// `key` seals the cookies of browsers and the tokens of programs; neither counts as the other.
///
/// Serve it with `into_make_service_with_connect_info::<SocketAddr>()`: attempts are counted per
/// client.
///
/// # Errors
///
/// When the address is neither https nor of this machine.
pub fn application(address: &str, key: SessionKey, site: Site) -> Result<Router, BoxError> {
    let sessions = Sessions::sealed([key.clone()]);
    let tokens = site.tokens.clone();
    let auth = ClefLayer::builder(address, site.users.clone(), sessions)
        .bearer_tokens([key])
        .login_page("/log-in")
        // A program has ended its own token.
        .on_sign_out(move |_, login| {
            let tokens = tokens.clone();
            async move { Ok(tokens.delete(login.id()).await?) }
        })
        .build()?;
    let style = || async { ([(CONTENT_TYPE, "text/css")], pages::STYLE) };

    Ok(Router::new()
        // One guard for browsers and programs.
        .route("/api/notes", get(notes::list).post(notes::add))
        .route("/", get(home))
        .route("/sign-up", get(log_in::sign_up_page).post(log_in::sign_up))
        .route("/log-in", get(log_in::log_in_page).post(log_in::log_in))
        .route("/tokens", get(tokens::page).post(tokens::make))
        .route("/tokens/{id}/end", post(tokens::end))
        .route("/log-out-everywhere", post(tokens::log_out_everywhere))
        .route("/style.css", get(style))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(site)
        .merge(auth.routes()) // the sign-out, of a browser or with a token
        .layer(auth)
        .layer(map_response(pages::under_policy)))
}

async fn home(user: Option<LoggedIn<Account>>) -> Html<String> {
    pages::home(user.as_deref())
}

impl fmt::Debug for Site {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Site").finish_non_exhaustive()
    }
}
