//! The messages on a bus.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{RevocationKey, users::LogoutKey};

/// The longest message, in bytes. Encrypted and in Base64 it fits a PostgreSQL notification of
/// 7,999 bytes.
pub(super) const LONGEST: usize = 5_800;

/// One logout.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewsMessage<'a> {
    /// The name of the publishing store.
    pub(super) from: Cow<'a, str>,
    pub(super) ended: EndedLogins<'a>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum EndedLogins<'a> {
    /// The logins under these keys.
    Logins(Cow<'a, [LogoutKey]>),
    /// Any login may have ended: every one of the site or of a provider, or the keys were too long
    /// for a message.
    Any,
}

impl NewsMessage<'_> {
    /// Writes the news that the logins under these keys have ended. A key that entries are not found
    /// by is left out: so a node of an earlier version, which does not know it, reads the news too.
    pub(super) fn write(from: &str, keys: &[LogoutKey]) -> String {
        let text = |ended| {
            let from = from.into();
            serde_json::to_string(&NewsMessage { from, ended })
        };
        let are_found = keys.iter().all(|key| {
            !matches!(
                key,
                LogoutKey::Revocation(RevocationKey::Issuer(_) | RevocationKey::Everyone)
            )
        });
        match text(EndedLogins::Logins(keys.into())) {
            Ok(news) if are_found && news.len() <= LONGEST => news,
            // A struct of strings cannot fail.
            _ => text(EndedLogins::Any).unwrap_or_default(),
        }
    }

    pub(super) fn read(news: &str) -> Option<NewsMessage<'_>> {
        if news.len() > LONGEST {
            return None;
        }
        serde_json::from_str(news).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LoginId, ProviderSession, Subject};

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
            let news = NewsMessage::write("me", keys);
            let message = NewsMessage::read(&news).unwrap();
            assert_eq!(message.from, "me");
            assert_eq!(message.ended, EndedLogins::Logins(keys.into()));
        }
    }

    #[test]
    fn keys_that_are_too_long_are_left_out() {
        let long = "\u{1}".repeat(LONGEST / 6);
        let news = NewsMessage::write("me", &[LogoutKey::User(long)]);
        assert!(news.len() < 100);
        let message = NewsMessage::read(&news).unwrap();
        assert_eq!(message.ended, EndedLogins::Any);
    }

    #[test]
    fn the_end_of_every_login_is_news_that_an_earlier_version_reads() {
        let issuer = RevocationKey::Issuer("https://clef.test".to_owned());
        for key in [issuer, RevocationKey::Everyone] {
            let user = LogoutKey::User("1".to_owned());
            let news = NewsMessage::write("me", &[user, LogoutKey::Revocation(key)]);
            assert_eq!(news, r#"{"from":"me","ended":"any"}"#);
        }
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
