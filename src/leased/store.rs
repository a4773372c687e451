//! The user store that caches reads for a lease.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{OnceCell, broadcast},
    task::JoinSet,
    time::Instant,
};

use super::{
    bus::{self, LogoutBus},
    entries::{self, Entries, Entry, EntryKey, EntryRef, Lease},
    generations::Generations,
    listener::LogoutListener,
};
use crate::{
    LoginReference, UserStore,
    log_limit::LogLimit,
    users::{Leases, LogoutNews, Sealed},
};

/// The default number of cached logins.
const CAPACITY: u64 = 100_000;

/// A user store that caches the reads of another for a lease.
///
/// A logout still takes effect on every node before it is answered.
///
/// ```
/// use std::time::Duration;
///
/// use axum_clef::{leased::Leased, stores::MemoryUserStore};
///
/// let users = Leased::new(MemoryUserStore::new(), Duration::from_secs(1)).capacity(10_000);
/// ```
///
/// # How it works
///
/// - An entry is valid for one lease, which starts *before* the store is read and is measured by a
///   monotonic clock. It is checked on each use.
/// - A logout invalidates the entries of its logins on this node, writes, and invalidates them
///   again. It returns when every lease from before the write is over: after one lease plus two
///   percent. So nodes need no messages. A sign-out is a logout of one login, and waits too.
/// - With a [bus](Self::bus), the other nodes receive the logout and invalidate their entries at
///   once. If the bus proves that all of them have, as `PostgresLogoutBus` does, the logout returns
///   at once. A bus that is down makes logouts slower.
/// - An entry from before a login began is read again, whichever node the login was made at.
/// - Concurrent requests for one login share a read. A read that overlaps a logout serves only
///   requests from before the logout. A failed read serves only the requests that waited for it.
///
/// # Requirements
///
/// - **The same lease on all nodes.** To change it, stop the nodes with the old lease first. With
///   `PostgresLogoutBus`, a node with another lease caches nothing until they are gone, and its
///   logouts wait for acknowledgements or the longest possible lease.
/// - **Every node that caches users logs them out through this**, and all nodes or none have a bus.
///   If logins are ended by a manual SQL statement, it takes effect after a lease. Nodes without
///   [`Leased`] cache nothing and are not affected.
/// - **Accurate clock rates.** The monotonic clock of a node (`CLOCK_MONOTONIC` on Linux) may
///   deviate at most one percent from the true rate. Setting the time of day has no effect. But the
///   clock stops while a machine is suspended. A virtual machine that is suspended or migrated live
///   may return entries for the rest of the lease. A stopped process (`SIGSTOP`, a debugger) is not
///   affected.
///
/// - **Pass it to the layer as it is, or in an `Arc`.** A wrapper that implements [`UserStore`] by
///   it hides its leases: the layer answers a logout 503 that waits longer than a second, and open
///   pages receive no news. Wrap the store inside instead.
///
/// # What is delayed
///
/// Changes of a user, such as a new name, a revoked permission or a deletion, are visible after at
/// most one lease. Only a login at this node is visible at once. The time of a check is the time of
/// the store at the read, plus the elapsed time. Logins and logouts are stamped by the store
/// itself. [`load`](UserStore::load) and [`revoked_at`](UserStore::revoked_at) always read the
/// store.
///
/// Entries are found by user, login and provider key, but not by subject. So a logout of an unknown
/// subject waits a whole lease with any bus. It waits twice, since a first login at another node
/// may have created the user meanwhile. At most
/// [`pending_logout_limit`](crate::ClefLayerBuilder::pending_logout_limit) logouts wait at once, so
/// a lease of one second allows a thousand a second.
pub struct Leased<S: UserStore> {
    pub(super) store: S,
    capacity: u64,
    lease: Lease,
    entries: Entries<S::User>,
    pub(super) listener: LogoutListener,
    pub(super) bus: Option<Arc<dyn LogoutBus>>,
    /// The task that listens to the bus. It is aborted when this is dropped.
    listening: OnceLock<JoinSet<()>>,
    /// Limits the log of logouts with which the bus has not reached every node: clients can repeat them.
    pub(super) unreached: LogLimit<()>,
}

impl<S: UserStore> Leased<S> {
    /// The longest lease: 3.92 seconds. A logout that waits for it is answered within four seconds.
    pub const LONGEST_LEASE: Duration = entries::LONGEST_LEASE;

    /// Caches the reads of `store` for the time `lease`, at most
    /// [`LONGEST_LEASE`](Self::LONGEST_LEASE).
    ///
    /// One second saves most reads while users navigate. Without a bus, it is also how long a
    /// logout takes. Zero caches nothing.
    pub fn new(store: S, lease: Duration) -> Self {
        let lease = Lease::new(lease);
        Self {
            store,
            capacity: CAPACITY,
            lease,
            entries: entries::with_capacity(CAPACITY),
            listener: LogoutListener::new(lease),
            bus: None,
            listening: OnceLock::new(),
            unreached: LogLimit::default(),
        }
    }

