//! The record of a login: in a session store, or sealed in the cookie.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize};
use yoke::Yokeable;

use crate::{LoginId, ProviderKey, Subject, Timestamp, timestamp::LoginTimes};

/// The version that this release writes, and the only one that it reads.
const VERSION: u8 = 1;

/// The record of a login, as JSON. It borrows from the text where no character is escaped.
///
/// A reader ignores unknown fields, and a renewal keeps them. A new version is written one release
/// after it can be read, so that nodes of two releases can share one store.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Yokeable)]
pub(crate) struct LoginRecord<'a> {
    #[serde(rename = "v")]
    version: u8,
    /// The purpose, site and cookie name of the record, as
    /// [`LoginCookie::login_context`](super::LoginCookie::login_context) joins them.
    #[serde(rename = "for", borrow)]
    context: Cow<'a, str>,
    pub(crate) id: LoginId,
    #[serde(rename = "user", borrow)]
    pub(crate) user_id: Cow<'a, str>,
    #[serde(rename = "at")]
    pub(crate) logged_in_at: Timestamp,
    /// When the credentials were proven; absent if that is unknown.
    #[serde(rename = "auth_at", default, skip_serializing_if = "Option::is_none")]
    pub(crate) authenticated_at: Option<Timestamp>,
    /// When the user last ended all other logins and kept this one.
    #[serde(rename = "kept", default, skip_serializing_if = "Option::is_none")]
    kept_at: Option<Timestamp>,
    #[serde(rename = "end", default, skip_serializing_if = "Option::is_none")]
    pub(crate) ends_at: Option<Timestamp>,
    /// Whether the browser drops the cookie when it is closed. Records of earlier releases do not
    /// say so.
    #[serde(rename = "brief", default, skip_serializing_if = "std::ops::Not::not")]
    ends_with_browser: bool,
    /// The subject at the provider, by issuer and id. Both are empty for a login without a
    /// provider.
    #[serde(rename = "iss", default, borrow, skip_serializing_if = "str::is_empty")]
    issuer: Cow<'a, str>,
    #[serde(rename = "sub", default, borrow, skip_serializing_if = "str::is_empty")]
    subject: Cow<'a, str>,
    /// The session at the provider; empty if the provider names none.
    #[serde(rename = "sid", default, borrow, skip_serializing_if = "str::is_empty")]
    provider_session: Cow<'a, str>,
    /// Whether the provider names sessions, but none for this login.
    #[serde(rename = "nosid", default, skip_serializing_if = "std::ops::Not::not")]
    without_session: bool,
    /// The provider's callback path, by which a sign-out finds the provider.
    #[serde(rename = "via", default, borrow, skip_serializing_if = "str::is_empty")]
    pub(crate) callback: Cow<'a, str>,
    /// The SHA-256 of the cookie's secret; empty where the whole record is sealed.
    #[serde(default, borrow, skip_serializing_if = "str::is_empty")]
    pub(super) secret: Cow<'a, str>,
    /// When a request last counted as activity, to a twentieth of the idle time. Absent where the
    /// record is sealed.
    #[serde(rename = "seen", default, skip_serializing_if = "Option::is_none")]
    pub(super) last_seen_at: Option<Timestamp>,
    /// The hint that the provider receives at the sign-out; only in sealed records.
    #[serde(default, borrow, skip_serializing_if = "str::is_empty")]
    pub(super) hint: Cow<'a, str>,
    /// The name that the user gave a bearer token; empty for a login with a cookie.
    #[serde(
        rename = "token",
        default,
        borrow,
        skip_serializing_if = "str::is_empty"
    )]
    pub(super) token_name: Cow<'a, str>,
}

/// The data of a login before it is stored.
#[derive(Clone, Debug)]
pub(crate) struct LoginDetails<'a> {
    pub(crate) id: LoginId,
    pub(crate) user_id: &'a str,
    pub(crate) logged_in_at: Timestamp,
    /// When the credentials were proven; `None` if that is unknown.
    pub(crate) authenticated_at: Option<Timestamp>,
    /// When the user last ended all other logins and kept this one.
    pub(crate) kept_at: Option<Timestamp>,
    pub(crate) ends_at: Option<Timestamp>,
    /// Whether the cookie outlives the browser's session.
    pub(crate) remember: bool,
    /// `None` for a login without a provider.
    pub(crate) subject: Option<&'a Subject>,
    /// The login's key at its provider, which a logout notice can name instead of the user.
    pub(crate) provider_key: Option<ProviderKey<'a>>,
    /// The provider's callback path; empty for a login without a provider.
    pub(crate) callback: &'a str,
}

