//! What can go wrong between this site and Clef.

use http::StatusCode;

use crate::provider::{ProviderError, ProviderErrorKind};

/// Why a call to Clef failed. It is the `source` of a [`ProviderError`].
///
/// ```
/// # async fn example() -> Result<(), axum_clef::AddressError> {
/// use std::error::Error as _;
///
/// use axum_clef::{
///     clef::{Clef, ClefError},
///     provider::Provider as _,
/// };
///
/// let clef = Clef::new("https://clef.example.com", "your app id", "your app secret")?;
/// if let Err(error) = clef.logout_notice(&"1234567890".into()).await {
///     match error.source().and_then(|source| source.downcast_ref()) {
///         Some(ClefError::InvalidApp) => eprintln!("look at the credentials"),
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
    /// The secret is not that of the app id.
    #[error("the app secret is not that of the app id; copy both from the settings at Clef")]
    InvalidAppSecret,
    /// The code of a login is used up, too old, or never was.
    #[error("the code is used up, too old, or never was; begin the login again")]
    InvalidCode,
    /// The access token was not accepted right after it was given.
    #[error("Clef does not take back the access token that it gave; begin the login again")]
    InvalidToken,
    /// The URL of the logout webhook does not lie on the application's domain.
    #[error("the logout webhook is not on the application's domain; compare it with the site URL")]
    InvalidLogoutHookUrl,
    /// The token of a logout notice is used up, too old, or never was.
    #[error("the logout token is used up, too old, or never was")]
    InvalidLogoutToken,
    /// Clef does not accept id and secret of the application for a logout.
    #[error("Clef does not accept the app id and secret; copy both from the settings at Clef")]
    InvalidApp,
    /// Clef gave a reason that its API does not name. Its text is cut short and without
    /// control characters.
    #[error("Clef answered {status} with an error unknown to its API: {message:?}")]
    Unknown {
        /// The status of the answer.
        status: StatusCode,
        /// The text of the error, from the network: escape it where you show it.
        message: String,
    },
    /// There is nothing at this address that speaks Clef.
    #[error("Clef answered 404; the base URL seems wrong")]
    NotFound,
    /// The answer was a redirect, which is never followed with a secret in hand.
    #[error("Clef answered with a redirect ({0}), which is not followed; the base URL seems wrong")]
    Redirected(StatusCode),
    /// The answer was not JSON, as when a proxy answers with HTML.
    #[error("Clef answered {0} with something that is not JSON")]
    NotJson(StatusCode),
    /// The answer was JSON, but without what the call is for.
    #[error("Clef answered {0} without what was asked for")]
    Incomplete(StatusCode),
    /// The answer went over 64 KiB.
    #[error("the answer of Clef is larger than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// Clef took longer than allowed.
    #[error("Clef did not answer in time; try again later")]
    TimedOut,
    /// Clef could not be reached, or the connection broke.
    #[error("Clef cannot be reached; try again later")]
    Unreachable(#[source] reqwest::Error),
}

impl ClefError {
    /// The error of a request that got no answer.
    pub(super) fn from_transport(error: reqwest::Error) -> Self {
        if error.is_timeout() {
            Self::TimedOut
        } else {
            // The URL can hold an access token.
            Self::Unreachable(error.without_url())
        }
    }

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

impl From<ClefError> for ProviderError {
    fn from(error: ClefError) -> Self {
        Self::new(error.kind(), error)
    }
}
