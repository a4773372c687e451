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
    collections::BTreeMap,
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
    Subject, SubjectIdentifier, Timestamp, User as _,
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

/// The people whose accounts were disabled or enabled: when the latest event was issued, and whether
/// it locks.
#[derive(Clone, Debug, Default)]
struct Locked(Arc<Mutex<BTreeMap<String, (Timestamp, bool)>>>);

impl Locked {
    fn people(&self) -> MutexGuard<'_, BTreeMap<String, (Timestamp, bool)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn contains(&self, person: &str) -> bool {
        let people = self.people();
        people.get(person).is_some_and(|(_, is_locked)| *is_locked)
    }

    /// Applies an event unless a later one has been. Of two with the same time, the lock wins.
    fn apply(&self, person: &str, issued_at: Timestamp, is_locked: bool) {
        let event = (issued_at, is_locked);
        let mut people = self.people();
        let latest = people.entry(person.to_owned()).or_insert(event);
        *latest = event.max(*latest);
    }

    /// The hook of the events. It runs before the logins end, so a person whose account it has locked
    /// does not come back. Events may come again, and out of order.
    async fn on_event(self, event: SecurityEvent) -> Result<(), BoxError> {
        let subject = event.subject.and_then(|subject| subject.user);
        let Some(SubjectIdentifier::IssSub(person)) = subject else {
            return Ok(());
        };
        match event.kind {
            SecurityEventKind::AccountDisabled => {
                self.apply(person.id(), event.issued_at, true);
            }
            SecurityEventKind::AccountEnabled => {
                self.apply(person.id(), event.issued_at, false);
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
    let profile = Profile::new(Subject::new(&site.directory, &form.person));
    let unavailable = |_| StatusCode::SERVICE_UNAVAILABLE;
    let user = site
        .users
        .find_or_create(&profile)
        .await
        .map_err(unavailable)?;
    let user = user.ok_or(StatusCode::FORBIDDEN)?;
    // Once the user exists: an event that locks the account after this check ends the login.
    if site.locked.contains(&form.person) {
        let page = pages::log_in(Some("This account is disabled."));
        return Ok((StatusCode::FORBIDDEN, page).into_response());
    }
    let begun: Result<Redirect, _> = login.begin(&user.id()).await;
    Ok(begun.into_response())
}

#[cfg(test)]
mod tests {
    use axum_clef::{security_events::EventSubject, serde_json::Map};

    use super::*;

    const DIRECTORY: &str = "https://directory.example.com";

    fn event(name: &str, second: i64) -> SecurityEvent {
        let uri = format!("https://schemas.openid.net/secevent/risc/event-type/{name}");
        let mut event = SecurityEvent::new(DIRECTORY, "1", &uri, &Map::new());
        let mut subject = EventSubject::default();
        let person = Subject::new(DIRECTORY, "mira");
        subject.user = Some(SubjectIdentifier::IssSub(person));
        event.subject = Some(subject);
        event.issued_at = Timestamp::from_micros(second * 1_000_000);
        event
    }

    #[tokio::test]
    async fn the_latest_event_decides_in_any_order_and_the_lock_at_the_same_time() {
        let (disabled, enabled) = ("account-disabled", "account-enabled");
        for (first, second, is_locked) in [
            ((enabled, 1), (disabled, 2), true),
            ((disabled, 2), (enabled, 1), true),
            ((disabled, 1), (enabled, 2), false),
            ((enabled, 2), (disabled, 1), false),
            ((disabled, 1), (enabled, 1), true),
            ((enabled, 1), (disabled, 1), true),
        ] {
            let locked = Locked::default();
            for (name, second) in [first, second] {
                let applied = locked.clone().on_event(event(name, second));
                applied.await.unwrap();
            }
            assert_eq!(locked.contains("mira"), is_locked, "{first:?} {second:?}");
            assert!(!locked.contains("noor"));
        }
    }
}
