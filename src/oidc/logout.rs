//! Logout: the logout token and its answer (OpenID Connect Back-Channel Logout 1.0), and the
//! sign-out at the provider (RP-Initiated Logout 1.0).

use http::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use url::Url;

use super::{Oidc, Settings, TokenError, claims::Claims, token::Header};
use crate::{
    ProviderSession, Subject,
    provider::{LogoutAnswer, LogoutNotice, LogoutOutcome, LogoutScope, SignOutRequest},
};

/// The member of `events` that a logout token has (Back-Channel Logout, section 2.4).
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// The largest logout token, in bytes.
pub(super) const LARGEST: usize = 16 * 1024;
/// How long a logout token without `exp` is valid, in seconds: as long as one with `exp` should be
/// (Back-Channel Logout, section 2.4).
pub(super) const LIFETIME: f64 = 120.0;
/// The longest URL that a browser is sent to, in bytes. Servers and proxies refuse longer ones.
const LONGEST_URL: usize = 4_096;
/// How old a logout token may be, in seconds, whatever its `exp`. The replay cache is lost when the
/// program restarts.
const LONGEST_AGE: f64 = 24.0 * 60.0 * 60.0;

/// Reads the claims that only logout tokens have (Back-Channel Logout, section 2.6).
pub(super) fn read_token(
    header: &Header,
    claims: &Claims,
    issuer: &str,
    settings: &Settings,
    now: f64,
) -> Result<LogoutNotice, TokenError> {
    match header.kind()?.as_deref() {
        Some("logout+jwt") => {}
        None | Some("jwt") if !settings.requires_logout_type => {}
        _ => return Err(TokenError::Type),
    }
    if Claims::is_older(claims.issued_at()?, LONGEST_AGE, now) {
        return Err(TokenError::TooOld);
    }
    let token_id = claims.token_id()?.ok_or(TokenError::Missing("jti"))?;
    let events = claims.get("events").ok_or(TokenError::Missing("events"))?;
    // `get` returns `None` for anything but an object.
    if !events.get(EVENT).is_some_and(Value::is_object) {
        return Err(TokenError::Events);
    }
    // Even if it is null: a replayed ID token is not a logout token.
    if claims.has("nonce") {
        return Err(TokenError::HasNonce);
    }
    let person = claims.subject()?.map(|id| Subject::new(issuer, id));
    let session = claims.session()?.map(|id| ProviderSession::new(issuer, id));
    let scope = match (person, session) {
        (Some(person), None) => LogoutScope::Person(person),
        (Some(person), Some(_)) if settings.logs_out_all_sessions => LogoutScope::Person(person),
        (None, Some(session)) if settings.logs_out_all_sessions => {
            LogoutScope::SessionUser(session)
        }
        (person, Some(session)) => LogoutScope::session(session, person),
        (None, None) => return Err(TokenError::NoSubject),
    };
    Ok(LogoutNotice::new(scope).with_id(token_id))
}

/// The answer to the sender of a logout token (Back-Channel Logout, section 2.8).
pub(super) fn answer(outcome: LogoutOutcome, settings: &Settings) -> LogoutAnswer {
    let bad_request = StatusCode::BAD_REQUEST;
    let (status, error, description) = match outcome {
        LogoutOutcome::LoggedOut | LogoutOutcome::UnknownUser => {
            return LogoutAnswer::new(StatusCode::OK, None);
        }
        LogoutOutcome::BadToken => (
            bad_request,
            "invalid_request",
            "The logout token is invalid.",
        ),
        LogoutOutcome::SessionsNotKept => (
            bad_request,
            "invalid_request",
            "This site does not track sessions of the provider. Send a sub.",
        ),
        // The specification has one status for every malformed request.
        LogoutOutcome::NotANotice(_, reason) => (bad_request, "invalid_request", reason),
        LogoutOutcome::TryAgain => {
            let status = if settings.answers_400_when_unavailable {
                bad_request
            } else {
                StatusCode::SERVICE_UNAVAILABLE
            };
            let description = "The logout cannot be processed now. Send it again later.";
            (status, "temporarily_unavailable", description)
        }
    };
    let body = json!({ "error": error, "error_description": description });
    LogoutAnswer::new(status, Some(body))
}

/// The URL of the end session endpoint (RP-Initiated Logout, section 2). A hint that makes it too
/// long is left out.
pub(super) fn end_session_url(oidc: &Oidc, endpoint: &Url, sign_out: &SignOutRequest<'_>) -> Url {
    let url = |hint: Option<&SecretString>| {
        let mut url = endpoint.clone();
        let mut query = url.query_pairs_mut();
        if let Some(hint) = hint {
            query.append_pair("id_token_hint", hint.expose_secret());
        }
        query
            .append_pair("client_id", &oidc.client_id)
            .append_pair("post_logout_redirect_uri", sign_out.return_url.as_str())
            .append_pair("state", sign_out.state.expose());
        drop(query);
        url
    };
    let with_hint = url(sign_out.hint);
    if with_hint.as_str().len() < LONGEST_URL {
        with_hint
    } else {
        url(None)
    }
}
