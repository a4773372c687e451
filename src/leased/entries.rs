//! The entries of the cache, which are answers of the store and running reads, and their lease.

use std::{
    error::Error,
    hash::{Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use moka::{Equivalent, policy::EvictionPolicy, sync::Cache};
use tokio::{sync::OnceCell, time::Instant};

use super::generations::Generation;
use crate::{BoxError, LoginCheck, LoginId, LoginReference, ProviderKey, RevocationKey};

/// The slowest and the fastest rate of a node's clock, in percent of the true rate.
const SLOWEST: u32 = 99;
const FASTEST: u32 = 101;

/// The longest lease. A logout waits at most four seconds for it, less than the timeout of notice
/// senders.
pub(super) const LONGEST_LEASE: Duration = Duration::from_millis(3_920);

/// A lease, as one node measures it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lease {
    /// How long an entry is valid, from before the store was read.
    pub(super) length: Duration,
    /// How long after a write the last earlier entry has expired on every node, with any allowed
    /// clock rates.
    pub(super) wait: Duration,
}

impl Lease {
    pub(super) fn new(length: Duration) -> Self {
        let length = length.min(LONGEST_LEASE);
        Self {
            length,
            wait: length * FASTEST / SLOWEST,
        }
    }

    /// The lease as measured by a clock at this rate, in thousandths of the true rate.
    #[cfg(feature = "testing")]
    pub(super) fn with_clock_rate(self, thousandths: u32) -> Self {
        let thousandths = thousandths.max(1);
        Self {
            length: self.length * 1_000 / thousandths,
            wait: self.wait * 1_000 / thousandths,
        }
    }
}

/// The entries, by login.
pub(super) type Entries<U> = Cache<EntryKey, Arc<Entry<U>>>;

/// Frees the memory of unused entries. The lease of an entry is checked on each use.
const REMOVED_AFTER: Duration = Duration::from_secs(60);

/// Creates a cache that evicts the least recently used entry: never a new one, whose read is
/// running.
pub(super) fn with_capacity<U: Clone + Send + Sync + 'static>(capacity: u64) -> Entries<U> {
    Cache::builder()
        .max_capacity(capacity)
        .eviction_policy(EvictionPolicy::lru())
        .time_to_live(REMOVED_AFTER)
        .build()
}

/// The key of an entry: the login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EntryKey {
    user_id: String,
    login_id: Option<LoginId>,
    provider_key: Option<RevocationKey>,
    issuer: Option<String>,
}

/// A borrowed [`EntryKey`], so that a hit costs no allocation.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct EntryRef<'a> {
    user_id: &'a str,
    login_id: Option<LoginId>,
    provider_key: Option<ProviderKey<'a>>,
    issuer: Option<&'a str>,
}

impl EntryKey {
    fn as_ref(&self) -> EntryRef<'_> {
        EntryRef {
            user_id: &self.user_id,
            login_id: self.login_id,
            provider_key: self
                .provider_key
                .as_ref()
                .and_then(RevocationKey::provider_key),
            issuer: self.issuer.as_deref(),
        }
    }
}

impl Hash for EntryKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_ref().hash(state);
    }
}

impl Equivalent<EntryKey> for EntryRef<'_> {
    fn equivalent(&self, key: &EntryKey) -> bool {
        *self == key.as_ref()
    }
}

impl<'a> From<LoginReference<'a>> for EntryRef<'a> {
    fn from(login: LoginReference<'a>) -> Self {
        Self {
            user_id: login.user_id,
            login_id: login.id,
            provider_key: login.provider_key,
            issuer: login.issuer,
        }
    }
}

impl From<LoginReference<'_>> for EntryKey {
    fn from(login: LoginReference<'_>) -> Self {
        Self {
            user_id: login.user_id.to_owned(),
            login_id: login.id,
            provider_key: login.provider_key.map(RevocationKey::from),
            issuer: login.issuer.map(str::to_owned),
        }
    }
}

