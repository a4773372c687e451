//! What goes over a bus, as text.

use serde::{Deserialize, Serialize};

use crate::{ProviderSession, Subject, logout_scope::LogoutScope};

/// The longest text, in bytes. Encrypted and in Base64 it fits a notification of PostgreSQL, which
/// has less than 8,000.
pub(super) const LONGEST: usize = 5_800;

/// One logout.
pub(super) struct Message {
    /// The name of the store that tells it.
    pub(super) from: String,
    /// `None`: it could not be written down, and anybody may be meant.
    pub(super) scope: Option<LogoutScope>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire<'a> {
    from: std::borrow::Cow<'a, str>,
    ended: Ended,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Ended {
    Person { issuer: String, id: String },
    Session { issuer: String, id: String },
    Anybody {},
}

/// The news that these logins have ended. Names that are too long for a bus are left out: then
/// everybody is dropped everywhere.
pub(super) fn write(from: &str, scope: &LogoutScope) -> String {
    let text = |ended| {
        let from = from.into();
        serde_json::to_string(&Wire { from, ended })
    };
    let ended = match scope {
        LogoutScope::Person(person) => Ended::Person {
            issuer: person.issuer().to_owned(),
            id: person.id().to_owned(),
        },
        LogoutScope::Session { session, .. } => Ended::Session {
            issuer: session.issuer().to_owned(),
            id: session.id().to_owned(),
        },
    };
    match text(ended) {
        Ok(news) if news.len() <= LONGEST => news,
        // Text in a struct: it cannot fail.
        _ => text(Ended::Anybody {}).unwrap_or_default(),
    }
}

impl Message {
    pub(super) fn read(news: &str) -> Option<Self> {
        if news.len() > LONGEST {
            return None;
        }
        let Wire { from, ended } = serde_json::from_str(news).ok()?;
        let scope = match ended {
            Ended::Person { issuer, id } => Some(LogoutScope::Person(Subject::new(issuer, id))),
            Ended::Session { issuer, id } => {
                Some(LogoutScope::session(ProviderSession::new(issuer, id), None))
            }
            Ended::Anybody {} => None,
        };
        let from = from.into_owned();
        Some(Self { from, scope })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let odd = "a \"name\"\0 of \u{1F30A} lines\n";
        for scope in [
            LogoutScope::Person(Subject::new("https://clef.test", odd)),
            LogoutScope::session(ProviderSession::new(odd, "abc"), None),
        ] {
            let message = Message::read(&write("me", &scope)).unwrap();
            assert_eq!(
                (message.from, message.scope),
                ("me".to_owned(), Some(scope))
            );
        }
    }

    #[test]
    fn a_name_that_is_too_long_is_anybody() {
        let long = "\u{1}".repeat(LONGEST / 6);
        let news = write(
            "me",
            &LogoutScope::Person(Subject::new("https://clef.test", long)),
        );
        assert!(news.len() < 100);
        assert!(Message::read(&news).unwrap().scope.is_none());
    }

    #[test]
    fn what_is_no_news_is_none() {
        let too_long = format!(
            "{{\"from\":\"{}\",\"ended\":{{\"anybody\":{{}}}}}}",
            "a".repeat(LONGEST)
        );
        for news in ["", "{}", "[1]", "beat", "{\"from\":\"me\"}", &too_long] {
            assert!(Message::read(news).is_none(), "{news:.20}");
        }
    }
}
