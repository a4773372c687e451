//! The queue of logouts that are known and not yet written.
//!
//! The token of a logout notice may be good for one exchange only. Once it is exchanged, its
//! sender does not send it again, so the logout waits here until the user store has taken it.
//!
//! Meanwhile this node refuses the user in three places: requests in `auth/check.rs`
//! (`has_pending_logout`), new logins in `auth/begin_login.rs`, and open pages in
//! `live/login_checker.rs`.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::watch;

use crate::{
    LoginId, ProviderKey, RevocationKey, Subject,
    log_limit::LogLimit,
    metrics,
    users::{AnyUserStore, LogoutKey},
};

/// How many logouts may wait for the store at once by default.
pub(crate) const DEFAULT_QUEUE_CAPACITY: usize = 1_024;
/// How long a request waits for its logout while the store fails, so that a short outage passes
/// unnoticed.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long a request waits for its logout. The logout of an unknown subject writes twice, so a
/// store that waits on purpose does so twice.
pub(crate) fn patience(users: &dyn AnyUserStore) -> Duration {
    PATIENCE + users.log_out_wait() * 2
}

/// The logouts that this node has accepted and not yet written.
#[derive(Clone)]
pub(crate) struct LogoutQueue(Arc<Inner>);

struct Inner {
    capacity: usize,
    /// How many logouts wait.
    waiting: AtomicUsize,
    pending: Mutex<HashMap<LogoutKey, Pending>>,
    /// The number of entries of `pending`, to be read without a lock on every request.
    count: AtomicUsize,
    /// The number of the next ticket, whatever its key.
    next: AtomicU64,
    refusals: LogLimit<()>,
    failures: LogLimit<()>,
}

/// The logouts under one key.
struct Pending {
    /// The tickets that are not settled; never empty.
    tickets: BTreeSet<u64>,
    /// The store has taken all tickets below this number, or one that came after them.
    settled_below: watch::Sender<u64>,
}

/// Allows one logout to wait for the store.
pub(crate) struct Permit {
    pub(super) queue: LogoutQueue,
    /// Counts the logout, if it is known already.
    pub(super) guard: Option<WaitingGuard>,
    /// The place of a login that is refused already.
    pub(super) ticket: Option<Ticket>,
}

/// Whether the end of one login may wait for the store.
pub(crate) enum LoginPermit {
    /// It may. The login is refused from now on.
    Reserved(Permit),
    /// It waits already.
    Pending,
    QueueFull,
}

impl LogoutQueue {
    pub(crate) fn new(capacity: usize) -> Self {
        Self(Arc::new(Inner {
            capacity,
            waiting: AtomicUsize::new(0),
            pending: Mutex::default(),
            count: AtomicUsize::new(0),
            next: AtomicU64::new(0),
            refusals: LogLimit::default(),
            failures: LogLimit::default(),
        }))
    }

    /// A permit for a logout that is known, which counts from now on. `None` if the queue is full.
    pub(crate) fn reserve(&self) -> Option<Permit> {
        let Some(guard) = WaitingGuard::try_new(self) else {
            return self.refuse();
        };
        Some(Permit {
            queue: self.clone(),
            guard: Some(guard),
            ticket: None,
        })
    }

    /// Reserves a place for ending one login. Repeated sign-outs share it, because ids are unique and
    /// one write is enough.
    pub(crate) fn reserve_login(&self, id: LoginId) -> LoginPermit {
        let key = LogoutKey::Revocation(RevocationKey::Login(id));
        let mut all = self.pending();
        if all.contains_key(&key) {
            return LoginPermit::Pending;
        }
        let Some(permit) = self.reserve() else {
            return LoginPermit::QueueFull;
        };
        let ticket = Some(self.enter_into(&mut all, key));
        LoginPermit::Reserved(Permit { ticket, ..permit })
    }

