//! A user store that keeps what it reads for a lease.

use std::{
    fmt,
    future::Future,
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use tokio::{
    runtime::Handle,
    sync::{OnceCell, broadcast},
    task::JoinHandle,
    time::Instant,
};

use super::{
    bus::{LogoutBus, Reach},
    dropped::Dropped,
    kept::{self, Answer, Kept, Key, Name, Read},
    lease::{self, Lease},
    listener::LogoutListener,
    listening::Listening,
    message,
};
use crate::{
    BoxError, LoginReference, LogoutNews, Profile, ProviderSession, Standing, Subject, Timestamp,
    UserStore, logout_scope::LogoutScope, strangers, time_limit::within,
};

/// How many logins are kept unless the application says otherwise.
const CAPACITY: u64 = 100_000;
/// How long a bus may take to publish a logout.
const PUBLISH_LIMIT: Duration = Duration::from_secs(5);

/// A user store that answers from memory what it has read a moment ago, and ends logins on every
/// node all the same before a logout is answered.
///
/// ```
/// use std::time::Duration;
///
/// use axum_clef::{leased::Leased, stores::MemoryUserStore};
///
/// let users = Leased::new(MemoryUserStore::new(), Duration::from_secs(1)).capacity(10_000);
/// ```
///
/// # How it holds
///
/// - An answer counts for one lease, by the clock that never steps, from *before* it was asked for,
///   and that is looked at whenever it is handed out.
/// - A logout forgets here what the person's logins rest on, writes, forgets again, and returns when
///   every lease is over that a node can have from before the write: one lease and a fiftieth
///   more. So no message between nodes is needed.
/// - With a [bus](Self::bus) the others hear of it and forget at once; one that can prove that all
///   have, as `PostgresLogoutBus` can, makes the answer as quick. A bus that is down costs speed.
/// - A login that began after a read is read anew, whichever node it was made at.
/// - Whoever asks for a login while it is read waits for that read: a thousand requests for one
///   cold user make one. A read that a logout overlaps is for those alone who came before. One that
///   fails is for those alone who waited for it.
///
/// # What it asks
///
/// - **One lease for all nodes.** To change it, stop the nodes of the old one first; over
///   `PostgresLogoutBus` a node with another lease keeps nothing until they are gone, and its
///   logouts wait for the longer one.
/// - **Every node that keeps users logs them out through this**, and every node has the same bus or
///   none has one. Where logins end by a statement written by hand, it holds after a lease. The one
///   exception costs nothing: nodes without [`Leased`] at all keep nothing.
/// - **Clocks that run.** The clock by which a node measures time (`CLOCK_MONOTONIC` on Linux) may
///   be off by one part in a hundred from the true rate, not more. It does not go by the time of
///   day, and setting that changes nothing. But it stands still while a machine is suspended: a
///   virtual machine that is frozen and thawed, or moved alive, may hand out what it kept for the
///   rest of the lease. A process that is stopped (`SIGSTOP`, a debugger, a loaded machine) is no
///   such case.
/// - **One subject for each user**, where the bus can prove its reach: what is kept is found by the
///   subject of the login. If several lead to one user in your store, use a bus that cannot, or
///   none; then the lease sees to it.
///
/// # What is seen later
///
/// What changes in a user other than by a login at this node, such as a name, a right that was
/// taken away, or that the user was deleted, is seen after a lease at the latest. The clock of the
/// store is what it showed when the answer came, and the time since by this node's clock; logins
/// and logouts are stamped by the store itself. [`load`](UserStore::load) asks the store each time:
/// it does not say whose login it is for, so a logout could not find what it kept.
///
/// Without a bus, a logout of a person who is nobody here waits twice, for what a first login at
/// another node may have brought. At most so many logouts wait at once as
/// [`pending_logout_limit`](crate::ClefLayer::pending_logout_limit) says, so a lease of a second allows a thousand
/// a second.
pub struct Leased<S: UserStore> {
    store: S,
    capacity: u64,
    lease: Lease,
    kept: Kept<S::User>,
    listener: LogoutListener,
    bus: Option<Arc<dyn LogoutBus>>,
    listening: OnceLock<Listening>,
}

impl<S: UserStore> Leased<S> {
    /// The longest lease, 3.92 seconds: a logout that waits for it is answered within four. One
    /// that is longer is shortened to it.
    pub const LONGEST_LEASE: Duration = lease::LONGEST;

    /// Keeps what it reads from the store for so long. A second makes most reads go away where
    /// people click; without a bus it is also how long a logout takes. Zero keeps nothing.
    pub fn new(store: S, lease: Duration) -> Self {
        let lease = Lease::new(lease);
        Self {
            store,
            capacity: CAPACITY,
            lease,
            kept: kept::room_for(CAPACITY),
            listener: LogoutListener::new(lease),
            bus: None,
            listening: OnceLock::new(),
        }
    }

    /// How many logins are kept at the most, 100,000 unless said otherwise: one for each user, and
    /// where the provider names its sessions, one for each of those. Each takes the size of your
    /// user and some hundred bytes.
    #[must_use]
    pub fn capacity(mut self, logins: u64) -> Self {
        self.capacity = logins;
        self.kept = kept::room_for(logins);
        self
    }

    /// Tells the other nodes of logouts by this bus, and hears of theirs. **All nodes of a site
    /// have the same one**, or a logout may not wait for those that have none.
    #[must_use]
    pub fn bus(mut self, bus: impl LogoutBus) -> Self {
        self.bus = Some(Arc::new(bus));
        self.listening = OnceLock::new();
        self
    }

    /// For tests of several nodes in one process: measures time by a clock that runs at so many
    /// thousandths of the true rate, 990 to 1,010 being what is allowed for.
    #[cfg(feature = "testing")]
    #[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
    #[must_use]
    pub fn clock_at(mut self, thousandths: u32) -> Self {
        self.lease = self.lease.by_clock_at(thousandths);
        self.listener.lease = self.lease;
        self
    }

    /// Listens to the bus from the first use on: only then is there surely a runtime.
    fn listen(&self) {
        if let (Some(bus), None) = (&self.bus, self.listening.get())
            && let Ok(runtime) = Handle::try_current()
        {
            self.listening
                .get_or_init(|| Listening::start(&runtime, bus, self.listener.clone()));
        }
    }

    fn may_keep(&self) -> bool {
        match &self.bus {
            Some(bus) => bus.may_keep(),
            None => true,
        }
    }

    /// Whether a read may be handed out now to somebody who came after it had begun.
    fn counts(&self, read: &Read<S::User>) -> bool {
        read.asked_at.elapsed() < self.lease.length
            && self.listener.dropped.stands(&read.mark)
            && self.may_keep()
    }

    /// Whether somebody who comes now with this login may have this read, or wait for it.
    fn can_be_joined(&self, read: &Read<S::User>, login: LoginReference<'_>) -> bool {
        let answer = read.answer.get();
        answer.is_none_or(|answer| answer.can_be_kept() && !answer.is_from_before(login))
            && self.counts(read)
    }

    /// The read that is kept of this login or under way, or one that begins now; and whether it
    /// begins now.
    fn find_or_begin(&self, login: LoginReference<'_>) -> (Arc<Read<S::User>>, bool) {
        let kept = self.kept.get(&Name::from(login));
        if let Some(read) = kept.filter(|read| self.can_be_joined(read, login)) {
            return (read, false);
        }
        let begin = || {
            // Both before the store is asked.
            Arc::new(Read {
                mark: self.listener.dropped.mark(login),
                asked_at: Instant::now(),
                answer: OnceCell::new(),
            })
        };
        let entry = self.kept.entry(Key::from(login));
        let entry = entry.or_insert_with_if(begin, |read| !self.can_be_joined(read, login));
        let begins = entry.is_fresh();
        (entry.into_value(), begins)
    }

    /// A logout: forgotten here, written, forgotten again, and over everywhere.
    async fn log_out_everywhere(
        &self,
        scope: &LogoutScope,
        write: impl Future<Output = Result<bool, BoxError>> + Send,
    ) -> Result<bool, BoxError> {
        self.listen();
        let dropped = &self.listener.dropped;
        dropped.logins(scope);
        // What is read meanwhile may be from before the write.
        let read_meanwhile = DroppedAtEnd { dropped, scope };
        let written = write.await;
        let written_at = Instant::now();
        drop(read_meanwhile);
        let written = written?;
        // A store that keeps no sessions has changed nothing. Whoever is nobody may have been
        // somebody a moment ago, and be kept somewhere.
        if written || matches!(scope, LogoutScope::Person(_)) {
            self.over_everywhere(scope, written_at).await;
        }
        Ok(written)
    }

    /// Returns when no node hands out anything from before `written_at` any more.
    async fn over_everywhere(&self, scope: &LogoutScope, written_at: Instant) {
        if let Some(bus) = &self.bus {
            let mut published = self.publish(bus, scope);
            let published = loop {
                let over_at = written_at + self.wait();
                if let Ok(published) = tokio::time::timeout_at(over_at, &mut published).await {
                    break Some(published.unwrap_or_else(|ended| Err(ended.into())));
                }
                // The bus may have heard of a longer lease meanwhile.
                if written_at + self.wait() <= over_at {
                    break None;
                }
            };
            match published {
                Some(Ok(Reach::EveryNode)) => return,
                Some(Ok(Reach::Unknown)) => {}
                Some(Err(error)) => tracing::warn!(
                    error = ?error.to_string(),
                    "a logout could not be published to the other nodes; it waits until every lease is \
                     over"
                ),
                None => tracing::warn!(
                    "not every node has acknowledged a logout in time; by now every lease is over"
                ),
            }
        }
        tokio::time::sleep_until(written_at + self.wait()).await;
    }

    /// How long after a write the last answer from before it counts nowhere any more.
    fn wait(&self) -> Duration {
        let longest = self.bus.as_ref().and_then(|bus| bus.longest_lease());
        let wait = longest.map(|lease| Lease::new(lease).wait);
        wait.map_or(self.lease.wait, |wait| wait.max(self.lease.wait))
    }

    /// Publishes it to the other nodes, also when the logout is over sooner: pages may be open there.
    fn publish(
        &self,
        bus: &Arc<dyn LogoutBus>,
        scope: &LogoutScope,
    ) -> JoinHandle<Result<Reach, BoxError>> {
        let bus = Arc::clone(bus);
        let news = message::write(&self.listener.name, scope);
        tokio::spawn(async move { within(PUBLISH_LIMIT, bus.publish(&news)).await })
    }
}

/// Drops what these logins depend on at the end of a call, also of one that is dropped: it may have
/// written.
struct DroppedAtEnd<'a> {
    dropped: &'a Dropped,
    scope: &'a LogoutScope,
}

