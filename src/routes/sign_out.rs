//! The sign-out of the site, `POST /auth/sign-out` by default: ends the login of this browser, or all
//! logins of its user, or a bearer token. And of each provider the way back from its own sign-out,
//! `GET /clef/signed-out` by default.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::{IntoResponse as _, Redirect, Response},
};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::{
    failure::{Causes, LoginFailureKind, Reason},
    failure_page::{failure_response, shared_failure},
    start::not_ahead_of_time,
    state::{ClientEvent, LoginAdmission, RouteState, RoutesState},
};
use crate::{
    BoxError, LoggedInRejection, LogoutCause,
    auth::{EndLoginError, MountedProvider, RequestAuth, is_scripted, is_speculative, navigates},
    extract::is_forged,
    page::PageRenderer,
    provider::SignOutRequest,
    revocation::Logout,
    sessions::PresentedLogin,
    texts::PageText,
    time_limit::{answer, detached},
};

/// How long a provider may take to return the URL of its own sign-out.
const PROVIDER_LIMIT: Duration = Duration::from_secs(5);

pub(super) async fn sign_out(State(shared): State<Arc<RoutesState>>, parts: Parts) -> Response {
    let headers = parts.headers.clone();
    let token = match shared.auth.presented_token(&headers) {
        Ok(token) => token,
        Err(error) => return LoggedInRejection::of(error, &parts).into_response(),
    };
    let is_token = token.is_some();
    // In a task of its own, so that a client that hangs up does not abort the sign-out.
    let work = {
        let shared = Arc::clone(&shared);
        async move { end(&shared, token, &parts).await }
    };
    let ended = detached(work).await;
    let ended = ended.map_err(Reason::not_signed_out);
    match ended.and_then(std::convert::identity) {
        Ok(_) if is_token => StatusCode::NO_CONTENT.into_response(),
        Ok(url) => signed_out_here(&shared, url.as_ref(), &headers),
        Err(reason) => shared_failure(&shared, reason, &headers),
    }
}

/// Leads on after a sign-out, to the provider or to the page of the application.
fn signed_out_here(shared: &RoutesState, provider: Option<&Url>, headers: &HeaderMap) -> Response {
    let next = provider.map_or(&*shared.settings.after_sign_out, Url::as_str);
    if is_scripted(headers) {
        // It can follow no redirect to another origin.
        let body = json!({ "location": next }).to_string();
        return ([(header::CONTENT_TYPE, "application/json")], body).into_response();
    }
    match provider.is_some() && navigates(headers) {
        true => {
            let pages = PageRenderer::new(&shared.auth.pages, headers);
            pages.redirect(PageText::SignedOutHere, next)
        }
        false => Redirect::to(next).into_response(),
    }
}

/// Ends the token, or else the login. Returns the URL at which the sign-out continues at the
/// provider, if any.
async fn end(
    shared: &RoutesState,
    token: Option<Arc<PresentedLogin>>,
    parts: &Parts,
) -> Result<Option<Url>, Reason> {
    let is_token = token.is_some();
    if is_forged(&shared.auth, &parts.headers) {
        return Err(Reason::new(
            LoginFailureKind::ForeignOrigin,
            "a page of another site asked to sign out",
        ));
    }
    let request = shared.request_auth(parts)?;
    let found = shared.auth.signed_out_logins(token, &parts.headers);
    let logins = match found.await {
        Ok(logins) => logins,
        Err(error) if shared.settings.sign_out_everywhere => {
            return Err(Reason::not_signed_out(error));
        }
        Err(error) => {
            // Without its cookies the browser is signed out in any case.
            request.remove_login_cookies(&parts.headers);
            return Err(Reason::sign_out_incomplete(error));
        }
    };
    if shared.settings.sign_out_everywhere {
        // Before the cookies are removed, so that the browser can try again.
        log_out_everywhere(request, parts, &logins).await?;
    }
    let signed_out = request.sign_out(&logins, parts).await;
    signed_out.map_err(|error| match error {
        EndLoginError::QueueFull | EndLoginError::Aborted => Reason::not_signed_out(error),
        error => Reason::sign_out_incomplete(error),
    })?;
    if is_token {
        return Ok(None);
    }
    let newest = logins
        .iter()
        .reduce(|newest, login| match login.is_newer_than(newest) {
            true => login,
            false => newest,
        });
    let (provider, hint) = match newest {
        Some(login) => (provider_of(shared, login), login.sign_out_hint()),
        // Of a login that has gone idle: its record is gone, and the session at the provider may go
        // on.
        None if shared.auth.sessions.has_cookie(&parts.headers) => (only_provider(shared), None),
        None => (None, None),
    };
    Ok(match provider {
        Some(provider) => {
            provider_sign_out_url(shared, provider, hint.as_ref(), request, parts).await
        }
        None => None,
    })
}

