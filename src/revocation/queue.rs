//! The queue of logouts that are known and not yet written.
//!
//! The token of a logout notice may be good for one exchange only. Once it is exchanged, its
//! sender does not send it again, so the logout waits here until the user store has taken it. This
//! node refuses the logins that it ends meanwhile.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::watch;

use super::{UnknownSubjects, write};
use crate::{
    LoginId, LogoutScope, ProviderKey, RevocationKey, Subject, Timestamp,
    log_limit::LogLimit,
    users::{AnyIdentityStore, AnyUserStore, LogoutKey},
};

/// How many logouts may wait for the store at once by default.
pub(crate) const CAPACITY: usize = 1_024;
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
    refusals: LogLimit<()>,
}

/// The logouts under one key.
struct Pending {
    count: usize,
    /// The number of the next ticket.
    next: u64,
    /// The store has taken all tickets below this number, or one that came after them.
    settled_below: watch::Sender<u64>,
}

/// Room for one logout. It is acquired before a token is exchanged, so that a logout which cannot
/// be sent again always has room. It counts only once the logout is known: a forged notice takes
/// no room from others. So as many as are verified at once may come on top of the capacity.
pub(crate) struct Permit(LogoutQueue);

/// A logout to write.
#[derive(Debug, Clone)]
pub(crate) enum Logout {
    /// All logins of the user with this id.
    User(String),
    /// What a provider has named.
    Provider(LogoutScope),
    /// One login, in a store that keeps revocations.
    Login {
        id: LoginId,
        /// When every copy of its cookie has ended by itself.
        keep_until: Timestamp,
    },
}

/// How a logout was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    LoggedOut,
    /// There is no such user.
    UnknownUser,
    /// The store keeps no revocations, and the notice does not name the user.
    SessionsNotKept,
}

/// Where a logout is written to.
#[derive(Clone)]
pub(crate) struct Stores {
    pub(crate) users: Arc<dyn AnyUserStore>,
    /// `None` for a site without a provider.
    pub(crate) identities: Option<Arc<dyn AnyIdentityStore>>,
    pub(crate) unknown_subjects: UnknownSubjects,
}

impl LogoutQueue {
    pub(crate) fn new(capacity: usize) -> Self {
        Self(Arc::new(Inner {
            capacity,
            waiting: AtomicUsize::new(0),
            pending: Mutex::default(),
            count: AtomicUsize::new(0),
            refusals: LogLimit::default(),
        }))
    }

    /// Room for one more logout, if there is some.
    pub(crate) fn permit(&self) -> Option<Permit> {
        if self.0.waiting.load(Ordering::Acquire) >= self.0.capacity {
            // Any client can send notices meanwhile.
            if let Some(count) = self.0.refusals.count(()) {
                tracing::error!(count, "too many logouts wait for the user store");
            }
            return None;
        }
        Some(Permit(self.clone()))
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

    /// Waits until no logout waits any more that waits now and ends this login.
    pub(crate) async fn until_written(
        &self,
        user_id: &str,
        id: Option<LoginId>,
        subject: Option<&Subject>,
        provider_key: Option<ProviderKey<'_>>,
    ) {
        for key in keys(user_id, id, subject, provider_key) {
            let pending = self
                .pending()
                .get(&key)
                .map(|pending| pending.settled_below.subscribe());
            if let Some(mut pending) = pending {
                // It is closed once nothing waits under the key.
                let _ = pending.wait_for(|_| false).await;
            }
        }
    }

    /// How many keys have logouts that wait.
    pub(crate) fn len(&self) -> usize {
        self.0.count.load(Ordering::Acquire)
    }

    fn pending(&self) -> MutexGuard<'_, HashMap<LogoutKey, Pending>> {
        // The map is whole after every step.
        self.0
            .pending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Marks a logout as pending until the ticket is dropped.
    fn enter(&self, key: LogoutKey) -> Ticket<'_> {
        let mut all = self.pending();
        let pending = all.entry(key.clone()).or_insert_with(|| Pending {
            count: 0,
            next: 0,
            settled_below: watch::Sender::new(0),
        });
        let number = pending.next;
        pending.count += 1;
        pending.next += 1;
        let settled_below = pending.settled_below.clone();
        self.0.count.store(all.len(), Ordering::Release);
        Ticket {
            queue: self,
            key,
            number,
            settled_below,
        }
    }

