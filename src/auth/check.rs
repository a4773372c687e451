//! The check of a login: the one comparison, made at most once per request.

use std::{sync::Arc, time::Duration};

use cookie::Cookie;
use http::HeaderMap;

use super::AuthState;
use crate::{
    BoxError, LoginReference, Timestamp,
    sessions::{LoginRecord, PresentedLogin},
    time_limit::{RENEWAL_LIMIT, STORE_LIMIT, detached, within},
    users::{AnyUser, LoginCheck},
};

/// A user whose login is valid.
pub(crate) struct Authenticated {
    pub(crate) login: PresentedLogin,
    pub(crate) user: AnyUser,
    /// How long the login lasts from the check on without a further request.
    pub(crate) time_left: Duration,
    /// The renewal of a sealed login, for the answer.
    pub(super) renewal: Option<Cookie<'static>>,
}

impl AuthState {
    /// Checks the login that the cookies name, and renews it unless the request is `passive`. Every
    /// way out of it but the last one is unauthenticated.
    pub(super) async fn check(
        self: &Arc<Self>,
        headers: &HeaderMap,
        passive: bool,
    ) -> Result<Option<Authenticated>, BoxError> {
        let Some(login) = self.sessions.find(headers).await? else {
            return Ok(None);
        };
        let Some(record) = login.record() else {
            return Ok(None);
        };
        // Before the store is asked: once a pending logout is written, the store shows it.
        if self.has_pending_logout(&record) {
            return Ok(refused(&record, "a logout of the user is being written"));
        }
        let reference = LoginReference::new(&record.user_id)
            .with_id(record.id)
            .with_provider_key(record.provider_key())
            .begun_at(record.logged_in_at);
        let Some(check) = self.users.check_login(reference).await? else {
            return Ok(refused(&record, "there is no such user"));
        };
        let left = check.time_left(record.logged_in_at, record.ends_at, self.lifetime);
        let left = match left {
            Ok(left) => left,
            Err(reason) => return Ok(refused(&record, reason.as_str())),
        };
        let LoginCheck { user, now, .. } = check;
        let Some(mut idle) = self.sessions.idle_time_left(&login, &record, now) else {
            return Ok(refused(&record, "it was not used for too long"));
        };
        let renewal_is_due = !passive && self.sessions.is_renewal_due(&login, &record, now);
        drop(record);
        let mut renewal = None;
        if renewal_is_due {
            renewal = self.renew(&login, now).await;
            idle = self.sessions.idle();
        }
        Ok(Some(Authenticated {
            login,
            user,
            time_left: left.map_or(idle, |left| left.min(idle)),
            renewal,
        }))
    }

    /// Renews a login. A renewal that fails fails no request: the next one tries again.
    async fn renew(
        self: &Arc<Self>,
        login: &PresentedLogin,
        now: Timestamp,
    ) -> Option<Cookie<'static>> {
        let work = {
            let (state, login) = (Arc::clone(self), login.clone());
            async move {
                let renewal = state.sessions.renew(&login, now);
                within(STORE_LIMIT, renewal).await
            }
        };
        // In a task of its own: a client that hangs up aborts no write.
        let renewed = within(RENEWAL_LIMIT, async { detached(work).await? }).await;
        renewed.unwrap_or_else(|error| {
            tracing::warn!(error = ?error.to_string(), "a login could not be renewed");
            None
        })
    }

    /// Whether a logout waits for the user store that ends this login.
    pub(crate) fn has_pending_logout(&self, record: &LoginRecord<'_>) -> bool {
        if self.queue.len() == 0 {
            return false;
        }
        let subject = record.subject();
        let key = record.provider_key();
        let (user_id, id) = (&*record.user_id, Some(record.id));
        self.queue.contains(user_id, id, subject.as_ref(), key)
    }
}

fn refused(record: &LoginRecord<'_>, reason: &'static str) -> Option<Authenticated> {
    tracing::debug!(user = ?record.user_id, reason, "a login is refused");
    None
}
