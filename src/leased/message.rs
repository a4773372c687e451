//! The messages on a bus.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{LoginId, LogoutKey, ProviderSession, RevocationKey, Subject};

/// The longest message, in bytes. Encrypted and in Base64 it fits a PostgreSQL notification of
/// 7,999 bytes.
pub(super) const LONGEST: usize = 5_800;

/// One logout.
pub(super) struct NewsMessage {
    /// The name of the publishing store.
    pub(super) from: String,
    /// `None` if the keys were too long for a message: any login may have ended.
    pub(super) ended: Option<Vec<LogoutKey>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire<'a> {
    from: Cow<'a, str>,
    ended: Ended<'a>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Ended<'a> {
    Logins(Vec<WireKey<'a>>),
    Any,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum WireKey<'a> {
    User {
        id: Cow<'a, str>,
    },
    Subject {
        issuer: Cow<'a, str>,
        id: Cow<'a, str>,
    },
    Login {
        id: LoginId,
    },
    Session {
        issuer: Cow<'a, str>,
        id: Cow<'a, str>,
    },
    /// The logins of the subject without a session.
    SubjectLogins {
        issuer: Cow<'a, str>,
        id: Cow<'a, str>,
    },
    UnknownSubject {
        issuer: Cow<'a, str>,
        id: Cow<'a, str>,
    },
}

/// Writes the news that the logins under these keys have ended. Keys that are too long are omitted,
/// which invalidates everything on all nodes.
pub(super) fn write(from: &str, keys: &[LogoutKey]) -> String {
    let text = |ended| {
        let from = from.into();
        serde_json::to_string(&Wire { from, ended })
    };
    match text(Ended::Logins(keys.iter().map(WireKey::from).collect())) {
        Ok(news) if news.len() <= LONGEST => news,
        // A struct of strings cannot fail.
        _ => text(Ended::Any).unwrap_or_default(),
    }
}

impl NewsMessage {
    pub(super) fn read(news: &str) -> Option<Self> {
        if news.len() > LONGEST {
            return None;
        }
        let Wire { from, ended } = serde_json::from_str(news).ok()?;
        let ended = match ended {
            Ended::Logins(keys) => Some(keys.into_iter().map(LogoutKey::from).collect()),
            Ended::Any => None,
        };
        let from = from.into_owned();
        Some(Self { from, ended })
    }
}

impl<'a> From<&'a LogoutKey> for WireKey<'a> {
    fn from(key: &'a LogoutKey) -> Self {
        let key = match key {
            LogoutKey::User(id) => return Self::User { id: id.into() },
            LogoutKey::Subject(subject) => {
                let (issuer, id) = (subject.issuer().into(), subject.id().into());
                return Self::Subject { issuer, id };
            }
            LogoutKey::Revocation(key) => key,
        };
        let issuer = key.issuer().into();
        match key {
            RevocationKey::Login(id) => Self::Login { id: *id },
            RevocationKey::Session(session) => {
                let id = session.id().into();
                Self::Session { issuer, id }
            }
            RevocationKey::Subject(subject) => {
                let id = subject.id().into();
                Self::SubjectLogins { issuer, id }
            }
            RevocationKey::UnknownSubject(subject) => {
                let id = subject.id().into();
                Self::UnknownSubject { issuer, id }
            }
        }
    }
}

impl From<WireKey<'_>> for LogoutKey {
    fn from(key: WireKey<'_>) -> Self {
        Self::Revocation(match key {
            WireKey::User { id } => return Self::User(id.into_owned()),
            WireKey::Subject { issuer, id } => return Self::Subject(Subject::new(issuer, id)),
            WireKey::Login { id } => RevocationKey::Login(id),
            WireKey::Session { issuer, id } => {
                RevocationKey::Session(ProviderSession::new(issuer, id))
            }
            WireKey::SubjectLogins { issuer, id } => {
                RevocationKey::Subject(Subject::new(issuer, id))
            }
            WireKey::UnknownSubject { issuer, id } => {
                RevocationKey::UnknownSubject(Subject::new(issuer, id))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let odd = "a \"name\"\0 of \u{1F30A} lines\n";
        let subject = Subject::new("https://clef.test", odd);
        let keys = [
            LogoutKey::User(odd.to_owned()),
            LogoutKey::Subject(subject.clone()),
            LogoutKey::Revocation(RevocationKey::Login(LoginId::random())),
            LogoutKey::Revocation(RevocationKey::Session(ProviderSession::new(odd, "abc"))),
            LogoutKey::Revocation(RevocationKey::Subject(subject.clone())),
            LogoutKey::Revocation(RevocationKey::UnknownSubject(subject)),
        ];
        for keys in [&keys[..], &keys[..1], &[]] {
            let message = NewsMessage::read(&write("me", keys)).unwrap();
            assert_eq!(message.from, "me");
            assert_eq!(message.ended.unwrap(), keys);
        }
    }

    #[test]
    fn keys_that_are_too_long_are_left_out() {
        let long = "\u{1}".repeat(LONGEST / 6);
        let news = write("me", &[LogoutKey::User(long)]);
        assert!(news.len() < 100);
        assert!(NewsMessage::read(&news).unwrap().ended.is_none());
    }

    #[test]
    fn other_text_is_rejected() {
        let too_long = format!("{{\"from\":\"{}\",\"ended\":\"any\"}}", "a".repeat(LONGEST));
        let other_key = r#"{"from":"me","ended":{"logins":[{"other":{"id":"1"}}]}}"#;
        for news in [
            "",
            "{}",
            "[1]",
            "heartbeat",
            "{\"from\":\"me\"}",
            other_key,
            &too_long,
        ] {
            assert!(NewsMessage::read(news).is_none(), "{news:.20}");
        }
    }
}
