//! The user store that caches reads for a lease.

use std::{
    fmt,
    future::Future,
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{OnceCell, broadcast},
    task::{JoinHandle, JoinSet},
    time::Instant,
};

use super::{
    bus::{self, LogoutBus, Reach},
    entries::{self, Answer, Entries, Entry, EntryKey, EntryRef, Lease},
    generations::Generations,
    listener::LogoutListener,
    message::NewsMessage,
};
use crate::{
    BoxError, IdentityStore, LinkOutcome, LoginCheck, LoginReference, LogoutCause, Profile,
    ProviderSession, RevocationKey, Subject, SubjectIdentifier, Timestamp, User as _, UserStore,
    time_limit::within,
    users::{Leases, LogoutKey, LogoutNews, Sealed},
};

/// The default number of cached logins.
const CAPACITY: u64 = 100_000;
/// How long a bus may take to publish a logout.
const PUBLISH_LIMIT: Duration = Duration::from_secs(5);

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
    store: S,
    capacity: u64,
    lease: Lease,
    entries: Entries<S::User>,
    listener: LogoutListener,
    bus: Option<Arc<dyn LogoutBus>>,
    /// The task that listens to the bus. It is aborted when this is dropped.
    listening: OnceLock<JoinSet<()>>,
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
    fn listen(&self) {
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

    fn may_cache(&self) -> bool {
        match &self.bus {
            Some(bus) => bus.may_cache(),
            None => true,
        }
    }

    /// Whether a request that arrived after the start of the read may use it.
    fn is_valid(&self, entry: &Entry<S::User>) -> bool {
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
    fn find_or_insert(&self, login: LoginReference<'_>) -> (Arc<Entry<S::User>>, bool) {
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

    fn generations(&self) -> &Generations {
        &self.listener.generations
    }

    /// Runs a logout whose keys are known before it is written.
    async fn log_out_everywhere<T>(
        &self,
        keys: &[LogoutKey],
        write: impl Future<Output = Result<T, BoxError>> + Send,
    ) -> Result<T, BoxError> {
        self.listen();
        let generations = self.generations();
        keys.iter().for_each(|key| generations.invalidate(key));
        // A read during the write may return the user from before it.
        let invalidate_again = InvalidateOnDrop { generations, keys };
        let written = write.await;
        let written_at = Instant::now();
        drop(invalidate_again);
        let written = written?;
        // Also without a user in the store: another node may have cached one that was deleted.
        self.wait_for_all_nodes(keys, written_at).await;
        Ok(written)
    }

    /// Waits until no node has a valid entry from before `written_at`.
    async fn wait_for_all_nodes(&self, keys: &[LogoutKey], written_at: Instant) {
        if let Some(bus) = &self.bus {
            let mut published = self.publish(bus, keys);
            let published = loop {
                let deadline = written_at + self.lease_wait();
                if let Ok(published) = tokio::time::timeout_at(deadline, &mut published).await {
                    break Some(published.unwrap_or_else(|error| Err(error.into())));
                }
                // This node may have lost its membership.
                if written_at + self.lease_wait() <= deadline {
                    break None;
                }
            };
            // Nodes do not find entries by subject.
            let by_subject = |key: &LogoutKey| matches!(key, LogoutKey::Subject(_));
            match published {
                Some(Ok(Reach::EveryNode)) if !keys.iter().any(by_subject) => return,
                Some(Ok(_)) => {}
                Some(Err(error)) => tracing::warn!(
                    error = ?error.to_string(),
                    "a logout could not be published to the other nodes; it waits until every lease is \
                     over"
                ),
                None => tracing::warn!(
                    "not every node has acknowledged a logout in time; every lease is over by now"
                ),
            }
        }
        tokio::time::sleep_until(written_at + self.lease_wait()).await;
    }

    /// How long after a write the last earlier entry has expired on every node.
    fn lease_wait(&self) -> Duration {
        let longest = self.bus.as_ref().and_then(|bus| bus.longest_lease());
        let wait = longest.map(|lease| Lease::new(lease).wait);
        wait.map_or(self.lease.wait, |wait| wait.max(self.lease.wait))
    }

    /// Publishes a logout in a task of its own, since open pages on other nodes need it even after
    /// the leases are over.
    fn publish(
        &self,
        bus: &Arc<dyn LogoutBus>,
        keys: &[LogoutKey],
    ) -> JoinHandle<Result<Reach, BoxError>> {
        let bus = Arc::clone(bus);
        let news = NewsMessage::write(&self.listener.name, keys);
        tokio::spawn(async move { within(PUBLISH_LIMIT, bus.publish(&news)).await })
    }
}

/// Invalidates entries when a call ends or is dropped, since it may have written.
struct InvalidateOnDrop<'a> {
    generations: &'a Generations,
    keys: &'a [LogoutKey],
}

impl Drop for InvalidateOnDrop<'_> {
    fn drop(&mut self) {
        for key in self.keys {
            self.generations.invalidate(key);
        }
    }
}

impl<S: UserStore> UserStore for Leased<S> {
    type User = S::User;

    async fn load(&self, id: &str) -> Result<Option<Self::User>, BoxError> {
        self.store.load(id).await
    }

    async fn log_in(&self, id: &str) -> Result<Option<Self::User>, BoxError> {
        self.listen();
        let _entries = InvalidateOnDrop {
            generations: self.generations(),
            keys: &[LogoutKey::User(id.to_owned())],
        };
        self.store.log_in(id).await
    }

