//! Signing out: ending single logins, for every copy of their cookies.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, request::Parts};
use tokio::sync::oneshot;

use super::{AuthState, RequestAuth};
use crate::{
    BoxError, Login, Timestamp,
    revocation::{Logout, patience},
    sessions::PresentedLogin,
    time_limit::{STORE_LIMIT, within},
};

/// How long the end of a login is kept beyond the login's own end.
const MARGIN: Duration = Duration::from_secs(24 * 60 * 60);
/// How long the end of a login without an end of its own is kept: as long as browsers keep a
/// cookie.
const LONGEST: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// A login could not be ended yet.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EndLoginError {
    /// This node refuses the login, and tries until the store has taken its end.
    #[error("the user store does not take the end of the login; this node goes on trying")]
    Pending,
    #[error("too many logouts wait for the user store; try again later")]
    NoRoom,
    /// The store keeps no revocations, so a copy of the cookie goes on.
    #[error("the record of the login could not be deleted")]
    NotDeleted(#[source] BoxError),
}

impl RequestAuth {
    /// Ends the logins that came with this request, removes their cookies from the browser, and
    /// calls the application's hook.
    ///
    /// # Errors
    ///
    /// When a store has not taken an end in time. Without room for it, the browser keeps its cookies
    /// to try again with.
    pub(crate) async fn sign_out(
        &self,
        logins: &[Arc<PresentedLogin>],
        parts: &Parts,
    ) -> Result<(), EndLoginError> {
        let mut ended = Ok(());
        for login in logins {
            match self.state().end_login(login).await {
                Ok(()) => self.state().signed_out(login, parts).await,
                Err(EndLoginError::NoRoom) => return Err(EndLoginError::NoRoom),
                Err(error) => ended = Err(error),
            }
        }
        self.remove_login_cookies(&parts.headers);
        ended
    }

    pub(crate) fn remove_login_cookies(&self, headers: &HeaderMap) {
        let cookies = self.cookies(headers);
        for removal in self.state().sessions.removals() {
            cookies.remove(removal);
        }
    }
}

impl AuthState {
    /// Ends a login: first its id is revoked, so that no copy of its cookie and no request in
    /// flight brings it back, then its record is deleted. It goes on if the future is dropped.
    ///
    /// # Errors
    ///
    /// When a store has not taken it in time.
    pub(crate) async fn end_login(
        self: &Arc<Self>,
        login: &Arc<PresentedLogin>,
    ) -> Result<(), EndLoginError> {
        let Some(record) = login.record() else {
            return Ok(());
        };
        let keeps_revocations = self.users.keeps_revocations();
        let id = record.id;
        // What is open for it ends too, even where a store then fails.
        self.live.signed_out(id);
        let logout = Logout::Login {
            id,
            keep_until: match record.ends_at {
                Some(ends_at) => ends_at.after(MARGIN),
                None => Timestamp::now().after(LONGEST),
            },
        };
        let permit = match keeps_revocations {
            true => Some(self.queue.permit().ok_or(EndLoginError::NoRoom)?),
            false => None,
        };
        let (state, login) = (Arc::clone(self), Arc::clone(login));
        let (revoked, is_revoked) = oneshot::channel();
        let ended = tokio::spawn(async move {
            if let Some(permit) = permit {
                state.write(permit, &logout).await;
            }
            let _ = revoked.send(());
            let deleted = within(STORE_LIMIT, state.sessions.delete(&login)).await;
            // Again: what began to listen meanwhile may have found the record still there.
            state.live.signed_out(id);
            if let (Err(error), true) = (&deleted, keeps_revocations) {
                tracing::warn!(
                    error = ?error.to_string(),
                    "the record of a login that has ended could not be deleted"
                );
                return Ok(());
            }
            deleted
        });
        match tokio::time::timeout(patience(&*self.users), is_revoked).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return Err(EndLoginError::Pending),
        }
        match ended.await {
            Ok(deleted) => deleted.map_err(EndLoginError::NotDeleted),
            Err(panicked) => Err(EndLoginError::NotDeleted(panicked.into())),
        }
    }

    /// Logs that a login is signed out, and calls the application's hook.
    async fn signed_out(&self, login: &PresentedLogin, parts: &Parts) {
        let Some(record) = login.record() else {
            return;
        };
        tracing::info!(user = ?record.user_id, login = %record.id, "signed out on this device");
        let Some(hook) = &self.hooks.on_sign_out else {
            return;
        };
        let call = hook.call(parts, Login::from(&record));
        if let Err(error) = within(STORE_LIMIT, call).await {
            tracing::error!(
                error = ?error.to_string(),
                "the hook `on_sign_out` failed; the login has ended all the same"
            );
        }
    }
}
