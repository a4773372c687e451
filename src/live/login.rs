//! A login that somebody listens to.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::{
    sync::{Notify, futures::OwnedNotified},
    time::Instant,
};
use tower_sessions::session::Id;

use super::{LoginEnding, hub::Hub};
use crate::Timestamp;

/// One login, shared by all that listen to it. The hub knows it as long as one of them is left.
pub(super) struct Login {
    pub(super) place: Place,
    pub(super) session: Option<Id>,
    pub(super) logged_in_at: Timestamp,
    ending: OnceLock<LoginEnding>,
    told: Arc<Notify>,
    course: Mutex<Course>,
    hub: Arc<Hub>,
}

/// Where the register has a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) group: u64,
    pub(super) login: u64,
}

/// What is known of how it goes on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Course {
    /// When it ends by itself.
    pub(super) ends_at: Option<Instant>,
    /// Since when the stores have not answered about it.
    pub(super) doubted_since: Option<Instant>,
}

impl Login {
    pub(super) fn new(
        place: Place,
        session: Option<Id>,
        logged_in_at: Timestamp,
        ends_at: Option<Instant>,
        hub: Arc<Hub>,
    ) -> Self {
        Self {
            place,
            session,
            logged_in_at,
            ending: OnceLock::new(),
            told: Arc::default(),
            course: Mutex::new(Course {
                ends_at,
                doubted_since: None,
            }),
            hub,
        }
    }

    /// How it ended, if it has.
    pub(super) fn ending(&self) -> Option<LoginEnding> {
        self.ending.get().copied()
    }

    /// Tells every listener. The first word stands.
    pub(super) fn tell(&self, ending: LoginEnding) {
        if self.ending.set(ending).is_ok() {
            self.told.notify_waiters();
        }
    }

    /// Ends when somebody is told after this call.
    pub(super) fn telling(&self) -> OwnedNotified {
        Arc::clone(&self.told).notified_owned()
    }

    pub(super) fn course(&self) -> MutexGuard<'_, Course> {
        // Whole after every step.
        self.course.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Login {
    fn drop(&mut self) {
        self.hub.forget(self.place, self.session);
    }
}
