//! Writing logouts, and ending all logins of a user from inside the application.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::StatusCode;

use super::{
    AuthState,
    end_login::END_MARGIN,
    problem::{problem, uncached},
};
use crate::{
    BoxError, LoginId, LogoutCause, ProviderSession, RevocationKey, Timestamp,
    log_limit::log_mistake,
    metrics,
    revocation::{LoginPermit, Logout, Permit, Stores, WriteOutcome, patience},
    sessions::{LONGEST_COOKIE, LoginRecord},
    time_limit::{STORE_LIMIT, detached, within},
    users::LogoutKey,
};

const REVOCATIONS_NOT_KEPT: &str = "the user store keeps no revocations; implement \
     `keeps_revocations`, `revoke` and `revoked_at` of `UserStore`";

/// Why a logout is not written.
///
/// As a response it is `application/problem+json`: 503 with `Retry-After`, and 500 where the user store
/// keeps no revocations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogoutError {
    /// The logout is not written yet. This node refuses the user and retries; other nodes may still
    /// accept the login.
    #[error("the user store does not take the logout; this node goes on trying")]
    Pending,
    /// Too many logouts wait for the user store. Nothing was done: try again later.
    #[error("too many logouts wait for the user store; try again later")]
    QueueFull,
    /// The logout was aborted by a panic or the end of the runtime: try again.
    #[error("the logout was aborted; try again")]
    Aborted,
    /// The user store keeps no revocations, so it cannot end these logins. Nothing was done:
    /// implement [`keeps_revocations`](crate::UserStore::keeps_revocations),
    /// [`revoke`](crate::UserStore::revoke) and [`revoked_at`](crate::UserStore::revoked_at).
    #[error("{REVOCATIONS_NOT_KEPT}")]
    RevocationsNotKept,
}

impl IntoResponse for LogoutError {
    fn into_response(self) -> Response {
        let unavailable = StatusCode::SERVICE_UNAVAILABLE;
        let (status, detail) = match self {
            Self::Pending => (
                unavailable,
                "The logout is not done yet. It is tried again.",
            ),
            Self::QueueFull | Self::Aborted => (unavailable, "The logout failed. Try again later."),
            Self::RevocationsNotKept => {
                log_mistake(REVOCATIONS_NOT_KEPT);
                let detail = "This site cannot end these logins.";
                (StatusCode::INTERNAL_SERVER_ERROR, detail)
            }
        };
        uncached(problem(status, detail, None))
    }
}

impl AuthState {
    /// Writes a logout, and signals the end of its logins to what is open on this node.
    pub(crate) async fn write_logout(
        &self,
        permit: Permit,
        logout: &Logout,
        cause: &LogoutCause,
    ) -> WriteOutcome {
        let ended = |key: &_| self.listeners.logged_out(key, cause);
        let written = self.write_to_stores(permit, logout, cause, ended).await;
        // The end of one login is no logout of a user.
        if !matches!(
            logout,
            Logout::Key {
                key: RevocationKey::Login(_),
                ..
            }
        ) {
            let (result, cause) = (format_args!("{written:?}"), format_args!("{cause}"));
            metrics::LOGOUTS.count([("result", result), ("cause", cause)]);
        }
        written
    }

    /// Writes a logout, and calls `ended` with each key as [`Permit::write`] does.
    pub(super) async fn write_to_stores(
        &self,
        permit: Permit,
        logout: &Logout,
        cause: &LogoutCause,
        ended: impl Fn(&LogoutKey),
    ) -> WriteOutcome {
        let stores = Stores {
            users: Arc::clone(&self.users),
            identities: self.identities.clone(),
            unknown_subjects: self.unknown_subjects.clone(),
            cause: cause.clone(),
        };
        permit.write(&stores, logout, ended).await
    }

