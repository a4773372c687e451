//! The errors of security events.

use std::{error::Error, sync::Arc};

use super::answer::code;
use crate::{
    BoxError,
    calls::innermost,
    jose::{RemoteError, TokenError},
    provider::{ProviderError, ProviderErrorKind},
};

/// Why a security event is not received, as the `source` of a
/// [`ProviderError`](crate::provider::ProviderError).
///
/// It contains no token and nothing of the subject. Its text includes the cause, so it has no
/// `source`.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SecurityEventError {
    /// The token is invalid.
    #[error("the token is invalid: {0}")]
    Token(TokenError),
    /// The event ends logins, and names no subject.
    #[error("the event names no subject")]
    NoSubject,
    /// The subject is malformed, or the token and the event name two subjects.
    #[error("the subject of the event is malformed, or there are two")]
    Subject,
    /// The subject belongs to an issuer that this receiver does not accept.
    #[error(
        "the subject of the event is of another issuer; set `EventReceiver::subject_issuers` to the \
         issuers of your OpenID providers"
    )]
    SubjectIssuer,
    /// The event ends logins of a subject in a format that this receiver does not accept; `complex`
    /// for a subject without a user and a session.
    #[error(
        "the event names its subject in a format that ends no login here: {0}; for e-mail addresses, \
         set `EventReceiver::accept_verified_emails`, and for other identifiers `accept_identifiers`"
    )]
    SubjectFormat(&'static str),
    /// The subject has a member that the sender's metadata lists as critical and that this site does
    /// not process, such as `tenant`; `additional` for one that SSF 1.0 does not define.
    #[error(
        "the subject of the event has a critical member that this site does not process: {0}; if the \
         member is always yours, or the hook compares it, set `EventReceiver::accept_subject_members`"
    )]
    CriticalMember(&'static str),
    /// A setting names a member of subjects that is none, or that is always processed.
    #[error(
        "`EventReceiver::accept_subject_members` has {0:?}: name members beside `user` and `session`, \
         such as \"tenant\""
    )]
    SubjectMember(String),
    /// The state of a verification event is not the expected one.
    #[error("the state of the verification event is not the expected one")]
    State,
    /// The hook of the application has failed. The sender is asked to send the event again.
    #[error("the hook `on_event` has failed: {}", innermost(&**.0))]
    Hook(Arc<dyn Error + Send + Sync>),
    /// A call to the sender has failed, or its metadata or keys are invalid.
    #[error("the sender's keys could not be used: {0}")]
    Remote(RemoteError),
}

impl SecurityEventError {
    pub(super) fn hook(error: BoxError) -> Self {
        Self::Hook(Arc::from(error))
    }

    /// This error for the sender of the event, or for the `build` of a receiver.
    pub(super) fn for_sender(self, is_signed: bool) -> ProviderError {
        let (kind, code) = match &self {
            Self::Token(error) => (ProviderErrorKind::Refused, token_code(error)),
            Self::State => (ProviderErrorKind::Refused, code::INVALID_STATE),
            Self::NoSubject
            | Self::Subject
            | Self::SubjectIssuer
            | Self::SubjectFormat(_)
            | Self::CriticalMember(_) => (ProviderErrorKind::Refused, code::INVALID_REQUEST),
            Self::SubjectMember(_) => (ProviderErrorKind::Misconfigured, ""),
            // The sender repeats what is refused, so only what can never work is.
            Self::Hook(_) | Self::Remote(_) => (ProviderErrorKind::Unavailable, ""),
        };
        let is_refused = kind == ProviderErrorKind::Refused;
        let mut error = ProviderError::new(kind, self);
        if is_refused {
            error = error.with_code(code);
        }
        match is_signed {
            true => error.signed(),
            false => error,
        }
    }
}

fn token_code(error: &TokenError) -> &'static str {
    match error {
        TokenError::Issuer => code::INVALID_ISSUER,
        TokenError::Audience => code::INVALID_AUDIENCE,
        TokenError::NoSuchKey | TokenError::Algorithm(_) => code::INVALID_KEY,
        TokenError::Signature => code::AUTHENTICATION_FAILED,
        _ => code::INVALID_REQUEST,
    }
}

impl From<TokenError> for SecurityEventError {
    fn from(error: TokenError) -> Self {
        Self::Token(error)
    }
}

impl From<RemoteError> for SecurityEventError {
    fn from(error: RemoteError) -> Self {
        match error {
            RemoteError::Token(error) => Self::Token(error),
            error => Self::Remote(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_invalid_token_has_the_code_of_its_error() {
        for (error, code) in [
            (TokenError::Issuer, "invalid_issuer"),
            (TokenError::Audience, "invalid_audience"),
            (TokenError::NoSuchKey, "invalid_key"),
            (TokenError::Algorithm(None), "invalid_key"),
            (TokenError::Signature, "authentication_failed"),
            (TokenError::Shape, "invalid_request"),
        ] {
            let sent = SecurityEventError::Token(error).for_sender(false);
            assert_eq!(sent.code(), Some(code), "{error}");
        }
    }
}
