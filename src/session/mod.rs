//! What a login leaves in the session: who, when, and by which browser.
//!
//! It is written once, at the login. Whatever a request in flight saves back later can
//! only be the same stamp again, so a logout cannot be undone by it.

mod keeper;
mod key;
mod lines;
mod record;
mod renewal;
mod saving;

use std::collections::HashMap;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize as _;
use serde_json::Value;
use tower_sessions::{Session, session, session_store};

pub(crate) use self::{
    keeper::{Keeper, SessionCookie},
    key::LoginKey,
    record::{LoginRecord, StoredLogin},
    renewal::{Kept, Renewed},
    saving::{Ending, Handled, Saving},
};
use crate::{BoxError, Timestamp};

/// The login, under this key of the session.
const LOGIN: &str = "axum-clef.login";
/// When the session was last seen in use, roughly; apart from the login, so that the
/// login is never written again.
const SEEN: &str = "axum-clef.seen";
/// What the provider wants to see again at the sign-out.
const SIGN_OUT_HINT: &str = "axum-clef.sign-out-hint";

/// Whether a login counts here, by what its record says.
pub(crate) trait Admits: Fn(&LoginRecord<'_>) -> bool {}

impl<F: Fn(&LoginRecord<'_>) -> bool> Admits for F {}

/// The login in the data of a session, if there is one that can be read and is admitted.
pub(crate) fn find(data: &HashMap<String, Value>, admits: impl Admits) -> Option<StoredLogin> {
    stored(data.get(LOGIN)?, data.get(SEEN), admits)
}

/// Finds the login through the session, as [`find`] does in its data.
///
/// # Errors
///
/// When the session store cannot answer.
pub(crate) async fn read(
    session: &Session,
    admits: impl Admits,
) -> Result<Option<StoredLogin>, BoxError> {
    let login = match session.get_value(LOGIN).await {
        Ok(login) => login,
        Err(error) if is_unreadable(&error) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let Some(login) = login else {
        return Ok(None);
    };
    let seen = session.get_value(SEEN).await?;
    Ok(stored(&login, seen.as_ref(), admits))
}

fn stored(login: &Value, seen: Option<&Value>, admits: impl Admits) -> Option<StoredLogin> {
    let record = LoginRecord::read(login)?;
    if !admits(&record) {
        return None;
    }
    let seen = seen.and_then(|seen| Timestamp::deserialize(seen).ok());
    Some(StoredLogin::new(record, seen))
}

/// Begins a login: a new session id always, and nothing left of anybody else. The session
/// layer saves it.
///
/// # Errors
///
/// When the session store cannot answer. Nobody is logged in then.
pub(crate) async fn begin(
    session: &Session,
    login: &LoginRecord<'_>,
    sign_out_hint: Option<&SecretString>,
) -> Result<(), BoxError> {
    let of_another = match session.get_value(LOGIN).await {
        Ok(previous) => previous.is_some_and(|previous| {
            LoginRecord::read(&previous).is_none_or(|previous| !previous.is_of_same_person(login))
        }),
        Err(error) if is_unreadable(&error) => {
            session.clear().await;
            false
        }
        Err(error) => return Err(error.into()),
    };
    if session.id().is_some() {
        session.cycle_id().await?;
    }
    // Only now: where the store fails before, the browser keeps what it has.
    if of_another {
        session.clear().await;
    }
    session.insert_value(LOGIN, login.to_value()).await?;
    session.insert(SEEN, login.logged_in_at).await?;
    match sign_out_hint {
        Some(hint) => session.insert(SIGN_OUT_HINT, hint.expose_secret()).await?,
        None => drop(session.remove_value(SIGN_OUT_HINT).await?),
    }
    Ok(())
}

/// Ends the session, with all that is in it. Then, if it was a login of the browser that holds
/// this key: its realm, and what the provider wants to see again at the sign-out.
///
/// # Errors
///
/// When the session store cannot answer.
pub(crate) async fn end(
    session: &Session,
    key: Option<&str>,
) -> Result<Option<(String, Option<SecretString>)>, BoxError> {
    if session.id().is_none() {
        return Ok(None);
    }
    let login = match session.get_value(LOGIN).await {
        Ok(login) => login,
        Err(error) if is_unreadable(&error) => None,
        Err(error) => return Err(error.into()),
    };
    let record = login.as_ref().and_then(LoginRecord::read);
    // To nobody else: the hint says who it is.
    let record = record.filter(|record| key.is_some_and(|key| LoginKey::fits(key, &record.key)));
    let realm = record.map(|record| record.realm.into_owned());
    let hint = match &realm {
        Some(_) => session.get_value(SIGN_OUT_HINT).await?,
        None => None,
    };
    let hint = hint.and_then(|hint| hint.as_str().map(SecretString::from));
    session.flush().await?;
    Ok(realm.map(|realm| (realm, hint)))
}

/// Whether the store answered, but with something that is no session.
fn is_unreadable(error: &session::Error) -> bool {
    match error {
        session::Error::SerdeJson(_) => true,
        session::Error::Store(error) => is_no_session(error),
    }
}

/// The same of a store without a session around it.
pub(crate) fn is_no_session(error: &session_store::Error) -> bool {
    matches!(error, session_store::Error::Decode(_))
}
