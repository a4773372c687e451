//! The record of a login: in a session store, or sealed in the cookie.

use std::{convert::Infallible, fmt};

use minicbor::{Decode, Encode, encode};
use yoke::Yokeable;

use crate::{LoginId, ProviderKey, Subject, Timestamp, timestamp::LoginTimes};

/// The version that this release writes, and the only one that it reads.
const VERSION: u8 = 1;

/// The record of a login, as a CBOR map (RFC 8949). It borrows its texts.
///
/// A reader ignores unknown fields, and a renewal does not rewrite the record. A new version is
/// written one release after it can be read, so that nodes of two releases can share one store.
#[derive(Clone, PartialEq, Eq, Encode, Decode, Yokeable)]
#[cbor(map)]
pub(crate) struct LoginRecord<'a> {
    #[n(0)]
    version: u8,
    /// The purpose, site and cookie name of the record, as
    /// [`LoginCookie::login_context`](super::LoginCookie::login_context) joins them.
    #[b(1)]
    context: &'a str,
    #[n(2)]
    pub(crate) id: LoginId,
    #[b(3)]
    pub(crate) user_id: &'a str,
    #[n(4)]
    pub(crate) logged_in_at: Timestamp,
    /// When the credentials were proven; absent if that is unknown.
    #[n(5)]
    pub(crate) authenticated_at: Option<Timestamp>,
    /// When the user last ended all other logins and kept this one.
    #[n(6)]
    kept_at: Option<Timestamp>,
    #[n(7)]
    pub(crate) ends_at: Option<Timestamp>,
    /// Whether the browser drops the cookie when it is closed.
    #[cbor(n(8), skip_if = "std::ops::Not::not")]
    ends_with_browser: bool,
    /// The subject at the provider, by issuer and id. Both are empty for a login without a
    /// provider.
    #[cbor(b(9), skip_if = "is_empty")]
    issuer: &'a str,
    #[cbor(b(10), skip_if = "is_empty")]
    subject: &'a str,
    /// The session at the provider; empty if the provider names none.
    #[cbor(b(11), skip_if = "is_empty")]
    provider_session: &'a str,
    /// Whether the provider names sessions, but none for this login.
    #[cbor(n(12), skip_if = "std::ops::Not::not")]
    without_session: bool,
    /// The provider's callback path, by which a sign-out finds the provider.
    #[cbor(b(13), skip_if = "is_empty")]
    pub(crate) callback: &'a str,
    /// The SHA-256 of the cookie's secret; empty where the whole record is sealed.
    #[cbor(b(14), with = "minicbor::bytes", skip_if = "is_empty_bytes")]
    pub(super) secret: &'a [u8],
    /// The hint that the provider receives at the sign-out; only in sealed records.
    #[cbor(b(15), skip_if = "is_empty")]
    pub(super) hint: &'a str,
    /// The name that the user gave a bearer token; empty for a login with a cookie.
    #[cbor(b(16), skip_if = "is_empty")]
    pub(super) token_name: &'a str,
}

fn is_empty(text: &&str) -> bool {
    text.is_empty()
}

