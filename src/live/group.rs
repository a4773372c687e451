//! The logins that one question to the user store is about, and when to ask it.

use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::time::Instant;

use super::{checked::Checked, login::Login};
use crate::{LoginReference, ProviderSession, Subject};

/// Whose logins one question is about: those of a user by one session of a provider, or by none.
#[derive(PartialEq, Eq, Hash)]
pub(super) struct Whose {
    user_id: String,
    pub(super) subject: Subject,
    pub(super) session: Option<ProviderSession>,
}

impl Whose {
    pub(super) fn of(checked: &Checked<'_>) -> Self {
        Self {
            user_id: checked.user_id.to_owned(),
            subject: checked.subject.clone(),
            session: checked.provider_session.cloned(),
        }
    }

    pub(super) fn reference(&self) -> LoginReference<'_> {
        LoginReference::new(&self.user_id, &self.subject).in_session(self.session.as_ref())
    }
}

/// A question that is due.
pub(super) struct Question {
    pub(super) group: u64,
    pub(super) whose: Arc<Whose>,
    pub(super) logins: Vec<Arc<Login>>,
}

/// The logins that are asked about together.
pub(super) struct Group {
    pub(super) whose: Arc<Whose>,
    /// Weak: who holds a login are its listeners.
    pub(super) logins: HashMap<u64, Weak<Login>>,
    /// When to ask next, unless a question is under way.
    due: Instant,
    asked_at: Instant,
    asking: bool,
    /// Something was heard while the question was under way.
    again: bool,
}

impl Group {
    pub(super) fn new(whose: Arc<Whose>, now: Instant, due: Instant) -> Self {
        Self {
            whose,
            logins: HashMap::new(),
            due,
            asked_at: now,
            asking: false,
            again: false,
        }
    }

    pub(super) fn logins(&self) -> impl Iterator<Item = Arc<Login>> {
        self.logins.values().filter_map(Weak::upgrade)
    }

    /// When to ask next; `None` while a question is under way.
    pub(super) fn due(&self) -> Option<Instant> {
        (!self.asking).then_some(self.due)
    }

    /// Asks no later than then. `false`: it does so already.
    pub(super) fn no_later_than(&mut self, due: Instant) -> bool {
        let earlier = !self.asking && due < self.due;
        if earlier {
            self.due = due;
        }
        earlier
    }

    /// Something was heard: whatever a question under way finds out, another is to follow.
    pub(super) fn hear(&mut self) {
        self.again = self.asking;
    }

    /// A question begins.
    pub(super) fn ask(&mut self, number: u64, now: Instant) -> Question {
        self.asking = true;
        self.asked_at = now;
        Question {
            group: number,
            whose: Arc::clone(&self.whose),
            logins: self.logins().collect(),
        }
    }

    /// It has ended; the next comes a pause after it began, or at `once` if something was heard.
    pub(super) fn asked(&mut self, pause: Duration, once: Instant) -> Instant {
        self.asking = false;
        self.due = match mem::take(&mut self.again) {
            true => once,
            false => (self.asked_at + pause).max(Instant::now()),
        };
        self.due
    }
}

/// A moment within the `interval` for each number, evenly spread whichever of them come together:
/// the multiples of the golden ratio, without their whole part.
pub(super) fn spread(number: u64, interval: Duration) -> Duration {
    const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
    let part = number.wrapping_mul(GOLDEN) >> 32;
    interval.mul_f64(part as f64 / f64::from(u32::MAX))
}
