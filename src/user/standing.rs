//! What the check of a login needs of a user store.

use crate::{ProviderSession, Subject, Timestamp};

/// The login that a check is about, as the session keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoginReference<'a> {
    /// The [`User::id`](crate::User::id).
    pub user_id: &'a str,
    /// Who it is to the provider.
    pub subject: &'a Subject,
    /// The session that the person has at the provider, if it names them.
    pub session: Option<&'a ProviderSession>,
    /// When it began, where that is known. What a store has read before then says nothing of it.
    pub logged_in_at: Option<Timestamp>,
}

impl<'a> LoginReference<'a> {
    /// A login of this user.
    pub fn new(user_id: &'a str, subject: &'a Subject) -> Self {
        Self {
            user_id,
            subject,
            session: None,
            logged_in_at: None,
        }
    }

    /// In this session at the provider.
    #[must_use]
    pub fn in_session(mut self, session: Option<&'a ProviderSession>) -> Self {
        self.session = session;
        self
    }

    /// That began then.
    #[must_use]
    pub fn begun_at(mut self, logged_in_at: Timestamp) -> Self {
        self.logged_in_at = Some(logged_in_at);
        self
    }
}

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