fn is_empty_bytes(bytes: &&[u8]) -> bool {
    bytes.is_empty()
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
    /// When the record is written, by the clock of the user store. Its idle time counts from here.
    pub(crate) written_at: Timestamp,
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
            context,
            id: login.id,
            user_id: login.user_id,
            logged_in_at: login.logged_in_at,
            authenticated_at: login.authenticated_at,
            kept_at: login.kept_at,
            ends_at: login.ends_at,
            ends_with_browser: !login.remember,
            issuer: subject.map_or("", Subject::issuer),
            subject: subject.map_or("", Subject::id),
            provider_session,
            without_session,
            callback: login.callback,
            secret: &[],
            hint: "",
            token_name: "",
        }
    }

    /// Reads a record of this version; `None` for anything else.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut decoder = minicbor::Decoder::new(bytes);
        let record: Self = decoder.decode().ok()?;
        (record.version == VERSION && decoder.position() == bytes.len()).then_some(record)
    }

    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, encode::Error<Infallible>> {
        minicbor::to_vec(self)
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
            .map(|issuer| Subject::new(issuer, self.subject))
    }

    /// The URL of the provider; `None` for a login without a provider.
    pub(crate) fn issuer(&self) -> Option<&str> {
        Some(self.issuer).filter(|issuer| !issuer.is_empty())
    }

    /// The login's key at its provider, which a logout notice can name instead of the user.
    pub(crate) fn provider_key(&self) -> Option<ProviderKey<'_>> {
        let issuer = self.issuer;
        if !self.provider_session.is_empty() {
            let id = self.provider_session;
            return Some(ProviderKey::Session { issuer, id });
        }
        let id = self.subject;
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use minicbor::{Decoder, Encoder, to_vec};
    use proptest::{option, prelude::*};

    use super::*;

    const TEXT: &str = "[1:\u{1F30A}n\n\\\\\r\"]{0,5}";

    fn written(user_id: &str, subject: &str, session: Option<&str>, micros: i64) -> Vec<u8> {
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
            written_at: Timestamp::from_micros(micros),
            ends_at: None,
            remember: true,
            subject: Some(&subject),
            provider_key: Some(provider_key),
            callback: "/auth/callback",
        };
        let record = LoginRecord::new(&login, "login https://example.com __Host-auth");
        record.to_bytes().unwrap()
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
            let bytes = written(&user_id, &subject, session.as_deref(), micros);
            let record = LoginRecord::read(&bytes).unwrap();
            prop_assert_eq!(record.user_id, user_id);
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

    /// A record with other fields, by their numbers and in CBOR.
    fn changed(bytes: &[u8], change: impl FnOnce(&mut BTreeMap<u8, Vec<u8>>)) -> Vec<u8> {
        let mut decoder = Decoder::new(bytes);
        let mut fields = BTreeMap::new();
        for _ in 0..decoder.map().unwrap().unwrap() {
            let number = decoder.u8().unwrap();
            let start = decoder.position();
            decoder.skip().unwrap();
            fields.insert(number, bytes[start..decoder.position()].to_vec());
        }
        change(&mut fields);
        let mut encoder = Encoder::new(Vec::new());
        encoder.map(fields.len() as u64).unwrap();
        for (number, value) in fields {
            encoder.u8(number).unwrap();
            encoder.writer_mut().extend(value);
        }
        encoder.into_writer()
    }

    #[test]
    fn a_truncated_or_later_record_is_not_read() {
        let bytes = written("1", "12345", Some("abc"), 7);
        assert!(LoginRecord::read(&changed(&bytes, |_| {})).is_some());
        for cut in 0..bytes.len() {
            assert_eq!(LoginRecord::read(&bytes[..cut]), None, "{cut}");
        }
        assert_eq!(LoginRecord::read(&[&bytes[..], &[0]].concat()), None);
        let later = changed(&bytes, |fields| {
            fields.insert(0, to_vec(2).unwrap());
        });
        assert_eq!(LoginRecord::read(&later), None);
        for required in [0, 1, 2, 3, 4] {
            let without = changed(&bytes, |fields| {
                fields.remove(&required).unwrap();
            });
            assert_eq!(LoginRecord::read(&without), None, "{required}");
        }
    }

    #[test]
    fn a_record_of_another_release_is_read() {
        let bytes = written("1", "12345", None, 7);
        let record = LoginRecord::read(&bytes).unwrap();
        assert!(record.is_remembered());
        assert_eq!(record.times().latest(), Timestamp::from_micros(7));
        let later = changed(&bytes, |fields| {
            fields.insert(6, to_vec(9).unwrap());
            fields.insert(8, to_vec(true).unwrap());
            fields.insert(100, to_vec("of tomorrow").unwrap());
        });
        let record = LoginRecord::read(&later).unwrap();
        assert!(!record.is_remembered());
        assert_eq!(record.times().latest(), Timestamp::from_micros(9));
        assert_eq!(record.logged_in_at, Timestamp::from_micros(7));
    }
}
