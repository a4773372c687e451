//! The comparison of a login with logouts and its own end.

use std::time::Duration;

use super::{AnyUser, LoginCheck};
use crate::timestamp::LoginTimes;

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
        let LoginTimes {
            logged_in_at,
            ends_at,
            ..
        } = times;
        if !times.latest().outlives(self.user.logged_out_at) {
            return Err(EndReason::LoggedOut);
        }
        if self.revoked {
            return Err(EndReason::SignedOut);
        }
        if !logged_in_at.outlives(self.revoked_at) {
            return Err(EndReason::Revoked);
        }
        if times.latest().is_too_far_ahead_of(self.now) {
            return Err(EndReason::InTheFuture);
        }
        let age = self.now.since(logged_in_at);
        let of_lifetime = lifetime.map(|lifetime| lifetime.saturating_sub(age));
        let of_end = ends_at.map(|ends_at| ends_at.since(self.now));
        let left = of_lifetime.into_iter().chain(of_end).min();
        if left.is_some_and(|left| left.is_zero()) {
            return Err(EndReason::Expired);
        }
        Ok(left)
    }
}
