//! Who or what logged a user out.

use std::{fmt, sync::Arc};

/// Who or what logged a user out: for the log, for open pages and for the sentence that the user
/// reads.
///
/// It ends nothing and keeps nothing, whatever it says. It contains no personal data. Its text is
/// short and stable, for a column of the users table and for scripts: `user`, `administrator`,
/// `provider`, `provider:` and the name of the event, `credentials-changed`, `policy` or `unknown`.
/// Other text is read as [`Unknown`](Self::Unknown).
///
/// ```
/// use axum_clef::LogoutCause;
///
/// let cause = LogoutCause::provider("session-revoked");
/// assert_eq!(cause.to_string(), "provider:session-revoked");
/// assert_eq!(LogoutCause::from("provider:session-revoked"), cause);
/// assert_eq!(LogoutCause::from("of a later version"), LogoutCause::Unknown);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LogoutCause {
    /// The user, on any of their devices.
    User,
    /// An administrator of the site or of the provider.
    Administrator,
    /// The provider, and the event that it has named.
    Provider(Option<EventName>),
    /// The password or another credential of the user was changed.
    CredentialsChanged,
    /// A rule of the site or of the provider, such as one for devices at risk.
    Policy,
    /// The cause is not known: none was given, or the user store keeps none.
    #[default]
    Unknown,
}

impl LogoutCause {
    /// The provider, and the event that it has named. Text that is no [`EventName`] is left out.
    pub fn provider(event: &str) -> Self {
        Self::Provider(EventName::new(event))
    }
}

/// The name of a provider's event, such as `session-revoked` or `backchannel-logout`.
///
/// It has 1 to 64 ASCII letters, digits, `-`, `_` and `.`, so it can be logged and shown.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EventName(Arc<str>);

impl EventName {
    /// The longest name, in characters.
    pub const LONGEST: usize = 64;

    /// Creates a name. `None` for an empty one, one that is too long, or one with other characters.
    pub fn new(name: &str) -> Option<Self> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let is_name = (1..=Self::LONGEST).contains(&name.len()) && name.bytes().all(is_plain);
        is_name.then(|| Self(name.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for EventName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, formatter)
    }
}

/// The text for a column.
impl fmt::Display for LogoutCause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::User => "user",
            Self::Administrator => "administrator",
            Self::Provider(None) => "provider",
            Self::Provider(Some(event)) => return write!(formatter, "provider:{event}"),
            Self::CredentialsChanged => "credentials-changed",
            Self::Policy => "policy",
            Self::Unknown => "unknown",
        })
    }
}

/// Reads the text of a column.
impl From<&str> for LogoutCause {
    fn from(text: &str) -> Self {
        match text {
            "user" => Self::User,
            "administrator" => Self::Administrator,
            "provider" => Self::Provider(None),
            "credentials-changed" => Self::CredentialsChanged,
            "policy" => Self::Policy,
            text => match text.strip_prefix("provider:") {
                Some(event) => Self::provider(event),
                None => Self::Unknown,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for cause in [
            LogoutCause::User,
            LogoutCause::Administrator,
            LogoutCause::Provider(None),
            LogoutCause::provider("backchannel-logout"),
            LogoutCause::provider(&"a".repeat(EventName::LONGEST)),
            LogoutCause::CredentialsChanged,
            LogoutCause::Policy,
            LogoutCause::Unknown,
        ] {
            assert_eq!(LogoutCause::from(&*cause.to_string()), cause);
        }
    }

    #[test]
    fn an_event_has_its_name() {
        let event = EventName::new("session-revoked").unwrap();
        assert_eq!(event.as_str(), "session-revoked");
    }

    #[test]
    fn other_text_is_unknown_and_other_events_are_left_out() {
        for text in ["", "User", " user", "user\n", "tea", "provider "] {
            assert_eq!(LogoutCause::from(text), LogoutCause::Unknown, "{text:?}");
        }
        let long = "a".repeat(EventName::LONGEST + 1);
        for event in [
            "",
            "a b",
            "a\nb",
            "<b>",
            "a:b",
            "ä",
            "alex@example.com",
            &long,
        ] {
            assert_eq!(
                LogoutCause::provider(event),
                LogoutCause::Provider(None),
                "{event:?}"
            );
            let text = format!("provider:{event}");
            assert_eq!(
                LogoutCause::from(&*text),
                LogoutCause::Provider(None),
                "{event:?}"
            );
        }
    }
}