    async fn log_out(&self, id: &str) -> Result<bool, BoxError> {
        self.log_out_with_cause(id, &LogoutCause::Unknown).await
    }

    async fn log_out_with_cause(&self, id: &str, cause: &LogoutCause) -> Result<bool, BoxError> {
        let keys = [LogoutKey::User(id.to_owned())];
        let write = self.store.log_out_with_cause(id, cause);
        self.log_out_everywhere(&keys, write).await
    }

    async fn log_out_others(
        &self,
        id: &str,
        stamp: Timestamp,
    ) -> Result<Option<Timestamp>, BoxError> {
        self.log_out_others_with_cause(id, stamp, &LogoutCause::Unknown)
            .await
    }

    async fn log_out_others_with_cause(
        &self,
        id: &str,
        stamp: Timestamp,
        cause: &LogoutCause,
    ) -> Result<Option<Timestamp>, BoxError> {
        let keys = [LogoutKey::User(id.to_owned())];
        let write = self.store.log_out_others_with_cause(id, stamp, cause);
        self.log_out_everywhere(&keys, write).await
    }

    async fn now(&self) -> Result<Timestamp, BoxError> {
        self.store.now().await
    }

    async fn check_login(
        &self,
        login: LoginReference<'_>,
    ) -> Result<Option<LoginCheck<Self::User>>, BoxError> {
        self.listen();
        let mut is_second = false;
        loop {
            // Without sharing running reads: no logout waits for this node.
            if !self.may_cache() {
                return self.store.check_login(login).await;
            }
            let (entry, is_new) = self.find_or_insert(login);
            let read = async { Answer::new(self.store.check_login(login).await) };
            let answer = entry.answer.get_or_init(|| read).await;
            // A new read started after this request did, so its answer is current. So is that of
            // the second attempt.
            let is_valid = || self.is_valid(&entry) && !answer.is_older_than(login);
            if is_new || is_second || is_valid() {
                return answer.to_result();
            }
            is_second = true;
        }
    }

    fn keeps_revocations(&self) -> bool {
        self.store.keeps_revocations()
    }

    async fn revoke(&self, keys: &[RevocationKey], keep_until: Timestamp) -> Result<(), BoxError> {
        let write = self.store.revoke(keys, keep_until);
        // Unknown subjects have no entries: only a login looks them up, in the store.
        let known = |key: &&RevocationKey| !matches!(key, RevocationKey::UnknownSubject(_));
        let known = keys.iter().filter(known).cloned();
        let keys: Vec<_> = known.map(LogoutKey::Revocation).collect();
        if keys.is_empty() {
            return write.await;
        }
        self.log_out_everywhere(&keys, write).await
    }

    async fn revoked_at(&self, key: &RevocationKey) -> Result<Option<Timestamp>, BoxError> {
        self.store.revoked_at(key).await
    }

    fn leases(&self, _: Sealed) -> Option<&dyn Leases> {
        Some(self)
    }
}

impl<S: UserStore> Leases for Leased<S> {
    fn wait(&self) -> Duration {
        self.log_out_wait()
    }

    fn news(&self) -> Option<broadcast::Receiver<LogoutNews>> {
        self.logout_news()
    }
}

impl<S: IdentityStore> IdentityStore for Leased<S> {
    async fn find_or_create(&self, profile: &Profile) -> Result<Option<Self::User>, BoxError> {
        self.listen();
        let user = self.store.find_or_create(profile).await?;
        if let Some(user) = &user {
            // The profile may have changed.
            self.generations().invalidate(&LogoutKey::User(user.id()));
        }
        Ok(user)
    }

    async fn log_out_subject(&self, subject: &Subject) -> Result<Vec<String>, BoxError> {
        self.log_out_subject_with_cause(subject, &LogoutCause::Unknown)
            .await
    }

    /// The users are known only after the write. If a call fails or is dropped after it has
    /// written, the logout takes effect after at most one lease.
    async fn log_out_subject_with_cause(
        &self,
        subject: &Subject,
        cause: &LogoutCause,
    ) -> Result<Vec<String>, BoxError> {
        self.listen();
        let write = self.store.log_out_subject_with_cause(subject, cause);
        let ids = write.await?;
        let written_at = Instant::now();
        let mut keys: Vec<_> = ids.iter().cloned().map(LogoutKey::User).collect();
        if keys.is_empty() {
            keys.push(LogoutKey::Subject(subject.clone()));
        }
        keys.iter()
            .for_each(|key| self.generations().invalidate(key));
        self.wait_for_all_nodes(&keys, written_at).await;
        Ok(ids)
    }

    /// No login begins or ends with it, so the leases stay.
    async fn link(&self, user_id: &str, profile: &Profile) -> Result<LinkOutcome, BoxError> {
        self.store.link(user_id, profile).await
    }

    fn notes_sessions(&self) -> bool {
        self.store.notes_sessions()
    }

    async fn note_session(
        &self,
        session: &ProviderSession,
        user_id: &str,
        keep_until: Timestamp,
    ) -> Result<(), BoxError> {
        self.store.note_session(session, user_id, keep_until).await
    }

    async fn session_user(&self, session: &ProviderSession) -> Result<Option<String>, BoxError> {
        self.store.session_user(session).await
    }

    fn knows_identifiers(&self) -> bool {
        self.store.knows_identifiers()
    }

    async fn users_of(
        &self,
        issuer: &str,
        identifier: &SubjectIdentifier,
    ) -> Result<Vec<String>, BoxError> {
        self.store.users_of(issuer, identifier).await
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
