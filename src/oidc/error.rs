//! The errors of an OpenID provider and of its tokens.

use std::{error::Error, sync::Arc};

use http::StatusCode;

use crate::{
    AddressError,
    calls::{CallError, innermost},
    jose::{RemoteError, SigningAlgorithm, TokenError},
    provider::{ProviderError, ProviderErrorKind},
    token_request::TokenRequestError,
};

/// The error of a call to an OpenID provider, as the `source` of a [`ProviderError`].
///
/// It contains no code, token or secret, and no text of the provider. Its text includes the cause, so
/// it has no `source`.
///
/// ```
/// # async fn example() -> Result<(), axum_clef::AddressError> {
/// use std::error::Error as _;
///
/// use axum_clef::{
///     oidc::{Oidc, OidcError, TokenError},
///     provider::{LogoutEndpoint as _, LogoutMessage},
/// };
///
/// let oidc = Oidc::new("https://id.example.com", "site", "secret")?;
/// let message = LogoutMessage::new("no token");
/// # let url = axum_clef::url::Url::parse("https://example.com/clef/logout").unwrap();
/// if let Err(error) = oidc.back_channel_logout().verify(&message, &url).await {
///     match error.source().and_then(|source| source.downcast_ref()) {
///         Some(OidcError::Token(TokenError::Expired)) => eprintln!("compare the clocks"),
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
    /// The issuer is not a valid URL for logins.
    #[error("the issuer is not a valid URL for logins: {0}")]
    Issuer(AddressError),
    /// The metadata names another issuer (OpenID Connect Discovery 1.0, section 4.3).
    #[error(
        "the provider's metadata names another issuer; write the issuer exactly as the provider \
         does, including the trailing slash"
    )]
    OtherIssuer,
    /// The metadata lacks a required member, or the member is malformed.
    #[error("the provider's metadata has no valid {0:?}")]
    Metadata(&'static str),
    /// The metadata has a URL that is not valid for logins.
    #[error("the provider's metadata has an invalid URL in {name:?}: {reason}")]
    MetadataAddress {
        /// The member of the metadata.
        name: &'static str,
        /// Why the URL is invalid.
        reason: AddressError,
    },
    /// The metadata of an `https` issuer names a plain `http` endpoint, or the metadata of a remote
    /// issuer names an endpoint on loopback.
    #[error(
        "the provider's metadata has a URL in {0:?} that is plain http or on loopback, unlike its \
         issuer"
    )]
    MetadataEndpoint(&'static str),
    /// The authorization parameter is set by this crate.
    #[error("the authorization parameter is set by axum-clef and cannot be replaced")]
    ParameterTaken,
    /// The private key of [`AppleKey`](super::AppleKey) is no key on the curve P-256, as PKCS#8 in PEM.
    #[error(
        "the private key is not PKCS#8 in PEM, or not on the curve P-256; pass the text of the whole \
         `.p8` file, with its first and last line"
    )]
    PrivateKey,
    /// The `iss` of the callback is another issuer, or is missing although this provider sends it
    /// (RFC 9207).
    #[error("the callback does not come from this provider")]
    ForeignCallback,
    /// The authorization code is used, expired or unknown (`invalid_grant`).
    #[error("the authorization code is used, expired or unknown; start the login again")]
    CodeRefused,
    /// The provider rejects the application (`invalid_client`, `unauthorized_client`).
    #[error(
        "the provider rejects the client id and secret; compare them with the registration there"
    )]
    ClientRefused,
    /// The provider rejects the token request, with this error code (RFC 6749, section 5.2).
    #[error(
        "the provider rejects the token request: {0}; compare the settings of `Oidc` with the \
         registration of the application"
    )]
    RequestRefused(&'static str),
    /// A logout token is invalid.
    #[error("the token is invalid: {0}")]
    Token(TokenError),
    /// A logout token is invalid although the provider has signed it. Compare its claims with the
    /// settings of [`Oidc`](super::Oidc).
    #[error("a token that the provider has signed is invalid: {0}")]
    SignedToken(TokenError),
    /// The ID token of a login is invalid.
    #[error("the provider's ID token is invalid: {0}")]
    IdToken(TokenError),
    /// The provider signs with another algorithm than
    /// [`Oidc::signing_algorithm`](super::Oidc::signing_algorithm).
    #[error("the provider does not sign with {set}; {}", mend(*.set, .offered))]
    OtherAlgorithm {
        /// The algorithm that is set.
        set: SigningAlgorithm,
        /// The algorithms of the provider that can be set.
        offered: Vec<SigningAlgorithm>,
    },
    /// The provider supports none of the methods of
    /// [`ClientAuthentication`](super::ClientAuthentication).
    #[error(
        "the provider's metadata has neither `client_secret_basic` nor `client_secret_post`; set \
         `Oidc::client_authentication` to the one that it accepts all the same"
    )]
    OtherAuthentication,
    /// The signature of a token matches no known key, and the keys were fetched less than 30 seconds
    /// ago, or by another task meanwhile.
    #[error("the signature of the token matches no key that is known yet; try again later")]
    KeyNotKnownYet,
    /// The `sub` of the user info differs from the ID token's (OpenID Connect Core 1.0, section
    /// 5.3.2).
    #[error("the user info is about another subject than the ID token")]
    OtherSubject,
    /// The provider answered with an unexpected status.
    #[error("the provider answered {status} to the request for {what}{}", where_to_look(what, *status))]
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
    /// The request was aborted, as when the program shuts down.
    #[error("the request to the provider was aborted")]
    Stopped,
}

