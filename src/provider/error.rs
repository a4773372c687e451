//! The error of a provider.

use std::{error::Error, fmt, sync::Arc};

use crate::BoxError;

/// The error of a [`Provider`](super::Provider): a [kind](Self::kind), and the provider's own error
/// as its `source`.
///
/// Two errors are equal if they are clones of one.
#[derive(Debug, Clone)]
pub struct ProviderError {
    kind: ProviderErrorKind,
    source: Arc<dyn Error + Send + Sync>,
    is_signed: bool,
    code: Option<&'static str>,
}

impl ProviderError {
    /// Creates an error. `source` must not contain a secret, code or token, since it is logged.
    pub fn new(kind: ProviderErrorKind, source: impl Into<BoxError>) -> Self {
        Self {
            kind,
            source: Arc::from(source.into()),
            is_signed: false,
            code: None,
        }
    }

    /// Marks the error of a token that the provider has signed although it is invalid.
    ///
    /// Such a logout notice is logged as a warning, since a setting may be wrong.
    #[must_use]
    pub fn signed(mut self) -> Self {
        self.is_signed = true;
        self
    }

    /// Whether the provider has signed the invalid token.
    pub fn is_signed(&self) -> bool {
        self.is_signed
    }

    /// Sets the code by which the protocol names the error of a refused logout notice: its
    /// endpoint answers [`LogoutOutcome::Rejected`](super::LogoutOutcome::Rejected).
    #[must_use]
    pub fn with_code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    /// The code by which the protocol names the error of a refused logout notice.
    pub fn code(&self) -> Option<&'static str> {
        self.code
    }

    /// The kind, which says what to do.
    pub fn kind(&self) -> ProviderErrorKind {
        self.kind
    }
}

impl fmt::Display for ProviderError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(formatter)
    }
}

impl Error for ProviderError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

impl PartialEq for ProviderError {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.source, &other.source)
    }
}

impl Eq for ProviderError {}

/// The kinds of [`ProviderError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProviderErrorKind {
    /// The code or token is invalid: used, expired or unknown. Start again.
    #[error("the provider rejects this code or token; start again with a new one")]
    Refused,
    /// The provider cannot be reached, or its response is invalid. Try again later.
    #[error("the provider cannot be reached or its response is invalid; try again later")]
    Unavailable,
    /// The provider rejects this application. Check its credentials and URLs.
    #[error("the provider rejects this application; check its id, secret and URLs")]
    Misconfigured,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_equals_its_clones_alone() {
        let error = || ProviderError::new(ProviderErrorKind::Refused, "the code is used");
        let one = error();
        assert_eq!(one, one.clone());
        assert_ne!(one, error());
    }
}
