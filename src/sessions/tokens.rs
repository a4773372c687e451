//! Bearer tokens: logins sealed for programs, without a cookie.

use std::{fmt, sync::Arc};

use secrecy::{ExposeSecret as _, SecretString};

use super::{
    LoginDetails, LoginRecord, SessionKeys,
    presented::{PresentedLogin, Source},
};

/// What every token begins with, for secret scanners.
const TOKEN_PREFIX: &str = "clef_";
/// The longest token, in bytes: servers and proxies accept 8 KB of headers at the least.
const LARGEST_TOKEN: usize = 4_096;

/// A token could not be sealed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SealTokenError {
    #[error("the token could not be sealed")]
    NotSealed,
    #[error(
        "the token takes {0} bytes, and {LARGEST_TOKEN} are accepted at the most; use shorter user \
         ids"
    )]
    TooLarge(usize),
}

/// Seals the tokens of a site, and opens them.
#[derive(Clone)]
pub(crate) struct Tokens {
    keys: SessionKeys,
    context: String,
}

impl Tokens {
    /// `context` distinguishes these tokens from cookies, and from the tokens of another site.
    pub(crate) fn new(keys: SessionKeys, context: String) -> Self {
        Self { keys, context }
    }

    /// Seals a token with this name.
    ///
    /// # Errors
    ///
    /// When the token would be too large for a header.
    pub(crate) fn seal(
        &self,
        login: &LoginDetails<'_>,
        name: &str,
    ) -> Result<SecretString, SealTokenError> {
        let mut record = LoginRecord::new(login, &self.context);
        record.token_name = name;
        let record = record.to_bytes().map_err(|_| SealTokenError::NotSealed)?;
        let sealed = self.keys.seal(&record, &self.context);
        let token = format!("{TOKEN_PREFIX}{}", sealed.ok_or(SealTokenError::NotSealed)?);
        let token = SecretString::from(token);
        match token.expose_secret().len() {
            size if size > LARGEST_TOKEN => Err(SealTokenError::TooLarge(size)),
            _ => Ok(token),
        }
    }

    /// Opens a token. `None` unless it is one of this site.
    pub(crate) fn open(&self, token: &[u8]) -> Option<Arc<PresentedLogin>> {
        if token.len() > LARGEST_TOKEN {
            return None;
        }
        let sealed = token.strip_prefix(TOKEN_PREFIX.as_bytes())?;
        let bytes = self.keys.open(sealed, &self.context)?;
        let is_ours = |record: &LoginRecord<'_>| {
            record.is_for(&self.context) && record.is_token() && record.ends_at.is_some()
        };
        PresentedLogin::read(bytes, Source::Sealed, is_ours, |_| None)
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Tokens(…)")
    }
}
