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
        let read = |index: usize| (index, self.counters[index].load(SeqCst));
        Generation {
            all: self.all.load(SeqCst),
            user: read(self.of_user(login.user_id)),
            login: login.id.map(|id| read(self.of_login(id))),
            provider: login.provider_key.map(|key| read(self.of_provider(key))),
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
    /// The logins of a provider are not found by it, so all are invalidated.
    pub(super) fn invalidate(&self, key: &LogoutKey) {
        let index = match key {
            LogoutKey::User(id) => Some(self.of_user(id)),
            LogoutKey::Revocation(RevocationKey::Login(id)) => Some(self.of_login(*id)),
            LogoutKey::Revocation(RevocationKey::Issuer(_) | RevocationKey::Everyone) => {
                return self.invalidate_all();
            }
            LogoutKey::Revocation(key) => key.provider_key().map(|key| self.of_provider(key)),
            LogoutKey::Subject(_) => None,
        };
        if let Some(index) = index {
            self.counters[index].fetch_add(1, SeqCst);
        }
    }

    pub(super) fn invalidate_all(&self) {
        self.all.fetch_add(1, SeqCst);
    }

    fn of_user(&self, id: &str) -> usize {
        self.index(("user", id))
    }

    fn of_login(&self, id: LoginId) -> usize {
        self.index(("login", id))
    }

    fn of_provider(&self, key: ProviderKey<'_>) -> usize {
        self.index(("provider", key))
    }

    fn index(&self, key: impl Hash) -> usize {
        // The remainder fits any `usize`.
        (self.hasher.hash_one(key) % COUNTERS as u64) as usize
    }
}
