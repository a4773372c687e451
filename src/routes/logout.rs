//! `POST /clef/logout`: the webhook for logout notices from the provider, which have no cookies.

use std::{fmt, net::IpAddr, time::Duration};

use axum::{
    Form,
    extract::{FromRequest as _, Request, State, rejection::FormRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tracing::Instrument as _;

use super::{
    failure::Causes,
    state::{ClientEvent, EXCHANGE_LIMIT, RouteState, RoutesState},
};
use crate::{
    provider::{LogoutOutcome, LogoutScope, ProviderError, ProviderErrorKind},
    revocation::{
        AdmissionPermit, JoinResult, Logout, NoticeGuard, Permit, WriteOutcome, patience,
    },
    time_limit,
};

/// How long the body of a notice may take to arrive.
const ARRIVAL_LIMIT: Duration = Duration::from_secs(10);

const FORM: &str = "application/x-www-form-urlencoded";

#[derive(Deserialize)]
struct NoticeForm {
    logout_token: Option<SecretString>,
}

pub(super) async fn logout(State(route): State<RouteState>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let sender = route.shared.settings.client_address.of(&parts);
    normalize_content_type(&mut parts.headers);
    let notice = Form::from_request(Request::from_parts(parts, body), &());
    // Before a permit is taken, so that slow bodies delay no other notice.
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
            log_rejected(&route, sender, false, &outcome);
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

/// The token of a well-formed notice.
fn token(notice: Result<Form<NoticeForm>, FormRejection>) -> Result<SecretString, LogoutOutcome> {
    let rejected = |status, reason| Err(LogoutOutcome::NotANotice(status, reason));
    match notice {
        Ok(Form(NoticeForm {
            logout_token: Some(token),
        })) if !token.expose_secret().is_empty() => Ok(token),
        Ok(_) => rejected(StatusCode::BAD_REQUEST, "The logout_token is missing."),
        Err(FormRejection::InvalidFormContentType(_)) => rejected(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "Send a form: application/x-www-form-urlencoded.",
        ),
        Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            rejected(StatusCode::PAYLOAD_TOO_LARGE, "The notice is too large.")
        }
        Err(_) => rejected(
            StatusCode::BAD_REQUEST,
            "Send a form with one logout_token.",
        ),
    }
}

async fn settle(route: &RouteState, token: SecretString, sender: Option<IpAddr>) -> LogoutOutcome {
    let shared = &route.shared;
    let webhook = route.mounted.paths.logout();
    let patience = patience(&*shared.auth.users);
    let progress = match shared.replays.join(webhook, &token) {
        JoinResult::Before(progress) => {
            if let Some(outcome) = progress.ended() {
                return outcome;
            }
            let Some(_permit) = shared.notice_admission.duplicate(sender) else {
                return not_admitted(shared);
            };
            return progress.outcome(patience).await;
        }
        JoinResult::No(handling) => {
            let Some(permit) = shared.notice_admission.check(sender).await else {
                return not_admitted(shared);
            };
            let Some(queue_permit) = shared.auth.queue.permit() else {
                return LogoutOutcome::TryAgain;
            };
            let progress = handling.progress();
            let notice = Notice {
                token,
                sender,
                handling,
            };
            // In a task of its own, so that a sender that hangs up does not abort the logout.
            let work = notice.handle(route.clone(), permit, queue_permit);
            tokio::spawn(work.in_current_span());
            progress
        }
    };
    progress.outcome(patience).await
}

fn not_admitted(shared: &RoutesState) -> LogoutOutcome {
    if let Some(count) = shared.log_limit.count(ClientEvent::NoticeNotAdmitted) {
        tracing::warn!(
            count,
            "logout notices were not admitted: too many are in progress"
        );
    }
    LogoutOutcome::TryAgain
}

/// A well-formed notice.
struct Notice {
    token: SecretString,
    sender: Option<IpAddr>,
    handling: NoticeGuard,
}

impl Notice {
    /// Verifies the token and writes the logout.
    async fn handle(self, route: RouteState, permit: AdmissionPermit, queue_permit: Permit) {
        let check = route.mounted.provider.logout_notice(&self.token);
        let notice = match time_limit::answer(EXCHANGE_LIMIT, check).await {
            Ok(Ok(notice)) => notice,
            Ok(Err(error)) => {
                let outcome = failed(&route, self.sender, &error);
                return self.handling.finish(outcome);
            }
            Err(error) => {
                log_unchecked(&route, self.sender, &error);
                return self.handling.finish(LogoutOutcome::TryAgain);
            }
        };
        drop(permit);
        let RouteState {
            shared, mounted, ..
        } = route;
        shared.notice_admission.remember(self.sender);
        let id = notice.id.as_deref();
        let Some(handling) = self
            .handling
            .named(mounted.paths.logout(), &notice.scope, id)
        else {
            tracing::info!(
                provider = mounted.provider.name(),
                "a logout notice was replayed"
            );
            return;
        };
        handling.writing();
        let scope = &notice.scope;
        let logout = Logout::Provider(scope.clone());
        let outcome = match shared.auth.write_logout(queue_permit, &logout).await {
            WriteOutcome::LoggedOut => {
                match scope {
                    LogoutScope::Person(subject) => {
                        tracing::info!(?subject, "logged out everywhere");
                    }
                    LogoutScope::SessionUser(session) => {
                        tracing::info!(
                            ?session,
                            "the user of a session at the provider is logged out"
                        );
                    }
                    LogoutScope::Session { session, person } => {
                        tracing::info!(?session, ?person, "a session at the provider has ended");
                    }
                }
                LogoutOutcome::LoggedOut
            }
            WriteOutcome::UnknownUser => {
                tracing::info!(?scope, "a logout notice is for an unknown user");
                LogoutOutcome::UnknownUser
            }
            WriteOutcome::SessionsNotKept => {
                tracing::error!(
                    ?scope,
                    "a logout notice names a session at the provider but no user; the user store must \
                     keep revocations: see `UserStore::revoke`"
                );
                LogoutOutcome::SessionsNotKept
            }
        };
        handling.finish(outcome);
    }
}

fn failed(route: &RouteState, sender: Option<IpAddr>, error: &ProviderError) -> LogoutOutcome {
    let cause = Causes(error).to_string();
    match error.kind() {
        ProviderErrorKind::Refused => {
            log_rejected(route, sender, error.is_signed(), &cause);
            LogoutOutcome::BadToken
        }
        _ => {
            log_unchecked(route, sender, &cause);
            LogoutOutcome::TryAgain
        }
    }
}

/// Any client can cause this event. If the provider has signed the token, or the address has sent
/// valid notices, it is a warning: a setting or a key of the provider may have changed.
fn log_rejected(
    route: &RouteState,
    sender: Option<IpAddr>,
    is_signed: bool,
    cause: &impl fmt::Debug,
) {
    let shared = &route.shared;
    let known_sender = is_signed || shared.notice_admission.knows(sender);
    let event = ClientEvent::NoticeRefused { known_sender };
    let Some(count) = shared.log_limit.count(event) else {
        return;
    };
    let provider = route.mounted.provider.name();
    if known_sender {
        tracing::warn!(
            ?cause,
            provider,
            count,
            "a logout notice from the provider was rejected"
        );
    } else {
        tracing::info!(?cause, provider, count, "a logout notice was rejected");
    }
}

/// A warning only, since any client can send a notice with an unknown key.
fn log_unchecked(route: &RouteState, sender: Option<IpAddr>, cause: &impl fmt::Debug) {
    let shared = &route.shared;
    let known_sender = shared.notice_admission.knows(sender);
    let event = ClientEvent::NoticeUnchecked { known_sender };
    if let Some(count) = shared.log_limit.count(event) {
        let provider = route.mounted.provider.name();
        tracing::warn!(
            ?cause,
            provider,
            known_sender,
            count,
            "a logout notice could not be verified"
        );
    }
}

fn answer(route: &RouteState, outcome: LogoutOutcome) -> Response {
    let answer = route.mounted.provider.logout_answer(outcome);
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
