//! What a handler answers when it can do nothing.

use std::time::Duration;

use axum::{
    http::{StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use axum_clef::{BoxError, LogInError, LogoutError, NewTokenError};

use crate::{HashError, pages};

/// Why a handler did nothing, or not everything. As a response it is a page.
#[derive(Debug)]
pub enum Problem {
    /// The database, or what else the site needs, fails: 503.
    Failed(BoxError),
    /// Too many passwords wait to be hashed: 503.
    Busy,
    /// The client has tried too many passwords, and waits for this long: 429.
    TooManyAttempts(Duration),
    /// The login did not begin: 403 or 503, by the page of axum-clef.
    LogIn(LogInError),
    /// No token was made: a login that is not recent, or a name that is none.
    NewToken(NewTokenError),
    /// The logout is not written: 503. If it is pending, this site refuses the logins meanwhile.
    LogOut(LogoutError),
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, seconds, sentence) = match self {
            Self::LogIn(error) => return error.into_response(),
            Self::NewToken(NewTokenError::LoggedIn(rejection)) => return rejection.into_response(),
            Self::NewToken(error) => {
                return (error.status(), pages::problem(&error.to_string())).into_response();
            }
            Self::Failed(error) => {
                tracing::error!(error, "a request was not handled");
                let sentence = "This is not possible right now. Please try again in a few minutes.";
                (StatusCode::SERVICE_UNAVAILABLE, 60, sentence)
            }
            Self::Busy => {
                let sentence = "Many people are logging in right now. Please try again.";
                (StatusCode::SERVICE_UNAVAILABLE, 1, sentence)
            }
            Self::TooManyAttempts(wait) => {
                let sentence = "You have tried too often. Please try again in a minute.";
                (StatusCode::TOO_MANY_REQUESTS, wait.as_secs() + 1, sentence)
            }
            Self::LogOut(error) => {
                tracing::error!(%error, "a logout is not written");
                let sentence = match error {
                    LogoutError::Pending => {
                        "The logins are being ended. Please look again in a minute."
                    }
                    _ => "The logins have not ended. Please try again in a minute.",
                };
                (StatusCode::SERVICE_UNAVAILABLE, 60, sentence)
            }
        };
        let retry_after = [(RETRY_AFTER, seconds.to_string())];
        (status, retry_after, pages::problem(sentence)).into_response()
    }
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl From<HashError> for Problem {
    fn from(error: HashError) -> Self {
        match error {
            HashError::Busy => Self::Busy,
            HashError::Failed(error) => Self::Failed(error),
        }
    }
}

impl From<LogInError> for Problem {
    fn from(error: LogInError) -> Self {
        Self::LogIn(error)
    }
}

impl From<NewTokenError> for Problem {
    fn from(error: NewTokenError) -> Self {
        Self::NewToken(error)
    }
}

impl From<LogoutError> for Problem {
    fn from(error: LogoutError) -> Self {
        Self::LogOut(error)
    }
}
