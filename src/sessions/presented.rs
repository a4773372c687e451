//! A login that comes with a request.

use secrecy::SecretString;
use tower_sessions::session::{Id, Record};

use super::LoginRecord;
use crate::{LoginId, Timestamp};

/// The sign-out hint for the provider, in the data of a session record. It is kept beside the
/// login, as most requests do not read it.
pub(super) const HINT: &str = "axum-clef.hint";

/// A login that the cookies of a request name, before it is compared with any logout.
#[derive(Clone)]
pub(crate) struct PresentedLogin {
    pub(crate) id: LoginId,
    pub(crate) logged_in_at: Timestamp,
    pub(crate) ends_at: Option<Timestamp>,
    /// When a request last counted as activity.
    pub(super) last_seen_at: Option<Timestamp>,
    /// The record of the login, as JSON.
    pub(super) text: String,
    pub(super) source: Source,
}

#[derive(Clone)]
pub(super) enum Source {
    /// The record of the session store, without the text of the login.
    Stored(Record),
    Sealed,
}

/// A stored login, to read later without a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SessionHandle(pub(super) Id);

impl PresentedLogin {
    /// Reads a login. `None` if it cannot be read, or is not one of ours.
    pub(super) fn read(
        text: String,
        source: Source,
        is_ours: impl FnOnce(&LoginRecord<'_>) -> bool,
    ) -> Option<Self> {
        let record = LoginRecord::read(&text).filter(is_ours)?;
        Some(Self {
            id: record.id,
            logged_in_at: record.logged_in_at,
            ends_at: record.ends_at,
            last_seen_at: record.last_seen_at,
            text,
            source,
        })
    }

    /// Parses the record, without a copy. It was parsed before, so the result is `Some`.
    pub(crate) fn record(&self) -> Option<LoginRecord<'_>> {
        LoginRecord::read(&self.text)
    }

    /// Where the login is stored; `None` for a sealed one.
    pub(crate) fn handle(&self) -> Option<SessionHandle> {
        match &self.source {
            Source::Stored(record) => Some(SessionHandle(record.id)),
            Source::Sealed => None,
        }
    }

    /// The hint that the provider receives at the sign-out.
    pub(crate) fn sign_out_hint(&self) -> Option<SecretString> {
        match &self.source {
            Source::Stored(record) => record.data.get(HINT)?.as_str().map(SecretString::from),
            Source::Sealed => {
                let record = self.record()?;
                (!record.hint.is_empty()).then(|| SecretString::from(&*record.hint))
            }
        }
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.id == other.id
    }

    pub(super) fn is_of_user_of(&self, other: &Self) -> bool {
        match (self.record(), other.record()) {
            (Some(own), Some(other)) => own.user_id == other.user_id,
            _ => false,
        }
    }

    pub(crate) fn is_newer_than(&self, other: &Self) -> bool {
        self.logged_in_at > other.logged_in_at
    }
}
