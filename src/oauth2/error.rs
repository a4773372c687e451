//! The errors of an OAuth 2.0 provider.

use std::{error::Error, sync::Arc};

use http::StatusCode;

use crate::{
    AddressError, BoxError,
    calls::{CallError, innermost},
    provider::{ProviderError, ProviderErrorKind},
    token_request::TokenRequestError,
};

/// The error of an [`OAuth2`](super::OAuth2) provider, as the `source` of a [`ProviderError`].
///
/// It contains no code, token or secret, and no text of the provider. Its text includes the cause, so
/// it has no `source`.
///
/// ```
/// use axum_clef::oauth2::{OAuth2, OAuth2Endpoints, OAuth2Error};
///
/// let endpoints = OAuth2Endpoints {
///     issuer: "https://id.example.com",
///     authorization: "http://id.example.com/authorize",
///     token: "https://id.example.com/token",
///     user_info: &["https://id.example.com/me"],
/// };
/// let provider = OAuth2::new(endpoints, "site", "secret", |info| info.profile("id"));
/// let error = provider.unwrap_err();
/// assert!(matches!(error, OAuth2Error::Address { name: "authorization", .. }));
/// ```
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum OAuth2Error {
    /// A URL of [`OAuth2Endpoints`](super::OAuth2Endpoints), or the
    /// [`callback_issuer`](super::OAuth2::callback_issuer), is not valid for logins.
    #[error("the URL {name:?} is not valid for logins: {reason}")]
    Address {
        /// The field, or `callback_issuer`.
        name: &'static str,
        /// Why the URL is invalid.
        reason: AddressError,
    },
    /// There is no URL of user information, or there are more than three.
    #[error("set one to three URLs of user information")]
    UserInfoUrls,
    /// The authorization parameter is set by this crate.
    #[error("the authorization parameter is set by axum-clef and cannot be replaced")]
    ParameterTaken,
    /// The `iss` of the callback is not the
    /// [`callback_issuer`](super::OAuth2::callback_issuer), or is missing although
    /// [`require_issuer_parameter`](super::OAuth2::require_issuer_parameter) is set (RFC 9207).
    #[error(
        "the callback does not come from this provider; if the provider documents another `iss`, set \
         `OAuth2::callback_issuer`"
    )]
    ForeignCallback,
    /// The authorization code is used, expired or unknown.
    #[error("the authorization code is used, expired or unknown; start the login again")]
    CodeRefused,
    /// The provider rejects the application.
    #[error(
        "the provider rejects the client id and secret; compare them with the registration there"
    )]
    ClientRefused,
    /// The provider rejects the token request, with this error code (RFC 6749, section 5.2).
    #[error(
        "the provider rejects the token request: {0}; compare the settings of `OAuth2` with the \
         registration of the application"
    )]
    RequestRefused(&'static str),
    /// The provider returned no access token, or one that is no bearer token (RFC 6750).
    #[error("the provider returned no bearer token")]
    NoAccessToken,
    /// The function of the application found no user in the user information.
    #[error("the user information has no user: {}", innermost(&**.0))]
    NoUser(Arc<dyn Error + Send + Sync>),
    /// The function of the application returned a profile whose subject has another issuer, or an
    /// id that is empty or longer than 255 characters.
    #[error(
        "the profile's subject is not one of this provider; create it with `UserInfo::profile`"
    )]
    Subject,
    /// The provider answered with an unexpected status.
    #[error("the provider answered {status} to the request for {what}")]
    Status {
        /// What was requested.
        what: &'static str,
        /// The status.
        status: StatusCode,
    },
    /// The response is malformed.
    #[error("the provider's response to the request for {what} is malformed")]
    Unreadable {
        /// What was requested.
        what: &'static str,
    },
    /// The response is larger than the limit.
    #[error("the provider's response is larger than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The provider did not respond within five seconds.
    #[error("the provider did not answer in time; try again later")]
    TimedOut,
    /// The provider could not be reached, or the connection broke.
    #[error("the provider cannot be reached: {}; try again later", innermost(&**.0))]
    Unreachable(Arc<dyn Error + Send + Sync>),
    /// This machine does not trust the certificate of the provider.
    #[error(
        "the provider's certificate is not trusted: {}; install its authority in the certificate \
         store of this system",
        innermost(&**.0)
    )]
    Certificate(Arc<dyn Error + Send + Sync>),
}

impl OAuth2Error {
    pub(super) fn no_user(error: BoxError) -> Self {
        Self::NoUser(Arc::from(error))
    }

    fn kind(&self) -> ProviderErrorKind {
        match self {
            Self::CodeRefused => ProviderErrorKind::Refused,
            Self::Address { .. }
            | Self::UserInfoUrls
            | Self::ParameterTaken
            | Self::ClientRefused
            | Self::RequestRefused(_)
            | Self::Subject => ProviderErrorKind::Misconfigured,
            _ => ProviderErrorKind::Unavailable,
        }
    }
}

impl From<CallError> for OAuth2Error {
    fn from(error: CallError) -> Self {
        match error {
            CallError::TooLarge { limit } => Self::TooLarge { limit },
            CallError::TimedOut => Self::TimedOut,
            CallError::Certificate(error) => Self::Certificate(error),
            CallError::Unreachable(error) => Self::Unreachable(error),
        }
    }
}

impl From<TokenRequestError> for OAuth2Error {
    fn from(error: TokenRequestError) -> Self {
        let what = "tokens";
        match error {
            TokenRequestError::Call(error) => error.into(),
            TokenRequestError::CodeRefused => Self::CodeRefused,
            TokenRequestError::ClientRefused => Self::ClientRefused,
            TokenRequestError::RequestRefused(code) => Self::RequestRefused(code),
            TokenRequestError::Status(status) => Self::Status { what, status },
            TokenRequestError::Unreadable => Self::Unreadable { what },
        }
    }
}

impl From<OAuth2Error> for ProviderError {
    fn from(error: OAuth2Error) -> Self {
        Self::new(error.kind(), error)
    }
}
