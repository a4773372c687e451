//! Logouts that are known and not yet written.
//!
//! The token of a logout notice may be good for one exchange only. Once it is exchanged,
//! nobody will tell us again, so from then on the logout is ours to keep: tried until it
//! holds, and this node refuses the person meanwhile.

mod write;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::watch;

use self::write::Written;
use crate::{
    ProviderSession, Subject,
    log_limit::LogLimit,
    logout_scope::LogoutScope,
    strangers::{self, Strangers},
    user::AnyUserStore,
};

/// How many logouts may wait for the store at once, unless the application says otherwise.
pub(crate) const CAPACITY: usize = 1_024;
/// How long whoever asked for a logout waits for a store that fails at first. Short outages
/// pass unseen.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long whoever asked for a logout waits for it. A stranger's writes a person, a mark, and a
/// person again: so a store that waits on purpose waits twice, the mark being nobody's login.
pub(crate) fn patience(users: &dyn AnyUserStore) -> Duration {
    PATIENCE + users.log_out_wait() * 2
}

/// The logouts that this node still owes.
#[derive(Clone)]
pub(crate) struct PendingLogouts(Arc<Inner>);

struct Inner {
    /// How many logouts may wait.
    capacity: usize,
    /// How many do.
    waiting: AtomicUsize,
    owed: Mutex<HashMap<Debt, Owed>>,
    /// The number of entries of `owed`, to ask without a lock on every request.
    count: AtomicUsize,
    refusals: LogLimit<()>,
}

/// Whose logout is owed.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Debt {
    Person(Subject),
    Session(ProviderSession),
}

/// The logouts that are owed of one.
struct Owed {
    count: usize,
    /// The number of the next.
    next: u64,
    /// The store has taken all below this number, or one that came after them.
    settled_below: watch::Sender<u64>,
}

/// A place for one logout. Asked for before the token is exchanged, so that a logout which
/// can no longer be had from the sender always has a place to wait in. It counts only once the
/// logout is known: a notice that is checked and turns out to be forged takes none from another.
/// So as many as are checked at once may come on top of the capacity.
pub(crate) struct Place(PendingLogouts);

/// How a logout was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It stands in the store.
    LoggedOut,
    /// There is no such user.
    NobodyHere,
    /// The store keeps no sessions of providers, and nobody says whose the session is.
    SessionsNotKept,
}

impl PendingLogouts {
    pub(crate) fn new(capacity: usize) -> Self {
        Self(Arc::new(Inner {
            // Without one nobody would ever be logged out.
            capacity: capacity.max(1),
            waiting: AtomicUsize::new(0),
            owed: Mutex::default(),
            count: AtomicUsize::new(0),
            refusals: LogLimit::default(),
        }))
    }

    /// A place for one more logout, if there is one left.
    pub(crate) fn place(&self) -> Option<Place> {
        if self.0.waiting.load(Ordering::Acquire) >= self.0.capacity {
            // Any client can send notices meanwhile.
            if let Some(count) = self.0.refusals.count(()) {
                tracing::error!(count, "too many logouts are waiting for the store");
            }
            return None;
        }
        Some(Place(self.clone()))
    }

    /// Whether a logout is owed that ends the logins of this person in this session.
    pub(crate) fn contains(&self, subject: &Subject, session: Option<&ProviderSession>) -> bool {
        if self.len() == 0 {
            return false;
        }
        let owed = self.owed();
        owed.contains_key(&Debt::Person(subject.clone()))
            || session.is_some_and(|session| owed.contains_key(&Debt::Session(session.clone())))
    }

    /// Waits until no logout is owed any more that was owed of this person or in this session.
    pub(crate) async fn until_written(&self, subject: &Subject, session: Option<&ProviderSession>) {
        let person = Some(Debt::Person(subject.clone()));
        let session = session.cloned().map(Debt::Session);
        for debt in [person, session].into_iter().flatten() {
            let owed = self
                .owed()
                .get(&debt)
                .map(|owed| owed.settled_below.subscribe());
            if let Some(mut owed) = owed {
                // It says nothing more once nothing is owed, and this is how that shows.
                let _ = owed.wait_for(|_| false).await;
            }
        }
    }

    /// How many people's and sessions' logouts are owed.
    pub(crate) fn len(&self) -> usize {
        self.0.count.load(Ordering::Acquire)
    }

