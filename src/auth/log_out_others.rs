//! Ending every login of a user but one.

use std::sync::Arc;

use cookie::Cookie;
use http::request::Parts;

use super::{AuthState, LoginError, check::reference};
use crate::{
    BoxError, LogoutCause, Timestamp,
    sessions::{LoginDetails, PresentedLogin},
    time_limit::{STORE_LIMIT, within},
    timestamp::LoginTimes,
    users::LogoutKey,
};

/// Why the other logins of a user were not ended, or this one was not kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogOutOthersError {
    /// The others may go on.
    #[error("the user store did not take the logout")]
    Store(#[source] BoxError),
    #[error("the login has ended meanwhile")]
    LoggedOutMeanwhile,
    /// Every login of the user has ended, this one too.
    #[error("the other logins have ended, and this one could not be kept")]
    NotKept(#[source] LoginError),
}

impl AuthState {
    /// Ends every login of the user but this one, and every copy of its cookie. Returns its new
    /// cookies.
    ///
    /// The login keeps its id and its stamp, so whatever ends it ends the kept one too, however late
    /// it is written. Only logouts of the user are compared with the new stamp.
    pub(crate) async fn log_out_others(
        self: &Arc<Self>,
        login: &PresentedLogin,
        cause: &LogoutCause,
        parts: &Parts,
    ) -> Result<Vec<Cookie<'static>>, LogOutOthersError> {
        let record = login.record();
        if self.has_pending_logout(record) {
            return Err(LogOutOthersError::LoggedOutMeanwhile);
        }
        let wait = self.users.log_out_wait();
        // A check during the wait would find the pages of this login logged out.
        if !wait.is_zero() {
            self.listeners.replaced(record.id);
        }
        let limit = STORE_LIMIT + wait;
        let stamp = record.times().latest();
        let write = self.users.log_out_others(record.user_id, stamp, cause);
        let written = within(limit, write);
        let kept = match written.await {
            Ok(Some(logged_out_at)) => self.keep(login, logged_out_at.next(), parts).await,
            Ok(None) => Err(LogOutOthersError::LoggedOutMeanwhile),
            Err(error) => Err(LogOutOthersError::Store(error)),
        };
        // First the pages of this login, which connect again with the new cookie.
        if kept.is_ok() {
            self.listeners.replaced(record.id);
            tracing::info!(
                user = ?record.user_id,
                login = %record.id,
                %cause,
                "all other logins of the user have ended"
            );
        }
        // In the store, since another login may have begun after the logout.
        self.listeners
            .check(&LogoutKey::User(record.user_id.to_string()));
        kept
    }

    /// Writes a login anew that goes on since `kept_at`.
    async fn keep(
        self: &Arc<Self>,
        login: &PresentedLogin,
        kept_at: Timestamp,
        parts: &Parts,
    ) -> Result<Vec<Cookie<'static>>, LogOutOthersError> {
        let record = login.record();
        let times = LoginTimes {
            kept_at: Some(kept_at),
            ..record.times()
        };
        let reference = reference(record).with_logged_in_at(kept_at);
        let check = within(STORE_LIMIT, self.users.check_login(reference)).await;
        let not_kept = LogOutOthersError::NotKept;
        let check = check.map_err(|error| not_kept(LoginError::Store(error)))?;
        let check = check.ok_or(LogOutOthersError::LoggedOutMeanwhile)?;
        if check.compare(times, self.lifetime).is_err() || self.has_pending_logout(record) {
            return Err(LogOutOthersError::LoggedOutMeanwhile);
        }
        let subject = record.subject();
        let kept = LoginDetails {
            id: record.id,
            user_id: record.user_id,
            logged_in_at: times.logged_in_at,
            authenticated_at: record.authenticated_at,
            kept_at: times.kept_at,
            written_at: kept_at,
            ends_at: times.ends_at,
            remember: record.is_remembered(),
            subject: subject.as_ref(),
            provider_key: record.provider_key(),
            callback: record.callback,
        };
        let hint = login.sign_out_hint();
        let written = self.write_login(&kept, hint.as_ref(), parts).await;
        written.map_err(not_kept)
    }
}
