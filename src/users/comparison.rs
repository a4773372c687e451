//! The comparison of a login with logouts and its own end.
//!
//! `auth/check.rs` asks for requests, `live/login_checker.rs` for open pages and `auth/begin_login.rs` for
//! new logins. `auth/mint_token.rs`, `auth/log_out_others.rs` and `auth/end_login.rs` ask before they
//! write.

use std::time::Duration;

use super::{AnyUser, EndedLogin, LoginCheck, LogoutReason};
use crate::{LogoutCause, timestamp::LoginTimes};

/// Why a login has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndReason {
    LoggedOut,
    SignedOut,
    Revoked,
    InTheFuture,
    Expired,
}

impl EndReason {
    /// The name of the reason, for metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::LoggedOut => "LoggedOut",
            Self::SignedOut => "SignedOut",
            Self::Revoked => "Revoked",
            Self::InTheFuture => "InTheFuture",
            Self::Expired => "Expired",
        }
    }

    /// The reason in words, for the log.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::LoggedOut => "the user was logged out",
            Self::SignedOut => "the login was signed out",
            Self::Revoked => "its provider session, its provider's logins or all logins were ended",
            Self::InTheFuture => "its stamp is in the future",
            Self::Expired => "its lifetime is over",
        }
    }
}

impl LoginCheck<AnyUser> {
    /// Compares a login with every logout, with its own end and with `lifetime`: the time left, or
    /// `None` if it has no end.
    ///
    /// # Errors
    ///
    /// When the login has ended.
    pub(crate) fn compare(
        &self,
        times: LoginTimes,
        lifetime: Option<Duration>,
    ) -> Result<Option<Duration>, EndReason> {
        self.compare_with_logouts(times)?;
        if times.latest().is_too_far_ahead_of(self.now) {
            return Err(EndReason::InTheFuture);
        }
        match self.is_over(times, lifetime) {
            true => Err(EndReason::Expired),
            false => Ok(self.time_left(times, lifetime)),
        }
    }

    /// Compares a login with every logout alone: for one that begins now.
    ///
    /// # Errors
    ///
    /// When a logout has ended it.
    pub(crate) fn compare_with_logouts(&self, times: LoginTimes) -> Result<(), EndReason> {
        if !times.latest().outlives(self.user.logged_out_at) {
            return Err(EndReason::LoggedOut);
        }
        self.compare_with_revocations(times)
    }

    /// Compares a login with what ends it without a logout of its user.
    ///
    /// # Errors
    ///
    /// When a revocation has ended it.
    pub(crate) fn compare_with_revocations(&self, times: LoginTimes) -> Result<(), EndReason> {
        if self.revoked {
            return Err(EndReason::SignedOut);
        }
        match times.logged_in_at.outlives(self.revoked_at) {
            true => Ok(()),
            false => Err(EndReason::Revoked),
        }
    }

    /// Whether a login has ended by itself.
    pub(crate) fn is_over(&self, times: LoginTimes, lifetime: Option<Duration>) -> bool {
        let left = self.time_left(times, lifetime);
        left.is_some_and(|left| left.is_zero())
    }

    /// The time until a login ends by itself; `None` if it has no end.
    fn time_left(&self, times: LoginTimes, lifetime: Option<Duration>) -> Option<Duration> {
        let age = self.now.since(times.logged_in_at);
        let of_lifetime = lifetime.map(|lifetime| lifetime.saturating_sub(age));
        let of_end = times.ends_at.map(|ends_at| ends_at.since(self.now));
        of_lifetime.into_iter().chain(of_end).min()
    }

    /// The end of a login that [`compare`](Self::compare) has found, for its user. `revoked_by` is the
    /// cause of a revocation, which no store keeps.
    pub(crate) fn ended_login(
        &self,
        end: EndReason,
        revoked_by: Option<LogoutCause>,
    ) -> EndedLogin {
        let (ended, at) = match end {
            EndReason::LoggedOut => {
                let ended = EndedLogin::by(self.user.logout_cause());
                (ended, self.user.logged_out_at)
            }
            EndReason::Revoked => {
                let ended = EndedLogin::by(revoked_by.unwrap_or_default());
                (ended, self.revoked_at)
            }
            EndReason::SignedOut => return EndedLogin::new(LogoutReason::SessionGone),
            EndReason::InTheFuture => return EndedLogin::new(LogoutReason::LoggedOut),
            EndReason::Expired => return EndedLogin::new(LogoutReason::Expired),
        };
        // An administrator may lock a user out until a time that has not come.
        ended.at(at.filter(|at| !at.is_too_far_ahead_of(self.now)))
    }
}
