//! Signing out in a handler of the application.

use std::{fmt, sync::Arc};

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::{
    BoxError, LoggedInRejection,
    auth::{RequestAuth, Unanswered},
    sessions::PresentedLogin,
    time_limit::detached,
};

/// Ends the login of this browser from a handler: for an application's own sign-out form, or after
/// a user has deleted their account.
///
/// The ready sign-out route does the same, and goes on to the provider's own sign-out. Take
/// [`SameOrigin`](crate::SameOrigin) before it, so that no page of another site signs users out.
///
/// It works for unauthenticated requests too: there is nothing to end then. In a request with a
/// bearer token it ends that token alone, and leaves cookies as they are.
///
/// ```
/// use axum::response::Redirect;
/// use axum_clef::{SameOrigin, SignOut, SignOutError};
///
/// async fn leave(_: SameOrigin, sign_out: SignOut) -> Result<Redirect, SignOutError> {
///     sign_out.end().await?;
///     Ok(Redirect::to("/goodbye"))
/// }
/// # fn assert_handler<T, H: axum::handler::Handler<T, ()>>(_: H) {}
/// # assert_handler(leave);
/// ```
pub struct SignOut {
    auth: Arc<RequestAuth>,
    parts: Parts,
    /// The bearer token of the request.
    token: Option<Arc<PresentedLogin>>,
}

/// Why a login could not be ended. As a response it is 503 with `Retry-After`.
#[derive(Debug, thiserror::Error)]
#[error("the login could not be ended; try again later")]
pub struct SignOutError {
    source: BoxError,
}

impl SignOut {
    /// Ends the login for every copy of its cookie, and removes the cookie from the browser. The
    /// end goes on if the future is dropped.
    ///
    /// # Errors
    ///
    /// When a store does not answer: show a page from which the user tries again. Where the user
    /// store keeps revocations, this node refuses the login meanwhile and goes on trying.
    pub async fn end(self) -> Result<(), SignOutError> {
        let state = Arc::clone(self.auth.state());
        let work = async move {
            let logins = self
                .auth
                .state()
                .signed_out_logins(self.token, &self.parts.headers);
            let logins = logins.await?;
            Ok(self.auth.sign_out(&logins, &self.parts).await?)
        };
        let ended = detached(work).await.map_err(BoxError::from);
        let ended = ended.and_then(std::convert::identity);
        ended.map_err(|source: BoxError| {
            if let Some(count) = state.unanswered.count(Unanswered::SignOut) {
                let error = source.to_string();
                tracing::error!(?error, count, "a sign-out by a handler failed");
            }
            SignOutError { source }
        })
    }
}

impl<S: Sync> FromRequestParts<S> for SignOut {
    type Rejection = LoggedInRejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, LoggedInRejection> {
        let auth = RequestAuth::of(parts).ok_or_else(LoggedInRejection::layer_missing)?;
        let token = auth.state().presented_token(&parts.headers);
        let token = token.map_err(|error| LoggedInRejection::of(error, parts))?;
        Ok(Self {
            token,
            auth: Arc::clone(auth),
            parts: parts.clone(),
        })
    }
}

impl axum::response::IntoResponse for SignOutError {
    fn into_response(self) -> axum::response::Response {
        (
            http::StatusCode::SERVICE_UNAVAILABLE,
            [
                (http::header::RETRY_AFTER, "5"),
                (http::header::CACHE_CONTROL, "no-store"),
            ],
            self.to_string(),
        )
            .into_response()
    }
}

impl fmt::Debug for SignOut {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SignOut").finish_non_exhaustive()
    }
}
