//! The endpoints for logout notices, such as `POST /clef/logout`. They have no cookies.

use std::{mem, net::IpAddr, sync::Arc};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, FromRequest as _, Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::any,
};
use tracing::Instrument as _;

use super::{
    notice::{Notice, log_rejected},
    state::{ARRIVAL_LIMIT, ClientEvent, EndpointState, MountedEndpoint, RoutesState},
};
use crate::{
    metrics,
    provider::{LogoutEndpoint, LogoutMessage, LogoutOutcome, LogoutRequest},
    revocation::{AdmissionPermit, JoinResult, NoticeAdmission, patience},
};

/// The largest logout notice, in bytes. Clef's have 48, those of OpenID Connect a few thousand.
const LONGEST_NOTICE: usize = 16 * 1024;

/// The route of an endpoint.
pub(super) fn router(shared: &Arc<RoutesState>, mounted: MountedEndpoint) -> Router {
    let path = mounted.path.clone();
    let receive = any(receive).layer(DefaultBodyLimit::max(LONGEST_NOTICE));
    Router::new()
        .route(&path, receive)
        .with_state(EndpointState {
            shared: Arc::clone(shared),
            mounted,
        })
}

async fn receive(State(state): State<EndpointState>, request: Request) -> Response {
    let endpoint = &*state.mounted.endpoint;
    let method = endpoint.method();
    if request.method() != method {
        let allow = [(header::ALLOW, method.to_string())];
        return (StatusCode::METHOD_NOT_ALLOWED, allow).into_response();
    }
    let (mut parts, body) = request.into_parts();
    let sender = state.shared.settings.client_address.of(&parts);
    // Not cloned: reading the body needs neither.
    let headers = mem::take(&mut parts.headers);
    let uri = mem::take(&mut parts.uri);
    let body = Bytes::from_request(Request::from_parts(parts, body), &());
    // Before a permit is taken, so that slow bodies delay no other notice.
    let message = match tokio::time::timeout(ARRIVAL_LIMIT, body).await {
        Ok(Ok(body)) => endpoint.read(&LogoutRequest::new(uri.query(), &headers, &body)),
        Ok(Err(error)) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            let reason = "The notice is too large.";
            Err(LogoutOutcome::NotANotice(error.status(), reason))
        }
        Ok(Err(_)) => Err(LogoutOutcome::NotANotice(
            StatusCode::BAD_REQUEST,
            "The notice did not arrive.",
        )),
        Err(_) => Err(LogoutOutcome::NotANotice(
            StatusCode::REQUEST_TIMEOUT,
            "The notice took too long to arrive.",
        )),
    };
    let outcome = match message {
        Ok(message) => settle(&state, message, Source::Client(sender)).await,
        Err(outcome) => {
            log_rejected(&state, sender, false, &outcome);
            outcome
        }
    };
    answer(endpoint, outcome)
}

/// Handles a message that this site has polled. Its sender is known, and the poll handles 16 messages
/// at a time, so no limit counts it.
#[cfg(feature = "security-events")]
pub(crate) async fn receive_polled(
    shared: Arc<RoutesState>,
    mounted: MountedEndpoint,
    message: LogoutMessage,
) -> LogoutOutcome {
    let state = EndpointState { shared, mounted };
    settle(&state, message, Source::Polled).await
}

/// Where a message comes from.
#[derive(Clone, Copy)]
enum Source {
    /// Any client, with its address if it is known.
    Client(Option<IpAddr>),
    /// The answer to a request of this site.
    #[cfg(feature = "security-events")]
    Polled,
}

impl Source {
    fn address(self) -> Option<IpAddr> {
        match self {
            Self::Client(address) => address,
            #[cfg(feature = "security-events")]
            Self::Polled => None,
        }
    }

    async fn admit(self, admission: &NoticeAdmission) -> Option<Option<AdmissionPermit>> {
        match self {
            Self::Client(address) => admission.check(address).await.map(Some),
            #[cfg(feature = "security-events")]
            Self::Polled => Some(None),
        }
    }
}

async fn settle(state: &EndpointState, message: LogoutMessage, source: Source) -> LogoutOutcome {
    let sender = source.address();
    let shared = &state.shared;
    let patience = patience(&*shared.auth.users);
    let joined = match message.is_unsigned() {
        true => JoinResult::No(shared.replays.unregistered()),
        false => shared.replays.join(&state.mounted.path, &message),
    };
    let progress = match joined {
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
            let Some(permit) = source.admit(&shared.notice_admission).await else {
                return not_admitted(shared);
            };
            let Some(queue_permit) = shared.auth.queue.permit() else {
                return LogoutOutcome::TryAgain;
            };
            let progress = handling.progress();
            let notice = Notice {
                message,
                sender,
                handling,
            };
            // In a task of its own, so that a sender that hangs up does not abort the logout.
            let work = notice.handle(state.clone(), permit, queue_permit);
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

fn answer(endpoint: &dyn LogoutEndpoint, outcome: LogoutOutcome) -> Response {
    let (name, kind) = (endpoint.name(), outcome.name());
    metrics::NOTICES.count([
        ("endpoint", format_args!("{name}")),
        ("outcome", format_args!("{kind}")),
    ]);
    let answer = endpoint.answer(outcome);
    let mut response = match answer.body {
        Some(body) => (
            answer.status,
            [(header::CONTENT_TYPE, "application/json")],
            body.to_string(),
        )
            .into_response(),
        None => answer.status.into_response(),
    };
    response.headers_mut().extend(answer.headers);
    if answer.status == StatusCode::SERVICE_UNAVAILABLE {
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}
