//! What the check of a login needs of a user store.

use crate::Timestamp;

/// All that the check of one login needs, as [`UserStore::standing`](crate::UserStore::standing)
/// gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Standing<U> {
    /// The user.
    pub user: U,
    /// When the login's session at the provider was logged out, if it belongs to one that was.
    pub session_logged_out_at: Option<Timestamp>,
    /// The clock of the store.
    pub now: Timestamp,
}

impl<U> Standing<U> {
    /// The standing of a login that belongs to no session at a provider, or to one that was
    /// never logged out.
    pub fn new(user: U, now: Timestamp) -> Self {
        Self {
            user,
            session_logged_out_at: None,
            now,
        }
    }

    /// Of one whose session at the provider was logged out then.
    #[must_use]
    pub fn with_session_logged_out_at(mut self, logged_out_at: Option<Timestamp>) -> Self {
        self.session_logged_out_at = logged_out_at;
        self
    }
}
