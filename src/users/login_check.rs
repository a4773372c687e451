//! The question of a login check to the user store, and the answer.

use crate::{LoginId, ProviderKey, Timestamp};

/// The login that a check is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoginReference<'a> {
    /// The [`User::id`](crate::User::id).
    pub user_id: &'a str,
    /// The id of the login; `None` to ask about a user without a login.
    pub id: Option<LoginId>,
    /// The login's key at its provider, which a logout notice can name instead of the user.
    pub provider_key: Option<ProviderKey<'a>>,
    /// When the login began. A cached answer from before this time must not be used.
    pub logged_in_at: Option<Timestamp>,
}

impl<'a> LoginReference<'a> {
    /// A login of this user.
    pub fn new(user_id: &'a str) -> Self {
        Self {
            user_id,
            id: None,
            provider_key: None,
            logged_in_at: None,
        }
    }

    /// Sets the id of the login.
    #[must_use]
    pub fn with_id(mut self, id: LoginId) -> Self {
        self.id = Some(id);
        self
    }

    /// Sets the login's key at its provider.
    #[must_use]
    pub fn with_provider_key(mut self, key: Option<ProviderKey<'a>>) -> Self {
        self.provider_key = key;
        self
    }

    /// Sets when the login began.
    #[must_use]
    pub fn with_logged_in_at(mut self, logged_in_at: Timestamp) -> Self {
        self.logged_in_at = Some(logged_in_at);
        self
    }
}

/// The answer of [`UserStore::check_login`](crate::UserStore::check_login): all that the check of
/// one login needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoginCheck<U> {
    /// The user.
    pub user: U,
    /// Whether this login was [revoked](crate::UserStore::revoke) by its id.
    pub revoked: bool,
    /// When the login's [provider key](LoginReference::provider_key) was revoked, if it was.
    pub provider_revoked_at: Option<Timestamp>,
    /// The clock of the store.
    pub now: Timestamp,
}

impl<U> LoginCheck<U> {
    /// The check of a login that was not revoked.
    pub fn new(user: U, now: Timestamp) -> Self {
        Self {
            user,
            revoked: false,
            provider_revoked_at: None,
            now,
        }
    }

    pub(crate) fn map_user<V>(self, map: impl FnOnce(U) -> V) -> LoginCheck<V> {
        LoginCheck {
            user: map(self.user),
            revoked: self.revoked,
            provider_revoked_at: self.provider_revoked_at,
            now: self.now,
        }
    }

    /// Sets whether the login was revoked by its id.
    #[must_use]
    pub fn with_revoked(mut self, revoked: bool) -> Self {
        self.revoked = revoked;
        self
    }

    /// Sets when the login's provider key was revoked.
    #[must_use]
    pub fn with_provider_revoked_at(mut self, revoked_at: Option<Timestamp>) -> Self {
        self.provider_revoked_at = revoked_at;
        self
    }
}
