//! `POST /clef/logout`: the webhook by which the provider says that somebody has logged
//! out. It carries no cookie and touches no session.

use std::{error::Error as _, fmt, net::IpAddr, time::Duration};

use axum::{
    Form,
    extract::{FromRequest as _, Request, State, rejection::FormRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::{
    ClientEvent, Context, EXCHANGE_LIMIT, RouteState,
    admission::AdmissionPermit,
    notices::{Handling, Joined},
};
use crate::{
    pending::{self, Outcome, Place},
    provider::{LogoutOutcome, LogoutScope, ProviderError, ProviderErrorKind},
    time_limit,
};

/// How long the body of a notice may take to arrive. A provider sends it in one piece.
const ARRIVAL_LIMIT: Duration = Duration::from_secs(10);

const FORM: &str = "application/x-www-form-urlencoded";

#[derive(Deserialize)]
struct NoticeForm {
    logout_token: Option<SecretString>,
}

pub(super) async fn logout(State(route): State<RouteState>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let sender = route.context.client_address.of(&parts);
    normalize_content_type(&mut parts.headers);
    let notice = Form::from_request(Request::from_parts(parts, body), &());
    // Without a permit: a slow body holds up no other notice.
    let token = match tokio::time::timeout(ARRIVAL_LIMIT, notice).await {
        Ok(notice) => token(notice),
        Err(_) => Err(LogoutOutcome::NotANotice(
            StatusCode::REQUEST_TIMEOUT,
            "The notice took too long to arrive.",
        )),
    };
    let outcome = match token {
        Ok(token) => settle(&route, token, sender).await,
        Err(outcome) => {
            log_refused(&route, sender, &outcome);
            outcome
        }
    };
    answer(&route, outcome)
}

/// Media types are case-insensitive (RFC 9110, section 8.3.1); axum compares them in lower case.
fn normalize_content_type(headers: &mut HeaderMap) {
    let is_form = headers.get(header::CONTENT_TYPE).is_some_and(|value| {
        let media_type = value.as_bytes().split(|byte| *byte == b';').next();
        media_type.is_some_and(|text| text.trim_ascii().eq_ignore_ascii_case(FORM.as_bytes()))
    });
    if is_form {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(FORM));
    }
}

/// Looks at the shape of a notice, before anything is asked of anybody.
fn token(notice: Result<Form<NoticeForm>, FormRejection>) -> Result<SecretString, LogoutOutcome> {
    let refused = |status, reason| Err(LogoutOutcome::NotANotice(status, reason));
    match notice {
        Ok(Form(NoticeForm {
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

async fn settle(route: &RouteState, token: SecretString, sender: Option<IpAddr>) -> LogoutOutcome {
    let context = &route.context;
    let webhook = route.entrance.paths.logout();
    let patience = pending::patience(&*context.gate.users);
    let progress = match context.notices.join(webhook, &token) {
        Joined::Later(progress) => {
            if let Some(outcome) = progress.ended() {
                return outcome;
            }
            let Some(_permit) = context.notice_admission.duplicate(sender) else {
                return not_admitted(context);
            };
            return progress.outcome(patience).await;
        }
        Joined::First(handling) => {
            let Some(permit) = context.notice_admission.check(sender).await else {
                return not_admitted(context);
            };
            let Some(place) = context.gate.pending.place() else {
                return LogoutOutcome::ComeBack;
            };
            let progress = handling.progress();
            let notice = Notice {
                token,
                sender,
                handling,
            };
            // A task of its own: a sender who hangs up after the token is exchanged must not
            // take the logout along.
            tokio::spawn(notice.handle(route.clone(), permit, place));
            progress
        }
    };
    progress.outcome(patience).await
}

fn not_admitted(context: &Context) -> LogoutOutcome {
    if let Some(count) = context.log_limit.count(ClientEvent::NoticeNotAdmitted) {
        tracing::warn!(count, "more logout notices arrive than can be checked");
    }
    LogoutOutcome::ComeBack
}

/// A notice that is handled.
struct Notice {
    token: SecretString,
    sender: Option<IpAddr>,
    handling: Handling,
}

impl Notice {
    /// From the token to the effect.
    async fn handle(self, route: RouteState, permit: AdmissionPermit, place: Place) {
        let check = route.entrance.provider.logout_notice(&self.token);
        let notice = match time_limit::answer(EXCHANGE_LIMIT, check).await {
            Ok(Ok(notice)) => notice,
            Ok(Err(error)) => {
                let outcome = failed(&route, self.sender, &error);
                return self.handling.finish(outcome);
            }
            Err(none) => {
                log_unchecked(&route, self.sender, &none);
                return self.handling.finish(LogoutOutcome::ComeBack);
            }
        };
        drop(permit);
        let RouteState { context, entrance } = route;
        context.notice_admission.remember(self.sender);
        let id = notice.id.as_deref();
        let Some(handling) = self
            .handling
            .named(entrance.paths.logout(), &notice.scope, id)
        else {
            tracing::info!(
                provider = entrance.provider.name(),
                "a logout notice came again"
            );
            return;
        };
        handling.writing();
        let scope = &notice.scope;
        let outcome = match context.gate.write(place, scope).await {
            Outcome::LoggedOut => {
                match scope {
                    LogoutScope::Person(subject) => {
                        tracing::info!(?subject, "logged out everywhere");
                    }
                    LogoutScope::Session { session, person } => {
                        tracing::info!(?session, ?person, "a session at the provider is over");
                    }
                }
                LogoutOutcome::LoggedOut
            }
            Outcome::NobodyHere => {
                tracing::info!(?scope, "a logout notice is for nobody here");
                LogoutOutcome::NobodyHere
            }
            Outcome::SessionsNotKept => {
                tracing::error!(
                    ?scope,
                    "a logout notice ends a session at the provider and does not say whose; the \
                     user store must keep such sessions: see `UserStore::log_out_session`"
                );
                LogoutOutcome::SessionsNotKept
            }
        };
        handling.finish(outcome);
    }
}

fn failed(route: &RouteState, sender: Option<IpAddr>, error: &ProviderError) -> LogoutOutcome {
    let cause = error.source().map(ToString::to_string);
    match error.kind() {
        ProviderErrorKind::Refused => {
            log_refused(route, sender, &cause);
            LogoutOutcome::BadToken
        }
        _ => {
            log_unchecked(route, sender, &cause);
            LogoutOutcome::ComeBack
        }
    }
}

/// Any client can send a notice that is refused. From an address that has sent good notices it
/// is a warning: a setting or a key of the provider may have changed.
fn log_refused(route: &RouteState, sender: Option<IpAddr>, cause: &impl fmt::Debug) {
    let context = &route.context;
    let known_sender = context.notice_admission.knows(sender);
    let event = ClientEvent::NoticeRefused { known_sender };
    let Some(count) = context.log_limit.count(event) else {
        return;
    };
    let provider = route.entrance.provider.name();
    if known_sender {
        tracing::warn!(
            ?cause,
            provider,
            count,
            "a notice of the provider was refused"
        );
    } else {
        tracing::info!(?cause, provider, count, "a logout notice was refused");
    }
}

/// No error, since any client can send a notice whose key is not known.
fn log_unchecked(route: &RouteState, sender: Option<IpAddr>, cause: &impl fmt::Debug) {
    let context = &route.context;
    let known_sender = context.notice_admission.knows(sender);
    let event = ClientEvent::NoticeUnchecked { known_sender };
    if let Some(count) = context.log_limit.count(event) {
        let provider = route.entrance.provider.name();
        tracing::warn!(
            ?cause,
            provider,
            known_sender,
            count,
            "a logout notice could not be checked"
        );
    }
}

fn answer(route: &RouteState, outcome: LogoutOutcome) -> Response {
    let answer = route.entrance.provider.logout_answer(outcome);
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
