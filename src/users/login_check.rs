//! What the check of a login asks of a user store, and what the store answers.

use crate::{LoginId, ProviderKey, Timestamp};

/// The login that a check is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoginReference<'a> {
    /// The [`User::id`](crate::User::id).
    pub user_id: &'a str,
    /// The id of the login; `None` for a question about a user in general.
    pub id: Option<LoginId>,
    /// What a provider's notice can name instead of the user.
    pub provider_key: Option<ProviderKey<'a>>,
    /// When the login began. What a store has read before then says nothing about it.
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

    /// With this id.
    #[must_use]
    pub fn with_id(mut self, id: LoginId) -> Self {
        self.id = Some(id);
        self
    }

    /// With this key of its provider.
    #[must_use]
    pub fn with_provider_key(mut self, key: Option<ProviderKey<'a>>) -> Self {
        self.provider_key = key;
        self
    }

    /// That began at this moment.
    #[must_use]
    pub fn begun_at(mut self, logged_in_at: Timestamp) -> Self {
        self.logged_in_at = Some(logged_in_at);
        self
    }
}

/// What the check of one login needs, as [`UserStore::check_login`](crate::UserStore::check_login)
/// returns it.
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

    /// Whether the login was revoked by its id.
    #[must_use]
    pub fn revoked(mut self, revoked: bool) -> Self {
        self.revoked = revoked;
        self
    }

    /// When the login's provider key was revoked, if it was.
    #[must_use]
    pub fn with_provider_revoked_at(mut self, revoked_at: Option<Timestamp>) -> Self {
        self.provider_revoked_at = revoked_at;
        self
    }
}