impl LoginDetails<'_> {
    /// When the record is written, by the clock of the user store.
    pub(super) fn written_at(&self) -> Timestamp {
        self.kept_at.unwrap_or(self.logged_in_at)
    }
}

impl<'a> LoginRecord<'a> {
    pub(super) fn new(login: &LoginDetails<'a>, context: &'a str) -> Self {
        let subject = login.subject;
        let (provider_session, without_session) = match login.provider_key {
            Some(ProviderKey::Session { id, .. }) => (id, false),
            Some(ProviderKey::Subject { .. }) => ("", true),
            None => ("", false),
        };
        Self {
            version: VERSION,
            context: context.into(),
            id: login.id,
            user_id: login.user_id.into(),
            logged_in_at: login.logged_in_at,
            authenticated_at: login.authenticated_at,
            kept_at: login.kept_at,
            ends_at: login.ends_at,
            ends_with_browser: !login.remember,
            issuer: subject.map_or("", Subject::issuer).into(),
            subject: subject.map_or("", Subject::id).into(),
            provider_session: provider_session.into(),
            without_session,
            callback: login.callback.into(),
            secret: "".into(),
            last_seen_at: None,
            hint: "".into(),
            token_name: "".into(),
        }
    }

    /// Reads a record of this version; `None` for anything else.
    pub(crate) fn read(text: &'a str) -> Option<Self> {
        let record: Self = serde_json::from_str(text).ok()?;
        (record.version == VERSION).then_some(record)
    }

    /// Whether the record is for this purpose, site and cookie name.
    pub(super) fn is_for(&self, context: &str) -> bool {
        self.context == context
    }

    /// What logouts are compared with.
    pub(crate) fn times(&self) -> LoginTimes {
        LoginTimes {
            logged_in_at: self.logged_in_at,
            kept_at: self.kept_at,
            ends_at: self.ends_at,
        }
    }

    /// Whether the cookie outlives the browser's session.
    pub(crate) fn is_remembered(&self) -> bool {
        !self.ends_with_browser
    }

    /// Whether it is a bearer token.
    pub(crate) fn is_token(&self) -> bool {
        !self.token_name.is_empty()
    }

    /// The subject at the provider; `None` for a login without a provider.
    pub(crate) fn subject(&self) -> Option<Subject> {
        self.issuer()
            .map(|issuer| Subject::new(issuer, &*self.subject))
    }

    /// The URL of the provider; `None` for a login without a provider.
    pub(crate) fn issuer(&self) -> Option<&str> {
        Some(&*self.issuer).filter(|issuer| !issuer.is_empty())
    }

    /// The login's key at its provider, which a logout notice can name instead of the user.
    pub(crate) fn provider_key(&self) -> Option<ProviderKey<'_>> {
        let issuer = &*self.issuer;
        if !self.provider_session.is_empty() {
            let id = &*self.provider_session;
            return Some(ProviderKey::Session { issuer, id });
        }
        let id = &*self.subject;
        self.without_session
            .then_some(ProviderKey::Subject { issuer, id })
    }
}

/// Shows neither the secret's digest nor the hint, which is an ID token, nor the name of a token.
impl fmt::Debug for LoginRecord<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LoginRecord")
            .field("id", &self.id)
            .field("user_id", &self.user_id)
            .finish_non_exhaustive()
    }
}

/// The text with this `last_seen_at`; every other field is unchanged.
pub(super) fn with_last_seen_at(text: &str, last_seen_at: Timestamp) -> Option<String> {
    let mut fields: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).ok()?;
    fields.insert("seen".to_owned(), last_seen_at.as_micros().into());
    serde_json::to_string(&fields).ok()
}

#[cfg(test)]
mod tests {
    use proptest::{option, prelude::*};

    use super::*;

