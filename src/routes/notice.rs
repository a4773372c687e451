//! A logout notice: its token is verified, and each logout in it is written.

use std::{fmt, net::IpAddr, sync::Arc};

use tokio::task::JoinSet;
use tracing::Instrument as _;

use super::{
    failure::Causes,
    state::{ClientEvent, EXCHANGE_LIMIT, EndpointState, RoutesState},
};
use crate::{
    LogoutCause, LogoutScope,
    provider::{LogoutMessage, LogoutOutcome, ProviderError, ProviderErrorKind},
    revocation::{AdmissionPermit, Logout, NamedResult, NoticeGuard, Permit, WriteOutcome},
    time_limit::answer,
};

/// A well-formed notice, which no other request has brought.
pub(super) struct Notice {
    pub(super) message: LogoutMessage,
    pub(super) sender: Option<IpAddr>,
    pub(super) handling: NoticeGuard,
}

impl Notice {
    /// Verifies the message and writes the logout.
    pub(super) async fn handle(
        self,
        state: EndpointState,
        permit: Option<AdmissionPermit>,
        queue_permit: Permit,
    ) {
        let url = state.shared.site().url(&state.mounted.path);
        let check = state.mounted.endpoint.verify(&self.message, &url);
        let notice = match answer(EXCHANGE_LIMIT, check).await {
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
    let cause = Causes(error);
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
pub(super) fn log_rejected(
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
