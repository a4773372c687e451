//! The claims of a token.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

use super::TokenError;

/// How far the sender's clock and ours may differ, in seconds. It is also the longest lifetime
/// that Back-Channel Logout 1.0 recommends for a logout token (section 2.4).
pub(crate) const LEEWAY: f64 = 120.0;
/// The longest `jti`, in characters, since it is stored.
pub(crate) const LONGEST_ID: usize = 1_024;

/// The system clock, in seconds since the Unix epoch.
pub(crate) fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}

pub(crate) struct Claims(Map<String, Value>);

impl Claims {
    pub(super) fn new(claims: Map<String, Value>) -> Self {
        Self(claims)
    }

    /// When the token was issued, in seconds since the Unix epoch.
    pub(crate) fn issued_at(&self) -> Result<f64, TokenError> {
        self.seconds("iat")?.ok_or(TokenError::Missing("iat"))
    }

    /// Whether `at` is more than `seconds` before `now`, with leeway for the clocks.
    pub(crate) fn is_older(at: f64, seconds: f64, now: f64) -> bool {
        at + seconds + LEEWAY < now
    }

    /// Whether `at` is in the future, with leeway for the clocks.
    pub(crate) fn is_ahead(at: f64, now: f64) -> bool {
        at > now + LEEWAY
    }

    #[cfg(feature = "oidc")]
    pub(crate) fn all(&self) -> &Map<String, Value> {
        &self.0
    }

    /// Whether there is a claim of this name, including null.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A claim that must be text if it is present. Null counts as absent.
    pub(crate) fn text(&self, name: &'static str) -> Result<Option<&str>, TokenError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(TokenError::Form(name)),
        }
    }

    /// A `NumericDate`, in seconds since the Unix epoch with a fraction (RFC 7519, section 2).
    pub(crate) fn seconds(&self, name: &'static str) -> Result<Option<f64>, TokenError> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => match value.as_f64() {
                Some(seconds) if seconds >= 0.0 => Ok(Some(seconds)),
                _ => Err(TokenError::Form(name)),
            },
        }
    }

    pub(crate) fn token_id(&self) -> Result<Option<&str>, TokenError> {
        self.id("jti", LONGEST_ID)
    }

    /// A claim that is an id of at most so many characters.
    pub(crate) fn id(
        &self,
        name: &'static str,
        longest: usize,
    ) -> Result<Option<&str>, TokenError> {
        match self.text(name)? {
            Some(id) if id.is_empty() || id.chars().count() > longest => {
                Err(TokenError::Form(name))
            }
            id => Ok(id),
        }
    }
}
