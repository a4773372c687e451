//! What is kept: answers of the store, and reads that are under way.

use std::{fmt, hash::Hash, sync::Arc, time::Duration};

use moka::{Equivalent, policy::EvictionPolicy, sync::Cache};
use tokio::{sync::OnceCell, time::Instant};

use super::dropped::Mark;
use crate::{BoxError, LoginReference, ProviderSession, Standing, Subject, Timestamp};

/// The reads that are kept, by login.
pub(super) type Kept<U> = Cache<Key, Arc<Read<U>>>;

/// After how long memory is given back, if nobody has asked again. Whether what is kept counts is
/// looked at each time, and has nothing to do with this.
const GIVEN_BACK: Duration = Duration::from_secs(60);

/// Room for so many. What was asked for longest ago goes first, and never what is new: a read is
/// shared while it is under way.
pub(super) fn room_for<U: Clone + Send + Sync + 'static>(capacity: u64) -> Kept<U> {
    Cache::builder()
        .max_capacity(capacity)
        .eviction_policy(EvictionPolicy::lru())
        .time_to_live(GIVEN_BACK)
        .build()
}

/// Whose login.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    user_id: String,
    subject: Subject,
    session: Option<ProviderSession>,
}

/// The same without a copy: a hit costs no allocation.
#[derive(Hash)]
pub(super) struct Name<'a> {
    user_id: &'a str,
    subject: &'a Subject,
    session: Option<&'a ProviderSession>,
}

impl<'a> From<LoginReference<'a>> for Name<'a> {
    fn from(login: LoginReference<'a>) -> Self {
        Self {
            user_id: login.user_id,
            subject: login.subject,
            session: login.session,
        }
    }
}

impl From<LoginReference<'_>> for Key {
    fn from(login: LoginReference<'_>) -> Self {
        Self {
            user_id: login.user_id.to_owned(),
            subject: login.subject.clone(),
            session: login.session.cloned(),
        }
    }
}

impl Equivalent<Key> for Name<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.user_id == key.user_id
            && *self.subject == key.subject
            && self.session == key.session.as_ref()
    }
}

/// One read of the store, for all who ask meanwhile and for a while after.
pub(super) struct Read<U> {
    /// Before the store was asked. The lease is counted from here.
    pub(super) asked_at: Instant,
    pub(super) mark: Mark,
    /// If whoever asks the store is not waited for any more, the next one asks it.
    pub(super) answer: OnceCell<Answer<U>>,
}

/// What the store said.
pub(super) enum Answer<U> {
    Standing {
        standing: Standing<U>,
        /// When the clock of the store showed `now`, at the latest.
        answered_at: Instant,
    },
    /// There is no such user.
    Nobody,
    Failed(SharedError),
}

impl<U: Clone> Answer<U> {
    pub(super) fn new(answer: Result<Option<Standing<U>>, BoxError>) -> Self {
        match answer {
            Ok(Some(standing)) => Self::Standing {
                standing,
                answered_at: Instant::now(),
            },
            Ok(None) => Self::Nobody,
            Err(error) => Self::Failed(SharedError(error.into())),
        }
    }

    /// Whether it may be given to those who ask later. An id of nobody may be somebody's in a
    /// moment, and a store that failed may be well again.
    pub(super) fn can_be_kept(&self) -> bool {
        matches!(self, Self::Standing { .. })
    }

    /// Whether it was read before this login began, by the clock of the store. It says nothing of
    /// that then, and where the clock was set forward since, its time would be too far behind.
    pub(super) fn is_from_before(&self, login: LoginReference<'_>) -> bool {
        let Self::Standing { standing, .. } = self else {
            return false;
        };
        let began_at = login.logged_in_at;
        began_at.is_some_and(|began_at| standing.now < began_at)
    }

    /// The answer, by the clock as it is now: what it showed then and the time since.
    pub(super) fn give(&self) -> Result<Option<Standing<U>>, BoxError> {
        match self {
            Self::Standing {
                standing,
                answered_at,
            } => {
                let mut standing = standing.clone();
                let since = answered_at.elapsed().as_micros();
                let since = i64::try_from(since).unwrap_or(i64::MAX);
                let now = standing.now.as_micros().saturating_add(since);
                standing.now = Timestamp::from_micros(now);
                Ok(Some(standing))
            }
            Self::Nobody => Ok(None),
            Self::Failed(error) => Err(error.clone().into()),
        }
    }
}

/// The error of one read, for all who waited for it.
#[derive(Clone)]
pub(super) struct SharedError(Arc<dyn std::error::Error + Send + Sync>);

impl fmt::Debug for SharedError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}

impl fmt::Display for SharedError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

impl std::error::Error for SharedError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher as _, RandomState};

    use super::*;

    #[test]
    fn a_name_finds_its_key_and_no_other() {
        let hasher = RandomState::new();
        let alex = Subject::new("https://clef.test", "12345");
        let session = ProviderSession::new("https://clef.test", "abc");
        let plain = LoginReference::new("1", &alex);
        let in_session = plain.in_session(Some(&session));
        for login in [plain, in_session] {
            let (name, key) = (Name::from(login), Key::from(login));
            assert_eq!(hasher.hash_one(&name), hasher.hash_one(&key));
            assert!(name.equivalent(&key));
        }
        assert!(!Name::from(plain).equivalent(&Key::from(in_session)));
        let other = LoginReference::new("2", &alex);
        assert!(!Name::from(other).equivalent(&Key::from(plain)));
    }
}