    /// A permit for a notice, acquired before its token is exchanged: a logout that cannot be sent
    /// again always has a place. It counts only once the logout is known, so that forged notices
    /// fill no queue. As many notices as are verified at once may exceed the capacity.
    pub(crate) fn permit(&self) -> Option<Permit> {
        if self.0.waiting.load(Ordering::Acquire) >= self.0.capacity {
            return self.refuse();
        }
        Some(Permit {
            queue: self.clone(),
            guard: None,
            ticket: None,
        })
    }

    fn refuse(&self) -> Option<Permit> {
        // Any client can send notices meanwhile.
        if let Some(count) = self.0.refusals.count(()) {
            tracing::error!(count, "too many logouts wait for the user store");
        }
        None
    }

    /// Whether a logout waits that ends this login.
    pub(crate) fn contains(
        &self,
        user_id: &str,
        id: Option<LoginId>,
        subject: Option<&Subject>,
        provider_key: Option<ProviderKey<'_>>,
    ) -> bool {
        if self.len() == 0 {
            return false;
        }
        let pending = self.pending();
        let mut keys = keys(user_id, id, subject, provider_key);
        keys.any(|key| pending.contains_key(&key))
    }

    /// Waits until the logouts of this login are written.
    pub(crate) async fn until_written(
        &self,
        user_id: &str,
        id: Option<LoginId>,
        subject: Option<&Subject>,
        provider_key: Option<ProviderKey<'_>>,
    ) {
        for key in keys(user_id, id, subject, provider_key) {
            self.until_key_written(&key).await;
        }
    }

    /// Waits until the end of the login with this id is written.
    pub(crate) async fn until_login_written(&self, id: LoginId) {
        let key = LogoutKey::Revocation(RevocationKey::Login(id));
        self.until_key_written(&key).await;
    }

    async fn until_key_written(&self, key: &LogoutKey) {
        let pending = self
            .pending()
            .get(key)
            .map(|pending| pending.settled_below.subscribe());
        if let Some(mut pending) = pending {
            // It is closed once nothing waits under the key.
            let _ = pending.wait_for(|_| false).await;
        }
    }

    /// How many keys have logouts that wait.
    pub(crate) fn len(&self) -> usize {
        self.0.count.load(Ordering::Acquire)
    }

    /// Limits the log of logouts that could not be written.
    pub(super) fn failures(&self) -> &LogLimit<()> {
        &self.0.failures
    }

    fn pending(&self) -> MutexGuard<'_, HashMap<LogoutKey, Pending>> {
        // The map is whole after every step.
        self.0
            .pending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Marks a logout as pending until the ticket is dropped, or a later one is settled.
    pub(super) fn enter(&self, key: LogoutKey) -> Ticket {
        self.enter_into(&mut self.pending(), key)
    }

    fn enter_into(&self, all: &mut HashMap<LogoutKey, Pending>, key: LogoutKey) -> Ticket {
        let pending = all.entry(key.clone()).or_insert_with(|| {
            metrics::pending_logouts(1);
            Pending {
                tickets: BTreeSet::new(),
                settled_below: watch::Sender::new(0),
            }
        });
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        pending.tickets.insert(number);
        let settled_below = pending.settled_below.clone();
        self.0.count.store(all.len(), Ordering::Release);
        Ticket {
            queue: self.clone(),
            key,
            number,
            settled_below,
        }
    }

    /// Removes the tickets before this one: a login that begins once the later logout is answered
    /// must not be refused for them.
    fn settle(&self, key: &LogoutKey, number: u64) {
        if let Some(pending) = self.pending().get_mut(key) {
            pending.tickets = pending.tickets.split_off(&number);
        }
    }

    fn remove(&self, key: &LogoutKey, number: u64) {
        let mut all = self.pending();
        if let Some(pending) = all.get_mut(key) {
            pending.tickets.remove(&number);
            if pending.tickets.is_empty() {
                metrics::pending_logouts(-1);
                all.remove(key);
            }
        }
        self.0.count.store(all.len(), Ordering::Release);
    }
}