    /// The most logins to cache. Defaults to 100,000. Each takes the size of the application's user
    /// plus a few hundred bytes.
    #[must_use]
    pub fn capacity(mut self, logins: u64) -> Self {
        self.capacity = logins;
        self.entries = entries::with_capacity(logins);
        self
    }

    /// Sets the bus for news of logouts. Defaults to none.
    ///
    /// **All nodes of a site must use the same bus**, or a logout may not wait for the others.
    #[must_use]
    pub fn bus(mut self, bus: impl LogoutBus) -> Self {
        self.bus = Some(Arc::new(bus));
        self.listening = OnceLock::new();
        self
    }

    /// Measures time by a clock at this rate, in thousandths of the true rate, for tests. The
    /// supported range is 990 to 1,010.
    #[cfg(feature = "testing")]
    #[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
    #[must_use]
    pub fn clock_at(mut self, thousandths: u32) -> Self {
        self.lease = self.lease.with_clock_rate(thousandths);
        self.listener.lease = self.lease;
        self
    }

    /// How long a logout may wait once it is written. Twice as long for a subject without a user.
    pub fn log_out_wait(&self) -> Duration {
        let inner = self.store.leases(Sealed);
        self.lease_wait() + inner.map_or(Duration::ZERO, Leases::wait)
    }

    /// Subscribes to the news of logouts at other nodes. `None` without a [bus](Self::bus).
    ///
    /// News may be late or lost: use it only as a hint.
    pub fn logout_news(&self) -> Option<broadcast::Receiver<LogoutNews>> {
        if self.bus.is_none() {
            return self.store.leases(Sealed)?.news();
        }
        // Subscribed first, so that the receiver gets all news of the bus.
        let news = self.listener.news();
        self.listen();
        Some(news)
    }

    /// Listens to the bus. Called on use, when there is a runtime.
    pub(super) fn listen(&self) {
        if let (Some(bus), None) = (&self.bus, self.listening.get())
            && let Ok(runtime) = Handle::try_current()
        {
            self.listening.get_or_init(|| {
                let mut tasks = JoinSet::new();
                let listening = bus::listen(Arc::clone(bus), self.listener.clone());
                tasks.spawn_on(listening, &runtime);
                tasks
            });
        }
    }

    pub(super) fn may_cache(&self) -> bool {
        match &self.bus {
            Some(bus) => bus.may_cache(),
            None => true,
        }
    }

    /// Whether a request that arrived after the start of the read may use it.
    pub(super) fn is_valid(&self, entry: &Entry<S::User>) -> bool {
        entry.started_at.elapsed() < self.lease.length
            && self.generations().is_current(&entry.generation)
            && self.may_cache()
    }

    /// Whether a new request with this login may use this read or wait for it.
    fn can_be_joined(&self, entry: &Entry<S::User>, login: LoginReference<'_>) -> bool {
        let answer = entry.answer.get();
        answer.is_none_or(|answer| answer.is_cacheable() && !answer.is_older_than(login))
            && self.is_valid(entry)
    }

    /// The valid or running entry of this login, or a new one. Also returns whether it is new.
    pub(super) fn find_or_insert(&self, login: LoginReference<'_>) -> (Arc<Entry<S::User>>, bool) {
        let entry = self.entries.get(&EntryRef::from(login));
        if let Some(entry) = entry.filter(|entry| self.can_be_joined(entry, login)) {
            return (entry, false);
        }
        let new = || {
            // Both are taken before the store is read.
            Arc::new(Entry {
                generation: self.generations().of(login),
                started_at: Instant::now(),
                answer: OnceCell::new(),
            })
        };
        let entry = self.entries.entry(EntryKey::from(login));
        let entry = entry.or_insert_with_if(new, |entry| !self.can_be_joined(entry, login));
        let is_new = entry.is_fresh();
        (entry.into_value(), is_new)
    }

    pub(super) fn generations(&self) -> &Generations {
        &self.listener.generations
    }

    /// How long after a write the last earlier entry has expired on every node.
    pub(super) fn lease_wait(&self) -> Duration {
        let longest = self.bus.as_ref().and_then(|bus| bus.longest_lease());
        let wait = longest.map(|lease| Lease::new(lease).wait);
        wait.map_or(self.lease.wait, |wait| wait.max(self.lease.wait))
    }
}

impl<S: UserStore> fmt::Debug for Leased<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Leased")
            .field("lease", &self.lease.length)
            .field("capacity", &self.capacity)
            .field("bus", &self.bus.is_some())
            .finish_non_exhaustive()
    }
}
