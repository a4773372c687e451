//! The claims of a token.

use serde_json::{Map, Value};

use super::{Settings, TokenError};

/// How far the provider's clock and ours may differ, in seconds. It is also the longest lifetime
/// that Back-Channel Logout 1.0 recommends for a logout token (section 2.4).
const LEEWAY: f64 = 120.0;
/// The longest `sub` (OpenID Connect Core 1.0, section 2), in characters.
const LONGEST_SUBJECT: usize = 255;
/// The longest `sid` or `jti`, in characters, since they are stored.
const LONGEST_ID: usize = 1_024;

pub(super) struct Claims(Map<String, Value>);

impl Claims {
    pub(super) fn new(claims: Map<String, Value>) -> Self {
        Self(claims)
    }

    /// Checks what ID tokens and logout tokens have in common (Core, section 3.1.3.7; Back-Channel
    /// Logout, section 2.6). `now` is in seconds since the Unix epoch. A token without `exp` expires
    /// `lifetime` seconds after `iat`, or is invalid without a `lifetime`.
    pub(super) fn check(
        &self,
        issuer: &str,
        client_id: &str,
        settings: &Settings,
        lifetime: Option<f64>,
        now: f64,
    ) -> Result<(), TokenError> {
        for required in ["iss", "aud"] {
            if self.get(required).is_none() {
                return Err(TokenError::Missing(required));
            }
        }
        let issued_at = self.issued_at()?;
        if self.seconds("exp")?.is_none() {
            let lifetime = lifetime.ok_or(TokenError::Missing("exp"))?;
            if now >= issued_at + lifetime + LEEWAY {
                return Err(TokenError::Expired);
            }
        }
        if Self::is_ahead(issued_at, now) {
            return Err(TokenError::NotYet);
        }
        self.check_present(issuer, client_id, settings, now)
    }

    /// Checks issuer, audience and validity as far as the claims say them.
    pub(super) fn check_present(
        &self,
        issuer: &str,
        client_id: &str,
        settings: &Settings,
        now: f64,
    ) -> Result<(), TokenError> {
        if self.get("iss").is_some_and(|named| named != issuer) {
            return Err(TokenError::Issuer);
        }
        if let Some(audience) = self.get("aud") {
            check_audience(audience, client_id, &settings.trusted_audiences)?;
        }
        if self.text("azp")?.is_some_and(|party| party != client_id) {
            return Err(TokenError::AuthorizedParty);
        }
        let expires_at = self.seconds("exp")?;
        if expires_at.is_some_and(|expires_at| now >= expires_at + LEEWAY) {
            return Err(TokenError::Expired);
        }
        let valid_from = self.seconds("nbf")?;
        if valid_from.is_some_and(|valid_from| Self::is_ahead(valid_from, now)) {
            return Err(TokenError::NotYet);
        }
        Ok(())
    }

    /// When the token was issued, in seconds since the Unix epoch.
    pub(super) fn issued_at(&self) -> Result<f64, TokenError> {
        self.seconds("iat")?.ok_or(TokenError::Missing("iat"))
    }

    /// Whether `at` is more than `seconds` before `now`, with leeway for the clocks.
    pub(super) fn is_older(at: f64, seconds: f64, now: f64) -> bool {
        at + seconds + LEEWAY < now
    }

    /// Whether `at` is in the future, with leeway for the clocks.
    pub(super) fn is_ahead(at: f64, now: f64) -> bool {
        at > now + LEEWAY
    }

    pub(super) fn all(&self) -> &Map<String, Value> {
        &self.0
    }

    /// Whether there is a claim of this name, including null.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A claim that must be text if it is present. Null counts as absent.
    pub(super) fn text(&self, name: &'static str) -> Result<Option<&str>, TokenError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(TokenError::Form(name)),
        }
    }

    /// A `NumericDate`, in seconds since the Unix epoch with a fraction (RFC 7519, section 2).
    pub(super) fn seconds(&self, name: &'static str) -> Result<Option<f64>, TokenError> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => match value.as_f64() {
                Some(seconds) if seconds >= 0.0 => Ok(Some(seconds)),
                _ => Err(TokenError::Form(name)),
            },
        }
    }

    pub(super) fn subject(&self) -> Result<Option<&str>, TokenError> {
        self.id("sub", LONGEST_SUBJECT)
    }

    pub(super) fn session(&self) -> Result<Option<&str>, TokenError> {
        self.id("sid", LONGEST_ID)
    }

    pub(super) fn token_id(&self) -> Result<Option<&str>, TokenError> {
        self.id("jti", LONGEST_ID)
    }

    fn id(&self, name: &'static str, longest: usize) -> Result<Option<&str>, TokenError> {
        match self.text(name)? {
            Some(id) if id.is_empty() || id.chars().count() > longest => {
                Err(TokenError::Form(name))
            }
            id => Ok(id),
        }
    }
}

fn check_audience(audience: &Value, client_id: &str, trusted: &[String]) -> Result<(), TokenError> {
    let audience = match audience {
        Value::Array(audience) => audience.as_slice(),
        one => std::slice::from_ref(one),
    };
    let ours = |audience: &Value| audience == client_id;
    let trusted = |audience: &Value| trusted.iter().any(|trusted| audience == trusted);
    if audience.iter().any(ours) && audience.iter().all(|one| ours(one) || trusted(one)) {
        Ok(())
    } else {
        Err(TokenError::Audience)
    }
}
