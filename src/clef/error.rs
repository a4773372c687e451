//! The errors of calls to Clef.

use http::StatusCode;

use crate::{
    BoxError,
    calls::CallError,
    provider::{ProviderError, ProviderErrorKind},
};

/// The error of a call to Clef, as the `source` of a [`ProviderError`].
///
/// ```
/// # async fn example() -> Result<(), axum_clef::AddressError> {
/// use std::error::Error as _;
///
/// use axum_clef::{
///     clef::{Clef, ClefError},
///     provider::{LogoutEndpoint as _, LogoutMessage},
/// };
///
/// let clef = Clef::new("https://clef.example.com", "your app id", "your app secret")?;
/// # let url = axum_clef::url::Url::parse("https://example.com/clef/logout").unwrap();
/// if let Err(error) = clef.verify(&LogoutMessage::new("1234567890"), &url).await {
///     match error.source().and_then(|source| source.downcast_ref()) {
///         Some(ClefError::InvalidApp) => eprintln!("check the credentials"),
///         Some(other) => eprintln!("{other}"),
///         None => {}
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClefError {
    /// Clef does not know the app id.
    #[error("Clef does not know this app id; copy it from the application's settings at Clef")]
    InvalidAppId,
    /// The secret does not belong to the app id.
    #[error("the app secret does not belong to the app id; copy both from the settings at Clef")]
    InvalidAppSecret,
    /// The code of a login is used, expired or unknown.
    #[error("the code is used, expired or unknown; start the login again")]
    InvalidCode,
    /// Clef rejected the access token that it had just issued.
    #[error("Clef rejected the access token that it had just issued; start the login again")]
    InvalidToken,
    /// The URL of the logout webhook is not on the application's domain.
    #[error("the logout webhook is not on the application's domain; compare it with the site URL")]
    InvalidLogoutHookUrl,
    /// The token of a logout notice is used, expired or unknown.
    #[error("the logout token is used, expired or unknown")]
    InvalidLogoutToken,
    /// Clef rejects the app id and secret for a logout.
    #[error("Clef rejects the app id and secret; copy both from the settings at Clef")]
    InvalidApp,
    /// Clef answered with an error that its API does not name. The text is truncated, without
    /// control characters.
    #[error("Clef answered {status} with an error unknown to its API: {message:?}")]
    Unknown {
        /// The status of the answer.
        status: StatusCode,
        /// The text of the error. It is untrusted: escape it in HTML.
        message: String,
    },
    /// There is no Clef API at the base URL.
    #[error("Clef answered 404; the base URL seems wrong")]
    NotFound,
    /// Clef answered with a redirect, which is not followed since the request contains a secret.
    #[error("Clef answered with a redirect ({0}), which is not followed; the base URL seems wrong")]
    Redirected(StatusCode),
    /// The response is not JSON, for example the HTML page of a proxy.
    #[error("Clef answered {0} with a body that is not JSON")]
    NotJson(StatusCode),
    /// The JSON response lacks the expected members.
    #[error("Clef answered {0} with JSON that lacks the expected members")]
    Incomplete(StatusCode),
    /// The response is larger than 64 KiB.
    #[error("the response of Clef is larger than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// Clef did not respond within five seconds.
    #[error("Clef did not answer in time; try again later")]
    TimedOut,
    /// Clef could not be reached, or the connection broke.
    #[error("Clef cannot be reached; try again later")]
    Unreachable(#[source] BoxError),
}

impl ClefError {
    fn kind(&self) -> ProviderErrorKind {
        match self {
            Self::InvalidCode | Self::InvalidToken | Self::InvalidLogoutToken => {
                ProviderErrorKind::Refused
            }
            Self::InvalidAppId
            | Self::InvalidAppSecret
            | Self::InvalidApp
            | Self::InvalidLogoutHookUrl => ProviderErrorKind::Misconfigured,
            _ => ProviderErrorKind::Unavailable,
        }
    }
}

impl From<CallError> for ClefError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::TooLarge { limit } => Self::TooLarge { limit },
            CallError::TimedOut => Self::TimedOut,
            CallError::Certificate(error) | CallError::Unreachable(error) => {
                Self::Unreachable(error.into())
            }
        }
    }
}

impl From<ClefError> for ProviderError {
    fn from(error: ClefError) -> Self {
        Self::new(error.kind(), error)
    }
}
