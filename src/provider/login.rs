//! A login, as a provider sees it: where it begins, the code that comes back, and whom it
//! stands for.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::{Profile, ProviderSession};

/// A login that begins.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct LoginRequest<'a> {
    /// Where the browser comes back to, an absolute URL of the site.
    pub callback_url: &'a Url,
    /// The one-time state to bring back. It ties the login to this browser.
    pub state: &'a OneTimeState,
    /// What more the provider may tie to this login; the callback has it again.
    pub secret: &'a LoginSecret,
}

impl<'a> LoginRequest<'a> {
    /// A login that comes back to `callback_url` with `state`.
    pub fn new(callback_url: &'a Url, state: &'a OneTimeState, secret: &'a LoginSecret) -> Self {
        Self {
            callback_url,
            state,
            secret,
        }
    }
}

/// The one-time state of a login: known to this browser, the provider and the site only.
#[derive(Clone)]
pub struct OneTimeState(String);

impl OneTimeState {
    /// Wraps a state, so that it cannot be printed by mistake.
    pub fn new(state: impl Into<String>) -> Self {
        Self(state.into())
    }

    /// The text that goes to the provider.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for OneTimeState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("OneTimeState(…)")
    }
}

/// The secret of one login: 32 random bytes that only the browser and the site have. It stands
/// in no address, so what is derived from it is known to nobody who reads one.
///
/// ```
/// use axum_clef::provider::LoginSecret;
///
/// let secret = LoginSecret::from_bytes([7; 32]);
/// assert_eq!(secret.derive("nonce").len(), 43);
/// assert_eq!(secret.derive("nonce"), secret.derive("nonce"));
/// assert_ne!(secret.derive("nonce"), secret.derive("code_verifier"));
/// ```
#[derive(Clone)]
pub struct LoginSecret([u8; 32]);

impl LoginSecret {
    /// The secret of these bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A value for one purpose, 43 characters of `A`–`Z`, `a`–`z`, `0`–`9`, `-` and `_`: the
    /// same each time, and telling nothing of the secret or of any other value.
    pub fn derive(&self, purpose: &str) -> String {
        // The secret first and of one length: no two purposes run into each other.
        let mut digest = Sha256::new();
        digest.update(self.0);
        digest.update(purpose);
        URL_SAFE_NO_PAD.encode(digest.finalize())
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for LoginSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LoginSecret(…)")
    }
}

/// A code that came back, and what it was given for.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct CodeExchange<'a> {
    /// The code.
    pub code: &'a SecretString,
    /// Where the browser came back to: the URL of the [`LoginRequest`].
    pub callback_url: &'a Url,
    /// Where the provider shall say that this person has logged out, an absolute URL of
    /// the site.
    pub logout_url: &'a Url,
    /// The secret of the [`LoginRequest`].
    pub secret: &'a LoginSecret,
    /// Who sent the code, by the browser's word: `iss` (RFC 9207).
    pub issuer: Option<&'a str>,
}

impl<'a> CodeExchange<'a> {
    /// The exchange of `code`, as given for the login with this `secret` that comes back to
    /// `callback_url`.
    pub fn new(
        code: &'a SecretString,
        callback_url: &'a Url,
        logout_url: &'a Url,
        secret: &'a LoginSecret,
    ) -> Self {
        Self {
            code,
            callback_url,
            logout_url,
            secret,
            issuer: None,
        }
    }

    /// With the `iss` that came along.
    #[must_use]
    pub fn with_issuer(mut self, issuer: Option<&'a str>) -> Self {
        self.issuer = issuer;
        self
    }
}

/// A login that the provider vouches for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProviderLogin {
    /// Who it is.
    pub profile: Profile,
    /// The session that the person has at the provider, if it names them. Its logins can end
    /// without the person's others, and last [30 days](ProviderSession::LONGEST_LOGIN) at the
    /// most.
    pub session: Option<ProviderSession>,
    /// What the provider wants to see again at the [sign-out](super::SignOutRequest), such as
    /// the `id_token_hint` of OpenID Connect. Kept in the session.
    pub sign_out_hint: Option<SecretString>,
}

impl ProviderLogin {
    /// The login of a person, with no session and no hint.
    pub fn new(profile: Profile) -> Self {
        Self {
            profile,
            session: None,
            sign_out_hint: None,
        }
    }

    /// In this session at the provider, of the same issuer as the person: else it is no login.
    #[must_use]
    pub fn in_session(mut self, session: ProviderSession) -> Self {
        self.session = Some(session);
        self
    }

    /// With what the provider wants to see again at the sign-out.
    #[must_use]
    pub fn with_sign_out_hint(mut self, hint: SecretString) -> Self {
        self.sign_out_hint = Some(hint);
        self
    }
}

impl From<Profile> for ProviderLogin {
    fn from(profile: Profile) -> Self {
        Self::new(profile)
    }
}
