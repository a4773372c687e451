//! The end of the login, to listen for from the handler on.

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;

use super::logged_in::authenticated;
use crate::{LoggedInRejection, LoginEnd, auth::RequestAuth};

async fn login_end(parts: &Parts) -> Result<Option<LoginEnd>, LoggedInRejection> {
    let auth = RequestAuth::of(parts).ok_or_else(LoggedInRejection::layer_missing)?;
    let authenticated = authenticated(parts).await?;
    Ok(authenticated.and_then(|authenticated| auth.listen(authenticated)))
}

impl<S: Sync> FromRequestParts<S> for LoginEnd {
    type Rejection = LoggedInRejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, LoggedInRejection> {
        let end = login_end(parts).await?;
        end.ok_or_else(|| LoggedInRejection::unauthenticated(parts))
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for LoginEnd {
    type Rejection = LoggedInRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        _state: &S,
    ) -> Result<Option<Self>, LoggedInRejection> {
        login_end(parts).await
    }
}
