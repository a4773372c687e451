//! The end of the login, to be listened for from the handler on.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    http::request::Parts,
};
use tower_sessions::Session;

use super::{Rejection, Visit, logged_in::visitor};
use crate::LoginEnd;

async fn login_end(parts: &Parts) -> Result<Option<LoginEnd>, Rejection> {
    let visit = parts.extensions.get::<Arc<Visit>>();
    let visit = visit.ok_or_else(Rejection::layer_missing)?;
    let Some(visitor) = visitor(parts).await? else {
        return Ok(None);
    };
    let session = parts.extensions.get::<Session>().and_then(Session::id);
    Ok(Some(visit.listen(visitor, session)))
}

impl<S: Sync> FromRequestParts<S> for LoginEnd {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Rejection> {
        let end = login_end(parts).await?;
        end.ok_or_else(|| Rejection::not_logged_in(parts))
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for LoginEnd {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Option<Self>, Rejection> {
        login_end(parts).await
    }
}
