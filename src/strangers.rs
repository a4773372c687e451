//! Logouts of people who were not users yet.
//!
//! A person's very first login can be under way when their logout comes: the store does not
//! know them, so there is no user to write the logout to, and a moment later there is. The
//! logout is remembered here, and the login that began before it is refused.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{ProviderSession, Subject, Timestamp};

/// How many are remembered. Logins take seconds, so the last few would do.
const CAPACITY: usize = 1_000;
/// How the name of a mark begins.
const MARK: &str = "stranger ";

/// Where the logout of a stranger stands in a store that keeps sessions of providers, for the
/// other nodes: no provider has a session of that name.
pub(crate) fn mark(subject: &Subject) -> ProviderSession {
    ProviderSession::new(subject.issuer(), format!("{MARK}{}", subject.id()))
}

/// Whether this is the name of such a mark.
#[cfg(feature = "leased")]
pub(crate) fn is_mark(session: &ProviderSession) -> bool {
    session.id().starts_with(MARK)
}

/// The people lately logged out who were not users of this site, on this node.
#[derive(Clone, Default)]
pub(crate) struct Strangers(Arc<Mutex<VecDeque<(Subject, Timestamp)>>>);

impl Strangers {
    /// Remembers that this person was logged out. As in a store, the stamp only rises: the
    /// clock may have stepped back since the logout before.
    pub(crate) fn log_out(&self, subject: &Subject, now: Timestamp) {
        let mut strangers = self.strangers();
        let known = strangers.iter().position(|(known, _)| known == subject);
        let previous = known.and_then(|place| strangers.remove(place));
        let logged_out_at = now.raised_above(previous.map(|(_, previous)| previous));
        strangers.push_back((subject.clone(), logged_out_at));
        if strangers.len() > CAPACITY {
            strangers.pop_front();
        }
    }

    /// When this person was logged out, if they were not a user then.
    pub(crate) fn logged_out_at(&self, subject: &Subject) -> Option<Timestamp> {
        let strangers = self.strangers();
        let mut known = strangers.iter();
        known
            .find(|(known, _)| known == subject)
            .map(|(_, logged_out_at)| *logged_out_at)
    }

    fn strangers(&self) -> MutexGuard<'_, VecDeque<(Subject, Timestamp)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logout_only_rises() {
        let strangers = Strangers::default();
        let alex = Subject::new("https://clef.example.com", "12345");
        strangers.log_out(&alex, Timestamp::from_micros(9));
        strangers.log_out(&alex, Timestamp::from_micros(2));
        let logged_out_at = strangers.logged_out_at(&alex);
        assert_eq!(logged_out_at, Some(Timestamp::from_micros(10)));
    }

    #[test]
    fn the_last_logout_counts_and_memory_is_bounded() {
        let strangers = Strangers::default();
        let subject = |id: usize| Subject::new("https://clef.example.com", id.to_string());
        let at = |micros| Timestamp::from_micros(micros);
        strangers.log_out(&subject(0), at(1));
        strangers.log_out(&subject(0), at(2));
        assert_eq!(strangers.logged_out_at(&subject(0)), Some(at(2)));
        assert_eq!(strangers.logged_out_at(&subject(1)), None);
        for id in 1..=CAPACITY {
            strangers.log_out(&subject(id), at(3));
        }
        assert_eq!(strangers.logged_out_at(&subject(0)), None);
        assert_eq!(strangers.strangers().len(), CAPACITY);
    }
}
