//! The question of a login check to the user store, and the answer.

use crate::{LoginId, ProviderKey, RevocationKey, Timestamp};

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
    /// The URL of the provider that vouched for the login; `None` for a login without a provider.
    pub issuer: Option<&'a str>,
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
            issuer: None,
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

    /// Sets the provider that vouched for the login.
    #[must_use]
    pub fn with_issuer(mut self, issuer: Option<&'a str>) -> Self {
        self.issuer = issuer;
        self
    }

    /// The keys under which a revocation ends this login if it is not earlier: the key at its
    /// provider, the provider, and every login of the site. The id of the login is none of them: its
    /// revocation ends the login whatever its time is.
    ///
    /// ```
    /// use axum_clef::{LoginReference, RevocationKey};
    ///
    /// let login = LoginReference::new("1").with_issuer(Some("https://id.example.com"));
    /// let keys: Vec<_> = login.revocation_keys().collect();
    /// let issuer = RevocationKey::Issuer("https://id.example.com".to_owned());
    /// assert_eq!(keys, [issuer, RevocationKey::Everyone]);
    /// ```
    pub fn revocation_keys(&self) -> impl Iterator<Item = RevocationKey> + use<> {
        let keys = [
            self.provider_key.map(RevocationKey::from),
            self.issuer
                .map(|issuer| RevocationKey::Issuer(issuer.to_owned())),
            Some(RevocationKey::Everyone),
        ];
        keys.into_iter().flatten()
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
    /// The latest revocation of the keys that the login
    /// [falls under](LoginReference::revocation_keys), if there is one.
    pub revoked_at: Option<Timestamp>,
    /// The clock of the store.
    pub now: Timestamp,
}

impl<U> LoginCheck<U> {
    /// The check of a login that was not revoked.
    pub fn new(user: U, now: Timestamp) -> Self {
        Self {
            user,
            revoked: false,
            revoked_at: None,
            now,
        }
    }

    pub(crate) fn map_user<V>(self, map: impl FnOnce(U) -> V) -> LoginCheck<V> {
        LoginCheck {
            user: map(self.user),
            revoked: self.revoked,
            revoked_at: self.revoked_at,
            now: self.now,
        }
    }

    /// Sets whether the login was revoked by its id.
    #[must_use]
    pub fn with_revoked(mut self, revoked: bool) -> Self {
        self.revoked = revoked;
        self
    }

    /// Sets the latest revocation of the keys that the login falls under.
    #[must_use]
    pub fn with_revoked_at(mut self, revoked_at: Option<Timestamp>) -> Self {
        self.revoked_at = revoked_at;
        self
    }
}
