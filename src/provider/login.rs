//! The login at a provider: the request, the code exchange, the verified user and the button.

use std::{fmt, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::{Profile, ProviderSession, Timestamp};

/// A login to start at the provider.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct LoginRequest<'a> {
    /// The absolute URL of the site that the provider redirects to.
    pub callback_url: &'a Url,
    /// The one-time state that the redirect returns. It binds the login to this browser.
    pub state: &'a OneTimeState,
    /// The secret from which the provider can derive more values, such as a nonce.
    pub secret: &'a LoginSecret,
    /// How long ago the user may have proven their credentials, for a
    /// [`RecentLogin`](crate::RecentLogin): a whole number of seconds. `None` for any other login.
    ///
    /// The provider asks for the credentials again if that was longer ago. The login begins only if
    /// its [`authentication`](ProviderLogin::authentication) shows it.
    pub max_age: Option<Duration>,
}

impl<'a> LoginRequest<'a> {
    /// Creates a request that returns to `callback_url` with `state`.
    pub fn new(callback_url: &'a Url, state: &'a OneTimeState, secret: &'a LoginSecret) -> Self {
        Self {
            callback_url,
            state,
            secret,
            max_age: None,
        }
    }

    /// Sets how long ago the user may have proven their credentials.
    #[must_use]
    pub fn with_max_age(mut self, max_age: Option<Duration>) -> Self {
        self.max_age = max_age;
        self
    }
}

/// The one-time state of a login, known only to the browser, the provider and the site.
#[derive(Clone)]
pub struct OneTimeState(String);

impl OneTimeState {
    /// Wraps a state, so that it is not logged by mistake.
    pub fn new(state: impl Into<String>) -> Self {
        Self(state.into())
    }

    /// The text to send to the provider.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for OneTimeState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("OneTimeState(…)")
    }
}

/// The secret of one login: 32 random bytes that only the browser and the site know.
///
/// It is never part of a URL, so URLs do not reveal the values that are derived from it.
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
    /// Creates a secret from 32 bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Derives the value for one purpose: 43 characters of `A`–`Z`, `a`–`z`, `0`–`9`, `-` and `_`.
    ///
    /// The value is the same each time. It reveals nothing about the secret or other values.
    pub fn derive(&self, purpose: &str) -> String {
        // The secret has a fixed length and comes first, so no two inputs are ambiguous.
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

/// An authorization code to exchange, with the values of its login.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct CodeExchange<'a> {
    /// The code.
    pub code: &'a SecretString,
    /// The callback URL of the [`LoginRequest`].
    pub callback_url: &'a Url,
    /// The absolute URL of the site that receives logout notices.
    pub logout_url: &'a Url,
    /// The secret of the [`LoginRequest`].
    pub secret: &'a LoginSecret,
    /// The unverified `iss` parameter of the callback (RFC 9207).
    pub issuer: Option<&'a str>,
    /// The `user` field of a callback [as a form](super::Provider::uses_form_post), of at most 1,024
    /// bytes: Apple's describes the user as JSON. No provider has signed it.
    pub user: Option<&'a SecretString>,
}

impl<'a> CodeExchange<'a> {
    /// Creates the exchange of `code` for the login with this `secret` and `callback_url`.
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
            user: None,
        }
    }

    /// Sets the `iss` parameter of the callback.
    #[must_use]
    pub fn with_issuer(mut self, issuer: Option<&'a str>) -> Self {
        self.issuer = issuer;
        self
    }

    /// Sets the `user` field of a callback as a form.
    #[must_use]
    pub fn with_user(mut self, user: Option<&'a SecretString>) -> Self {
        self.user = user;
        self
    }
}

/// When a user proved their credentials at the provider, such as a password or a passkey.
///
/// It decides whether a login is a [`RecentLogin`](crate::RecentLogin). A provider that has a session
/// with the browser completes a login without asking for anything, which proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Authentication {
    /// Unknown. Such a login is never recent.
    #[default]
    Unknown,
    /// At this time: the `auth_time` of OpenID Connect. One after the login counts as the time of
    /// the login.
    At(Timestamp),
    /// For this login. Only a provider that asks for the credentials at every login may say so.
    ForThisLogin,
}

impl Authentication {
    /// When the credentials of a login with this stamp were proven.
    pub(crate) fn at(self, logged_in_at: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Unknown => None,
            Self::At(at) => Some(at.min(logged_in_at)),
            Self::ForThisLogin => Some(logged_in_at),
        }
    }
}

/// A login that the provider has verified.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProviderLogin {
    /// The user, as the provider describes them.
    pub profile: Profile,
    /// The session at the provider, if the provider names its sessions.
    ///
    /// Its logins can end separately from other logins of the user. They last at most [30
    /// days](ProviderSession::LONGEST_LOGIN).
    pub session: Option<ProviderSession>,
    /// When the user proved their credentials. Defaults to [`Authentication::Unknown`].
    pub authentication: Authentication,
    /// A hint for the [sign-out](super::SignOutRequest) at the provider, such as the
    /// `id_token_hint` of OpenID Connect. It is stored with the login.
    pub sign_out_hint: Option<SecretString>,
}

impl ProviderLogin {
    /// Creates a login without a session and without a hint.
    pub fn new(profile: Profile) -> Self {
        Self {
            profile,
            session: None,
            authentication: Authentication::Unknown,
            sign_out_hint: None,
        }
    }

    /// Sets the session at the provider. A login whose session has another issuer is rejected.
    #[must_use]
    pub fn in_session(mut self, session: ProviderSession) -> Self {
        self.session = Some(session);
        self
    }

    /// Sets when the user proved their credentials.
    #[must_use]
    pub fn authenticated(mut self, authentication: Authentication) -> Self {
        self.authentication = authentication;
        self
    }

    /// Sets the hint for the sign-out at the provider.
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

/// A script that draws a login button, and the attributes of its tag.
#[derive(Clone)]
#[non_exhaustive]
pub struct ButtonScript {
    /// The URL of the script.
    pub source: Url,
    /// The `class` by which the script finds its tag.
    pub class: &'static str,
    /// The names and values of the `data-…` attributes. The values are escaped in the page.
    pub attributes: Vec<(&'static str, String)>,
}

impl ButtonScript {
    /// Creates a script at `source` that finds its tag by `class`.
    pub fn new(source: Url, class: &'static str) -> Self {
        Self {
            source,
            class,
            attributes: Vec::new(),
        }
    }

    /// Adds a `data-…` attribute.
    #[must_use]
    pub fn attribute(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.attributes.push((name, value.into()));
        self
    }
}

impl fmt::Debug for ButtonScript {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Only the names: one of the values is the state of a login.
        let attributes: Vec<_> = self.attributes.iter().map(|(name, _)| name).collect();
        formatter
            .debug_struct("ButtonScript")
            .field("source", &self.source.as_str())
            .field("class", &self.class)
            .field("attributes", &attributes)
            .finish()
    }
}
