//! Ending single logins, for every copy of their cookies: at a sign-out, and when a newer login of the
//! browser replaces one.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, request::Parts};
use tokio::sync::oneshot;
use tracing::Instrument as _;

use super::{AuthState, RequestAuth, check::reference};
use crate::{
    BoxError, Login, LoginId, LoginReference, LogoutCause, RevocationKey, Timestamp, metrics,
    revocation::{LoginPermit, Logout, patience},
    sessions::{LONGEST_COOKIE, LoginRecord, PresentedLogin},
    time_limit::{STORE_LIMIT, within},
};

/// How long the end of a login is kept beyond the login's own end.
pub(super) const END_MARGIN: Duration = Duration::from_secs(24 * 60 * 60);

/// How long the cookie of before `OtherLogins` ends the login that was kept: a sign-out or a login of
/// the same browser may be under way with it.
const REPLACED_COOKIE: Duration = Duration::from_secs(60);

/// How long a sign-out waits to learn whether the login has ended already.
const CHECK_LIMIT: Duration = Duration::from_secs(1);

/// A login could not be ended yet.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EndLoginError {
    /// This node refuses the login, and tries until the store has taken its end.
    #[error("the user store does not take the end of the login; this node goes on trying")]
    Pending,
    #[error("too many logouts wait for the user store; try again later")]
    QueueFull,
    /// By a panic, or the end of the runtime.
    #[error("the end of the login was aborted; try again")]
    Aborted,
    /// The store keeps no revocations, so a copy of the cookie goes on.
    #[error("the record of the login could not be deleted: {0}")]
    NotDeleted(#[source] BoxError),
}

impl RequestAuth {
    /// Ends the logins that came with this request, and removes their cookies from the browser, or
    /// ends its bearer token alone. The
    /// application's hook is called once a login has ended, however late; not for a login that
    /// had ended before, since a copy of its cookie proves nothing.
    ///
    /// # Errors
    ///
    /// When a store has not taken an end in time. The browser keeps its cookies where nothing goes on:
    /// with a full queue, and after a panic.
    pub(crate) async fn sign_out(
        &self,
        logins: &[Arc<PresentedLogin>],
        parts: &Parts,
    ) -> Result<(), EndLoginError> {
        let mut ended = Ok(());
        for login in logins {
            let signed_out = match self.has_ended(login).await {
                // Again: a copy of the cookie may still have its record.
                true => self.state().delete_record(login).await,
                false => self.state().end_login(login, Some(parts)).await,
            };
            match signed_out {
                Ok(()) => {}
                // Nothing goes on, so the browser keeps its cookies.
                Err(error @ (EndLoginError::QueueFull | EndLoginError::Aborted)) => {
                    return Err(error);
                }
                Err(error) => ended = Err(error),
            }
        }
        // A request with a bearer token is not about the cookies that it may have.
        if !logins.iter().any(|login| login.record().is_token()) {
            self.remove_login_cookies(&parts.headers);
        }
        ended
    }

    /// Whether a login had ended before this request, with every cookie. `false` if a store does not answer.
    async fn has_ended(&self, login: &PresentedLogin) -> bool {
        let record = login.record();
        // A handler may have logged the user out since the check of the request.
        let checked = self.authenticated_login();
        if checked.is_some_and(|checked| checked.id == record.id) {
            return false;
        }
        let ended = within(CHECK_LIMIT, self.state().has_ended_everywhere(record)).await;
        ended.unwrap_or_default()
    }

    pub(crate) fn remove_login_cookies(&self, headers: &HeaderMap) {
        let cookies = self.cookies(headers);
        for removal in self.state().sessions.removals() {
            cookies.remove(removal);
        }
        let suspended = &self.state().suspended;
        if suspended.has_cookie(headers) {
            for removal in suspended.removals() {
                cookies.remove(removal);
            }
        }
        self.state().attempts.forget_used(cookies);
    }
}

impl AuthState {
    /// The logins that a sign-out ends: this token, or those that the cookies name.
    ///
    /// # Errors
    ///
    /// When the session store cannot answer.
    pub(crate) async fn signed_out_logins(
        &self,
        token: Option<Arc<PresentedLogin>>,
        headers: &HeaderMap,
    ) -> Result<Vec<Arc<PresentedLogin>>, BoxError> {
        match token {
            Some(token) => Ok(vec![token]),
            None => within(STORE_LIMIT, self.sessions.find_all(headers)).await,
        }
    }

    /// Whether the user store shows that a login has ended for good.
    pub(crate) async fn has_ended(&self, record: &LoginRecord<'_>) -> Result<bool, BoxError> {
        let Some(check) = self.users.check_login(reference(record)).await? else {
            return Ok(false);
        };
        let left = check.compare_with_logouts(record.times());
        Ok(left.is_err())
    }

    /// Whether a login has ended for good with every cookie: `OtherLogins` may have given it a new one a
    /// moment ago.
    async fn has_ended_everywhere(&self, record: &LoginRecord<'_>) -> Result<bool, BoxError> {
        let Some(check) = self.users.check_login(reference(record)).await? else {
            return Ok(false);
        };
        let times = record.times();
        let was_logged_out = check.user.logged_out_at.is_some_and(|at| {
            !times.latest().outlives(Some(at)) && check.now.since(at) > REPLACED_COOKIE
        });
        Ok(was_logged_out || check.compare_with_revocations(times).is_err())
    }

    /// Whether the login with this id was signed out, or replaced by a newer one.
    ///
    /// # Errors
    ///
    /// When the user store does not answer.
    pub(crate) async fn was_signed_out(
        &self,
        user_id: &str,
        id: LoginId,
        logged_in_at: Timestamp,
    ) -> Result<bool, BoxError> {
        if self.queue.contains(user_id, Some(id), None, None) {
            return Ok(true);
        }
        let login = LoginReference::new(user_id)
            .with_id(id)
            .with_logged_in_at(logged_in_at);
        let check = within(STORE_LIMIT, self.users.check_login(login)).await?;
        Ok(check.is_none_or(|check| check.revoked))
    }

