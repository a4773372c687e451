//! `GET /clef/login?next=`: begins a login.

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::request::Parts,
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;

use super::{
    EXCHANGE_LIMIT, LoginFailure, LoginFailureKind, RouteState, failure::Reason,
    return_path::ReturnPath, session_and_cookies,
};
use crate::{provider::LoginRequest, time_limit::answer};

#[derive(Deserialize)]
pub(super) struct Start {
    next: Option<String>,
}

pub(super) async fn start(
    State(route): State<RouteState>,
    query: Result<Query<Start>, QueryRejection>,
    parts: Parts,
) -> Response {
    let next = match next(&route, query) {
        Ok(next) => next,
        Err(reason) => return LoginFailure::answer(&route, reason, None),
    };
    match begin(&route, &next, &parts).await {
        Ok(response) => response,
        Err(reason) => LoginFailure::answer(&route, reason, Some(&next)),
    }
}

/// Where the login is to lead.
fn next(
    route: &RouteState,
    query: Result<Query<Start>, QueryRejection>,
) -> Result<ReturnPath, Reason> {
    let Query(Start { next }) = query.map_err(|error| Reason::bad_request(error.body_text()))?;
    let next = match next {
        Some(next) if !next.is_empty() => ReturnPath::parse(&route.context.site, &next)
            .ok_or_else(|| Reason::bad_request("`next` is not a path on this site"))?,
        _ => ReturnPath::front(),
    };
    if route.context.leads_nowhere(next.path()) {
        return Ok(ReturnPath::front());
    }
    Ok(next)
}

async fn begin(route: &RouteState, next: &ReturnPath, parts: &Parts) -> Result<Response, Reason> {
    let (_, cookies) = session_and_cookies(parts).ok_or_else(Reason::layer_missing)?;
    let admitted = route.context.admit_redirect(parts).await;
    let _permit = admitted.ok_or_else(Reason::overloaded)?;
    let callback_url = route.callback_url();
    let attempts = &route.context.attempts;
    let begun = attempts.begin(&callback_url, next);
    let login = LoginRequest::new(&callback_url, &begun.state, &begun.secret);
    let url = answer(EXCHANGE_LIMIT, route.entrance.provider.login_url(&login));
    let url = url
        .await
        .map_err(|none| Reason::new(LoginFailureKind::ProviderUnavailable, none))??;
    attempts.keep(cookies, &begun);
    Ok(Redirect::to(url.as_str()).into_response())
}