    fn remove(&self, key: &LogoutKey) {
        let mut all = self.pending();
        if let Some(pending) = all.get_mut(key) {
            pending.count -= 1;
            if pending.count == 0 {
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
        provider_key.map(|key| LogoutKey::Revocation(key.into())),
    ];
    keys.into_iter().flatten()
}

/// One pending logout under one key.
struct Ticket<'a> {
    queue: &'a LogoutQueue,
    key: LogoutKey,
    number: u64,
    settled_below: watch::Sender<u64>,
}

impl Ticket<'_> {
    /// Writes the logout, unless a later one under this key is written first: that ends all that
    /// this one would, and writing this one after it would end logins made since. `None` in that
    /// case.
    async fn write<T>(&self, write: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            written = write => Some(written),
            () = self.superseded() => None,
        }
    }

    /// Ready once a later logout under this key is written.
    async fn superseded(&self) {
        let mut settled_below = self.settled_below.subscribe();
        // The sender is in `self`.
        let _ = settled_below.wait_for(|below| *below > self.number).await;
    }

    /// The store has taken the logout, so earlier ones need not be written any more.
    fn settle(&self) {
        self.settled_below.send_if_modified(|below| {
            let rises = *below < self.number;
            *below = self.number.max(*below);
            rises
        });
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.queue.remove(&self.key);
    }
}

/// A logout that waits for the store, until this is dropped.
struct Waiting<'a>(&'a LogoutQueue);

