//! The client secret: a fixed one, or those that an application at Apple makes with its key.

use std::{borrow::Cow, fmt};

use secrecy::SecretString;
use serde_json::json;

use super::OidcError;
use crate::jose::SigningKey;

/// How long a client secret is valid, in seconds. Apple allows six months; each is used once.
const LIFETIME: u64 = 5 * 60;
/// How far this machine's clock may be ahead of Apple's, in seconds.
const SKEW: u64 = 60;

/// The private key of an application at Apple, with which it makes its client secrets.
///
/// Each exchange of a code has a secret of its own, a token signed with ES256 that is valid for five
/// minutes. So none has to be renewed.
#[derive(Clone)]
pub struct AppleKey {
    team_id: String,
    key_id: String,
    key: SigningKey,
}

impl AppleKey {
    /// Reads a key. `team_id` and `key_id` have ten characters each, and `private_key` is the text of
    /// the `.p8` file: PKCS#8 in PEM.
    ///
    /// # Errors
    ///
    /// [`OidcError::PrivateKey`] if the text is no private key on the curve P-256. Pass the whole file
    /// as Apple made it.
    pub fn new(
        team_id: impl Into<String>,
        key_id: impl Into<String>,
        private_key: impl Into<SecretString>,
    ) -> Result<Self, OidcError> {
        let key = SigningKey::from_pem(&private_key.into()).ok_or(OidcError::PrivateKey)?;
        Ok(Self {
            team_id: team_id.into(),
            key_id: key_id.into(),
            key,
        })
    }

    /// A client secret for one exchange at the issuer, `now` in seconds since the Unix epoch.
    fn client_secret(
        &self,
        issuer: &str,
        client_id: &str,
        now: u64,
    ) -> Result<SecretString, OidcError> {
        let issued_at = now.saturating_sub(SKEW);
        let claims = json!({
            "iss": self.team_id,
            "iat": issued_at,
            "exp": now.saturating_add(LIFETIME),
            "aud": issuer,
            "sub": client_id,
        });
        let header = json!({ "alg": "ES256", "kid": self.key_id });
        let token = self.key.sign(&header, &claims);
        token.ok_or(OidcError::PrivateKey)
    }
}

/// Shows the ids and not the key.
impl fmt::Debug for AppleKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("AppleKey")
            .field("team_id", &self.team_id)
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

/// What proves to the provider that a request is the application's.
#[derive(Clone)]
pub(super) enum ClientSecret {
    Fixed(SecretString),
    Apple(AppleKey),
}

impl ClientSecret {
    /// The secret for one exchange at the issuer, `now` in seconds since the Unix epoch.
    pub(super) fn at(
        &self,
        issuer: &str,
        client_id: &str,
        now: f64,
    ) -> Result<Cow<'_, SecretString>, OidcError> {
        match self {
            Self::Fixed(secret) => Ok(Cow::Borrowed(secret)),
            Self::Apple(key) => key
                .client_secret(issuer, client_id, now as u64)
                .map(Cow::Owned),
        }
    }
}
