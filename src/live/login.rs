//! A login with listeners.

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, futures::OwnedNotified},
    time::Instant,
};

use crate::{LoginId, ProviderKey, Subject, sessions::SessionHandle, timestamp::LoginTimes};

/// Why a login ended, as [`LogoutSignal`](crate::LogoutSignal) reports it.
///
/// Whatever the reason, the login is no longer valid or can no longer be verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogoutReason {
    /// The user was logged out everywhere, the session at the provider ended, or the user was
    /// deleted.
    LoggedOut,
    /// The user signed out on this device, through the sign-out route.
    SignedOut,
    /// A newer login of this browser has replaced it, or it was signed out at another node.
    ///
    /// Also reported for a sealed login that may have timed out. Only the next request of the
    /// browser shows which user is logged in now.
    SessionGone,
    /// The lifetime or the idle time is over.
    Expired,
    /// The stores have not answered for a minute. Requests are answered with 503 until they do.
    Unknown,
}

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
    reason: OnceLock<LogoutReason>,
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
#[derive(Debug, Clone, Copy)]
pub(super) struct LoginState {
    pub(super) expires_at: Option<Instant>,
    /// Since when the stores have not answered for this login.
    pub(super) unverified_since: Option<Instant>,
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
            reason: OnceLock::new(),
            ended: Arc::default(),
            state: Mutex::new(LoginState {
                expires_at: checked.expires_at,
                unverified_since: None,
            }),
            registry,
        }
    }

    /// Why it ended; `None` while it is valid.
    pub(super) fn reason(&self) -> Option<LogoutReason> {
        self.reason.get().copied()
    }

    /// Signals all listeners. The first reason is kept.
    pub(super) fn signal(&self, reason: LogoutReason) {
        if self.reason.set(reason).is_ok() {
            self.ended.notify_waiters();
        }
    }

    /// Resolves on a signal after this call.
    pub(super) fn notified(&self) -> OwnedNotified {
        Arc::clone(&self.ended).notified_owned()
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
