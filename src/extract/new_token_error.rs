//! Why a bearer token was not made.

use axum::response::{IntoResponse, Response};
use http::{StatusCode, request::Parts};

use crate::{
    BoxError, LoggedInRejection,
    auth::{LoginError, Unanswered, insufficient_token, problem, uncached},
    log_limit::log_mistake,
};

/// Why no bearer token was made: the rejection of [`NewToken`](crate::NewToken) and the error of
/// [`NewToken::mint`](crate::NewToken::mint).
///
/// As a response it is the rejection of [`LoggedIn`](crate::LoggedIn) where the login is at fault,
/// and otherwise `application/problem+json`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NewTokenError {
    /// There is no valid login, its credentials were proven too long ago, or a store did not
    /// answer.
    #[error(transparent)]
    LoggedIn(#[from] LoggedInRejection),
    /// The request came with a bearer token, which makes no others: 403.
    #[error("A token makes no other token. Log in on a page.")]
    ByToken,
    /// A page of another site sent the request: 403.
    #[error("A page of another site sent this. Open the page here and send it again.")]
    CrossOrigin,
    /// The name is empty, too long, or has control characters: 400.
    #[error("Choose a name of 1 to 100 characters.")]
    Name,
    /// The token does not fit into a header: 500. Use shorter user ids.
    #[error("This site is misconfigured. Please contact its operator.")]
    TooLarge(#[source] BoxError),
    /// The layer has no [`bearer_tokens`](crate::ClefLayerBuilder::bearer_tokens), a mistake in the
    /// program: 500.
    #[error("This site accepts no tokens: set `bearer_tokens` on the builder of the ClefLayer.")]
    NotAccepted,
}

impl NewTokenError {
    /// The status of the response that is not a redirect.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::LoggedIn(rejection) => rejection.status(),
            Self::ByToken | Self::CrossOrigin => StatusCode::FORBIDDEN,
            Self::Name => StatusCode::BAD_REQUEST,
            Self::TooLarge(_) | Self::NotAccepted => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    pub(super) fn not_accepted() -> Self {
        log_mistake(
            "`NewToken` is used, and the layer has no `bearer_tokens`: add `.bearer_tokens([key])` to \
             its builder",
        );
        Self::NotAccepted
    }

    /// The error of a login that is no more, or of a store.
    pub(super) fn new(error: LoginError, parts: &Parts) -> Self {
        match error {
            LoginError::Store(error) => {
                LoggedInRejection::no_answer(Unanswered::Check, error, parts).into()
            }
            LoginError::TooLarge(error) => {
                tracing::error!(error = ?error.to_string(), "a token cannot be made");
                Self::TooLarge(error)
            }
            LoginError::TurnedAway
            | LoginError::LoggedOutMeanwhile
            | LoginError::OtherUser
            | LoginError::NotReauthenticated => LoggedInRejection::unauthenticated(parts).into(),
        }
    }
}

impl IntoResponse for NewTokenError {
    fn into_response(self) -> Response {
        match self {
            Self::LoggedIn(rejection) => rejection.into_response(),
            Self::ByToken => insufficient_token(&self.to_string()),
            _ => uncached(problem(self.status(), &self.to_string(), None)),
        }
    }
}
