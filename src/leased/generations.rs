//! Invalidation by counters: an entry is valid while its counters have not changed since before the
//! read.
//!
//! So a logout is one addition for any number of entries, and also invalidates running reads.
//! Logins that share a counter by chance cost a read.

use std::{
    hash::{BuildHasher as _, Hash, RandomState},
    sync::atomic::{AtomicU64, Ordering::SeqCst},
};

use crate::{LoginId, LoginReference, ProviderKey, RevocationKey, users::LogoutKey};

/// The number of counters, of eight bytes each.
const COUNTERS: usize = 1 << 14;

/// The counters of one node.
pub(super) struct Generations {
    all: AtomicU64,
    counters: Box<[AtomicU64]>,
    /// Keyed at random, so that no client can choose which logins share a counter.
    hasher: RandomState,
}

/// The counters of an entry before its read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Generation {
    all: u64,
    user: (usize, u64),
    login: Option<(usize, u64)>,
    provider: Option<(usize, u64)>,
}

/// The key of a counter.
#[derive(Hash)]
enum CounterKey<'a> {
    User(&'a str),
    Login(LoginId),
    Provider(ProviderKey<'a>),
}

impl Generations {
    pub(super) fn new() -> Self {
        Self {
            all: AtomicU64::new(0),
            counters: (0..COUNTERS).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::new(),
        }
    }

    /// The current generation of a login, to be taken before the store is read.
    pub(super) fn of(&self, login: LoginReference<'_>) -> Generation {
        let read = |key| {
            let index = self.index(&key);
            (index, self.counters[index].load(SeqCst))
        };
        Generation {
            all: self.all.load(SeqCst),
            user: read(CounterKey::User(login.user_id)),
            login: login.id.map(|id| read(CounterKey::Login(id))),
            provider: login
                .provider_key
                .map(|key| read(CounterKey::Provider(key))),
        }
    }

    /// Whether nothing has been invalidated since.
    pub(super) fn is_current(&self, generation: &Generation) -> bool {
        let unchanged = |(index, count): (usize, u64)| self.counters[index].load(SeqCst) == count;
        self.all.load(SeqCst) == generation.all
            && unchanged(generation.user)
            && generation.login.is_none_or(unchanged)
            && generation.provider.is_none_or(unchanged)
    }

    /// Invalidates the entries under this key. A subject has none, since entries are found by user.
    pub(super) fn invalidate(&self, key: &LogoutKey) {
        match key {
            LogoutKey::User(id) => self.increment(&CounterKey::User(id)),
            LogoutKey::Revocation(RevocationKey::Login(id)) => {
                self.increment(&CounterKey::Login(*id))
            }
            LogoutKey::Revocation(key) => {
                if let Some(key) = key.provider_key() {
                    self.increment(&CounterKey::Provider(key));
                }
            }
            LogoutKey::Subject(_) => {}
        }
    }

    pub(super) fn invalidate_all(&self) {
        self.all.fetch_add(1, SeqCst);
    }

    fn increment(&self, key: &CounterKey<'_>) {
        self.counters[self.index(key)].fetch_add(1, SeqCst);
    }

    fn index(&self, key: &CounterKey<'_>) -> usize {
        // The remainder fits any `usize`.
        (self.hasher.hash_one(key) % COUNTERS as u64) as usize
    }
}
