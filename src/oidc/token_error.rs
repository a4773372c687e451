//! What can be wrong with a token.

/// Why a token of an OpenID provider is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It is larger than 16 KiB.
    #[error("it is larger than 16 KiB")]
    TooLarge,
    /// It is no JSON Web Signature in its compact form (RFC 7515, section 7.1); a JWE is none.
    #[error("it is not made of header, claims and signature")]
    Shape,
    /// Header or claims are no JSON object, or name something twice (RFC 7515, section 4; RFC
    /// 7519, section 4).
    #[error("header or claims are not one JSON object with each name once")]
    Json,
    /// `alg` is not the one that is registered.
    #[error("it is not signed with the algorithm that is set")]
    Algorithm,
    /// It has critical extensions (RFC 7515, section 4.1.11), or is nested.
    #[error("its header asks for what is not done here: `crit` or another token inside")]
    Extension,
    /// `typ` is that of another kind of token, or missing where it is asked for.
    #[error("its `typ` is not that of this kind of token")]
    Type,
    /// The signature is not that of any key it could be of.
    #[error("its signature is wrong")]
    Signature,
    /// The provider, asked just now, has no such key.
    #[error("the provider has no key of that name")]
    NoSuchKey,
    /// A claim is missing.
    #[error("it has no claim {0:?}")]
    Missing(&'static str),
    /// A claim has a wrong form.
    #[error("its claim {0:?} has a wrong form")]
    Form(&'static str),
    /// `iss` is not the issuer.
    #[error("it is of another issuer")]
    Issuer,
    /// `aud` does not name this application, or names others that are not trusted.
    #[error("it is for somebody else, or for others too")]
    Audience,
    /// `azp` is another application.
    #[error("it was issued to another application")]
    AuthorizedParty,
    /// `exp` is past.
    #[error("it has expired; if it is new, compare the clocks")]
    Expired,
    /// `iat` or `nbf` is ahead of the clock.
    #[error("it is not valid yet; compare the clocks")]
    NotYet,
    /// A logout token that is more than a day old, whatever its `exp`.
    #[error("it is more than a day old")]
    TooOld,
    /// `nonce` is not that of this login.
    #[error("it is not of this login")]
    Nonce,
    /// `at_hash` is not that of the access token.
    #[error("it does not belong to the access token it came with")]
    AccessToken,
    /// The person has logged in at the provider longer ago than `max_age`.
    #[error("the person proved to the provider who they are too long ago")]
    LoginTooOld,
    /// A logout token has a `nonce`: it is an ID token that somebody sends again.
    #[error("it has a nonce, so it is no logout token")]
    HasNonce,
    /// `events` does not say that somebody has logged out.
    #[error("its events are not those of a logout")]
    Events,
    /// A logout token has neither `sub` nor `sid`.
    #[error("it does not say whose login ends")]
    Nobody,
}