impl Drop for DroppedAtEnd<'_> {
    fn drop(&mut self) {
        self.dropped.logins(self.scope);
    }
}

#[async_trait]
impl<S: UserStore> UserStore for Leased<S> {
    type User = S::User;

    async fn log_in(&self, profile: &Profile) -> Result<Option<Self::User>, BoxError> {
        self.listen();
        // What is kept is the user as they were before.
        let _kept = DroppedAtEnd {
            dropped: &self.listener.dropped,
            scope: &LogoutScope::Person(profile.subject.clone()),
        };
        self.store.log_in(profile).await
    }

    async fn load(&self, id: &str) -> Result<Option<Self::User>, BoxError> {
        self.store.load(id).await
    }

    async fn log_out(&self, subject: &Subject) -> Result<bool, BoxError> {
        let scope = LogoutScope::Person(subject.clone());
        self.log_out_everywhere(&scope, self.store.log_out(subject))
            .await
    }

    /// The clock of the store, asked each time.
    async fn now(&self) -> Result<Timestamp, BoxError> {
        self.store.now().await
    }

    async fn standing(
        &self,
        login: LoginReference<'_>,
    ) -> Result<Option<Standing<Self::User>>, BoxError> {
        self.listen();
        let mut again = false;
        loop {
            // Nor shared: whoever may not keep is not counted with.
            if !self.may_keep() {
                return self.store.standing(login).await;
            }
            let (read, begins) = self.find_or_begin(login);
            let asked = async { Answer::new(self.store.standing(login).await) };
            let answer = read.answer.get_or_init(|| asked).await;
            // It is no older than this request, so it is what the store itself would have said; or
            // it counts still. If neither, the next one began after this request.
            let counts = || self.counts(&read) && !answer.is_from_before(login);
            if begins || again || counts() {
                return answer.give();
            }
            again = true;
        }
    }

    async fn log_out_session(&self, session: &ProviderSession) -> Result<bool, BoxError> {
        let write = self.store.log_out_session(session);
        if strangers::is_mark(session) {
            // It is read at the end of a login alone, and that asks the store.
            return write.await;
        }
        let scope = LogoutScope::session(session.clone(), None);
        self.log_out_everywhere(&scope, write).await
    }

    /// As the store has it, asked each time: the end of a login asks for it.
    async fn session_logged_out_at(
        &self,
        session: &ProviderSession,
    ) -> Result<Option<Timestamp>, BoxError> {
        self.store.session_logged_out_at(session).await
    }

    fn log_out_wait(&self) -> Duration {
        self.wait() + self.store.log_out_wait()
    }

    /// What the bus brings; without one, what the store tells.
    fn logout_news(&self) -> Option<broadcast::Receiver<LogoutNews>> {
        if self.bus.is_none() {
            return self.store.logout_news();
        }
        self.listen();
        Some(self.listener.news())
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
