//! The errors of signed tokens.

use super::SigningAlgorithm;

/// Why a signed token is invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It is a logout token of more than 16 KiB.
    #[error("it is larger than 16 KiB")]
    TooLarge,
    /// It is not a JSON Web Signature in compact form (RFC 7515, section 7.1).
    #[error("it is not a JSON Web Signature in compact form")]
    Shape,
    /// The header or the claims are not a JSON object, or have a duplicate name (RFC 7515, section
    /// 4; RFC 7519, section 4). Or the header, or the claims of a notice, have more than 256 values.
    #[error(
        "the header or the claims are not a JSON object with unique names, or have more than 256 values"
    )]
    Json,
    /// `alg` is not the configured signing algorithm, but this one if it can be set.
    #[error("it is not signed with the configured algorithm")]
    Algorithm(Option<SigningAlgorithm>),
    /// It has critical extensions (RFC 7515, section 4.1.11), or is nested.
    #[error("its header has an unsupported extension: `crit` or `cty`")]
    Extension,
    /// `typ` names another kind of token, or is missing although it is required.
    #[error("its `typ` names another kind of token or is missing")]
    Type,
    /// The signature is invalid.
    #[error("its signature is invalid")]
    Signature,
    /// The provider, just queried, has no such key.
    #[error("the provider has no key with this id")]
    NoSuchKey,
    /// A claim is missing.
    #[error("it has no claim {0:?}")]
    Missing(&'static str),
    /// A claim is malformed.
    #[error("its claim {0:?} is malformed")]
    Form(&'static str),
    /// `iss` is not the issuer.
    #[error("it is from another issuer")]
    Issuer,
    /// `aud` does not name this application, or names an untrusted audience.
    #[error(
        "it is not for this application, or is also for an untrusted audience; compare the client \
         id or audience that is set, and the trusted audiences"
    )]
    Audience,
    /// `azp` is another application.
    #[error("it was issued to another application")]
    AuthorizedParty,
    /// `exp` is in the past; for a logout token without `exp`, two minutes after `iat`.
    #[error("it has expired; if it is new, compare the clocks")]
    Expired,
    /// `iat` or `nbf` is in the future.
    #[error("it is not valid yet; compare the clocks")]
    NotYet,
    /// It was issued longer ago than its receiver accepts: a logout token more than a day ago.
    #[error("it was issued too long ago")]
    TooOld,
    /// It has a claim that only other kinds of tokens have.
    #[error("it has the claim {0:?}, so it is another kind of token")]
    Unexpected(&'static str),
    /// `nonce` belongs to another login.
    #[error("it belongs to another login")]
    Nonce,
    /// `at_hash` does not match the access token.
    #[error("it does not match the access token")]
    AccessToken,
    /// The user authenticated at the provider longer ago than `max_age`.
    #[error("the user authenticated at the provider longer ago than `max_age`")]
    LoginTooOld,
    /// A logout token has a `nonce`, as an ID token has.
    #[error("it has a nonce, so it is not a logout token")]
    HasNonce,
    /// `events` has no back-channel logout event.
    #[error("its events do not include a back-channel logout")]
    Events,
    /// A logout token has neither `sub` nor `sid`.
    #[error("it names neither a subject nor a session")]
    NoSubject,
}
