//! The login itself, apart from the user.

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;

use super::logged_in::authenticated;
use crate::{LoggedInRejection, Login, auth::Authenticated};

fn login(authenticated: &Authenticated) -> Login {
    Login::from(authenticated.login.record())
}

impl<S: Sync> FromRequestParts<S> for Login {
    type Rejection = LoggedInRejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, LoggedInRejection> {
        let authenticated = authenticated(parts).await?;
        let login = authenticated.map(login);
        login.ok_or_else(|| LoggedInRejection::unauthenticated(parts))
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Login {
    type Rejection = LoggedInRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        _state: &S,
    ) -> Result<Option<Self>, LoggedInRejection> {
        Ok(authenticated(parts).await?.map(login))
    }
}
