//! What can go wrong between this site and an OpenID provider.

use std::sync::Arc;

use http::StatusCode;

use super::TokenError;
use crate::{
    AddressError,
    calls::ReadError,
    provider::{ProviderError, ProviderErrorKind},
};

/// Why something at an OpenID provider failed. It is the `source` of a [`ProviderError`]. No
/// code, token or secret stands in it, and no text of the provider's.
///
/// ```
/// # async fn example() -> Result<(), axum_clef::AddressError> {
/// use std::error::Error as _;
///
/// use axum_clef::{
///     oidc::{Oidc, OidcError, TokenError},
///     provider::Provider as _,
/// };
///
/// let oidc = Oidc::new("https://id.example.com", "site", "secret")?;
/// if let Err(error) = oidc.logout_notice(&"no token".into()).await {
///     match error.source().and_then(|source| source.downcast_ref()) {
///         Some(OidcError::Token(TokenError::Expired)) => eprintln!("look at the clocks"),
///         Some(other) => eprintln!("{other}"),
///         None => {}
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum OidcError {
    /// The issuer is no address that a login may travel to.
    #[error("the issuer cannot be used")]
    Issuer(#[from] AddressError),
    /// The document at the issuer's address names another issuer (OpenID Connect Discovery
    /// 1.0, section 4.3).
    #[error(
        "the provider's metadata names another issuer; write the issuer as the provider does, to \
         the last slash"
    )]
    OtherIssuer,
    /// The metadata lacks what a login needs, or has it in a wrong form.
    #[error("the provider's metadata has no usable {0:?}")]
    Metadata(&'static str),
    /// The metadata has an address that no login may travel to.
    #[error("the provider's metadata has an address in {name:?} that cannot be used")]
    MetadataAddress {
        /// The member of the metadata.
        name: &'static str,
        /// What is wrong with the address.
        source: AddressError,
    },
    /// The metadata of an `https` issuer names an endpoint of plain `http`, or one on loopback
    /// where the issuer is not.
    #[error(
        "the provider's metadata has an address in {0:?} that is plain http or on loopback, which \
         its issuer is not"
    )]
    MetadataEndpoint(&'static str),
    /// A parameter that the login itself sets.
    #[error("the parameter is set by the login itself")]
    ParameterTaken,
    /// The callback came from another issuer than the login was begun with, or does not say
    /// from which although this provider does (RFC 9207).
    #[error("the callback does not come from this provider")]
    ForeignCallback,
    /// The code of a login is used up, too old, or never was (`invalid_grant`).
    #[error("the code is used up, too old, or never was; begin the login again")]
    CodeRefused,
    /// The provider does not accept the application (`invalid_client`, `unauthorized_client`).
    #[error("the provider does not accept client id and secret; compare them with what it shows")]
    ClientRefused,
    /// The provider does not accept the request for the tokens (`invalid_request` and others).
    #[error("the provider does not accept the request for tokens; look at how it is set up")]
    RequestRefused,
    /// A token is not good.
    #[error("the token is not good: {0}")]
    Token(#[source] TokenError),
    /// ID tokens are signed in another way than is set, which is for whoever sets up the site
    /// to mend: see [`Oidc::signing_algorithm`](super::Oidc::signing_algorithm).
    #[error(
        "the provider signs its ID tokens in another way than is set; see `Oidc::signing_algorithm`"
    )]
    OtherAlgorithm,
    /// A token is signed with a key that is not among the provider's, as far as known. They
    /// were asked for within the last 30 seconds and are not asked for again so soon.
    #[error("the token is signed with a key that is not known yet; try again later")]
    KeyNotKnownYet,
    /// The user info is about somebody else than the ID token (OpenID Connect Core 1.0,
    /// section 5.3.2).
    #[error("the user info is about another person")]
    OtherPerson,
    /// The answer has a status that is no use.
    #[error("the provider answered {status} when asked for its {what}")]
    Status {
        /// What it was asked for.
        what: &'static str,
        /// The status.
        status: StatusCode,
    },
    /// The answer cannot be read.
    #[error("the provider's answer for its {what} is not what was asked for")]
    Unreadable {
        /// What it was asked for.
        what: &'static str,
    },
    /// The answer is larger than allowed.
    #[error("the answer of the provider is larger than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The provider took longer than allowed.
    #[error("the provider did not answer in time; try again later")]
    TimedOut,
    /// The provider could not be reached, or the connection broke.
    #[error("the provider cannot be reached; try again later")]
    Unreachable(#[source] Arc<reqwest::Error>),
    /// What asked the provider was stopped, as when the program ends.
    #[error("asking the provider was stopped")]
    Stopped,
}

impl OidcError {
    /// The error of a request that got no answer.
    pub(super) fn from_transport(error: reqwest::Error) -> Self {
        if error.is_timeout() {
            Self::TimedOut
        } else {
            Self::Unreachable(Arc::new(error.without_url()))
        }
    }

    pub(super) fn from_reading(error: ReadError, limit: usize) -> Self {
        match error {
            ReadError::TooLarge => Self::TooLarge { limit },
            ReadError::Transport(error) => Self::from_transport(error),
        }
    }

    pub(super) fn kind(&self) -> ProviderErrorKind {
        match self {
            Self::ForeignCallback | Self::CodeRefused | Self::Token(_) | Self::OtherPerson => {
                ProviderErrorKind::Refused
            }
            Self::Issuer(_)
            | Self::OtherIssuer
            | Self::Metadata(_)
            | Self::MetadataAddress { .. }
            | Self::MetadataEndpoint(_)
            | Self::ParameterTaken
            | Self::ClientRefused
            | Self::RequestRefused
            | Self::OtherAlgorithm => ProviderErrorKind::Misconfigured,
            _ => ProviderErrorKind::Unavailable,
        }
    }
}

impl From<TokenError> for OidcError {
    fn from(error: TokenError) -> Self {
        Self::Token(error)
    }
}

impl From<OidcError> for ProviderError {
    fn from(error: OidcError) -> Self {
        Self::new(error.kind(), error)
    }
}