    /// Writes a logout. `false` if there is no such user. It goes on if the future is dropped.
    ///
    /// # Errors
    ///
    /// When the user store has not taken it in time, or too many others wait.
    pub(crate) async fn log_out(
        self: &Arc<Self>,
        logout: Logout,
        cause: LogoutCause,
    ) -> Result<bool, LogoutError> {
        let permit = self.queue.reserve().ok_or(LogoutError::QueueFull)?;
        self.log_out_with(permit, logout, cause).await
    }

    async fn log_out_with(
        self: &Arc<Self>,
        permit: Permit,
        logout: Logout,
        cause: LogoutCause,
    ) -> Result<bool, LogoutError> {
        let patience = patience(&*self.users);
        let state = Arc::clone(self);
        let written = detached(async move {
            let written = state.write_logout(permit, &logout, &cause).await;
            tracing::info!(?logout, ?written, %cause, "a logout by the application");
            written == WriteOutcome::LoggedOut
        });
        match tokio::time::timeout(patience, written).await {
            Ok(Ok(known)) => Ok(known),
            Ok(Err(_)) => Err(LogoutError::Aborted),
            Err(_) => Err(LogoutError::Pending),
        }
    }

    /// Whether the user store knows a session at a provider, and can end it.
    ///
    /// # Errors
    ///
    /// When the store cannot answer.
    pub(crate) async fn is_noted(&self, session: &ProviderSession) -> Result<bool, BoxError> {
        let Some(identities) = &self.identities else {
            return Ok(false);
        };
        let user = within(STORE_LIMIT, identities.session_user(session)).await?;
        Ok(user.is_some() && self.users.keeps_revocations())
    }

    /// Ends every login under a key for good: it is never forgotten.
    ///
    /// # Errors
    ///
    /// As [`log_out`](Self::log_out), and when the user store keeps no revocations.
    pub(crate) async fn log_out_key(
        self: &Arc<Self>,
        key: RevocationKey,
        cause: LogoutCause,
    ) -> Result<(), LogoutError> {
        if !self.users.keeps_revocations() {
            return Err(LogoutError::RevocationsNotKept);
        }
        // A stored login without a lifetime goes on as long as a copy of its cookie is used.
        let keep_until = Timestamp::MAX;
        self.log_out(Logout::Key { key, keep_until }, cause).await?;
        Ok(())
    }

    /// Ends the login or token with this id, which only the store of users knows. It goes on if the
    /// future is dropped.
    ///
    /// # Errors
    ///
    /// As [`log_out`](Self::log_out), and over a user store that keeps no revocations.
    pub(crate) async fn log_out_login(
        self: &Arc<Self>,
        id: LoginId,
        cause: LogoutCause,
    ) -> Result<(), LogoutError> {
        if !self.users.keeps_revocations() {
            return Err(LogoutError::RevocationsNotKept);
        }
        let longest = self.lifetime.unwrap_or(LONGEST_COOKIE).max(LONGEST_COOKIE);
        let keep_until = Timestamp::now().after(longest).after(END_MARGIN);
        match self.queue.reserve_login(id) {
            LoginPermit::Reserved(permit) => {
                let logout = Logout::Key {
                    key: RevocationKey::Login(id),
                    keep_until,
                };
                self.log_out_with(permit, logout, cause).await.map(drop)
            }
            LoginPermit::QueueFull => Err(LogoutError::QueueFull),
            LoginPermit::Pending => {
                let written = self.queue.until_login_written(id);
                let written = tokio::time::timeout(patience(&*self.users), written).await;
                written.map_err(|_| LogoutError::Pending)
            }
        }
    }

    /// Waits until no logout waits that ends this login, as long as for one of its own.
    ///
    /// # Errors
    ///
    /// When the user store has not taken them by then.
    pub(crate) async fn until_logged_out(
        &self,
        record: &LoginRecord<'_>,
    ) -> Result<(), LogoutError> {
        let subject = record.subject();
        let (id, key) = (Some(record.id), record.provider_key());
        let written = self
            .queue
            .until_written(record.user_id, id, subject.as_ref(), key);
        let written = tokio::time::timeout(patience(&*self.users), written).await;
        written.map_err(|_| LogoutError::Pending)
    }
}
