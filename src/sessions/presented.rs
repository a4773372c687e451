//! A login that came with a request.

use secrecy::SecretString;
use tower_sessions::session::{Id, Record};

use super::LoginRecord;
use crate::Timestamp;

/// What the provider receives again at the sign-out, in the data of a session record, beside the
/// login: most requests do not read it.
pub(super) const HINT: &str = "axum-clef.hint";

/// A login that a request's cookies name: real, and not yet compared with any logout.
#[derive(Clone)]
pub(crate) struct PresentedLogin {
    pub(super) text: String,
    pub(super) source: Source,
}

#[derive(Clone)]
pub(super) enum Source {
    /// The record, without the text of the login.
    Stored(Record),
    /// When the login was last used, if a cookie says so.
    Sealed(Option<Timestamp>),
}

/// A stored login, to look at later without a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SessionHandle(pub(super) Id);

impl PresentedLogin {
    pub(super) fn stored(text: String, record: Record) -> Self {
        Self {
            text,
            source: Source::Stored(record),
        }
    }

    pub(super) fn sealed(text: String) -> Self {
        Self {
            text,
            source: Source::Sealed(None),
        }
    }

    /// What the login is. It was read once already, so it is there.
    pub(crate) fn record(&self) -> Option<LoginRecord<'_>> {
        LoginRecord::read(&self.text)
    }

    /// Where it is stored, if it is.
    pub(crate) fn handle(&self) -> Option<SessionHandle> {
        match &self.source {
            Source::Stored(record) => Some(SessionHandle(record.id)),
            Source::Sealed(_) => None,
        }
    }

    /// What the provider receives again at the sign-out.
    pub(crate) fn sign_out_hint(&self) -> Option<SecretString> {
        match &self.source {
            Source::Stored(record) => record.data.get(HINT)?.as_str().map(SecretString::from),
            Source::Sealed(_) => {
                let record = self.record()?;
                (!record.hint.is_empty()).then(|| SecretString::from(&*record.hint))
            }
        }
    }

    /// When it was last used. A sealed login whose idle time another one's has replaced counts as
    /// used when it began.
    pub(super) fn seen(&self, record: &LoginRecord<'_>) -> Option<Timestamp> {
        match &self.source {
            Source::Stored(_) => record.seen,
            Source::Sealed(seen) => Some(seen.unwrap_or(record.logged_in_at)),
        }
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.text == other.text
    }

    pub(super) fn is_of_user_of(&self, other: &Self) -> bool {
        match (self.record(), other.record()) {
            (Some(own), Some(other)) => own.user_id == other.user_id,
            _ => false,
        }
    }

    pub(crate) fn is_newer_than(&self, other: &Self) -> bool {
        let stamp = |login: &Self| login.record().map(|record| record.logged_in_at);
        stamp(self) > stamp(other)
    }
}