impl<'a> Waiting<'a> {
    fn new(queue: &'a LogoutQueue) -> Self {
        queue.0.waiting.fetch_add(1, Ordering::AcqRel);
        Self(queue)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Permit {
    /// Writes a logout, however long that takes. `ended` is called with the logins that end: for a
    /// user or a subject once this node refuses them, and again with the user once that is known;
    /// for a key once it is written.
    pub(crate) async fn write(
        self,
        stores: &Stores,
        logout: &Logout,
        ended: impl Fn(&LogoutKey),
    ) -> Written {
        let Self(queue) = &self;
        let _waiting = Waiting::new(queue);
        match logout {
            Logout::User(id) => log_out_user(queue, stores, id, ended).await,
            Logout::Login { id, keep_until } => {
                let keys = vec![RevocationKey::Login(*id)];
                revoke(queue, stores, keys, Some(*keep_until), ended).await
            }
            Logout::Provider(LogoutScope::Person(subject)) => {
                log_out_subject(queue, stores, subject, ended).await
            }
            Logout::Provider(LogoutScope::Session { session, person }) => {
                if stores.users.keeps_revocations() {
                    let mut keys = vec![RevocationKey::Session(session.clone())];
                    keys.extend(person.clone().map(RevocationKey::Subject));
                    return revoke(queue, stores, keys, None, ended).await;
                }
                match person {
                    Some(subject) => log_out_subject(queue, stores, subject, ended).await,
                    None => Written::SessionsNotKept,
                }
            }
        }
    }
}

async fn log_out_user(
    queue: &LogoutQueue,
    stores: &Stores,
    id: &str,
    ended: impl Fn(&LogoutKey),
) -> Written {
    let key = LogoutKey::User(id.to_owned());
    let ticket = queue.enter(key.clone());
    ended(&key);
    match ticket.write(write::user(&stores.users, id)).await {
        Some(false) => Written::UnknownUser,
        Some(true) => {
            ticket.settle();
            Written::LoggedOut
        }
        None => Written::LoggedOut,
    }
}

async fn log_out_subject(
    queue: &LogoutQueue,
    stores: &Stores,
    subject: &Subject,
    ended: impl Fn(&LogoutKey),
) -> Written {
    let Some(identities) = &stores.identities else {
        return Written::UnknownUser;
    };
    let key = LogoutKey::Subject(subject.clone());
    let ticket = queue.enter(key.clone());
    ended(&key);
    let written = |users: &[String]| {
        ticket.settle();
        for id in users {
            ended(&LogoutKey::User(id.clone()));
        }
        Written::LoggedOut
    };
    let write = || write::subject(&stores.users, identities, subject);
    let unknown_at = match ticket.write(write()).await {
        None => return Written::LoggedOut,
        Some(Ok(users)) => return written(&users),
        Some(Err(unknown_at)) => unknown_at,
    };
    stores.unknown_subjects.log_out(subject, unknown_at);
    // For the other nodes, where a first login may be under way.
    if stores.users.keeps_revocations() {
        let keys = [RevocationKey::UnknownSubject(subject.clone())];
        if ticket
            .write(write::revoke(&stores.users, &keys, None))
            .await
            .is_none()
        {
            return Written::LoggedOut;
        }
    }
    // A first login that was checked before the revocation was written has made a user by now.
    match ticket.write(write()).await {
        None => Written::LoggedOut,
        Some(Ok(users)) => written(&users),
        Some(Err(_)) => Written::UnknownUser,
    }
}

async fn revoke(
    queue: &LogoutQueue,
    stores: &Stores,
    keys: Vec<RevocationKey>,
    keep_until: Option<Timestamp>,
    ended: impl Fn(&LogoutKey),
) -> Written {
    let all = keys.iter().cloned().map(LogoutKey::Revocation);
    let tickets: Vec<_> = all.map(|key| queue.enter(key)).collect();
    let superseded = async {
        for ticket in &tickets {
            ticket.superseded().await;
        }
    };
    tokio::select! {
        biased;
        () = write::revoke(&stores.users, &keys, keep_until) => {
            tickets.iter().for_each(Ticket::settle);
            tickets.iter().for_each(|ticket| ended(&ticket.key));
        }
        () = superseded => {}
    }
    Written::LoggedOut
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BoxError, IdentityStore, Profile, UserStore, stores::Account};

    /// A store that hangs at the first logout and takes the second.
    #[derive(Default)]
    struct HangsOnce {
        logouts: AtomicUsize,
        keeps_revocations: bool,
    }

    impl HangsOnce {
        async fn write(&self) {
            if self.logouts.fetch_add(1, Ordering::SeqCst) == 0 {
                std::future::pending::<()>().await;
            }
        }
    }

    impl UserStore for HangsOnce {
        type User = Account;

        async fn load(&self, _: &str) -> Result<Option<Account>, BoxError> {
            Ok(None)
        }

        async fn log_in(&self, _: &str) -> Result<Option<Account>, BoxError> {
            Ok(None)
        }

        async fn log_out(&self, _: &str) -> Result<bool, BoxError> {
            self.write().await;
            Ok(true)
        }

        fn keeps_revocations(&self) -> bool {
            self.keeps_revocations
        }

        async fn revoke(&self, _: &[RevocationKey], _: Timestamp) -> Result<(), BoxError> {
            self.write().await;
            Ok(())
        }
    }

    impl IdentityStore for HangsOnce {
        async fn find_or_create(&self, _: &Profile) -> Result<Option<Account>, BoxError> {
            Ok(None)
        }

        async fn log_out_subject(&self, _: &Subject) -> Result<Vec<String>, BoxError> {
            self.write().await;
            Ok(vec!["1".to_owned()])
        }
    }

    fn stores(store: HangsOnce) -> Stores {
        let store = Arc::new(store);
        Stores {
            users: Arc::clone(&store) as Arc<dyn AnyUserStore>,
            identities: Some(store as Arc<dyn AnyIdentityStore>),
            unknown_subjects: UnknownSubjects::default(),
        }
    }

    fn subject(id: &str) -> Subject {
        Subject::new("https://clef.test", id)
    }

    /// A logout that hangs at first, with a permit of its own.
    fn write(
        queue: &LogoutQueue,
        stores: &Stores,
        logout: Logout,
    ) -> tokio::task::JoinHandle<Written> {
        let (permit, stores) = (queue.permit().unwrap(), stores.clone());
        tokio::spawn(async move { permit.write(&stores, &logout, |_| {}).await })
    }

    fn of_user(id: &str) -> Logout {
        Logout::User(id.to_owned())
    }

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

    #[tokio::test(start_paused = true)]
    async fn permits_are_bounded_and_come_back() {
        let queue = LogoutQueue::new(2);
        let logouts =
            ["1", "2"].map(|id| write(&queue, &stores(HangsOnce::default()), of_user(id)));
        tokio::task::yield_now().await;
        assert!(queue.permit().is_none());
        for logout in logouts {
            assert_eq!(logout.await.unwrap(), Written::LoggedOut);
        }
        assert!(queue.permit().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_notice_that_is_only_verified_takes_no_permit_from_another() {
        let queue = LogoutQueue::new(1);
        let forged = [queue.permit(), queue.permit(), queue.permit()];
        assert!(forged.iter().all(Option::is_some));
        let logout = write(&queue, &stores(HangsOnce::default()), of_user("1"));
        tokio::task::yield_now().await;
        assert!(queue.permit().is_none(), "it waits for the store");
        logout.abort();
        assert!(logout.await.unwrap_err().is_cancelled());
        assert!(queue.permit().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_ends_with_its_user_where_no_revocations_are_kept() {
        let queue = LogoutQueue::new(1);
        let session = crate::ProviderSession::new("https://clef.test", "abc");
        let alex = subject("12345");
        let scope = LogoutScope::session(session, Some(alex.clone()));
        let logout = Logout::Provider(scope);
        let logout = write(&queue, &stores(HangsOnce::default()), logout);
        tokio::task::yield_now().await;
        assert!(queue.contains("1", None, Some(&alex), None));
        assert!(!queue.contains("2", None, Some(&subject("67890")), None));
        assert_eq!(logout.await.unwrap(), Written::LoggedOut);
        assert_eq!(queue.len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_and_the_logins_without_one_are_refused_until_they_are_revoked() {
        let queue = LogoutQueue::new(1);
        let issuer = "https://clef.test";
        let session = crate::ProviderSession::new(issuer, "abc");
        let scope = LogoutScope::session(session, Some(subject("12345")));
        let store = HangsOnce {
            keeps_revocations: true,
            ..HangsOnce::default()
        };
        let logout = write(&queue, &stores(store), Logout::Provider(scope));
        tokio::task::yield_now().await;
        let contains = |key| queue.contains("1", None, Some(&subject("12345")), Some(key));
        assert!(contains(ProviderKey::Session { issuer, id: "abc" }));
        assert!(contains(ProviderKey::Subject {
            issuer,
            id: "12345"
        }));
        assert!(!contains(ProviderKey::Session {
            issuer,
            id: "another"
        }));
        assert_eq!(logout.await.unwrap(), Written::LoggedOut);
        assert_eq!(queue.len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_logout_that_is_written_settles_those_that_came_before() {
        let queue = LogoutQueue::new(2);
        let stores = stores(HangsOnce::default());
        let begun_at = tokio::time::Instant::now();
        let hangs = write(&queue, &stores, of_user("1"));
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        let second = write(&queue, &stores, of_user("1"));
        assert_eq!(second.await.unwrap(), Written::LoggedOut);
        assert_eq!(hangs.await.unwrap(), Written::LoggedOut);
        assert_eq!(queue.len(), 0);
        assert_eq!(begun_at.elapsed(), Duration::ZERO, "neither waits");
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_that_hangs_is_dropped_and_made_again() {
        let queue = LogoutQueue::new(1);
        let logout = write(&queue, &stores(HangsOnce::default()), of_user("1"));
        let written = tokio::time::timeout(Duration::from_secs(60), logout).await;
        assert_eq!(written.unwrap().unwrap(), Written::LoggedOut);
    }
}
