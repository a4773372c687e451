//! A login as the session keeps it: one string, for stores hand out copies of what a session
//! holds, and a string is one piece to copy.

use std::borrow::Cow;

use serde_json::Value;

use super::lines;
use crate::{ProviderSession, Subject, Timestamp};

/// What stands before the session's id at the provider, where there is one. Without one the line
/// is empty.
const NAMED: char = ':';

/// A login in the words of a session: these parts, one a line, in this order. Whatever lacks a
/// part or has one more is no login.
#[cfg_attr(test, derive(Debug, PartialEq))]
pub(crate) struct LoginRecord<'a> {
    /// Which layer made it: two layers of one application may share a session store, and
    /// their users are not the same people.
    pub(crate) realm: Cow<'a, str>,
    /// The application's id of the user.
    pub(crate) user_id: Cow<'a, str>,
    /// Who it is to the provider: the issuer, and the id there.
    pub(crate) issuer: Cow<'a, str>,
    pub(crate) subject_id: Cow<'a, str>,
    /// The id of the session that the person has at the provider, if it names them.
    pub(crate) session: Option<Cow<'a, str>>,
    /// When the login began.
    pub(crate) logged_in_at: Timestamp,
    /// The fingerprint of the key that the browser holds.
    pub(crate) key: Cow<'a, str>,
}

impl<'a> LoginRecord<'a> {
    /// Reads what a session holds, if it is a login.
    pub(super) fn read(value: &'a Value) -> Option<Self> {
        let mut text = value.as_str()?;
        let mut part = || lines::take(&mut text);
        let record = Self {
            realm: part()?,
            user_id: part()?,
            issuer: part()?,
            subject_id: part()?,
            session: session(part()?)?,
            logged_in_at: Timestamp::from_micros(part()?.parse().ok()?),
            key: part()?,
        };
        text.is_empty().then_some(record)
    }

    /// As the session holds it.
    pub(super) fn to_value(&self) -> Value {
        let session = self.session.as_ref().map(|id| format!("{NAMED}{id}"));
        let mut text = String::new();
        for part in [
            &self.realm,
            &self.user_id,
            &self.issuer,
            &self.subject_id,
            session.as_deref().unwrap_or_default(),
            &self.logged_in_at.as_micros().to_string(),
            &self.key,
        ] {
            lines::push(&mut text, part);
        }
        Value::String(text)
    }

    pub(super) fn is_of_same_person(&self, other: &LoginRecord<'_>) -> bool {
        self.realm == other.realm
            && self.user_id == other.user_id
            && self.issuer == other.issuer
            && self.subject_id == other.subject_id
    }
}

/// `None`: it is neither a session nor none.
fn session(part: Cow<'_, str>) -> Option<Option<Cow<'_, str>>> {
    match part {
        part if part.is_empty() => Some(None),
        Cow::Borrowed(part) => Some(Some(part.strip_prefix(NAMED)?.into())),
        Cow::Owned(part) => Some(Some(part.strip_prefix(NAMED)?.to_owned().into())),
    }
}

/// A login in a session, apart from what only told whether it counts here.
#[derive(Clone)]
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
    use proptest::{option, prelude::*};

    use super::*;

    /// Of few letters, so that what ends a line, or only seems to, comes everywhere.
    const TEXT: &str = "[1:\u{1F30A}n\n\\\\\r\"]{0,5}";

    fn record<'a>(texts: [&'a str; 5], session: Option<&'a str>, micros: i64) -> LoginRecord<'a> {
        let [realm, user_id, issuer, subject_id, key] = texts.map(Cow::from);
        LoginRecord {
            realm,
            user_id,
            issuer,
            subject_id,
            session: session.map(Cow::from),
            logged_in_at: Timestamp::from_micros(micros),
            key,
        }
    }

    fn text(record: &LoginRecord<'_>) -> String {
        record.to_value().as_str().unwrap().to_owned()
    }

    fn is_login(text: &str) -> bool {
        LoginRecord::read(&text.into()).is_some()
    }

    proptest! {
        // Kept in no file.
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_text_comes_back_as_it_was(
            realm in TEXT,
            user_id in TEXT,
            issuer in TEXT,
            subject_id in TEXT,
            key in TEXT,
            session in option::of(TEXT),
            micros: i64,
        ) {
            let texts = [&*realm, &user_id, &issuer, &subject_id, &key];
            let record = record(texts, session.as_deref(), micros);
            let value = record.to_value();
            let read = LoginRecord::read(&value).unwrap();
            prop_assert_eq!(&read, &record);
            prop_assert!(read.is_of_same_person(&record));
            prop_assert!(StoredLogin::new(read, None).is(&record));
        }

        #[test]
        fn what_is_cut_off_or_goes_on_is_no_login(
            user_id in TEXT,
            session in option::of(TEXT),
            more in TEXT,
        ) {
            let texts = ["realm", &user_id, "issuer", "12345", "key"];
            let whole = text(&record(texts, session.as_deref(), 7));
            for (cut, _) in whole.char_indices() {
                prop_assert!(!is_login(&whole[..cut]), "{cut}");
            }
            if !more.is_empty() {
                prop_assert!(!is_login(&(whole + &more)));
            }
        }
    }

    #[test]
    fn a_login_is_these_lines() {
        let record = record(["realm", "1", "issuer", "12345", "key"], None, 7);
        assert_eq!(text(&record), "realm\n1\nissuer\n12345\n\n7\nkey\n");
        for (text, session) in [
            ("realm\n1\nissuer\n12345\n:\n7\nkey\n", Some("")),
            ("realm\n1\nissuer\n12345\n:a\\n\n7\nkey\n", Some("a\n")),
        ] {
            let value = Value::from(text);
            let read = LoginRecord::read(&value).unwrap();
            assert_eq!(read.session.as_deref(), session);
            assert_eq!(read.to_value(), value);
        }
    }

    #[test]
    fn what_nobody_wrote_is_no_login() {
        for text in [
            "",
            "\n\n\n\n\n\n\n",
            // The session is neither named nor none.
            "realm\n1\nissuer\n12345\na\n7\nkey\n",
            "realm\n1\nissuer\n12345\n\\:a\n7\nkey\n",
            // No moment.
            "realm\n1\nissuer\n12345\n\n\nkey\n",
            "realm\n1\nissuer\n12345\n\n7.0\nkey\n",
            "realm\n1\nissuer\n12345\n\n9223372036854775808\nkey\n",
            // An escape that is none.
            "realm\n1\nissuer\n12345\n\n7\nk\\ey\n",
            "realm\n1\nissuer\n12345\n\n7\nkey\\\n",
            r#"["realm","1","issuer","12345",null,7,"key"]"#,
        ] {
            assert!(!is_login(text), "{text:?}");
        }
        let list = serde_json::json!(["realm", "1", "issuer", "12345", null, 7, "key"]);
        assert_eq!(LoginRecord::read(&list), None);
    }

    #[test]
    fn what_is_whole_and_plain_is_not_copied() {
        let value = record(["realm", "1", "issuer", "12345", "key"], Some("a"), 7).to_value();
        let read = LoginRecord::read(&value).unwrap();
        let session = read.session.as_ref().unwrap();
        for part in [
            &read.realm,
            &read.user_id,
            &read.issuer,
            &read.subject_id,
            session,
            &read.key,
        ] {
            assert!(matches!(part, Cow::Borrowed(_)), "{part}");
        }
    }
}