    const TEXT: &str = "[1:\u{1F30A}n\n\\\\\r\"]{0,5}";

    fn written(user_id: &str, subject: &str, session: Option<&str>, micros: i64) -> String {
        let subject = Subject::new("https://id.example", subject);
        let issuer = "https://id.example";
        let provider_key = match session {
            Some(id) => ProviderKey::Session { issuer, id },
            None => ProviderKey::Subject {
                issuer,
                id: subject.id(),
            },
        };
        let login = LoginDetails {
            id: LoginId::random(),
            user_id,
            logged_in_at: Timestamp::from_micros(micros),
            authenticated_at: Some(Timestamp::from_micros(micros)),
            kept_at: None,
            ends_at: None,
            remember: true,
            subject: Some(&subject),
            provider_key: Some(provider_key),
            callback: "/auth/callback",
        };
        let record = LoginRecord::new(&login, "login https://example.com __Host-auth");
        serde_json::to_string(&record).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_text_reads_back_as_it_was(
            user_id in TEXT,
            subject in TEXT,
            session in option::of("[1:\n\\\\\"]{1,5}"),
            micros: i64,
        ) {
            let text = written(&user_id, &subject, session.as_deref(), micros);
            let record = LoginRecord::read(&text).unwrap();
            prop_assert_eq!(&record.user_id, &user_id);
            prop_assert_eq!(record.logged_in_at, Timestamp::from_micros(micros));
            let issuer = "https://id.example";
            let expected = Subject::new(issuer, &subject);
            prop_assert_eq!(record.subject(), Some(expected));
            let key = match &session {
                Some(id) => ProviderKey::Session { issuer, id },
                None => ProviderKey::Subject { issuer, id: &subject },
            };
            prop_assert_eq!(record.provider_key(), Some(key));
        }
    }

    #[test]
    fn a_truncated_or_later_record_is_not_read() {
        let text = written("1", "12345", Some("abc"), 7);
        for (cut, _) in text.char_indices() {
            assert_eq!(LoginRecord::read(&text[..cut]), None, "{cut}");
        }
        assert_eq!(LoginRecord::read(&(text.clone() + "x")), None);
        let later = text.replace("\"v\":1", "\"v\":2");
        assert_eq!(LoginRecord::read(&later), None);
        let without_stamp = text.replace("\"at\":7,", "");
        assert_ne!(without_stamp, text);
        assert_eq!(LoginRecord::read(&without_stamp), None);
    }

    #[test]
    fn a_renewal_keeps_the_fields_of_a_later_release() {
        let text = written("1", "12345", None, 7).replace("{\"v\"", "{\"of_tomorrow\":[1],\"v\"");
        let renewed = with_last_seen_at(&text, Timestamp::from_micros(9)).unwrap();
        assert!(renewed.contains("\"of_tomorrow\":[1]"), "{renewed}");
        let record = LoginRecord::read(&renewed).unwrap();
        assert_eq!(record.last_seen_at, Some(Timestamp::from_micros(9)));
        assert_eq!(record.id, LoginRecord::read(&text).unwrap().id);
    }

    #[test]
    fn a_record_of_an_earlier_release_is_remembered_and_was_never_kept() {
        let text = written("1", "12345", None, 7);
        assert!(!text.contains("kept") && !text.contains("brief"), "{text}");
        let record = LoginRecord::read(&text).unwrap();
        assert!(record.is_remembered());
        assert_eq!(record.times().latest(), Timestamp::from_micros(7));
        let later = text.replace("{\"v\"", "{\"kept\":9,\"brief\":true,\"v\"");
        let record = LoginRecord::read(&later).unwrap();
        assert!(!record.is_remembered());
        assert_eq!(record.times().latest(), Timestamp::from_micros(9));
        assert_eq!(record.logged_in_at, Timestamp::from_micros(7));
    }

    #[test]
    fn a_record_without_escapes_is_not_copied() {
        let text = written("1", "12345", Some("abc"), 7);
        let record = LoginRecord::read(&text).unwrap();
        for part in [
            &record.user_id,
            &record.issuer,
            &record.subject,
            &record.context,
        ] {
            assert!(matches!(part, Cow::Borrowed(_)), "{part}");
        }
    }
}
