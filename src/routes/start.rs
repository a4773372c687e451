//! `GET /clef/login?next=`: starts a login.

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::request::Parts,
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;

use super::{
    failure::{LoginFailureKind, Reason},
    page::failure_response,
    state::{EXCHANGE_LIMIT, RouteState},
};
use crate::{provider::LoginRequest, site::ReturnPath, time_limit::answer};

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
        Err(reason) => return failure_response(&route, reason, None),
    };
    match begin(&route, &next, &parts).await {
        Ok(response) => response,
        Err(reason) => failure_response(&route, reason, Some(&next)),
    }
}

/// The path to return to after the login.
fn next(
    route: &RouteState,
    query: Result<Query<Start>, QueryRejection>,
) -> Result<ReturnPath, Reason> {
    let Query(Start { next }) = query.map_err(|error| Reason::bad_request(error.body_text()))?;
    let site = route.site();
    let next = match next {
        Some(next) if !next.is_empty() => ReturnPath::parse(site, &next)
            .ok_or_else(|| Reason::bad_request("`next` is not a path on this site"))?,
        _ => ReturnPath::front(site),
    };
    if route.auth().leads_nowhere(next.path()) {
        return Ok(ReturnPath::front(site));
    }
    Ok(next)
}

async fn begin(route: &RouteState, next: &ReturnPath, parts: &Parts) -> Result<Response, Reason> {
    let auth = route.request_auth(parts)?;
    let admitted = route.admit_redirect(parts).await;
    let _permit = admitted.ok_or_else(Reason::overloaded)?;
    let callback_url = route.callback_url();
    let attempts = &route.auth().attempts;
    let begun = attempts.begin(&callback_url, next);
    let login = LoginRequest::new(&callback_url, &begun.state, &begun.secret);
    let url = answer(EXCHANGE_LIMIT, route.mounted.provider.login_url(&login));
    match url.await {
        Ok(Ok(url)) => {
            attempts.keep(auth.cookies(&parts.headers), &begun);
            Ok(Redirect::to(url.as_str()).into_response())
        }
        Ok(Err(error)) => Err(Reason::from(error)),
        Err(error) => Err(Reason::new(LoginFailureKind::ProviderUnavailable, error)),
    }
}
