//! The logins that one question to the user store is about, and when to ask it.

use std::{
    collections::HashMap,
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
    /// When to ask again at the latest: something was heard while the question was under way, or
    /// somebody began to listen, whom it is not about.
    again: Option<Instant>,
}

impl Group {
    pub(super) fn new(whose: Arc<Whose>, now: Instant, due: Instant) -> Self {
        Self {
            whose,
            logins: HashMap::new(),
            due,
            asked_at: now,
            asking: false,
            again: None,
        }
    }

    pub(super) fn logins(&self) -> impl Iterator<Item = Arc<Login>> {
        self.logins.values().filter_map(Weak::upgrade)
    }

    /// When to ask next; `None` while a question is under way.
    pub(super) fn due(&self) -> Option<Instant> {
        (!self.asking).then_some(self.due)
    }

    /// Asks no later than then. `false`: it does so already, or will see to it after the question
    /// that is under way.
    pub(super) fn no_later_than(&mut self, due: Instant) -> bool {
        if self.asking {
            self.again = self.again.into_iter().chain([due]).min();
            return false;
        }
        let earlier = due < self.due;
        if earlier {
            self.due = due;
        }
        earlier
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

    /// It has ended; the next comes a pause after it began, or sooner where that was asked for.
    pub(super) fn asked(&mut self, pause: Duration) -> Instant {
        self.asking = false;
        let due = (self.asked_at + pause).max(Instant::now());
        self.due = self.again.take().map_or(due, |again| due.min(again));
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