/// The provider of a login, with its limits: found by the callback path, or the only provider if
/// the path has changed.
fn provider_of<'a>(
    shared: &'a RoutesState,
    login: &PresentedLogin,
) -> Option<(&'a MountedProvider, &'a LoginAdmission)> {
    let record = login.record();
    record.subject()?;
    let mut providers = shared.auth.providers.iter().zip(&shared.login_admissions);
    let is_only = providers.len() == 1;
    providers.find(|(mounted, _)| is_only || mounted.paths.callback() == record.callback)
}

/// The provider of a login that cannot be read any more, if there is one alone.
fn only_provider(shared: &RoutesState) -> Option<(&MountedProvider, &LoginAdmission)> {
    match (&shared.auth.providers[..], &shared.login_admissions[..]) {
        ([mounted], [admission]) => Some((mounted, admission)),
        _ => None,
    }
}

/// Ends all logins of the user if the login of this browser is valid: a copy of an ended login must
/// not end newer ones.
///
/// # Errors
///
/// A reason if a login of the user may still be valid. The user signs out again.
async fn log_out_everywhere(
    request: &RequestAuth,
    parts: &Parts,
    logins: &[Arc<PresentedLogin>],
) -> Result<(), Reason> {
    let state = request.state();
    let authenticated = request.authenticated_if_any(&parts.headers).await;
    let authenticated = authenticated.map_err(Reason::not_signed_out)?;
    if let Some(record) = authenticated.map(|authenticated| authenticated.login.record()) {
        let logout = Logout::User(record.user_id.to_string());
        let logged_out = state.log_out(logout, LogoutCause::User).await;
        return logged_out.map(drop).map_err(Reason::not_signed_out);
    }
    for record in logins.iter().map(|login| login.record()) {
        // From an earlier or concurrent sign-out.
        if state.has_pending_logout(record) {
            let written = state.until_logged_out(record).await;
            written.map_err(Reason::not_signed_out)?;
        }
    }
    Ok(())
}

/// The URL at which the sign-out continues at the provider.
async fn provider_sign_out_url(
    shared: &RoutesState,
    (mounted, admission): (&MountedProvider, &LoginAdmission),
    hint: Option<&SecretString>,
    request: &RequestAuth,
    parts: &Parts,
) -> Option<Url> {
    let state = shared.sign_outs.state();
    let return_url = shared.site().url(mounted.paths.signed_out());
    let sign_out = SignOutRequest::new(&return_url, &state, hint);
    let reason: BoxError = match admission.redirect.admit(shared.client(parts)).await {
        Some(_permit) => {
            let url = mounted.provider.sign_out_url(&sign_out);
            match answer(PROVIDER_LIMIT, url).await {
                Ok(Ok(url)) => {
                    if url.is_some() {
                        let cookies = request.cookies(&parts.headers);
                        shared.sign_outs.begin(cookies, &state);
                    }
                    return url;
                }
                Ok(Err(error)) => error.into(),
                Err(error) => error.into(),
            }
        }
        None => "too many calls to the provider are in progress".into(),
    };
    if let Some(count) = shared.log_limit.count(ClientEvent::SignOutNotContinued) {
        let reason = Causes(&*reason);
        tracing::warn!(%reason, count, "a sign-out could not continue at the provider");
    }
    None
}

#[derive(Deserialize)]
pub(super) struct SignedOut {
    state: Option<SecretString>,
}

pub(super) async fn signed_out(
    State(route): State<RouteState>,
    query: Result<Query<SignedOut>, QueryRejection>,
    parts: Parts,
) -> Response {
    if is_speculative(&parts.headers) {
        return not_ahead_of_time();
    }
    let state = query.ok().and_then(|Query(SignedOut { state })| state);
    let auth = match route.request_auth(&parts) {
        Ok(auth) => auth,
        Err(reason) => return failure_response(&route, reason, None, &parts.headers),
    };
    let cookies = auth.cookies(&parts.headers);
    let begun_here = route.shared.sign_outs.end(cookies, state.as_ref());
    let event = ClientEvent::SignOutReturned { begun_here };
    if let Some(count) = route.shared.log_limit.count(event) {
        if begun_here {
            tracing::info!(count, "signed out at the provider too");
        } else {
            tracing::info!(
                count,
                "a browser returned from a sign-out that it did not start"
            );
        }
    }
    Redirect::to(&route.shared.settings.after_sign_out).into_response()
}
