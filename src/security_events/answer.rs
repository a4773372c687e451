//! Answers to the sender of a pushed event (RFC 8935, section 2).

use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use crate::provider::{LogoutAnswer, LogoutOutcome};

/// Error codes (RFC 8935, section 2.4; SSF 1.0, section 8.1.4).
pub(super) mod code {
    pub(in super::super) const INVALID_REQUEST: &str = "invalid_request";
    pub(in super::super) const INVALID_KEY: &str = "invalid_key";
    pub(in super::super) const INVALID_ISSUER: &str = "invalid_issuer";
    pub(in super::super) const INVALID_AUDIENCE: &str = "invalid_audience";
    pub(in super::super) const AUTHENTICATION_FAILED: &str = "authentication_failed";
    pub(in super::super) const INVALID_STATE: &str = "invalid_state";
}

/// The language of the descriptions.
pub(super) const LANGUAGE: &str = "en";

/// The error code and description of an outcome; `None` if the event is received, or should come
/// again.
pub(super) fn rejection(outcome: LogoutOutcome) -> Option<(&'static str, &'static str)> {
    Some(match outcome {
        LogoutOutcome::LoggedOut
        | LogoutOutcome::NothingEnded
        | LogoutOutcome::UnknownUser
        | LogoutOutcome::TryAgain => return None,
        LogoutOutcome::Rejected(code) => (code, description(code)),
        LogoutOutcome::BadToken => (code::INVALID_REQUEST, description(code::INVALID_REQUEST)),
        LogoutOutcome::SessionsNotKept => (
            code::INVALID_REQUEST,
            "This site does not track sessions. Name the user.",
        ),
        LogoutOutcome::TooManyUsers => (
            code::INVALID_REQUEST,
            "The subject of the event is no single person.",
        ),
        LogoutOutcome::NotANotice(_, reason) => (code::INVALID_REQUEST, reason),
    })
}

/// Success is 202 without a body, also for an event that came before.
pub(super) fn answer(outcome: LogoutOutcome) -> LogoutAnswer {
    if outcome == LogoutOutcome::TryAgain {
        return LogoutAnswer::new(StatusCode::SERVICE_UNAVAILABLE, None);
    }
    let Some((code, description)) = rejection(outcome) else {
        return LogoutAnswer::new(StatusCode::ACCEPTED, None);
    };
    let status = match outcome {
        // Of a body that is too large, or slow.
        LogoutOutcome::NotANotice(status, _) => status,
        _ => StatusCode::BAD_REQUEST,
    };
    let body = json!({ "err": code, "description": description });
    LogoutAnswer::new(status, Some(body))
        .with_header(header::CONTENT_LANGUAGE, HeaderValue::from_static(LANGUAGE))
}

fn description(code: &str) -> &'static str {
    match code {
        code::INVALID_KEY => "The token is not signed with a key and algorithm of the issuer.",
        code::INVALID_ISSUER => "This stream has another issuer.",
        code::INVALID_AUDIENCE => "The token is for another audience.",
        code::AUTHENTICATION_FAILED => "The sender could not be authenticated.",
        code::INVALID_STATE => "The state is not the expected one.",
        _ => "The token is no valid security event.",
    }
}
