//! What has been dropped: numbers that rise, and an answer counts while none that it depends on
//! has risen since before it was asked for.
//!
//! So a logout is one addition, whatever is kept, and it ends the reads that are under way as
//! well as those that are done. People share a number here and there, which costs a read.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::atomic::{AtomicU64, Ordering::SeqCst},
};

use crate::{LoginReference, ProviderSession, Subject, logout_scope::LogoutScope};

/// How many numbers there are, of eight bytes.
const NUMBERS: usize = 1 << 14;

pub(super) struct Dropped {
    everything: AtomicU64,
    numbers: Box<[AtomicU64]>,
    /// With a key of its own, so that nobody can choose whom they share a number with.
    hasher: RandomState,
}

/// The numbers that an answer depends on, as they were.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    everything: u64,
    person: (usize, u64),
    session: Option<(usize, u64)>,
}

impl Dropped {
    pub(super) fn new() -> Self {
        Self {
            everything: AtomicU64::new(0),
            numbers: (0..NUMBERS).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::new(),
        }
    }

    /// To take before the store is asked for this login.
    pub(super) fn mark(&self, login: LoginReference<'_>) -> Mark {
        let look = |place: usize| (place, self.numbers[place].load(SeqCst));
        Mark {
            everything: self.everything.load(SeqCst),
            person: look(self.place_of_person(login.subject)),
            session: login.session.map(|session| look(self.place_of(session))),
        }
    }

    /// Whether nothing was dropped since that the mark depends on.
    pub(super) fn stands(&self, mark: &Mark) -> bool {
        let as_it_was = |(place, number): (usize, u64)| self.numbers[place].load(SeqCst) == number;
        self.everything.load(SeqCst) == mark.everything
            && as_it_was(mark.person)
            && mark.session.is_none_or(as_it_was)
    }

    /// Drops what these logins depend on.
    pub(super) fn logins(&self, scope: &LogoutScope) {
        match scope {
            LogoutScope::Person(person) => self.person(person),
            LogoutScope::Session { session, .. } => self.raise(self.place_of(session)),
        }
    }

    pub(super) fn person(&self, person: &Subject) {
        self.raise(self.place_of_person(person));
    }

    pub(super) fn everything(&self) {
        self.everything.fetch_add(1, SeqCst);
    }

    fn raise(&self, place: usize) {
        self.numbers[place].fetch_add(1, SeqCst);
    }

    fn place_of_person(&self, person: &Subject) -> usize {
        self.place(self.hasher.hash_one(person))
    }

    fn place_of(&self, session: &ProviderSession) -> usize {
        self.place(self.hasher.hash_one(session))
    }

    fn place(&self, hash: u64) -> usize {
        // The remainder is less than the number of them, whatever a usize is.
        (hash % NUMBERS as u64) as usize
    }
}
