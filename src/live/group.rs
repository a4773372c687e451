//! The logins that one query to the user store covers, and when it is due.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::time::Instant;

use super::login::{CheckedLogin, LiveLogin};
use crate::{LoginId, LoginReference, RevocationKey, Subject, users::LogoutKey};

/// What the logins of a group have in common: the user, and the provider key if there is one.
#[derive(PartialEq, Eq, Hash)]
pub(super) struct GroupKey {
    pub(super) user_id: String,
    pub(super) subject: Option<Subject>,
    pub(super) provider_key: Option<RevocationKey>,
}

impl GroupKey {
    pub(super) fn of(checked: &CheckedLogin<'_>) -> Self {
        Self {
            user_id: checked.user_id.to_owned(),
            subject: checked.subject.clone(),
            provider_key: checked.provider_key.map(RevocationKey::from),
        }
    }

    /// The keys of the logouts that affect these logins.
    pub(super) fn logouts(&self) -> impl Iterator<Item = LogoutKey> {
        let keys = [
            Some(LogoutKey::User(self.user_id.clone())),
            self.subject.clone().map(LogoutKey::Subject),
            self.provider_key.clone().map(LogoutKey::Revocation),
        ];
        keys.into_iter().flatten()
    }

    /// Whether this provider vouched for the logins.
    pub(super) fn is_of(&self, issuer: &str) -> bool {
        let subject = self.subject.as_ref();
        subject.is_some_and(|subject| subject.issuer() == issuer)
    }

    pub(super) fn reference(&self) -> LoginReference<'_> {
        let key = self.provider_key.as_ref();
        let key = key.and_then(RevocationKey::provider_key);
        let issuer = self.subject.as_ref().map(Subject::issuer);
        LoginReference::new(&self.user_id)
            .with_provider_key(key)
            .with_issuer(issuer)
    }
}

/// A check of a group that is due.
pub(super) struct GroupCheck {
    pub(super) group: u64,
    pub(super) key: Arc<GroupKey>,
    pub(super) logins: Vec<Arc<LiveLogin>>,
}

/// The logins that are checked together.
pub(super) struct Group {
    pub(super) key: Arc<GroupKey>,
    /// Weak: the listeners own their login.
    pub(super) logins: HashMap<LoginId, Weak<LiveLogin>>,
    /// When the next check is due, unless one is running.
    due: Instant,
    started_at: Instant,
    is_checking: bool,
    /// When to check again at the latest, if that was requested during the running check.
    recheck_at: Option<Instant>,
}

impl Group {
    pub(super) fn new(key: Arc<GroupKey>, now: Instant, due: Instant) -> Self {
        Self {
            key,
            logins: HashMap::new(),
            due,
            started_at: now,
            is_checking: false,
            recheck_at: None,
        }
    }

    pub(super) fn logins(&self) -> impl Iterator<Item = Arc<LiveLogin>> {
        self.logins.values().filter_map(Weak::upgrade)
    }

    /// When the next check is due; `None` while one is running.
    pub(super) fn due(&self) -> Option<Instant> {
        (!self.is_checking).then_some(self.due)
    }

    /// Schedules a check by `due`. Returns whether this moved the next check forward: during a
    /// check, the next one is scheduled when it finishes.
    pub(super) fn check_by(&mut self, due: Instant) -> bool {
        if self.is_checking {
            self.recheck_at = self.recheck_at.into_iter().chain([due]).min();
            return false;
        }
        let is_earlier = due < self.due;
        if is_earlier {
            self.due = due;
        }
        is_earlier
    }

    pub(super) fn start_check(&mut self, number: u64, now: Instant) -> GroupCheck {
        self.is_checking = true;
        self.started_at = now;
        GroupCheck {
            group: number,
            key: Arc::clone(&self.key),
            logins: self.logins().collect(),
        }
    }

    /// Schedules the next check: a pause after this one started, or sooner if requested since.
    pub(super) fn finish_check(&mut self, pause: Duration) -> Instant {
        self.is_checking = false;
        let due = (self.started_at + pause).max(Instant::now());
        self.due = self.recheck_at.take().map_or(due, |again| due.min(again));
        self.due
    }
}

/// An offset within `interval` for each number. Consecutive numbers are spread evenly (Fibonacci
/// hashing: the fractional parts of multiples of the golden ratio).
pub(super) fn spread(number: u64, interval: Duration) -> Duration {
    const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
    let part = number.wrapping_mul(GOLDEN) >> 32;
    interval.mul_f64(part as f64 / f64::from(u32::MAX))
}
