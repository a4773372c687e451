//! What the sender of a logout token hears (OpenID Connect Back-Channel Logout 1.0, section 2.8).

use http::StatusCode;
use serde_json::json;

use super::Settings;
use crate::provider::{LogoutAnswer, LogoutOutcome};

pub(super) fn answer(outcome: LogoutOutcome, settings: &Settings) -> LogoutAnswer {
    let bad_request = StatusCode::BAD_REQUEST;
    let (status, error, description) = match outcome {
        LogoutOutcome::LoggedOut | LogoutOutcome::NobodyHere => {
            return LogoutAnswer::new(StatusCode::OK, None);
        }
        LogoutOutcome::BadToken => (
            bad_request,
            "invalid_request",
            "The logout token is not good.",
        ),
        LogoutOutcome::SessionsNotKept => (
            bad_request,
            "invalid_request",
            "Sessions of the provider are not kept here. Send the sub along.",
        ),
        // Whatever is wrong with the form, the specification has one status for it.
        LogoutOutcome::NotANotice(_, reason) => (bad_request, "invalid_request", reason),
        LogoutOutcome::ComeBack => {
            let status = if settings.answers_400_when_unavailable {
                bad_request
            } else {
                StatusCode::SERVICE_UNAVAILABLE
            };
            let description = "The logout cannot be done right now. Send it again.";
            (status, "temporarily_unavailable", description)
        }
    };
    let body = json!({ "error": error, "error_description": description });
    LogoutAnswer::new(status, Some(body))
}
