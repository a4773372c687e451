//! A site where one member logs in by a form and at an OpenID provider: linking an identity,
//! unlinking it, and logging in either way. `cargo run -p both` serves it at <http://127.0.0.1:3000>,
//! with a provider for this machine at <http://127.0.0.1:3100>.
//!
//! `store.rs` has the tables, `pages.rs` the HTML, `local_provider.rs` the provider. Passwords are
//! hashed, and attempts limited, as in the example `password`.

#[path = "../../password/src/attempts.rs"]
mod attempts;
pub mod local_provider;
mod pages;
mod store;

use std::{fmt, sync::Arc, time::Duration};

use axum::{
    Form, Router,
    extract::{DefaultBodyLimit, RawQuery, State},
    http::StatusCode,
    response::{Html, IntoResponse as _, Redirect, Response},
    routing::{get, post},
};
use axum_clef::{
    BoxError, ClefLayer, LoggedIn, NewLogin, RecentLogin, SameOrigin, Subject, oidc::Oidc,
    secrecy::SecretString, tower_sessions::ExpiredDeletion as _,
};
pub use password::Problem;
use password::{Passwords, check_length};
use serde::Deserialize;
use tower_sessions_sqlx_store::SqliteStore;

use self::attempts::Attempt;
pub use self::{
    attempts::{Attempts, MOST_ATTEMPTS},
    store::{Member, Members},
};

/// The longest name, in characters.
const LONGEST_NAME: usize = 32;

/// What the handlers share.
#[derive(Clone)]
pub struct Site {
    members: Members,
    passwords: Arc<Passwords>,
    attempts: Arc<Attempts>,
}

impl fmt::Debug for Site {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Site").finish_non_exhaustive()
    }
}

/// The whole site. `address` is how browsers reach it, such as `https://example.com`.
///
/// Serve it with `into_make_service_with_connect_info::<SocketAddr>()`: attempts are counted per
/// client.
///
/// # Errors
///
/// When the table of logins cannot be created, or a setting is wrong.
pub async fn application(
    address: &str,
    members: Members,
    provider: Oidc,
) -> Result<Router, BoxError> {
    let logins = SqliteStore::new(members.pool().clone());
    logins.migrate().await?;
    tokio::spawn(delete_expired(logins.clone(), members.clone()));
    let auth = ClefLayer::builder(address, members.clone(), logins)
        .provider(provider)
        .login_page("/log-in") // the form, and a link to the provider
        .build()?;
    let passwords = Arc::new(Passwords::new().await.map_err(|_| "no random numbers")?);
    let site = Site {
        members,
        passwords,
        attempts: Arc::default(),
    };
    Ok(Router::new()
        .route("/", get(home))
        .route("/sign-up", post(sign_up))
        .route("/log-in", get(log_in_page).post(log_in))
        .route("/account", get(account))
        .route("/account/unlink", post(unlink))
        .layer(DefaultBodyLimit::max(4 * 1024))
        .with_state(site)
        .merge(auth.routes())
        .layer(auth))
}

#[derive(Deserialize)]
struct Credentials {
    name: String,
    password: SecretString,
}

/// The identity to unlink.
#[derive(Deserialize)]
struct Identity {
    issuer: String,
    subject: String,
}

async fn home(member: Option<LoggedIn<Member>>) -> Html<String> {
    pages::home(member.as_deref())
}

/// The query has `next`, and `max_age` for a member who has to log in again. It goes to both ways to
/// log in: along with the form, and with the link to the provider.
async fn log_in_page(RawQuery(query): RawQuery) -> Html<String> {
    pages::log_in(&query.unwrap_or_default())
}

async fn log_in(
    login: NewLogin,
    _: Attempt,
    State(site): State<Site>,
    Form(form): Form<Credentials>,
) -> Result<Redirect, Problem> {
    let stored = match member_name(&form.name) {
        Some(name) => site.members.password(&name).await?,
        None => None,
    };
    let hash = stored.as_ref().map(|(_, hash)| hash.as_str());
    let is_right = site.passwords.verify(&form.password, hash).await?;
    match stored.filter(|_| is_right) {
        Some((id, _)) => Ok(login.begin(&id).await?),
        None => Ok(login.try_again()),
    }
}

async fn sign_up(
    login: NewLogin,
    _: Attempt,
    State(site): State<Site>,
    Form(form): Form<Credentials>,
) -> Result<Response, Problem> {
    let refuse = |status: StatusCode, sentence: &str| {
        let page = pages::says(sentence);
        Ok((status, page).into_response())
    };
    let Some(name) = member_name(&form.name) else {
        let sentence = format!("Use a name of 1 to {LONGEST_NAME} characters.");
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, &sentence);
    };
    if let Err(sentence) = check_length(&form.password) {
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, &sentence);
    }
    let hash = site.passwords.hash(&form.password).await?;
    match site.members.sign_up(&name, &hash).await? {
        Some(id) => Ok(login.next("/account").begin(&id).await?.into_response()),
        None => refuse(StatusCode::CONFLICT, "This name is taken."),
    }
}

/// A name as it is stored; `None` if it is none. Names differ in more than capitals and spaces.
fn member_name(text: &str) -> Option<String> {
    let name = text.trim().to_lowercase();
    (1..=LONGEST_NAME)
        .contains(&name.chars().count())
        .then_some(name)
}

/// The page with the forms that link and unlink. Both need a recent login, so it does too.
async fn account(
    _: RecentLogin<10>,
    LoggedIn(member): LoggedIn<Member>,
    State(site): State<Site>,
) -> Result<Html<String>, Problem> {
    let identities = site.members.identities(&member).await?;
    Ok(pages::account(&member, &identities))
}

/// Unlinks an identity, which logs the member out everywhere.
///
/// Linking has no handler: its form posts `link=true` to the start route of the provider, and the
/// callback calls [`IdentityStore::link`](axum_clef::IdentityStore::link).
async fn unlink(
    _: SameOrigin,
    _: RecentLogin<10>,
    LoggedIn(member): LoggedIn<Member>,
    State(site): State<Site>,
    Form(form): Form<Identity>,
) -> Result<Response, Problem> {
    let identity = Subject::new(form.issuer, form.subject);
    match site.members.unlink(&member, &identity).await? {
        true => Ok(Redirect::to("/").into_response()),
        false => {
            let page = pages::says("This is your only way to log in.");
            Ok((StatusCode::CONFLICT, page).into_response())
        }
    }
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
