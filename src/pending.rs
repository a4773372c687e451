//! Logouts that are known and not yet written.
//!
//! The token of a logout notice may be good for one exchange only. Once it is exchanged,
//! nobody will tell us again, so from then on the logout is ours to keep: tried until it
//! holds, and this node refuses the person meanwhile.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{BoxError, Subject, Timestamp, strangers::Strangers, user::AnyUserStore};

/// How many logout notices may be under way or waiting for the store at once.
const CAPACITY: usize = 256;
/// How long one attempt to write a logout may take.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(5);
/// How long whoever asked for a logout waits for a store that fails at first. Short outages
/// pass unseen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);
/// The first pause between attempts; each is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause between attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The logouts that this node still owes.
#[derive(Clone)]
pub(crate) struct PendingLogouts(Arc<Inner>);

struct Inner {
    places: Arc<Semaphore>,
    subjects: Mutex<HashMap<Subject, usize>>,
    /// The number of entries of `subjects`, to ask without a lock on every request.
    count: AtomicUsize,
}

/// A place for one logout. Taken before the token is exchanged, so that a logout which
/// can no longer be had from the sender always has a place to wait in.
pub(crate) struct Place {
    pending: PendingLogouts,
    _permit: OwnedSemaphorePermit,
}

impl PendingLogouts {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Inner {
            places: Arc::new(Semaphore::new(CAPACITY)),
            subjects: Mutex::default(),
            count: AtomicUsize::new(0),
        }))
    }

    /// A place for one more logout, if there is one left.
    pub(crate) fn place(&self) -> Option<Place> {
        let permit = Arc::clone(&self.0.places).try_acquire_owned().ok()?;
        Some(Place {
            pending: self.clone(),
            _permit: permit,
        })
    }

    /// Whether a logout of this person is owed.
    pub(crate) fn contains(&self, subject: &Subject) -> bool {
        self.len() != 0 && self.subjects().contains_key(subject)
    }

    /// How many people's logouts are owed.
    pub(crate) fn len(&self) -> usize {
        self.0.count.load(Ordering::Acquire)
    }

    fn subjects(&self) -> std::sync::MutexGuard<'_, HashMap<Subject, usize>> {
        // A counter map is whole after every step, so a panic elsewhere spoils nothing.
        self.0
            .subjects
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Marks a logout as owed, until the mark is dropped.
    fn owe<'a>(&'a self, subject: &'a Subject) -> Owed<'a> {
        let mut subjects = self.subjects();
        *subjects.entry(subject.clone()).or_insert(0) += 1;
        self.0.count.store(subjects.len(), Ordering::Release);
        Owed {
            pending: self,
            subject,
        }
    }

    fn remove(&self, subject: &Subject) {
        let mut subjects = self.subjects();
        if let Some(owed) = subjects.get_mut(subject) {
            *owed -= 1;
            if *owed == 0 {
                subjects.remove(subject);
            }
        }
        self.0.count.store(subjects.len(), Ordering::Release);
    }
}

/// The mark of a logout that is owed.
struct Owed<'a> {
    pending: &'a PendingLogouts,
    subject: &'a Subject,
}

impl Drop for Owed<'_> {
    fn drop(&mut self) {
        self.pending.remove(self.subject);
    }
}

impl Place {
    /// Writes the logout of `subject`, however long that takes. `true`: there is such a user.
    pub(crate) async fn write(
        self,
        users: &Arc<dyn AnyUserStore>,
        strangers: &Strangers,
        subject: &Subject,
    ) -> bool {
        let _owed = self.pending.owe(subject);
        let written = until_it_holds(users, subject).await;
        if let Written::ForNobody(now) = written {
            strangers.log_out(subject, now);
        }
        written == Written::ForUser
    }
}

/// What became of a logout.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Written {
    /// It stands in the store.
    ForUser,
    /// There is no such user; when that was so.
    ForNobody(Timestamp),
}

async fn until_it_holds(users: &Arc<dyn AnyUserStore>, subject: &Subject) -> Written {
    let mut pause = FIRST_PAUSE;
    loop {
        match attempt(Arc::clone(users), subject.clone()).await {
            Ok(written) => return written,
            Err(error) => {
                tracing::error!(
                    ?subject,
                    error = ?error.to_string(),
                    pause_milliseconds = pause.as_millis(),
                    "a logout could not be written; this node refuses the person and tries again"
                );
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// One attempt, in a task of its own: a store that panics has failed, no more, and one that
/// hangs is given up.
async fn attempt(users: Arc<dyn AnyUserStore>, subject: Subject) -> Result<Written, BoxError> {
    let mut attempt = tokio::spawn(async move {
        let written = async {
            if users.log_out(&subject).await? {
                return Ok(Written::ForUser);
            }
            // After the store has looked: whoever began to log in before may be in by now.
            Ok(Written::ForNobody(users.now().await?))
        };
        // Put into words in here, so that an error that panics has failed and no more.
        written.await.map_err(|error: BoxError| error.to_string())
    });
    match tokio::time::timeout(ATTEMPT_LIMIT, &mut attempt).await {
        Ok(finished) => Ok(finished??),
        Err(elapsed) => {
            attempt.abort();
            Err(elapsed.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use async_trait::async_trait;

    use super::*;
    use crate::{Profile, UserStore, stores::Account};

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
        let pending = PendingLogouts::new();
        let alex = Subject::new("https://clef.test", "12345");
        let (first, second) = (pending.owe(&alex), pending.owe(&alex));
        drop(first);
        assert!(pending.contains(&alex));
        drop(second);
        assert!(!pending.contains(&alex));
        assert_eq!(pending.len(), 0);
    }

    #[test]
    fn places_are_bounded_and_come_back() {
        let pending = PendingLogouts::new();
        let mut places: Vec<_> = (0..CAPACITY).map(|_| pending.place().unwrap()).collect();
        assert!(pending.place().is_none());
        places.pop();
        assert!(pending.place().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_that_hangs_is_given_up() {
        let users: Arc<dyn AnyUserStore> = Arc::new(HangsOnce::default());
        let place = PendingLogouts::new().place().unwrap();
        let alex = Subject::new("https://clef.test", "12345");
        let strangers = Strangers::default();
        let written = place.write(&users, &strangers, &alex);
        let written = tokio::time::timeout(Duration::from_secs(60), written).await;
        assert_eq!(written, Ok(true));
    }
}
