//! The extractor for the end of the login.

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;

use super::logged_in::authenticated;
use crate::{LoggedInRejection, auth::RequestAuth, live::LogoutSignal};

async fn logout_signal(parts: &Parts) -> Result<Option<LogoutSignal>, LoggedInRejection> {
    let auth = RequestAuth::of(parts).ok_or_else(LoggedInRejection::layer_missing)?;
    let authenticated = authenticated(parts).await?;
    Ok(authenticated.map(|authenticated| auth.listen(authenticated)))
}

impl<S: Sync> FromRequestParts<S> for LogoutSignal {
    type Rejection = LoggedInRejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, LoggedInRejection> {
        let signal = logout_signal(parts).await?;
        signal.ok_or_else(|| LoggedInRejection::unauthenticated(parts))
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for LogoutSignal {
    type Rejection = LoggedInRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        _state: &S,
    ) -> Result<Option<Self>, LoggedInRejection> {
        logout_signal(parts).await
    }
}
