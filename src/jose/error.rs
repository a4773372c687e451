//! The errors of calls for metadata and keys.

use std::{error::Error, sync::Arc};

use http::StatusCode;

use super::TokenError;
use crate::{
    AddressError,
    calls::{CallError, innermost},
};

/// The error of a call to an issuer for its metadata or keys, or of the signature of a token.
///
/// It contains no token, and no text of the issuer. Its text includes the cause, so it has no
/// `source`.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// The metadata names another issuer.
    #[error(
        "the metadata names another issuer; write the issuer exactly as it does, including the \
         trailing slash"
    )]
    OtherIssuer,
    /// The metadata lacks a required member, or the member is malformed.
    #[error("the metadata has no valid {0:?}")]
    Metadata(&'static str),
    /// The metadata has a URL that is not valid for secrets.
    #[error("the metadata has an invalid URL in {name:?}: {reason}")]
    MetadataAddress {
        /// The member of the metadata.
        name: &'static str,
        /// Why the URL is invalid.
        reason: AddressError,
    },
    /// The metadata of an `https` issuer names a plain `http` endpoint, or the metadata of a remote
    /// issuer names an endpoint on loopback.
    #[error("the metadata has a URL in {0:?} that is plain http or on loopback, unlike its issuer")]
    MetadataEndpoint(&'static str),
    /// The signature of the token is invalid.
    #[error("the token is invalid: {0}")]
    Token(TokenError),
    /// The signature of the token matches no known key, and the keys were fetched less than 30 seconds
    /// ago, or by another task meanwhile.
    #[error("the signature of the token matches no key that is known yet; try again later")]
    KeyNotKnownYet,
    /// The answer has an unexpected status.
    #[error("the answer to the request for {what} is {status}")]
    Status {
        /// What was requested.
        what: &'static str,
        /// The status.
        status: StatusCode,
    },
    /// The answer is malformed.
    #[error("the answer to the request for {what} is malformed")]
    Unreadable {
        /// What was requested.
        what: &'static str,
    },
    /// The answer is larger than the limit.
    #[error("the answer is larger than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// There was no answer within five seconds.
    #[error("there was no answer in time; try again later")]
    TimedOut,
    /// The issuer could not be reached, or the connection broke.
    #[error("the issuer cannot be reached: {}; try again later", innermost(&**.0))]
    Unreachable(Arc<dyn Error + Send + Sync>),
    /// This machine does not trust the certificate.
    #[error(
        "the certificate is not trusted: {}; install its authority in the certificate store of this \
         system",
        innermost(&**.0)
    )]
    Certificate(Arc<dyn Error + Send + Sync>),
    /// The request was aborted, as when the program shuts down.
    #[error("the request was aborted")]
    Stopped,
}

impl RemoteError {
    /// Whether trying again later changes nothing: a setting or the metadata is wrong.
    #[cfg(feature = "security-events")]
    pub(crate) fn is_permanent(&self) -> bool {
        matches!(
            self,
            Self::OtherIssuer
                | Self::Metadata(_)
                | Self::MetadataAddress { .. }
                | Self::MetadataEndpoint(_)
        )
    }
}

impl From<CallError> for RemoteError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::TooLarge { limit } => Self::TooLarge { limit },
            CallError::TimedOut => Self::TimedOut,
            CallError::Certificate(error) => Self::Certificate(error),
            CallError::Unreachable(error) => Self::Unreachable(error),
        }
    }
}

impl From<TokenError> for RemoteError {
    fn from(error: TokenError) -> Self {
        Self::Token(error)
    }
}
