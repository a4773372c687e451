//! A login with listeners.

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, futures::OwnedNotified},
    time::Instant,
};

use crate::{
    EndedLogin, LoginId, LogoutCause, ProviderKey, Subject, sessions::SessionHandle,
    timestamp::LoginTimes,
};

/// A login that a request has checked and found valid.
pub(crate) struct CheckedLogin<'a> {
    pub(crate) user_id: &'a str,
    pub(crate) id: LoginId,
    pub(crate) subject: Option<Subject>,
    pub(crate) provider_key: Option<ProviderKey<'a>>,
    pub(crate) times: LoginTimes,
    /// Where it is stored; `None` for a sealed login.
    pub(crate) session: Option<SessionHandle>,
    /// When it expires, unless another request uses it.
    pub(crate) expires_at: Option<Instant>,
    /// How many logouts this node had received when the request arrived, before the check.
    pub(crate) logouts_received: u64,
}

/// The instant `left` after `now`, if both exist.
pub(crate) fn instant_after(now: Instant, left: Option<Duration>) -> Option<Instant> {
    left.and_then(|left| now.checked_add(left))
}

/// One login, shared by all its listeners. The registry holds it weakly.
pub(super) struct LiveLogin {
    pub(super) id: LoginId,
    /// The number of its group in the registry.
    pub(super) group: u64,
    pub(super) session: Option<SessionHandle>,
    pub(super) times: LoginTimes,
    end: OnceLock<EndedLogin>,
    ended: Arc<Notify>,
    state: Mutex<LoginState>,
    registry: Arc<dyn Unregister>,
}

/// Where logins are registered while they have listeners.
pub(super) trait Unregister: Send + Sync {
    /// Removes a login that has ended or lost its last listener.
    fn unregister(&self, login: &LiveLogin);
}

/// What the last check found.
#[derive(Debug, Clone)]
pub(super) struct LoginState {
    pub(super) expires_at: Option<Instant>,
    /// Since when the stores have not answered for this login.
    pub(super) unverified_since: Option<Instant>,
    /// The cause of a revocation at this node that may end it. The next check decides.
    pub(super) revocation_cause: Option<LogoutCause>,
}

impl LiveLogin {
    pub(super) fn new(
        checked: &CheckedLogin<'_>,
        group: u64,
        registry: Arc<dyn Unregister>,
    ) -> Self {
        Self {
            id: checked.id,
            group,
            session: checked.session,
            times: checked.times,
            end: OnceLock::new(),
            ended: Arc::default(),
            state: Mutex::new(LoginState {
                expires_at: checked.expires_at,
                unverified_since: None,
                revocation_cause: None,
            }),
            registry,
        }
    }

    /// Its end; `None` while it is valid.
    pub(super) fn end(&self) -> Option<&EndedLogin> {
        self.end.get()
    }

    /// Signals all listeners. The first end is kept.
    pub(super) fn signal(&self, end: EndedLogin) {
        if self.end.set(end).is_ok() {
            self.ended.notify_waiters();
        }
    }

    /// Resolves on a signal after this call.
    pub(super) fn notified(&self) -> OwnedNotified {
        Arc::clone(&self.ended).notified_owned()
    }

    /// Raises its expiry to the one of a later request, which may have renewed it.
    pub(super) fn extend(&self, expires_at: Option<Instant>) {
        let mut state = self.state();
        if let (Some(known), Some(later)) = (state.expires_at, expires_at) {
            state.expires_at = Some(known.max(later));
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, LoginState> {
        // Consistent after every step, so poisoning is harmless.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for LiveLogin {
    fn drop(&mut self) {
        self.registry.unregister(self);
    }
}
