//! The one comparison, and what else ends a login by itself.

use std::time::Duration;

use super::{AnyUser, Standing};
use crate::{ProviderSession, Timestamp};

/// Why a login does not count any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    LoggedOut,
    SessionLoggedOut,
    InTheFuture,
    Lifetime,
    SessionLifetime,
}

impl Over {
    /// In words, for the log.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::LoggedOut => "logged out since",
            Self::SessionLoggedOut => "its session at the provider has ended",
            Self::InTheFuture => "the login lies in the future",
            Self::Lifetime => "its lifetime is over",
            Self::SessionLifetime => "the lifetime of its session is over",
        }
    }
}

impl Standing<AnyUser> {
    /// How much is left of a login that began then, `in_session` of a provider or not; `None`:
    /// no end of it is known.
    ///
    /// # Errors
    ///
    /// When it does not count any more.
    pub(crate) fn left_of(
        &self,
        logged_in_at: Timestamp,
        in_session: bool,
        lifetime: Option<Duration>,
    ) -> Result<Option<Duration>, Over> {
        if !logged_in_at.outlives(self.user.logged_out_at) {
            return Err(Over::LoggedOut);
        }
        if !logged_in_at.outlives(self.session_logged_out_at) {
            return Err(Over::SessionLoggedOut);
        }
        if logged_in_at.is_too_far_ahead_of(self.now) {
            return Err(Over::InTheFuture);
        }
        let age = self.now.since(logged_in_at);
        if lifetime.is_some_and(|lifetime| age >= lifetime) {
            return Err(Over::Lifetime);
        }
        // Longer than that nobody keeps the end of its session.
        let longest = in_session.then_some(ProviderSession::LONGEST_LOGIN);
        if longest.is_some_and(|longest| age >= longest) {
            return Err(Over::SessionLifetime);
        }
        let ends = lifetime.into_iter().chain(longest).min();
        Ok(ends.map(|end| end.saturating_sub(age)))
    }
}