    /// Deletes the record of a login that has ended.
    pub(super) async fn delete_record(&self, login: &PresentedLogin) -> Result<(), EndLoginError> {
        let deleted = within(STORE_LIMIT, self.sessions.delete(login)).await;
        deleted.map_err(EndLoginError::NotDeleted)
    }

    /// Keeps the record of a cookie that a newer one of the same login replaces for a moment, so that
    /// what is under way with it ends the login.
    pub(super) async fn retire_record(&self, login: &PresentedLogin) -> Result<(), EndLoginError> {
        if !self.users.keeps_revocations() {
            return self.delete_record(login).await;
        }
        let retired = within(STORE_LIMIT, self.sessions.retire(login, REPLACED_COOKIE)).await;
        retired.map_err(EndLoginError::NotDeleted)
    }

    /// How long the end of a login is kept: until no login with its id can be valid.
    fn end_kept_until(&self, login: &LoginRecord<'_>) -> Timestamp {
        let Some(ends_at) = login.ends_at else {
            return Timestamp::now().after(LONGEST_COOKIE);
        };
        // One that was suspended may have begun twice, with another lifetime.
        let longest = (login.subject().is_none()).then(|| {
            login
                .logged_in_at
                .after(self.lifetime.unwrap_or(LONGEST_COOKIE))
        });
        longest
            .map_or(ends_at, |longest| ends_at.max(longest))
            .after(END_MARGIN)
    }

    /// Ends a login: first its id is revoked, so that no copy of its cookie and no request in
    /// flight brings it back, then its record is deleted. It goes on if the future is dropped.
    ///
    /// `sign_out` is the request that signs out; `None` if a newer login of the browser replaces
    /// this one.
    ///
    /// # Errors
    ///
    /// When a store has not taken it in time.
    pub(crate) async fn end_login(
        self: &Arc<Self>,
        login: &Arc<PresentedLogin>,
        sign_out: Option<&Parts>,
    ) -> Result<(), EndLoginError> {
        let keeps_revocations = self.users.keeps_revocations();
        let id = login.record().id;
        let logout = Logout::Key {
            key: RevocationKey::Login(id),
            keep_until: self.end_kept_until(login.record()),
        };
        let permit = match keeps_revocations {
            true => match self.queue.reserve_login(id) {
                LoginPermit::Reserved(permit) => Some(permit),
                // By another sign-out, or by `Logouts::end_login`, which knows no record.
                LoginPermit::Pending => {
                    self.until_signed_out(login).await?;
                    // The login has ended, whether its record is left or not.
                    let _ = self.delete_record(login).await;
                    return Ok(());
                }
                LoginPermit::QueueFull => return Err(EndLoginError::QueueFull),
            },
            false => None,
        };
        let is_sign_out = sign_out.is_some();
        // Closes open pages even if a store fails later.
        self.signal_end(id, is_sign_out);
        let (state, login) = (Arc::clone(self), Arc::clone(login));
        let sign_out = sign_out.cloned();
        let (revoked, is_revoked) = oneshot::channel();
        let work = async move {
            if let Some(permit) = permit {
                let cause = LogoutCause::User;
                let ended = |_: &_| state.signal_end(id, is_sign_out);
                state.write_to_stores(permit, &logout, &cause, ended).await;
            }
            let _ = revoked.send(());
            let deleted = within(STORE_LIMIT, state.sessions.delete(&login)).await;
            // Again: what began to listen meanwhile may have found the record still there.
            state.signal_end(id, is_sign_out);
            if let Some(parts) = sign_out {
                state.call_sign_out_hook(&login, &parts).await;
            }
            match deleted {
                Err(error) if keeps_revocations => {
                    tracing::warn!(
                        error = ?error.to_string(),
                        "the record of a login that has ended could not be deleted"
                    );
                    Ok(())
                }
                deleted => deleted,
            }
        };
        let ended = tokio::spawn(work.in_current_span());
        match tokio::time::timeout(patience(&*self.users), is_revoked).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(EndLoginError::Aborted),
            Err(_) => return Err(EndLoginError::Pending),
        }
        match ended.await {
            Ok(deleted) => deleted.map_err(EndLoginError::NotDeleted),
            Err(panicked) => Err(EndLoginError::NotDeleted(panicked.into())),
        }
    }

    /// Signals the end of a login to its open pages. Those of a login that is replaced reconnect.
    fn signal_end(&self, id: LoginId, is_sign_out: bool) {
        match is_sign_out {
            true => self.listeners.signed_out(id),
            false => self.listeners.replaced(id),
        }
    }

    /// Waits for the end of a login that is being written.
    async fn until_signed_out(&self, login: &PresentedLogin) -> Result<(), EndLoginError> {
        let ended = self.until_logged_out(login.record()).await;
        ended.map_err(|_| EndLoginError::Pending)
    }

    /// Logs that a login is signed out, and calls the application's hook.
    async fn call_sign_out_hook(&self, login: &PresentedLogin, parts: &Parts) {
        let record = login.record();
        tracing::info!(user = ?record.user_id, login = %record.id, "signed out on this device");
        metrics::SIGN_OUTS.count([]);
        let Some(hook) = &self.hooks.on_sign_out else {
            return;
        };
        let call = hook.call(parts, Login::from(record));
        if let Err(error) = within(STORE_LIMIT, call).await {
            tracing::error!(
                error = ?error.to_string(),
                "the hook `on_sign_out` failed; the login has ended all the same"
            );
        }
    }
}