impl OidcError {
    pub(super) fn kind(&self) -> ProviderErrorKind {
        match self {
            Self::CodeRefused
            | Self::Token(_)
            | Self::SignedToken(_)
            // The user took too long at the provider.
            | Self::IdToken(TokenError::LoginTooOld) => ProviderErrorKind::Refused,
            Self::Issuer(_)
            | Self::OtherIssuer
            | Self::Metadata(_)
            | Self::MetadataAddress { .. }
            | Self::MetadataEndpoint(_)
            | Self::ParameterTaken
            | Self::PrivateKey
            | Self::ClientRefused
            | Self::RequestRefused(_)
            // `Oidc::trusted_audiences` is missing, or the id is of another application.
            | Self::IdToken(TokenError::Audience)
            | Self::OtherAlgorithm { .. }
            | Self::OtherAuthentication => ProviderErrorKind::Misconfigured,
            _ => ProviderErrorKind::Unavailable,
        }
    }
}

/// What to do about a provider that signs with other algorithms.
fn mend(set: SigningAlgorithm, offered: &[SigningAlgorithm]) -> String {
    match offered.first() {
        Some(first) => format!("set `Oidc::signing_algorithm(SigningAlgorithm::{first:?})`"),
        None => format!("register the application there with {set} as the algorithm of ID tokens"),
    }
}

/// What to do about a provider without metadata at the address of the issuer.
fn where_to_look(what: &str, status: StatusCode) -> &'static str {
    match what == "metadata" && status.is_client_error() {
        true => {
            "; the issuer is wrong or a part of it is missing, such as a realm or tenant: \
             `ISSUER/.well-known/openid-configuration` has to exist"
        }
        false => "",
    }
}

impl From<AddressError> for OidcError {
    fn from(error: AddressError) -> Self {
        Self::Issuer(error)
    }
}

impl From<CallError> for OidcError {
    fn from(error: CallError) -> Self {
        RemoteError::from(error).into()
    }
}

impl From<RemoteError> for OidcError {
    fn from(error: RemoteError) -> Self {
        match error {
            RemoteError::OtherIssuer => Self::OtherIssuer,
            RemoteError::Metadata(name) => Self::Metadata(name),
            RemoteError::MetadataAddress { name, reason } => Self::MetadataAddress { name, reason },
            RemoteError::MetadataEndpoint(name) => Self::MetadataEndpoint(name),
            RemoteError::Token(error) => Self::Token(error),
            RemoteError::KeyNotKnownYet => Self::KeyNotKnownYet,
            RemoteError::Status { what, status } => Self::Status { what, status },
            RemoteError::Unreadable { what } => Self::Unreadable { what },
            RemoteError::TooLarge { limit } => Self::TooLarge { limit },
            RemoteError::TimedOut => Self::TimedOut,
            RemoteError::Unreachable(error) => Self::Unreachable(error),
            RemoteError::Certificate(error) => Self::Certificate(error),
            RemoteError::Stopped => Self::Stopped,
        }
    }
}

impl From<TokenRequestError> for OidcError {
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

impl From<TokenError> for OidcError {
    fn from(error: TokenError) -> Self {
        Self::Token(error)
    }
}

impl From<OidcError> for ProviderError {
    fn from(error: OidcError) -> Self {
        let is_signed = matches!(error, OidcError::SignedToken(_));
        let refused = Self::new(error.kind(), error);
        if is_signed { refused.signed() } else { refused }
    }
}