/// The keys under which a logout ends a login.
fn keys(
    user_id: &str,
    id: Option<LoginId>,
    subject: Option<&Subject>,
    provider_key: Option<ProviderKey<'_>>,
) -> impl Iterator<Item = LogoutKey> {
    let keys = [
        Some(LogoutKey::User(user_id.to_owned())),
        id.map(|id| LogoutKey::Revocation(RevocationKey::Login(id))),
        subject.map(|subject| LogoutKey::Subject(subject.clone())),
        subject.map(|subject| {
            LogoutKey::Revocation(RevocationKey::Issuer(subject.issuer().to_owned()))
        }),
        Some(LogoutKey::Revocation(RevocationKey::Everyone)),
        provider_key.map(|key| LogoutKey::Revocation(key.into())),
    ];
    keys.into_iter().flatten()
}

/// One pending logout under one key.
pub(super) struct Ticket {
    queue: LogoutQueue,
    pub(super) key: LogoutKey,
    number: u64,
    settled_below: watch::Sender<u64>,
}

impl Ticket {
    /// Writes the logout, unless a later one under this key is written first: that ends all that
    /// this one would, and writing this one after it would end logins made since. `None` in that
    /// case.
    pub(super) async fn write<T>(&self, write: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            written = write => Some(written),
            () = self.superseded() => None,
        }
    }

    pub(super) fn is_superseded(&self) -> bool {
        *self.settled_below.borrow() > self.number
    }

    /// Ready once a later logout under this key is written.
    pub(super) async fn superseded(&self) {
        let mut settled_below = self.settled_below.subscribe();
        // The sender is in `self`.
        let _ = settled_below.wait_for(|below| *below > self.number).await;
    }

    /// The store has taken the logout, so earlier ones need not be written any more.
    pub(super) fn settle(&self) {
        self.queue.settle(&self.key, self.number);
        self.settled_below.send_if_modified(|below| {
            let rises = *below < self.number;
            *below = self.number.max(*below);
            rises
        });
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.queue.remove(&self.key, self.number);
    }
}

/// Counts one waiting logout until it is dropped.
pub(super) struct WaitingGuard(LogoutQueue);

impl WaitingGuard {
    pub(super) fn new(queue: &LogoutQueue) -> Self {
        queue.0.waiting.fetch_add(1, Ordering::AcqRel);
        Self(queue.clone())
    }

    /// `None` if as many wait as may.
    fn try_new(queue: &LogoutQueue) -> Option<Self> {
        let Inner {
            waiting, capacity, ..
        } = &*queue.0;
        let more = |count| (count < *capacity).then_some(count + 1);
        waiting
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, more)
            .ok()?;
        Some(Self(queue.clone()))
    }
}

impl Drop for WaitingGuard {
    fn drop(&mut self) {
        self.0.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_refused_until_the_last_logout_is_written() {
        let queue = LogoutQueue::new(3);
        let enter = || queue.enter(LogoutKey::User("1".to_owned()));
        let (first, second) = (enter(), enter());
        drop(first);
        assert!(queue.contains("1", None, None, None));
        assert!(!queue.contains("2", None, None, None));
        drop(second);
        assert!(!queue.contains("1", None, None, None));
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn a_settled_logout_refuses_no_login_any_more() {
        let queue = LogoutQueue::new(3);
        let enter = || queue.enter(LogoutKey::User("1".to_owned()));
        let (first, second) = (enter(), enter());
        second.settle();
        assert!(queue.contains("1", None, None, None));
        drop(second);
        // A user who receives the answer of the second one logs in anew, before the first is
        // dropped.
        assert!(!queue.contains("1", None, None, None));
        let third = enter();
        drop(first);
        assert!(queue.contains("1", None, None, None));
        drop(third);
        assert_eq!(queue.len(), 0);
    }
}
