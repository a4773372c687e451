//! A login as the session keeps it: one string, for stores hand out copies of what a session
//! holds, and a string is one piece to copy.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

use crate::{ProviderSession, Subject, Timestamp};

/// A login in the words of a session: a list in JSON, in this order. Whatever lacks a part of
/// it is no login.
#[derive(Deserialize)]
pub(crate) struct LoginRecord<'a> {
    /// Which layer made it: two layers of one application may share a session store, and
    /// their users are not the same people.
    #[serde(borrow)]
    pub(crate) realm: Cow<'a, str>,
    /// The application's id of the user.
    #[serde(borrow)]
    pub(crate) user_id: Cow<'a, str>,
    /// Who it is to the provider: the issuer, and the id there.
    #[serde(borrow)]
    pub(crate) issuer: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) subject_id: Cow<'a, str>,
    /// The id of the session that the person has at the provider, if it names them.
    #[serde(borrow)]
    pub(crate) session: Option<Cow<'a, str>>,
    /// When the login began.
    pub(crate) logged_in_at: Timestamp,
    /// The fingerprint of the key that the browser holds.
    #[serde(borrow)]
    pub(crate) key: Cow<'a, str>,
}

impl<'a> LoginRecord<'a> {
    /// Reads what a session holds, if it is a login.
    pub(super) fn read(value: &'a Value) -> Option<Self> {
        serde_json::from_str(value.as_str()?).ok()
    }

    /// As the session holds it.
    pub(super) fn to_value(&self) -> Result<Value, serde_json::Error> {
        let list = (
            &self.realm,
            &self.user_id,
            &self.issuer,
            &self.subject_id,
            &self.session,
            self.logged_in_at,
            &self.key,
        );
        serde_json::to_string(&list).map(Value::String)
    }

    pub(super) fn is_of_same_person(&self, other: &LoginRecord<'_>) -> bool {
        self.realm == other.realm
            && self.user_id == other.user_id
            && self.issuer == other.issuer
            && self.subject_id == other.subject_id
    }
}

/// A login in a session, apart from what only told whether it counts here.
pub(crate) struct StoredLogin {
    pub(crate) user_id: String,
    pub(crate) subject: Subject,
    /// The session that the person has at the provider, if it names them.
    pub(crate) session: Option<ProviderSession>,
    pub(crate) logged_in_at: Timestamp,
    /// When the session was last seen in use, as far as it says.
    pub(super) seen: Option<Timestamp>,
}

impl StoredLogin {
    pub(super) fn new(record: LoginRecord<'_>, seen: Option<Timestamp>) -> Self {
        let session = record.session;
        Self {
            session: session.map(|id| ProviderSession::new(&*record.issuer, id)),
            user_id: record.user_id.into_owned(),
            subject: Subject::new(record.issuer, record.subject_id),
            logged_in_at: record.logged_in_at,
            seen,
        }
    }

    /// Whether this is still the login of a session. Its id is new at every login, so only
    /// what was taken out of it can have changed.
    pub(super) fn is(&self, record: &LoginRecord<'_>) -> bool {
        record.logged_in_at == self.logged_in_at
            && record.user_id == self.user_id
            && record.issuer == self.subject.issuer()
            && record.subject_id == self.subject.id()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_comes_back_as_it_was() {
        for text in ["12345", "", "\"quoted\" \\ and\nbroken", "\u{1F30A} \u{0}"] {
            for session in [None, Some(text.into())] {
                let record = LoginRecord {
                    realm: "https://example.com/clef/callback".into(),
                    user_id: text.into(),
                    issuer: "https://clef.test".into(),
                    subject_id: text.into(),
                    session,
                    logged_in_at: Timestamp::from_micros(i64::MAX),
                    key: "a fingerprint".into(),
                };
                let value = record.to_value().unwrap();
                let read = LoginRecord::read(&value).unwrap();
                assert!(read.is_of_same_person(&record));
                assert_eq!(read.session, record.session);
                assert_eq!(read.logged_in_at, record.logged_in_at);
                assert_eq!(read.key, record.key);
                assert!(StoredLogin::new(read, None).is(&record));
            }
        }
    }

    #[test]
    fn what_is_whole_and_plain_is_not_copied() {
        let text = r#"["realm","1","issuer","12345",null,7,"key"]"#.to_owned();
        let value = Value::String(text);
        let record = LoginRecord::read(&value).unwrap();
        for part in [&record.realm, &record.user_id, &record.issuer, &record.key] {
            assert!(matches!(part, Cow::Borrowed(_)), "{part}");
        }
    }
}
