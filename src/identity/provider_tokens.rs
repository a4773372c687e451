//! The tokens of a provider, for calls to its API in the name of a user.

use std::{fmt, time::Duration};

use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;

/// The tokens that a provider has issued for a login, with which the application calls the provider's
/// API in the name of the user.
///
/// [`Profile::tokens`](crate::Profile::tokens) has them where the application finds or creates the
/// user, if `Oidc::pass_tokens_to_store` or `OAuth2::pass_tokens_to_store` is set. The application
/// stores them, encrypted if it can. They are in no login, cookie or session record, and in no log;
/// they are not serialized, and the stores of this crate do not keep them.
///
/// A logout here does not revoke them.
#[derive(Clone)]
#[non_exhaustive]
pub struct ProviderTokens {
    /// The access token, to be sent as a bearer token (RFC 6750).
    pub access_token: SecretString,
    /// The refresh token, if the provider has issued one. Some issue one only for a scope such as
    /// `offline_access`.
    pub refresh_token: Option<SecretString>,
    /// How long the access token is valid, from its issue a moment ago; `None` if the provider does
    /// not say.
    pub expires_in: Option<Duration>,
    /// The scopes that were granted, as the provider writes them: RFC 6749 separates them by spaces,
    /// GitHub by commas. `None` if they are those that were requested (RFC 6749, section 5.1).
    pub scope: Option<String>,
}

impl ProviderTokens {
    /// Creates tokens with an access token alone.
    pub fn new(access_token: impl Into<SecretString>) -> Self {
        Self {
            access_token: access_token.into(),
            refresh_token: None,
            expires_in: None,
            scope: None,
        }
    }

    /// Sets the refresh token.
    #[must_use]
    pub fn with_refresh_token(mut self, refresh_token: Option<SecretString>) -> Self {
        self.refresh_token = refresh_token;
        self
    }

    /// Sets how long the access token is valid.
    #[must_use]
    pub fn with_expires_in(mut self, expires_in: Option<Duration>) -> Self {
        self.expires_in = expires_in;
        self
    }

    /// Sets the scopes that were granted.
    #[must_use]
    pub fn with_scope(mut self, scope: Option<String>) -> Self {
        self.scope = scope;
        self
    }
}

impl PartialEq for ProviderTokens {
    fn eq(&self, other: &Self) -> bool {
        let same = |one: &SecretString, other: &SecretString| -> bool {
            let (one, other) = (one.expose_secret(), other.expose_secret());
            one.as_bytes().ct_eq(other.as_bytes()).into()
        };
        let refresh_tokens = match (&self.refresh_token, &other.refresh_token) {
            (Some(one), Some(other)) => same(one, other),
            (None, None) => true,
            _ => false,
        };
        same(&self.access_token, &other.access_token)
            && refresh_tokens
            && self.expires_in == other.expires_in
            && self.scope == other.scope
    }
}

impl Eq for ProviderTokens {}

/// Shows neither token.
impl fmt::Debug for ProviderTokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ProviderTokens")
            .field("expires_in", &self.expires_in)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_equal_with_all_their_parts() {
        let tokens = |access: &str| ProviderTokens::new(SecretString::from(access));
        let refresh = |text: &str| tokens("a").with_refresh_token(Some(SecretString::from(text)));
        let different = [
            tokens("a"),
            tokens("b"),
            refresh("r"),
            refresh("s"),
            tokens("a").with_expires_in(Some(Duration::from_secs(60))),
            tokens("a").with_scope(Some("openid".to_owned())),
        ];
        for (place, one) in different.iter().enumerate() {
            for (other_place, other) in different.iter().enumerate() {
                assert_eq!(one == other, place == other_place, "{place}, {other_place}");
            }
        }
    }
}
