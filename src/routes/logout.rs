//! The endpoints for logout notices, such as `POST /clef/logout`. They have no cookies.

use std::{fmt, net::IpAddr, sync::Arc};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, FromRequest as _, Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::any,
};
use tokio::task::JoinSet;
use tracing::Instrument as _;

use super::{
    failure::Causes,
    state::{ARRIVAL_LIMIT, ClientEvent, EXCHANGE_LIMIT, MountedEndpoint, RoutesState},
};
use crate::{
    LogoutCause, metrics,
    provider::{
        LogoutEndpoint, LogoutMessage, LogoutOutcome, LogoutRequest, LogoutScope, ProviderError,
        ProviderErrorKind,
    },
    revocation::{
        AdmissionPermit, JoinResult, Logout, NamedResult, NoticeAdmission, NoticeGuard, Permit,
        WriteOutcome, patience,
    },
    time_limit,
};

/// The largest logout notice, in bytes. Clef's have 48, those of OpenID Connect a few thousand.
const LONGEST_NOTICE: usize = 16 * 1024;

/// One endpoint, at its path.
#[derive(Clone)]
pub(super) struct EndpointState {
    pub(super) shared: Arc<RoutesState>,
    pub(super) mounted: MountedEndpoint,
}

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
    let (parts, body) = request.into_parts();
    let sender = state.shared.settings.client_address.of(&parts);
    let (headers, query) = (parts.headers.clone(), parts.uri.query().map(str::to_owned));
    let body = Bytes::from_request(Request::from_parts(parts, body), &());
    // Before a permit is taken, so that slow bodies delay no other notice.
    let message = match tokio::time::timeout(ARRIVAL_LIMIT, body).await {
        Ok(Ok(body)) => endpoint.read(&LogoutRequest::new(query.as_deref(), &headers, &body)),
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

/// Handles a message that this site has polled. Its sender is known, and sends few at once, so no
/// limit counts it.
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

/// A well-formed notice.
struct Notice {
    message: LogoutMessage,
    sender: Option<IpAddr>,
    handling: NoticeGuard,
}

impl Notice {
    /// Verifies the message and writes the logout.
    async fn handle(
        self,
        state: EndpointState,
        permit: Option<AdmissionPermit>,
        queue_permit: Permit,
    ) {
        let url = state.shared.site().url(&state.mounted.path);
        let check = state.mounted.endpoint.verify(&self.message, &url);
        let notice = match time_limit::answer(EXCHANGE_LIMIT, check).await {
            Ok(Ok(notice)) => notice,
            Ok(Err(error)) => {
                let outcome = failed(&state, self.sender, &error);
                return self.handling.finish(outcome);
            }
            Err(error) => {
                log_unchecked(&state, self.sender, &error);
                return self.handling.finish(LogoutOutcome::TryAgain);
            }
        };
        // Anyone can send an unsigned one, so the limits count it until it is written.
        let _permit = self.message.is_unsigned().then_some(permit);
        let EndpointState { shared, mounted } = state;
        if !self.message.is_unsigned() {
            shared.notice_admission.remember(self.sender);
        }
        let mut scopes = Vec::new();
        let mut outcome = LogoutOutcome::NothingEnded;
        for scope in notice.scopes {
            if let LogoutScope::NotedSession(session) = &scope {
                match shared.auth.is_noted(session).await {
                    Ok(true) => {}
                    Ok(false) => {
                        outcome = LogoutOutcome::UnknownUser;
                        continue;
                    }
                    Err(_) => return self.handling.finish(LogoutOutcome::TryAgain),
                }
            }
            scopes.push(scope);
        }
        let (id, is_single_use) = (notice.id.as_deref(), notice.is_single_use);
        let named = self
            .handling
            .named(&mounted.path, &scopes, id, is_single_use);
        let handling = match named {
            NamedResult::New(handling) => handling,
            NamedResult::Replay => {
                if let Some(count) = shared.log_limit.count(ClientEvent::NoticeReplayed) {
                    tracing::info!(
                        sender = mounted.endpoint.name(),
                        count,
                        "a logout notice was replayed"
                    );
                }
                return;
            }
            NamedResult::Spent(handling) => {
                if let Some(count) = shared.log_limit.count(ClientEvent::NoticeSpent) {
                    tracing::warn!(
                        sender = mounted.endpoint.name(),
                        count,
                        "a logout notice was refused: its id was used before, for other logins"
                    );
                }
                return handling.finish(LogoutOutcome::BadToken);
            }
        };
        // Each logout has a permit before the first of them is written.
        let further = scopes.iter().skip(1).map(|_| shared.auth.queue.permit());
        let Some(further) = further.collect::<Option<Vec<_>>>() else {
            return handling.finish(LogoutOutcome::TryAgain);
        };
        handling.writing();
        let permits = [queue_permit].into_iter().chain(further);
        let mut writes = JoinSet::new();
        for (scope, permit) in scopes.into_iter().zip(permits) {
            let (shared, cause) = (Arc::clone(&shared), notice.cause.clone());
            let endpoint = Arc::clone(&mounted.endpoint);
            let write = async move {
                let sender = endpoint.name();
                write(&shared, sender, scope, &cause, permit).await
            };
            writes.spawn(write.in_current_span());
        }
        if writes.is_empty() && outcome == LogoutOutcome::NothingEnded {
            tracing::debug!(
                sender = mounted.endpoint.name(),
                "a logout notice ends no login"
            );
        }
        while let Some(written) = writes.join_next().await {
            outcome = combined(outcome, written.unwrap_or(LogoutOutcome::TryAgain));
        }
        handling.finish(outcome);
    }
}

/// The outcome of a notice that ends several logins.
fn combined(one: LogoutOutcome, other: LogoutOutcome) -> LogoutOutcome {
    use LogoutOutcome::{LoggedOut, SessionsNotKept, TooManyUsers, TryAgain, UnknownUser};

    let found = [
        TryAgain,
        TooManyUsers,
        LoggedOut,
        SessionsNotKept,
        UnknownUser,
    ]
    .into_iter()
    .find(|outcome| [one, other].contains(outcome));
    found.unwrap_or(one)
}

/// Writes one logout of a notice.
async fn write(
    shared: &RoutesState,
    sender: &str,
    scope: LogoutScope,
    cause: &LogoutCause,
    permit: Permit,
) -> LogoutOutcome {
    let logout = Logout::Provider(scope.clone());
    match shared.auth.write_logout(permit, &logout, cause).await {
        WriteOutcome::LoggedOut => {
            match scope {
                LogoutScope::Person(subject) => {
                    tracing::info!(?subject, %cause, sender, "logged out everywhere");
                }
                LogoutScope::SessionUser(session) => {
                    tracing::info!(
                        ?session,
                        %cause,
                        sender,
                        "the user of a session at the provider is logged out"
                    );
                }
                // Anyone who knows it can end it again and again.
                LogoutScope::NotedSession(session) => {
                    if let Some(count) = shared.log_limit.count(ClientEvent::NotedSessionEnded) {
                        tracing::info!(?session, %cause, sender, count, "a session at the provider has ended");
                    }
                }
                LogoutScope::Identified { issuer, identifier } => {
                    tracing::info!(
                        ?issuer,
                        ?identifier,
                        %cause,
                        sender,
                        "the users with an identifier are logged out everywhere"
                    );
                }
                LogoutScope::Session { session, person } => {
                    tracing::info!(?session, ?person, %cause, sender, "a session at the provider has ended");
                }
            }
            LogoutOutcome::LoggedOut
        }
        WriteOutcome::UnknownUser => {
            tracing::info!(?scope, sender, "a logout notice is for an unknown user");
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
        WriteOutcome::TooManyUsers => {
            tracing::error!(
                ?scope,
                "a logout notice names a person by an identifier that more than 100 users have; \
                 nothing has ended: see `IdentityStore::users_of`"
            );
            LogoutOutcome::TooManyUsers
        }
    }
}

fn failed(state: &EndpointState, sender: Option<IpAddr>, error: &ProviderError) -> LogoutOutcome {
    let cause = Causes(error).to_string();
    match error.kind() {
        ProviderErrorKind::Refused => {
            log_rejected(state, sender, error.is_signed(), &cause);
            let code = error.code();
            code.map_or(LogoutOutcome::BadToken, LogoutOutcome::Rejected)
        }
        _ => {
            log_unchecked(state, sender, &cause);
            LogoutOutcome::TryAgain
        }
    }
}

/// Any client can cause this event. If the provider has signed the token, or the address has sent
/// valid notices, it is a warning: a setting or a key of the provider may have changed.
fn log_rejected(
    state: &EndpointState,
    sender: Option<IpAddr>,
    is_signed: bool,
    cause: &impl fmt::Debug,
) {
    let shared = &state.shared;
    let known_sender = is_signed || shared.notice_admission.knows(sender);
    let event = ClientEvent::NoticeRefused { known_sender };
    let Some(count) = shared.log_limit.count(event) else {
        return;
    };
    let provider = state.mounted.endpoint.name();
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
fn log_unchecked(state: &EndpointState, sender: Option<IpAddr>, cause: &impl fmt::Debug) {
    let shared = &state.shared;
    let known_sender = shared.notice_admission.knows(sender);
    let event = ClientEvent::NoticeUnchecked { known_sender };
    if let Some(count) = shared.log_limit.count(event) {
        let provider = state.mounted.endpoint.name();
        tracing::warn!(
            ?cause,
            provider,
            known_sender,
            count,
            "a logout notice could not be verified"
        );
    }
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
