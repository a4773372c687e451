//! What the listeners of a layer share: the registry of their logins, the interval, the open pages.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use super::{
    group::GroupCheck,
    login::{CheckedLogin, LiveLogin, Unregister},
    pages::{PageLimits, Pages},
    registry::Registry,
};
use crate::{EndedLogin, LogoutReason, users::LogoutKey};

const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);
const LONGEST_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);
/// After news was lost, all logins are checked within this time.
const LAGGED_WITHIN: Duration = Duration::from_secs(1);

pub(super) struct Hub {
    /// The time between two checks of a login.
    interval: Duration,
    /// Shared with the registry, so that each request reads it without a lock.
    logouts_received: Arc<AtomicU64>,
    registry: Mutex<Registry>,
    /// Notified when a check is due earlier than before, or the last listener is gone.
    changed: Notify,
    pub(super) pages: Pages,
}

impl Hub {
    pub(super) fn new(interval: Duration, limits: PageLimits) -> Self {
        let logouts_received = Arc::<AtomicU64>::default();
        Self {
            interval: interval.clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL),
            logouts_received: Arc::clone(&logouts_received),
            registry: Mutex::new(Registry::new(logouts_received)),
            changed: Notify::new(),
            pages: Pages::new(limits),
        }
    }

    pub(super) fn interval(&self) -> Duration {
        self.interval
    }

    pub(super) fn logouts_received(&self) -> u64 {
        self.logouts_received.load(Ordering::Acquire)
    }

    /// Registers a login. Returns its entry, and whether a task checks the logins already.
    pub(super) fn register(self: &Arc<Self>, checked: &CheckedLogin<'_>) -> (Arc<LiveLogin>, bool) {
        let new = |group: u64| {
            let registry = Arc::clone(self) as Arc<dyn Unregister>;
            Arc::new(LiveLogin::new(checked, group, registry))
        };
        let (login, other, is_watched) = {
            let mut registry = self.registry();
            let (login, other) = registry.register(checked, self.interval(), new);
            let is_watched = std::mem::replace(&mut registry.is_watched, true);
            (login, other, is_watched)
        };
        // Not under the lock of the registry, which checks take after the one of the state.
        login.extend(checked.expires_at);
        // The login was kept meanwhile: only the later of the two goes on.
        if let Some(other) = other {
            let end = EndedLogin::new(LogoutReason::SessionGone);
            match other.times.latest() > login.times.latest() {
                true => login.signal(end),
                false => other.signal(end),
            }
        }
        (login, is_watched)
    }

    pub(super) fn registry(&self) -> MutexGuard<'_, Registry> {
        // No foreign code runs under this lock, so poisoning is harmless.
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn notify(&self) {
        self.changed.notify_one();
    }

    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// At most `most` checks that are due, and when the next one is.
    pub(super) fn take_due(&self, most: usize) -> (Vec<GroupCheck>, Option<Instant>) {
        self.registry().take_due(most)
    }

    /// Signals the end of these logins and removes them.
    pub(super) fn end(&self, logins: &[Arc<LiveLogin>], end: &EndedLogin) {
        for login in logins {
            login.signal(end.clone());
            self.unregister(login);
        }
    }

    /// Checks the logins that a logout affects at once.
    pub(super) fn receive(&self, key: &LogoutKey) {
        self.registry().check_affected(key);
        self.changed.notify_one();
    }

    /// Checks all logins soon: news may have been lost.
    pub(super) fn lagged(&self) {
        self.registry().check_all_within(LAGGED_WITHIN);
        self.changed.notify_one();
    }
}

impl Unregister for Hub {
    fn unregister(&self, login: &LiveLogin) {
        let is_empty = {
            let mut registry = self.registry();
            registry.unregister(login);
            registry.is_empty()
        };
        if is_empty {
            self.changed.notify_one();
        }
    }
}
