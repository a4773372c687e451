//! Why and when a login has ended.

use std::fmt;

use time::OffsetDateTime;

use crate::{LogoutCause, Timestamp, texts::PageText};

/// Why a login has ended.
///
/// The login is no longer valid or can no longer be verified, but for a
/// [`SessionGone`](Self::SessionGone) whose login goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogoutReason {
    /// The user was logged out everywhere, the session at the provider ended, or the user was
    /// deleted.
    LoggedOut,
    /// The user signed out on this device, or the login was ended by its id
    /// ([`Logouts::end_login`](crate::Logouts::end_login)).
    SignedOut,
    /// A newer login of this browser has replaced it, or it was signed out at another node.
    ///
    /// Also reported for a sealed login that may have timed out, and while
    /// [`OtherLogins`](crate::OtherLogins) waits for leases, after which the login goes on. Only the
    /// next request of the browser shows which user is logged in now.
    SessionGone,
    /// The lifetime or the idle time is over.
    Expired,
    /// The stores have not answered for a minute. Requests are answered with 503 until they do.
    Unknown,
}

/// A login that has ended: why, and who or what caused it, to tell its user.
///
/// [`LoggedInRejection::ended_login`](crate::LoggedInRejection::ended_login) has the one of a request,
/// and `LogoutSignal::ended_login` (feature `live`) the one of an open connection.
///
/// `Display` is one sentence in English for the user, such as "You logged out at 10:03 UTC on 2
/// March 2026, here or on another device."
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedLogin {
    reason: LogoutReason,
    cause: LogoutCause,
    logged_out_at: Option<Timestamp>,
}

impl EndedLogin {
    pub(crate) fn new(reason: LogoutReason) -> Self {
        Self {
            reason,
            cause: LogoutCause::Unknown,
            logged_out_at: None,
        }
    }

    /// By a logout.
    pub(crate) fn by(cause: LogoutCause) -> Self {
        Self {
            cause,
            ..Self::new(LogoutReason::LoggedOut)
        }
    }

    /// Sets when the logout was.
    pub(crate) fn at(mut self, logged_out_at: Option<Timestamp>) -> Self {
        self.logged_out_at = logged_out_at;
        self
    }

    /// Why it has ended.
    pub fn reason(&self) -> LogoutReason {
        self.reason
    }

    /// Who or what caused the logout. [`LogoutCause::Unknown`] for any reason but
    /// [`LogoutReason::LoggedOut`], and where the user store does not keep it.
    ///
    /// It is the time of the user's latest logout, which may be a later one than the first that ended
    /// this login.
    pub fn cause(&self) -> &LogoutCause {
        &self.cause
    }

    /// When the logout of [`cause`](Self::cause) was, if that is known.
    pub fn logged_out_at(&self) -> Option<Timestamp> {
        self.logged_out_at
    }

    /// What a user reads, with a place for the time; `None` where there is nothing to say.
    pub(crate) fn text(&self) -> Option<PageText> {
        match self.reason {
            LogoutReason::LoggedOut => {}
            LogoutReason::Expired => return Some(PageText::Expired),
            _ => return None,
        }
        Some(match self.cause {
            LogoutCause::User => PageText::LoggedOutByUser,
            LogoutCause::Administrator => PageText::LoggedOutByAdministrator,
            LogoutCause::Provider(_) => PageText::LoggedOutByProvider,
            LogoutCause::CredentialsChanged => PageText::LoggedOutByCredentials,
            LogoutCause::Policy => PageText::LoggedOutByPolicy,
            LogoutCause::Unknown => PageText::LoggedOut,
        })
    }

    /// The time of the logout, to the minute: for people, and as RFC 3339 has it.
    pub(crate) fn time(&self) -> Option<(String, String)> {
        let micros = self.logged_out_at?.as_micros();
        let time = OffsetDateTime::from_unix_timestamp(micros.div_euclid(1_000_000)).ok()?;
        let (year, month, day) = time.to_calendar_date();
        let (hour, minute, _) = time.to_hms();
        Some((
            format!("{hour:02}:{minute:02} UTC on {day} {month} {year}"),
            format!(
                "{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}Z",
                u8::from(month)
            ),
        ))
    }
}

/// One sentence for the user, in English.
impl fmt::Display for EndedLogin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(text) = self.text() else {
            return formatter.write_str("Your login has ended.");
        };
        let (before, after) = PageText::split(text.english());
        formatter.write_str(before)?;
        if let (Some((time, _)), Some(_)) = (self.time(), after) {
            write!(formatter, " at {time}")?;
        }
        formatter.write_str(after.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_is_a_sentence_with_the_time_if_it_is_known() {
        // 10:03 on 2 March 2026.
        let at = Timestamp::from_micros(1_772_445_780_123_456);
        for (cause, with, without) in [
            (
                LogoutCause::User,
                "You logged out at 10:03 UTC on 2 March 2026, here or on another device.",
                "You logged out, here or on another device.",
            ),
            (
                LogoutCause::Administrator,
                "An administrator logged you out at 10:03 UTC on 2 March 2026.",
                "An administrator logged you out.",
            ),
            (
                LogoutCause::provider("session-revoked"),
                "You were logged out at 10:03 UTC on 2 March 2026 by the service that you log in with.",
                "You were logged out by the service that you log in with.",
            ),
            (
                LogoutCause::CredentialsChanged,
                "You were logged out at 10:03 UTC on 2 March 2026 because your password or another \
                 credential was changed.",
                "You were logged out because your password or another credential was changed.",
            ),
            (
                LogoutCause::Policy,
                "You were logged out at 10:03 UTC on 2 March 2026 by a security rule.",
                "You were logged out by a security rule.",
            ),
            (
                LogoutCause::Unknown,
                "You were logged out at 10:03 UTC on 2 March 2026.",
                "You were logged out.",
            ),
        ] {
            let ended = EndedLogin::by(cause);
            assert_eq!(ended.to_string(), without);
            let ended = ended.at(Some(at));
            assert_eq!(ended.to_string(), with);
            let (_, time) = ended.time().unwrap();
            assert_eq!(time, "2026-03-02T10:03Z");
        }
        let expired = EndedLogin::new(LogoutReason::Expired);
        assert_eq!(expired.to_string(), "Your login has expired.");
        let gone = EndedLogin::new(LogoutReason::SessionGone);
        assert_eq!(gone.to_string(), "Your login has ended.");
    }

    #[test]
    fn a_time_that_no_calendar_has_is_left_out() {
        for micros in [i64::MIN, i64::MAX] {
            let at = Some(Timestamp::from_micros(micros));
            let ended = EndedLogin::by(LogoutCause::Unknown).at(at);
            assert_eq!(ended.to_string(), "You were logged out.");
        }
    }
}
