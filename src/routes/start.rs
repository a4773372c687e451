//! `GET /clef/login?next=`: begins a login.

use std::sync::Arc;

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::Extensions,
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;

use super::{
    Context, EXCHANGE_LIMIT, LoginFailure, LoginFailureKind, failure::Reason,
    return_path::ReturnPath, session_and_cookies,
};
use crate::provider::LoginRequest;

#[derive(Deserialize)]
pub(super) struct Start {
    next: Option<String>,
}

pub(super) async fn start(
    State(context): State<Arc<Context>>,
    query: Result<Query<Start>, QueryRejection>,
    extensions: Extensions,
) -> Response {
    match begin(&context, query, &extensions).await {
        Ok(response) => response,
        Err(reason) => LoginFailure::answer(&context, reason, None),
    }
}

async fn begin(
    context: &Context,
    query: Result<Query<Start>, QueryRejection>,
    extensions: &Extensions,
) -> Result<Response, Reason> {
    let Query(Start { next }) = query.map_err(|error| Reason::bad_request(error.body_text()))?;
    let next = match next {
        Some(next) if !next.is_empty() => ReturnPath::parse(&context.site, &next)
            .ok_or_else(|| Reason::bad_request("`next` is not a path on this site"))?,
        _ => ReturnPath::front(),
    };
    // Back to one of these routes would be a circle, or a dead end.
    let next = if context.paths.contains(next.path()) {
        ReturnPath::front()
    } else {
        next
    };
    let (_, cookies) = session_and_cookies(extensions).ok_or_else(Reason::layer_missing)?;
    let state = context.attempts.begin(&cookies, &next);
    let callback_url = context.callback_url();
    let login = LoginRequest::new(&callback_url, &state);
    let url = tokio::time::timeout(EXCHANGE_LIMIT, context.provider.login_url(&login));
    let reason = match url.await {
        Ok(Ok(url)) => return Ok(Redirect::to(url.as_str()).into_response()),
        Ok(Err(error)) => Reason::from(error),
        Err(elapsed) => Reason::new(LoginFailureKind::ProviderUnavailable, elapsed),
    };
    context.attempts.forget(&cookies, &state);
    Err(reason)
}
