//! The answers to scripts, as `application/problem+json` (RFC 9457), and the challenges in
//! `WWW-Authenticate`.

use axum::{
    body::Body,
    response::{IntoResponse as _, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use super::MaxAge;
use crate::{EndedLogin, LogoutReason};

/// The type of the problem that a script receives which needs a recent login.
const RECENT_LOGIN_REQUIRED: &str =
    "https://docs.rs/axum-clef/latest/axum_clef/guide/recent_logins/index.html#scripts";

/// RFC 9110, section 11.6.1: a 401 names a scheme. No registered one says "log in on a page"; this
/// one is what browsers ignore and people understand.
pub(super) const COOKIE: &str = "Cookie realm=\"axum-clef\"";
/// The challenges of bearer tokens (RFC 6750, section 3).
pub(super) const BEARER: &str = "Bearer realm=\"axum-clef\"";
pub(super) const INVALID_TOKEN: &str = "Bearer realm=\"axum-clef\", error=\"invalid_token\"";
pub(super) const INVALID_REQUEST: &str = "Bearer realm=\"axum-clef\", error=\"invalid_request\"";
pub(super) const INSUFFICIENT_SCOPE: &str =
    "Bearer realm=\"axum-clef\", error=\"insufficient_scope\"";

/// The answer to a script, with the address to log in at.
pub(crate) fn problem(status: StatusCode, detail: &str, login: Option<&str>) -> Response {
    response(status, &plain(status, detail, login))
}

/// The 401 to a script that cannot log in, with the address to open in the browser.
pub(crate) fn login_required(detail: &str, login: &str) -> Response {
    let mut response = problem(StatusCode::UNAUTHORIZED, detail, Some(login));
    let challenge = HeaderValue::from_static(COOKIE);
    let headers = response.headers_mut();
    headers.insert(header::WWW_AUTHENTICATE, challenge);
    response
}

/// The 403 to a program whose bearer token is valid and not enough (RFC 6750, section 3.1).
pub(crate) fn insufficient_token(detail: &str) -> Response {
    let mut response = problem(StatusCode::FORBIDDEN, detail, None);
    let challenge = HeaderValue::from_static(INSUFFICIENT_SCOPE);
    let headers = response.headers_mut();
    headers.insert(header::WWW_AUTHENTICATE, challenge);
    uncached(response)
}

/// The answer to a script whose login has ended by a logout, with its cause and its time.
pub(super) fn ended_login_problem(
    detail: &str,
    login: Option<&str>,
    ended: &EndedLogin,
) -> Response {
    let status = StatusCode::UNAUTHORIZED;
    let mut problem = plain(status, detail, login);
    if ended.reason() == LogoutReason::LoggedOut {
        problem["cause"] = ended.cause().to_string().into();
    }
    if let Some((_, time)) = ended.time() {
        problem["logged_out_at"] = time.into();
    }
    response(status, &problem)
}

/// The answer of an error, which no cache keeps. Where a store did not answer, it says when to try again.
pub(crate) fn uncached(mut response: Response) -> Response {
    let unavailable = response.status() == StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if unavailable {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

fn plain(status: StatusCode, detail: &str, login: Option<&str>) -> Value {
    let mut problem = json!({
        "type": "about:blank",
        "title": status.canonical_reason(),
        "status": status.as_u16(),
        "detail": detail,
    });
    if let Some(path) = login {
        problem["login"] = path.into();
    }
    problem
}

/// The answer to a script whose user has to log in again, at this address.
pub(super) fn recent_login_problem(detail: &str, login: Option<&str>, max_age: MaxAge) -> Response {
    let status = StatusCode::UNAUTHORIZED;
    let problem = json!({
        "type": RECENT_LOGIN_REQUIRED,
        "title": "Recent login required",
        "status": status.as_u16(),
        "detail": detail,
        "login": login,
        "max_age": max_age.as_secs(),
    });
    response(status, &problem)
}

fn response(status: StatusCode, problem: &Value) -> Response {
    (
        status,
        [(header::CONTENT_TYPE, "application/problem+json")],
        Body::from(problem.to_string()),
    )
        .into_response()
}

/// A challenge that says how recent the login has to be. The error and the age are those of RFC 9470,
/// section 3.
pub(super) fn challenge(scheme: &str, max_age: Option<MaxAge>) -> String {
    let error = "insufficient_user_authentication";
    match max_age {
        Some(max_age) => format!(
            "{scheme}, error=\"{error}\", max_age=\"{}\"",
            max_age.as_secs()
        ),
        None => scheme.to_owned(),
    }
}
