//! What can go wrong at a provider.

use crate::BoxError;

/// Why a provider did not do what it was asked: a [kind](Self::kind) for the program, the
/// provider's own error as `source` for whoever reads the log.
#[derive(Debug, thiserror::Error)]
#[error("{kind}")]
pub struct ProviderError {
    kind: ProviderErrorKind,
    source: BoxError,
}

impl ProviderError {
    /// An error of this kind. No secret, code or token may stand in `source`.
    pub fn new(kind: ProviderErrorKind, source: impl Into<BoxError>) -> Self {
        Self {
            kind,
            source: source.into(),
        }
    }

    /// What to do about it.
    pub fn kind(&self) -> ProviderErrorKind {
        self.kind
    }
}

/// What to do about a [`ProviderError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProviderErrorKind {
    /// The code or token is not good: it is used up, too old, or never was. Begin again.
    #[error("the provider refuses this code or token; begin again with a new one")]
    Refused,
    /// The provider cannot be reached, or its answer is of no use. Try later.
    #[error("the provider cannot be reached or answers nothing usable; try again later")]
    Unavailable,
    /// The provider does not accept this application. Check its credentials and URLs.
    #[error("the provider does not accept this application; check its id, secret and URLs")]
    Misconfigured,
}
