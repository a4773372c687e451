//! A site that a directory of staff sends security events to. `cargo run -p security_events` serves
//! the site at <http://127.0.0.1:3000>, and the directory at <http://127.0.0.1:3100>.
//!
//! An administrator of the directory revokes the sessions of a person, or disables the account. The
//! logins of that person here end at once, in every browser. A disabled person cannot log in again.
//!
//! Everything that a site of your own needs is in this file. `directory.rs` is the sender.

pub mod directory;
mod pages;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Form, Router,
    extract::State,
    http::StatusCode,
    response::{Html, IntoResponse as _, Redirect, Response},
    routing::get,
};
use axum_clef::{
    BoxError, ClefLayer, IdentityStore as _, LoggedIn, LoggedInRejection, NewLogin, Profile,
    Subject, SubjectIdentifier, User as _,
    secrecy::SecretString,
    security_events::{
        EventDelivery, EventReceiver, SecurityEvent, SecurityEventKind, SigningAlgorithm,
        StreamClient,
    },
    stores::{Account, MemoryUserStore},
};
use serde::Deserialize;
use tower_sessions::MemoryStore;

use crate::directory::PEOPLE;

/// Where the site receives events.
pub const EVENTS: &str = "/clef/events";
/// What the site asks the directory for.
const REQUESTED: [&str; 3] = [
    "https://schemas.openid.net/secevent/caep/event-type/session-revoked",
    "https://schemas.openid.net/secevent/risc/event-type/account-disabled",
    "https://schemas.openid.net/secevent/risc/event-type/account-enabled",
];

/// What the handlers share. Users and logins are in memory; for stores that last, see
/// docs/getting_started.md.
#[derive(Clone, Debug)]
pub struct Site {
    users: MemoryUserStore,
    directory: String,
    locked: Locked,
}

/// The people whose accounts are disabled.
#[derive(Clone, Debug, Default)]
struct Locked(Arc<Mutex<BTreeSet<String>>>);

impl Locked {
    fn people(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The hook of the events. It runs before the logins end, so a person whose account it has locked
    /// does not come back. The same event may come again, which changes nothing.
    async fn on_event(self, event: SecurityEvent) -> Result<(), BoxError> {
        let subject = event.subject.and_then(|subject| subject.user);
        let Some(SubjectIdentifier::IssSub(person)) = subject else {
            return Ok(());
        };
        match event.kind {
            SecurityEventKind::AccountDisabled => {
                self.people().insert(person.id().to_owned());
            }
            SecurityEventKind::AccountEnabled => {
                self.people().remove(person.id());
            }
            _ => {}
        }
        Ok(())
    }
}

/// The router of the site at this URL, and its client for the stream of events of the directory.
///
/// # Errors
///
/// If a URL is not valid.
pub fn application(site: &str, directory: &str) -> Result<(Router, StreamClient), BoxError> {
    let (users, locked) = (MemoryUserStore::new(), Locked::default());
    let hook = locked.clone();
    let receiver = EventReceiver::new(directory, site)?
        .signing_algorithm(SigningAlgorithm::EdDsa)
        .on_event(move |event| hook.clone().on_event(event));
    let token = SecretString::from(directory::ACCESS_TOKEN);
    let stream = StreamClient::new(&receiver, token);
    let auth = ClefLayer::builder(site, users.clone(), MemoryStore::default())
        .login_page("/log-in")
        .logout_endpoint(EVENTS, receiver)
        .build()?;
    let shared = Site {
        users,
        directory: directory.to_owned(),
        locked,
    };
    let app = Router::new()
        .route("/", get(home))
        .route("/log-in", get(log_in_page).post(log_in))
        .with_state(shared)
        .merge(auth.routes())
        .layer(auth);
    Ok((app, stream))
}

/// Registers the site at the directory, once it is served: the directory then pushes its events, and
/// an event shows that they arrive.
///
/// # Errors
///
/// If the directory refuses it.
pub async fn register(site: &str, stream: &StreamClient) -> Result<(), BoxError> {
    let delivery = EventDelivery::push(format!("{site}{EVENTS}"));
    let registered = stream.ensure(&delivery, &REQUESTED).await?;
    stream.verify(&registered.id).await?;
    Ok(())
}

/// The rejection of a visitor says how their login ended.
async fn home(
    user: Result<LoggedIn<Account>, LoggedInRejection>,
    State(site): State<Site>,
) -> Response {
    let (user, ended) = match &user {
        Ok(user) => (Some(&**user), None),
        Err(rejection) if rejection.status().is_server_error() => {
            return rejection.default_response();
        }
        Err(rejection) => (None, rejection.ended_login()),
    };
    pages::home(user, ended, &site.directory).into_response()
}

async fn log_in_page() -> Html<String> {
    pages::log_in(None)
}

#[derive(Deserialize)]
struct Credentials {
    person: String,
}

/// Believes everyone: a site of your own verifies a password here, or has a provider.
async fn log_in(
    login: NewLogin,
    State(site): State<Site>,
    Form(form): Form<Credentials>,
) -> Result<Response, StatusCode> {
    if !PEOPLE.contains(&form.person.as_str()) {
        return Err(StatusCode::FORBIDDEN);
    }
    if site.locked.people().contains(&form.person) {
        let page = pages::log_in(Some("This account is disabled."));
        return Ok((StatusCode::FORBIDDEN, page).into_response());
    }
    let profile = Profile::new(Subject::new(&site.directory, form.person));
    let unavailable = |_| StatusCode::SERVICE_UNAVAILABLE;
    let user = site
        .users
        .find_or_create(&profile)
        .await
        .map_err(unavailable)?;
    let user = user.ok_or(StatusCode::FORBIDDEN)?;
    let begun: Result<Redirect, _> = login.begin(&user.id()).await;
    Ok(begun.into_response())
}
