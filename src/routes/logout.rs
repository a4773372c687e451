//! `POST /clef/logout`: the webhook by which the provider says that somebody has logged
//! out. It carries no cookie and touches no session.

use std::{error::Error as _, sync::Arc};

use axum::{
    Form,
    extract::{State, rejection::FormRejection},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::{
    Context, EXCHANGE_LIMIT,
    notices::{Handling, Joined},
};
use crate::{
    pending::Place,
    provider::{LogoutOutcome, ProviderError, ProviderErrorKind},
};

#[derive(Deserialize)]
pub(super) struct Notice {
    logout_token: Option<SecretString>,
}

pub(super) async fn logout(
    State(context): State<Arc<Context>>,
    notice: Result<Form<Notice>, FormRejection>,
) -> Response {
    let outcome = match token(notice) {
        Ok(token) => settle(&context, token).await,
        Err(outcome) => {
            tracing::info!(?outcome, "a logout notice was refused");
            outcome
        }
    };
    answer(&context, outcome)
}

/// Looks at the shape of a notice, before anything is asked of anybody.
fn token(notice: Result<Form<Notice>, FormRejection>) -> Result<SecretString, LogoutOutcome> {
    let refused = |status, reason| Err(LogoutOutcome::NotANotice(status, reason));
    match notice {
        Ok(Form(Notice {
            logout_token: Some(token),
        })) if !token.expose_secret().is_empty() => Ok(token),
        Ok(_) => refused(StatusCode::BAD_REQUEST, "There is no logout_token."),
        Err(FormRejection::InvalidFormContentType(_)) => refused(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "Send a form: application/x-www-form-urlencoded.",
        ),
        Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            refused(StatusCode::PAYLOAD_TOO_LARGE, "The notice is too large.")
        }
        Err(_) => refused(
            StatusCode::BAD_REQUEST,
            "Send a form with one logout_token.",
        ),
    }
}

async fn settle(context: &Arc<Context>, token: SecretString) -> LogoutOutcome {
    let progress = match context.notices.join(&token) {
        Joined::Later(progress) => progress,
        Joined::First(handling) => {
            let Some(place) = context.gate.pending.place() else {
                tracing::error!("too many logouts are waiting for the store");
                return LogoutOutcome::ComeBack;
            };
            let progress = handling.progress();
            // A task of its own: a sender who hangs up after the token is exchanged must not
            // take the logout along.
            tokio::spawn(handle(Arc::clone(context), token, place, handling));
            progress
        }
    };
    progress.outcome().await
}

/// From the token to the effect.
async fn handle(context: Arc<Context>, token: SecretString, place: Place, handling: Handling) {
    let exchange = context.provider.logout_subject(&token);
    let subject = match tokio::time::timeout(EXCHANGE_LIMIT, exchange).await {
        Ok(Ok(subject)) => subject,
        Ok(Err(error)) => return handling.finish(failed(&error)),
        Err(elapsed) => {
            tracing::error!(%elapsed, "a logout notice could not be checked");
            return handling.finish(LogoutOutcome::ComeBack);
        }
    };
    handling.writing();
    let outcome = if place
        .write(&context.gate.users, &context.gate.strangers, &subject)
        .await
    {
        tracing::info!(?subject, "logged out everywhere");
        LogoutOutcome::LoggedOut
    } else {
        tracing::info!(?subject, "a logout notice is for nobody here");
        LogoutOutcome::NobodyHere
    };
    handling.finish(outcome);
}

fn failed(error: &ProviderError) -> LogoutOutcome {
    let cause = error.source().map(ToString::to_string);
    match error.kind() {
        ProviderErrorKind::Refused => {
            tracing::info!(?cause, "a logout notice was refused");
            LogoutOutcome::BadToken
        }
        _ => {
            tracing::error!(?cause, "a logout notice could not be checked");
            LogoutOutcome::ComeBack
        }
    }
}

fn answer(context: &Context, outcome: LogoutOutcome) -> Response {
    let answer = context.provider.logout_answer(outcome);
    let mut response = match answer.body {
        Some(body) => (
            answer.status,
            [(header::CONTENT_TYPE, "application/json")],
            body.to_string(),
        )
            .into_response(),
        None => answer.status.into_response(),
    };
    if answer.status == StatusCode::SERVICE_UNAVAILABLE {
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}
