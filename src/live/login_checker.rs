//! Checks in the stores whether logins are still valid.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use tokio::{sync::broadcast::Receiver, time::Instant};

use super::{
    group::GroupCheck,
    login::{LiveLogin, instant_after},
};
use crate::{
    BoxError, EndedLogin, LoginCheck, LogoutReason, RevocationKey, Timestamp,
    log_limit::LogLimit,
    revocation::LogoutQueue,
    sessions::{SessionBackend, StoredState},
    time_limit::{STORE_LIMIT, answer, within},
    users::{AnyUser, AnyUserStore, LogoutNews},
};

/// Runs the check of a request for logins between their requests.
pub(crate) struct LoginChecker {
    pub(crate) users: Arc<dyn AnyUserStore>,
    pub(crate) queue: LogoutQueue,
    pub(crate) sessions: SessionBackend,
    pub(crate) lifetime: Option<Duration>,
}

/// The result of checking one login.
pub(super) enum CheckResult {
    /// It is valid, and expires at this instant.
    Valid(Option<Instant>),
    Ended(EndedLogin),
    /// A store did not answer.
    Unavailable,
}

impl LoginChecker {
    /// The news of logouts at other nodes, if the user store has any.
    pub(super) async fn news(&self) -> Option<Receiver<LogoutNews>> {
        let news = answer(STORE_LIMIT, async { self.users.logout_news() });
        news.await.ok().flatten()
    }

    /// Checks the logins of a group with one query to the user store. If there are several, their
    /// revocations take one query each, and so does the record of each stored login.
    ///
    /// Each result is reported as soon as it is known: a slow session store delays no other login.
    pub(super) async fn check(
        &self,
        group: &GroupCheck,
        mut report: impl FnMut(&Arc<LiveLogin>, CheckResult),
    ) {
        let GroupCheck { key, logins, .. } = group;
        let mut report_all = |result: fn() -> CheckResult| {
            logins.iter().for_each(|login| report(login, result()));
        };
        let mut reference = key.reference();
        // Before the store is read, which shows a logout that was pending until now.
        let subject = key.subject.as_ref();
        let pending = self
            .queue
            .contains(&key.user_id, None, subject, reference.provider_key);
        if pending {
            return report_all(|| ended(LogoutReason::LoggedOut));
        }
        reference.logged_in_at = logins.iter().map(|login| login.times.latest()).max();
        let is_alone = logins.len() == 1;
        if is_alone {
            reference.id = logins.first().map(|login| login.id);
        }
        let check = within(STORE_LIMIT, self.users.check_login(reference)).await;
        let check = match check {
            Ok(Some(check)) => check,
            Ok(None) => return report_all(|| ended(LogoutReason::LoggedOut)),
            Err(error) => {
                log_unavailable(&error);
                return report_all(|| CheckResult::Unavailable);
            }
        };
        for login in logins {
            // It may have ended while the others were checked.
            if login.end().is_none() {
                report(login, self.check_one(login, &check, is_alone).await);
            }
        }
    }

    /// `includes_id`: whether `check` covers the revocation of this login.
    async fn check_one(
        &self,
        login: &LiveLogin,
        check: &LoginCheck<AnyUser>,
        includes_id: bool,
    ) -> CheckResult {
        let left = match check.compare(login.times, self.lifetime) {
            Ok(left) => left,
            Err(end) => {
                let revoked_by = login.state().revocation_cause.clone();
                return CheckResult::Ended(check.ended_login(end, revoked_by));
            }
        };
        let state = self.stored_state(login, check.now, includes_id);
        let state = match within(STORE_LIMIT, state).await {
            Ok(state) => state,
            Err(error) => {
                log_unavailable(&error);
                return CheckResult::Unavailable;
            }
        };
        let expires_at = login.state().expires_at;
        let is_over = expires_at.is_some_and(|expires_at| expires_at <= Instant::now());
        let idle = match state {
            StoredState::Active(left) => Some(left),
            StoredState::Idle => return ended(LogoutReason::Expired),
            // The store deletes idle logins too.
            StoredState::Missing if is_over => return ended(LogoutReason::Expired),
            StoredState::Missing => return ended(LogoutReason::SessionGone),
            // Only the next request of the browser carries the idle time.
            StoredState::NotStored if is_over => {
                return ended(LogoutReason::SessionGone);
            }
            StoredState::NotStored => {
                let now = Instant::now();
                expires_at.map(|expires_at| expires_at.saturating_duration_since(now))
            }
        };
        let left = left.into_iter().chain(idle).min();
        CheckResult::Valid(instant_after(Instant::now(), left))
    }

    /// Reads a login outside of a request.
    async fn stored_state(
        &self,
        login: &LiveLogin,
        now: Timestamp,
        is_revocation_checked: bool,
    ) -> Result<StoredState, BoxError> {
        // For stored logins too: a late renewal may have restored the record.
        if !is_revocation_checked && self.users.keeps_revocations() {
            let key = RevocationKey::Login(login.id);
            if self.users.revoked_at(&key).await?.is_some() {
                return Ok(StoredState::Missing);
            }
        }
        match login.session {
            Some(handle) => self.sessions.stored_state(handle, login.id, now).await,
            None => Ok(StoredState::NotStored),
        }
    }
}

fn ended(reason: LogoutReason) -> CheckResult {
    CheckResult::Ended(EndedLogin::new(reason))
}

fn log_unavailable(error: &BoxError) {
    // Each open page is checked meanwhile.
    static UNAVAILABLE: LazyLock<LogLimit<()>> = LazyLock::new(LogLimit::default);

    if let Some(count) = UNAVAILABLE.count(()) {
        tracing::warn!(
            error = ?error.to_string(),
            count,
            "a store could not check a login with listeners; the check is repeated"
        );
    }
}