    fn owed(&self) -> MutexGuard<'_, HashMap<Debt, Owed>> {
        // A counter map is whole after every step, so a panic elsewhere spoils nothing.
        self.0.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Marks a logout as owed, until the mark is dropped.
    fn owe(&self, debt: Debt) -> Mark<'_> {
        let mut all = self.owed();
        let owed = all.entry(debt.clone()).or_insert_with(|| Owed {
            count: 0,
            next: 0,
            settled_below: watch::Sender::new(0),
        });
        let number = owed.next;
        owed.count += 1;
        owed.next += 1;
        let settled_below = owed.settled_below.clone();
        self.0.count.store(all.len(), Ordering::Release);
        Mark {
            pending: self,
            debt,
            number,
            settled_below,
        }
    }

    fn remove(&self, debt: &Debt) {
        let mut all = self.owed();
        if let Some(owed) = all.get_mut(debt) {
            owed.count -= 1;
            if owed.count == 0 {
                all.remove(debt);
            }
        }
        self.0.count.store(all.len(), Ordering::Release);
    }
}

/// The mark of a logout that is owed.
struct Mark<'a> {
    pending: &'a PendingLogouts,
    debt: Debt,
    number: u64,
    settled_below: watch::Sender<u64>,
}

impl Mark<'_> {
    /// Writes the logout, unless one that came later is written before: that ends all that this
    /// one would, and were this one written after it, it would end the logins made since.
    /// `None`: so it was.
    async fn write<T>(&self, write: impl Future<Output = T>) -> Option<T> {
        let mut settled_below = self.settled_below.subscribe();
        tokio::select! {
            biased;
            written = write => Some(written),
            _ = settled_below.wait_for(|below| *below > self.number) => None,
        }
    }

    /// The store has taken it. So those that came before need not be written any more.
    fn settle(&self) {
        self.settled_below.send_if_modified(|below| {
            let rises = *below < self.number;
            *below = self.number.max(*below);
            rises
        });
    }
}

impl Drop for Mark<'_> {
    fn drop(&mut self) {
        self.pending.remove(&self.debt);
    }
}

/// A logout that waits for the store, until this is dropped.
struct Waits<'a>(&'a PendingLogouts);

