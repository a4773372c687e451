//! The claims that the tokens of an OpenID provider have in common.

use serde_json::Value;

use super::TokenError;
use crate::jose::{Claims, LEEWAY, LONGEST_ID};

/// The longest `sub` (OpenID Connect Core 1.0, section 2), in characters.
const LONGEST_SUBJECT: usize = 255;

impl Claims {
    /// Checks what ID tokens and logout tokens have in common (Core, section 3.1.3.7; Back-Channel
    /// Logout, section 2.6). `now` is in seconds since the Unix epoch. A token without `exp` expires
    /// `lifetime` seconds after `iat`, or is invalid without a `lifetime`.
    pub(super) fn check(
        &self,
        issuer: &str,
        client_id: &str,
        trusted_audiences: &[String],
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
        self.check_present(issuer, client_id, trusted_audiences, now)
    }

    /// Checks issuer, audience and validity as far as the claims say them.
    pub(super) fn check_present(
        &self,
        issuer: &str,
        client_id: &str,
        trusted_audiences: &[String],
        now: f64,
    ) -> Result<(), TokenError> {
        if self.get("iss").is_some_and(|named| named != issuer) {
            return Err(TokenError::Issuer);
        }
        if let Some(audience) = self.get("aud") {
            check_audience(audience, client_id, trusted_audiences)?;
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

    pub(super) fn subject(&self) -> Result<Option<&str>, TokenError> {
        self.id("sub", LONGEST_SUBJECT)
    }

    pub(super) fn session(&self) -> Result<Option<&str>, TokenError> {
        self.id("sid", LONGEST_ID)
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
