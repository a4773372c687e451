//! The error of a provider.

use crate::BoxError;

/// The error of a [`Provider`](super::Provider): a [kind](Self::kind), and the provider's own error
/// as its `source`.
#[derive(Debug, thiserror::Error)]
#[error("{kind}")]
pub struct ProviderError {
    kind: ProviderErrorKind,
    source: BoxError,
}

impl ProviderError {
    /// Creates an error. `source` must not contain a secret, code or token, since it is logged.
    pub fn new(kind: ProviderErrorKind, source: impl Into<BoxError>) -> Self {
        Self {
            kind,
            source: source.into(),
        }
    }

    /// The kind, which says what to do.
    pub fn kind(&self) -> ProviderErrorKind {
        self.kind
    }
}

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
