//! The error of beginning a login.

use super::cookie::LARGEST_COOKIE;
use crate::BoxError;

/// A login could not be kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BeginError {
    #[error("the session store did not answer")]
    Store(#[source] BoxError),
    #[error("the login could not be sealed")]
    NotSealed,
    #[error(
        "the login takes a cookie of {0} bytes, and browsers keep {LARGEST_COOKIE} at the most; \
         use shorter user ids, or keep logins in a session store"
    )]
    TooLarge(usize),
}