/// One read of the store, shared by the requests during it and for a lease.
pub(super) struct Entry<U> {
    /// Before the store was read. The lease starts here.
    pub(super) started_at: Instant,
    pub(super) generation: Generation,
    /// If the request that reads the store is dropped, the next one reads.
    pub(super) answer: OnceCell<Answer<U>>,
}

/// The answer of the store.
pub(super) enum Answer<U> {
    User {
        check: LoginCheck<U>,
        /// When the answer arrived, which is after `check.now`.
        answered_at: Instant,
    },
    UnknownUser,
    /// The error, for all requests that waited for this read.
    Failed(Arc<dyn Error + Send + Sync>),
}

impl<U: Clone> Answer<U> {
    pub(super) fn new(answer: Result<Option<LoginCheck<U>>, BoxError>) -> Self {
        match answer {
            Ok(Some(check)) => Self::User {
                check,
                answered_at: Instant::now(),
            },
            Ok(None) => Self::UnknownUser,
            Err(error) => Self::Failed(error.into()),
        }
    }

    /// Whether later requests may use it. An unknown user may be created at any time, and a failed
    /// store may recover.
    pub(super) fn is_cacheable(&self) -> bool {
        matches!(self, Self::User { .. })
    }

    /// Whether it was read before this login began, by the clock of the store. Then it does not
    /// cover the login, and its time may be too far behind if the clock was set forward.
    pub(super) fn is_older_than(&self, login: LoginReference<'_>) -> bool {
        let Self::User { check, .. } = self else {
            return false;
        };
        let began_at = login.logged_in_at;
        began_at.is_some_and(|began_at| check.now < began_at)
    }

    /// The answer for a request, with the time of the store advanced by the elapsed time.
    pub(super) fn to_result(&self) -> Result<Option<LoginCheck<U>>, BoxError> {
        match self {
            Self::User { check, answered_at } => {
                let mut check = check.clone();
                check.now = check.now.after(answered_at.elapsed());
                Ok(Some(check))
            }
            Self::UnknownUser => Ok(None),
            Self::Failed(error) => Err(Box::new(Arc::clone(error))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher as _, RandomState};

    use super::*;

    #[test]
    fn a_reference_finds_its_key_and_no_other() {
        let hasher = RandomState::new();
        let plain = LoginReference::new("1");
        let (issuer, id) = ("https://clef.test", "abc");
        let logins = [
            plain,
            LoginReference::new("2"),
            plain.with_id(LoginId::random()),
            plain.with_id(LoginId::random()),
            plain.with_provider_key(Some(ProviderKey::Session { issuer, id })),
            plain.with_provider_key(Some(ProviderKey::Subject { issuer, id })),
            plain.with_issuer(Some(issuer)),
            plain.with_issuer(Some(id)),
        ];
        for (index, login) in logins.into_iter().enumerate() {
            let key = EntryKey::from(login);
            for (other_index, other) in logins.into_iter().enumerate() {
                let reference = EntryRef::from(other);
                assert_eq!(reference.equivalent(&key), index == other_index);
            }
            let reference = EntryRef::from(login);
            assert_eq!(hasher.hash_one(reference), hasher.hash_one(&key));
        }
    }

    #[test]
    fn the_longest_wait_is_four_seconds() {
        let lease = Lease::new(Duration::from_secs(60));
        assert_eq!(lease.length, LONGEST_LEASE);
        assert!(lease.wait <= Duration::from_secs(4), "{:?}", lease.wait);
    }

    #[test]
    fn the_wait_outlasts_the_lease_by_clocks_one_in_a_hundred_off() {
        for millis in [1, 100, 999, 3_000, 3_920] {
            let lease = Lease::new(Duration::from_millis(millis));
            let (cached_for, waited_for) = (lease.length * 100 / 99, lease.wait * 100 / 101);
            // Divisions round down by up to a nanosecond.
            assert!(
                waited_for + Duration::from_nanos(2) >= cached_for,
                "{millis}"
            );
        }
    }
}
