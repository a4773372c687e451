//! The errors of calls for a stream.

use std::{error::Error, sync::Arc};

use http::StatusCode;

use crate::{
    calls::{CallError, innermost},
    jose::RemoteError,
};

/// Why a call for a stream has failed.
///
/// It contains no token, and no text of the sender. Its text includes the cause, so it has no
/// `source`.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// The function for the access token has failed, or took too long.
    #[error("there is no access token: {}", innermost(&**.0))]
    AccessToken(Arc<dyn Error + Send + Sync>),
    /// The sender rejects the access token: renew it, or compare its scopes with the sender's
    /// documentation.
    #[error(
        "the sender rejects the access token with {0}; compare its scopes with what the sender asks for"
    )]
    Unauthorized(StatusCode),
    /// The sender's metadata has no such endpoint.
    #[error("the sender's metadata has no {0:?}, so it does not offer this")]
    NoEndpoint(&'static str),
    /// There is a stream already. Read or remove it first, or use
    /// [`StreamClient::ensure`](super::StreamClient::ensure).
    #[error("there is a stream already; read it, or remove it first")]
    Exists,
    /// There is a stream already, with another delivery. Remove it if nothing else uses it.
    #[error("there is a stream with another delivery already; remove it if nothing else uses it")]
    OtherStream {
        /// The id of the stream.
        id: String,
    },
    /// The stream has another issuer than the receiver, which would refuse its events: compare the
    /// issuer with the sender's documentation. A stream that was just created is there; remove it.
    #[error(
        "the stream is of another issuer; write the issuer of the receiver exactly as the sender does, \
         and remove the stream if it is new"
    )]
    OtherIssuer {
        /// The id of the stream.
        id: String,
    },
    /// There is no such stream, or no such subject.
    #[error("the sender knows no such stream")]
    NoSuchStream,
    /// Verification was requested too often: wait for
    /// [`EventStream::min_verification_interval`](super::EventStream::min_verification_interval).
    #[error("the sender was asked too often; try again later")]
    TooOften,
    /// The sender rejects the request: compare delivery and events with what it supports. Some senders
    /// support [`EventPoll::short_polling`](super::EventPoll::short_polling) only.
    #[error(
        "the sender rejects the request; compare delivery and events with what it supports, and use \
         `EventPoll::short_polling` if it supports no long polling"
    )]
    Rejected,
    /// The call has failed.
    #[error("the call has failed: {0}")]
    Remote(RemoteError),
}

impl StreamError {
    /// The error of an answer with an unexpected status.
    pub(super) fn of(what: &'static str, status: StatusCode) -> Self {
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Self::Unauthorized(status),
            StatusCode::CONFLICT => Self::Exists,
            StatusCode::NOT_FOUND => Self::NoSuchStream,
            StatusCode::TOO_MANY_REQUESTS => Self::TooOften,
            StatusCode::BAD_REQUEST => Self::Rejected,
            status => Self::Remote(RemoteError::Status { what, status }),
        }
    }
}

impl From<RemoteError> for StreamError {
    fn from(error: RemoteError) -> Self {
        Self::Remote(error)
    }
}

impl From<CallError> for StreamError {
    fn from(error: CallError) -> Self {
        Self::Remote(error.into())
    }
}
