//! What a login leaves in the session: who, when, and by which browser.
//!
//! It is written once, at the login. Whatever a request in flight saves back later can
//! only be the same stamp again, so a logout cannot be undone by it.

mod keeper;
mod key;
mod renewal;
mod saving;

use std::collections::HashMap;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tower_sessions::{Session, session, session_store};

pub(crate) use self::{
    keeper::{Keeper, SessionCookie},
    key::LoginKey,
    renewal::Renewed,
    saving::{Ending, Handled, Saving},
};
use crate::{BoxError, ProviderSession, Subject, Timestamp};

/// The login, under this key of the session.
const LOGIN: &str = "axum-clef.login";
/// When the session was last seen in use, roughly; apart from the login, so that the
/// login is never written again.
const SEEN: &str = "axum-clef.seen";
/// What the provider wants to see again at the sign-out.
const SIGN_OUT_HINT: &str = "axum-clef.sign-out-hint";

/// A login as the session keeps it. Whatever lacks a part of it is no login.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LoginRecord {
    /// Which layer made it: two layers of one application may share a session store, and
    /// their users are not the same people.
    pub(crate) realm: String,
    /// The application's id of the user.
    pub(crate) user_id: String,
    /// Who it is to the provider.
    pub(crate) subject: Subject,
    /// The id of the session that the person has at the provider, if it names them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) session: Option<String>,
    /// When the login began.
    pub(crate) logged_in_at: Timestamp,
    /// The fingerprint of the key that the browser holds.
    pub(crate) key: String,
}

impl LoginRecord {
    /// The session that the person has at the provider, if it names them.
    pub(crate) fn provider_session(&self) -> Option<ProviderSession> {
        let id = self.session.as_ref()?;
        Some(ProviderSession::new(self.subject.issuer(), id))
    }
}

/// A login in a session, and what else the check wants to know of the session.
pub(crate) struct Stored {
    pub(crate) login: LoginRecord,
    /// When the session was last seen in use, as far as it says.
    pub(super) seen: Option<Timestamp>,
}

impl Stored {
    /// The login in the data of a session, if there is one that can be read.
    pub(crate) fn of(data: &HashMap<String, Value>) -> Option<Self> {
        Self::read(data.get(LOGIN)?, data.get(SEEN))
    }

    fn read(login: &Value, seen: Option<&Value>) -> Option<Self> {
        Some(Self {
            login: LoginRecord::deserialize(login).ok()?,
            seen: seen.and_then(|seen| Timestamp::deserialize(seen).ok()),
        })
    }
}

/// Reads the login through the session, if there is one that can be read.
///
/// # Errors
///
/// When the session store cannot answer.
pub(crate) async fn read(session: &Session) -> Result<Option<Stored>, BoxError> {
    let login = match session.get_value(LOGIN).await {
        Ok(login) => login,
        Err(error) if is_unreadable(&error) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let Some(login) = login else {
        return Ok(None);
    };
    let seen = session.get_value(SEEN).await?;
    Ok(Stored::read(&login, seen.as_ref()))
}

/// Begins a login: a new session id always, and nothing left of anybody else. The session
/// layer saves it.
///
/// # Errors
///
/// When the session store cannot answer. Nobody is logged in then.
pub(crate) async fn begin(
    session: &Session,
    login: &LoginRecord,
    sign_out_hint: Option<&SecretString>,
) -> Result<(), BoxError> {
    let of_another = match session.get_value(LOGIN).await {
        Ok(previous) => previous.is_some_and(|previous| !is_same_person(&previous, login)),
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
    session.insert(LOGIN, login).await?;
    session.insert(SEEN, login.logged_in_at).await?;
    match sign_out_hint {
        Some(hint) => session.insert(SIGN_OUT_HINT, hint.expose_secret()).await?,
        None => drop(session.remove_value(SIGN_OUT_HINT).await?),
    }
    Ok(())
}

/// Ends the session, with all that is in it: the login that it was, and what the provider wants
/// to see again at the sign-out.
///
/// # Errors
///
/// When the session store cannot answer.
pub(crate) async fn end(
    session: &Session,
) -> Result<Option<(LoginRecord, Option<SecretString>)>, BoxError> {
    if session.id().is_none() {
        return Ok(None);
    }
    let login = read(session).await?;
    let hint = match &login {
        Some(_) => session.get_value(SIGN_OUT_HINT).await?,
        None => None,
    };
    let hint = hint.and_then(|hint| hint.as_str().map(SecretString::from));
    session.flush().await?;
    Ok(login.map(|stored| (stored.login, hint)))
}

fn is_same_person(previous: &Value, login: &LoginRecord) -> bool {
    LoginRecord::deserialize(previous).is_ok_and(|previous| {
        previous.realm == login.realm
            && previous.subject == login.subject
            && previous.user_id == login.user_id
    })
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