impl<'a> Waits<'a> {
    fn new(pending: &'a PendingLogouts) -> Self {
        pending.0.waiting.fetch_add(1, Ordering::AcqRel);
        Self(pending)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Place {
    /// Writes a logout, however long that takes. `ended` hears whose logins end, once this node
    /// refuses them and before that is written; of a session, once it is.
    pub(crate) async fn write(
        self,
        users: &Arc<dyn AnyUserStore>,
        strangers: &Strangers,
        scope: &LogoutScope,
        ended: impl Fn(&LogoutScope),
    ) -> Outcome {
        let Self(pending) = &self;
        let _waits = Waits::new(pending);
        // Until the end: there is no moment between the two debts in which neither is owed.
        let _session_owed;
        let subject = match scope {
            LogoutScope::Person(subject) => subject,
            LogoutScope::Session { session, person } => {
                let owed = pending.owe(Debt::Session(session.clone()));
                let Some(kept) = owed.write(write::session(users, session)).await else {
                    return Outcome::LoggedOut;
                };
                if kept {
                    owed.settle();
                    ended(scope);
                    return Outcome::LoggedOut;
                }
                _session_owed = owed;
                match person {
                    Some(person) => person,
                    None => return Outcome::SessionsNotKept,
                }
            }
        };
        let owed = pending.owe(Debt::Person(subject.clone()));
        ended(&LogoutScope::Person(subject.clone()));
        match owed.write(write::person(users, subject)).await {
            None => Outcome::LoggedOut,
            Some(Written::ForUser) => {
                owed.settle();
                Outcome::LoggedOut
            }
            Some(Written::ForNobody(now)) => {
                strangers.log_out(subject, now);
                // For the other nodes, where a first login may be on its way.
                let mark = strangers::mark(subject);
                if owed.write(write::session(users, &mark)).await != Some(true) {
                    return Outcome::NobodyHere;
                }
                // Whoever got in before the mark was there is a user by now.
                match owed.write(write::person(users, subject)).await {
                    Some(Written::ForNobody(_)) => Outcome::NobodyHere,
                    Some(Written::ForUser) => {
                        owed.settle();
                        Outcome::LoggedOut
                    }
                    None => Outcome::LoggedOut,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::{BoxError, Profile, UserStore, stores::Account};

    /// A store that hangs at the first logout and takes the second.
    #[derive(Default)]
    struct HangsOnce(AtomicUsize);

    #[async_trait]
    impl UserStore for HangsOnce {
        type User = Account;

        async fn log_in(&self, _: &Profile) -> Result<Option<Account>, BoxError> {
            Ok(None)
        }

        async fn load(&self, _: &str) -> Result<Option<Account>, BoxError> {
            Ok(None)
        }

        async fn log_out(&self, _: &Subject) -> Result<bool, BoxError> {
            if self.0.fetch_add(1, Ordering::SeqCst) == 0 {
                std::future::pending::<()>().await;
            }
            Ok(true)
        }
    }

    #[test]
    fn a_person_is_refused_until_the_last_logout_is_written() {
        let pending = PendingLogouts::new(3);
        let alex = Subject::new("https://clef.test", "12345");
        let owe = || pending.owe(Debt::Person(alex.clone()));
        let (first, second) = (owe(), owe());
        drop(first);
        assert!(pending.contains(&alex, None));
        drop(second);
        assert!(!pending.contains(&alex, None));
        assert_eq!(pending.len(), 0);
    }

    /// A logout that never ends, in a place of its own.
    fn waits(pending: &PendingLogouts, id: &str) -> tokio::task::JoinHandle<Outcome> {
        let place = pending.place().unwrap();
        let scope = LogoutScope::Person(Subject::new("https://clef.test", id));
        let users: Arc<dyn AnyUserStore> = Arc::new(HangsOnce::default());
        tokio::spawn(async move {
            place
                .write(&users, &Strangers::default(), &scope, |_| {})
                .await
        })
    }

    #[tokio::test(start_paused = true)]
    async fn places_are_bounded_and_come_back() {
        let pending = PendingLogouts::new(2);
        let logouts = [waits(&pending, "1"), waits(&pending, "2")];
        tokio::task::yield_now().await;
        assert!(pending.place().is_none());
        for logout in logouts {
            assert_eq!(logout.await.unwrap(), Outcome::LoggedOut);
        }
        assert!(pending.place().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_notice_that_is_only_checked_takes_no_place_from_another() {
        let pending = PendingLogouts::new(1);
        let forged = [pending.place(), pending.place(), pending.place()];
        assert!(forged.iter().all(Option::is_some));
        let logout = waits(&pending, "1");
        tokio::task::yield_now().await;
        assert!(pending.place().is_none(), "it is owed");
        logout.abort();
        assert!(logout.await.unwrap_err().is_cancelled());
        assert!(pending.place().is_some());
    }

    /// The store keeps no sessions, so the person is logged out instead.
    #[tokio::test(start_paused = true)]
    async fn a_session_is_refused_until_its_person_is_logged_out() {
        let pending = PendingLogouts::new(1);
        let place = pending.place().unwrap();
        let session = ProviderSession::new("https://clef.test", "abc");
        let alex = Subject::new("https://clef.test", "12345");
        let scope = LogoutScope::session(session.clone(), Some(alex.clone()));
        let users: Arc<dyn AnyUserStore> = Arc::new(HangsOnce::default());
        let logout = tokio::spawn(async move {
            place
                .write(&users, &Strangers::default(), &scope, |_| {})
                .await
        });
        tokio::task::yield_now().await;
        while !pending.contains(&alex, None) {
            tokio::task::yield_now().await;
        }
        let other = Subject::new("https://clef.test", "67890");
        assert!(pending.contains(&other, Some(&session)));
        assert!(!pending.contains(&other, None));
        assert_eq!(logout.await.unwrap(), Outcome::LoggedOut);
        assert_eq!(pending.len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_logout_that_is_written_settles_those_that_came_before() {
        let pending = PendingLogouts::new(2);
        let users: Arc<dyn AnyUserStore> = Arc::new(HangsOnce::default());
        let strangers = Strangers::default();
        let alex = LogoutScope::Person(Subject::new("https://clef.test", "12345"));
        let write = || {
            let (users, strangers, alex) = (Arc::clone(&users), strangers.clone(), alex.clone());
            let place = pending.place().unwrap();
            tokio::spawn(async move { place.write(&users, &strangers, &alex, |_| {}).await })
        };
        let begun_at = tokio::time::Instant::now();
        let hangs = write();
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        assert_eq!(write().await.unwrap(), Outcome::LoggedOut);
        assert_eq!(hangs.await.unwrap(), Outcome::LoggedOut);
        assert_eq!(pending.len(), 0);
        assert_eq!(
            begun_at.elapsed(),
            Duration::ZERO,
            "nobody waits for the other"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_that_hangs_is_given_up() {
        let users: Arc<dyn AnyUserStore> = Arc::new(HangsOnce::default());
        let place = PendingLogouts::new(3).place().unwrap();
        let alex = Subject::new("https://clef.test", "12345");
        let strangers = Strangers::default();
        let alex = LogoutScope::Person(alex);
        let written = place.write(&users, &strangers, &alex, |_| {});
        let written = tokio::time::timeout(Duration::from_secs(60), written).await;
        assert_eq!(written, Ok(Outcome::LoggedOut));
    }
}
