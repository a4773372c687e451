//! What a handler answers when it can do nothing.

use std::time::Duration;

use axum::{
    http::{StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use axum_clef::{BoxError, LogInError, LogoutError};
use webauthn_rs::prelude::WebauthnError;

use crate::{MOST_PASSKEYS, pages};

/// Why a handler did nothing, or not everything. As a response it is a page.
#[derive(Debug)]
pub enum Problem {
    /// The database, or what else the site needs, fails: 503.
    Failed(BoxError),
    /// The client has tried too often, and waits for this long: 429.
    TooManyAttempts(Duration),
    /// The form has no answer of an authenticator, as without the script: 422.
    NoAnswer,
    /// The name of a member or a passkey is empty or too long: 422.
    Name,
    /// No ceremony waits in this browser, or it took too long: 403. The user begins again.
    Expired,
    /// The new passkey is not what was asked for: 403.
    Refused(WebauthnError),
    /// A member has the passkey already, or too many of them: 409.
    NotAdded,
    /// The passkey is the last one, or none of the member: 409.
    LastPasskey,
    /// The login did not begin: 403 or 503, by the page of axum-clef.
    LogIn(LogInError),
    /// The logout is not written: 503. If it is pending, this site refuses the logins meanwhile.
    LogOut(LogoutError),
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let unavailable = StatusCode::SERVICE_UNAVAILABLE;
        let mut wait = None;
        let (status, sentence) = match self {
            Self::LogIn(error) => return error.into_response(),
            Self::Failed(error) => {
                tracing::error!(error, "a form was not handled");
                wait = Some(60);
                let sentence = "This is not possible right now. Please try again in a few minutes.";
                (unavailable, sentence.to_owned())
            }
            Self::TooManyAttempts(time) => {
                wait = Some(time.as_secs() + 1);
                let sentence = "You have tried too often. Please try again in a minute.";
                (StatusCode::TOO_MANY_REQUESTS, sentence.to_owned())
            }
            Self::NoAnswer => {
                let sentence = "No passkey was sent. Please switch on JavaScript, and try again.";
                (StatusCode::UNPROCESSABLE_ENTITY, sentence.to_owned())
            }
            Self::Name => {
                let sentence = "Please enter a name of up to 64 letters.";
                (StatusCode::UNPROCESSABLE_ENTITY, sentence.to_owned())
            }
            Self::Expired => {
                let sentence = "This took more than ten minutes. Please start again.";
                (StatusCode::FORBIDDEN, sentence.to_owned())
            }
            Self::Refused(error) => {
                tracing::info!(%error, "a new passkey was refused");
                let sentence = "This passkey cannot be used here. Please try another one.";
                (StatusCode::FORBIDDEN, sentence.to_owned())
            }
            Self::NotAdded => {
                let sentence = format!(
                    "This passkey is in use already, or you have {MOST_PASSKEYS} of them. Please \
                     choose another one."
                );
                (StatusCode::CONFLICT, sentence)
            }
            Self::LastPasskey => {
                let sentence = "This is your last passkey. Please add another one first.";
                (StatusCode::CONFLICT, sentence.to_owned())
            }
            Self::LogOut(error) => {
                tracing::error!(%error, "a logout is not written");
                wait = Some(60);
                let sentence = match error {
                    LogoutError::Pending => {
                        "Your logins are being ended. Please log in again in a minute."
                    }
                    _ => "The logins have not ended. Please try again in a minute.",
                };
                (unavailable, sentence.to_owned())
            }
        };
        let mut response = (status, pages::problem(&sentence)).into_response();
        if let Some(seconds) = wait {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl From<BoxError> for Problem {
    fn from(error: BoxError) -> Self {
        Self::Failed(error)
    }
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl From<LogInError> for Problem {
    fn from(error: LogInError) -> Self {
        Self::LogIn(error)
    }
}

impl From<LogoutError> for Problem {
    fn from(error: LogoutError) -> Self {
        Self::LogOut(error)
    }
}
