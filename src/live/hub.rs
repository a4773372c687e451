//! Where logouts come in and listeners are told.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;
use tower_sessions::session::Id;

use super::{
    LoginEnd, LoginEnding,
    checked::Checked,
    group::Question,
    judge::Judge,
    login::{Login, Place},
    pages::Pages,
    register::Register,
    watch,
};
use crate::logout_scope::LogoutScope;

/// How often the stores are asked about each login, unless the application says otherwise.
const INTERVAL: Duration = Duration::from_secs(10);
/// No application asks more often than this, or more seldom.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);
const LONGEST_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);
/// After news that something was missed, everybody is asked about within this time.
const MISSED_WITHIN: Duration = Duration::from_secs(1);

/// The logins of a layer that somebody listens to.
#[derive(Clone)]
pub(crate) struct Live(Arc<Hub>);

pub(super) struct Hub {
    /// Of all clones of the layer: those that were taken before it was set up hear the logouts too.
    interval: Mutex<Duration>,
    /// That of the register, to look at without a lock on every request.
    heard: Arc<AtomicU64>,
    register: Mutex<Register>,
    /// Something is due earlier than it was, or nothing is any more.
    changed: Notify,
    pub(super) pages: Pages,
}

impl Live {
    pub(crate) fn new() -> Self {
        let heard = Arc::<AtomicU64>::default();
        Self(Arc::new(Hub {
            interval: Mutex::new(INTERVAL),
            heard: Arc::clone(&heard),
            register: Mutex::new(Register::new(heard)),
            changed: Notify::new(),
            pages: Pages::new(),
        }))
    }

    pub(crate) fn set_interval(&self, interval: Duration) {
        *self.0.interval_set() = interval;
    }

    pub(crate) fn pages(&self) -> &Pages {
        &self.0.pages
    }

    /// How many logouts have been heard of. Looked at when a request comes, so that one that comes
    /// between its check and [`listen`](Self::listen) is not missed.
    pub(crate) fn heard(&self) -> u64 {
        self.0.heard.load(Ordering::Acquire)
    }

    /// Listens for the end of a login. `judge` asks the stores about it from now on.
    pub(crate) fn listen(&self, checked: &Checked<'_>, judge: impl FnOnce() -> Judge) -> LoginEnd {
        let hub = &self.0;
        let new = |place: Place| {
            let hub = Arc::clone(hub);
            let (session, since) = (checked.session, checked.logged_in_at);
            Arc::new(Login::new(place, session, since, checked.ends_at, hub))
        };
        let (login, watched) = {
            let mut register = hub.register();
            let login = register.enter(checked, hub.interval(), new);
            (login, std::mem::replace(&mut register.watched, true))
        };
        if watched {
            hub.changed.notify_one();
        } else {
            tokio::spawn(watch::watch(watch::Watched::new(Arc::clone(hub)), judge()));
        }
        LoginEnd::new(login)
    }

    /// A person is logged out: this node serves none of their logins from before any more.
    pub(crate) fn logged_out(&self, scope: &LogoutScope) {
        match scope {
            LogoutScope::Person(subject) => {
                let logins = self.0.register().of_person(subject);
                self.0.end(&logins, LoginEnding::LoggedOut);
            }
            // Written already, so the store is asked: a login may have begun since.
            LogoutScope::Session { .. } => self.0.heard_of(scope),
        }
    }

    /// A session is over, and the login in it.
    pub(crate) fn session_over(&self, session: Id, ending: LoginEnding) {
        let logins = self.0.register().in_session(session);
        self.0.end(&logins, ending);
    }
}

impl Hub {
    pub(super) fn register(&self) -> MutexGuard<'_, Register> {
        // Nothing of others runs while it is locked.
        self.register.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn interval_set(&self) -> MutexGuard<'_, Duration> {
        self.interval.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn interval(&self) -> Duration {
        let interval = *self.interval_set();
        interval.clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL)
    }

    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// The questions that are due, so many at the most; and when the next is.
    pub(super) fn take_due(&self, most: usize) -> (Vec<Question>, Option<tokio::time::Instant>) {
        self.register().take_due(most)
    }

    /// Ends these, and forgets them: there is nothing more to ask.
    pub(super) fn end(&self, logins: &[Arc<Login>], ending: LoginEnding) {
        for login in logins {
            login.tell(ending);
            self.forget(login.place, login.session);
        }
    }

    /// News of a logout: asks at once about those whom it concerns.
    pub(super) fn heard_of(&self, scope: &LogoutScope) {
        self.register().hurry_concerned(scope);
        self.changed.notify_one();
    }

    /// News may have been missed: asks soon about everybody.
    pub(super) fn missed(&self) {
        self.register().hurry_all(MISSED_WITHIN);
        self.changed.notify_one();
    }

    /// Takes a login out: it has ended, or nobody listens any more.
    pub(super) fn forget(&self, place: Place, session: Option<Id>) {
        let empty = {
            let mut register = self.register();
            register.forget(place, session);
            register.is_empty()
        };
        if empty {
            self.changed.notify_one();
        }
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Live")
            .field("interval", &self.0.interval())
            .finish_non_exhaustive()
    }
}
