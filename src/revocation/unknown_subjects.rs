//! Logouts of subjects that were no users yet.
//!
//! A first login can be under way when its logout arrives: there is no user to write the logout
//! to, and a moment later there is one. The logout is remembered here, and refuses the login that
//! began before it. Other nodes find it in the user store, as
//! [`RevocationKey::UnknownSubject`](crate::RevocationKey).

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{Subject, Timestamp};

/// How many are remembered. Logins take seconds, so a short history is enough.
const CAPACITY: usize = 1_000;

/// The subjects lately logged out that were no users of this site, on this node.
#[derive(Clone, Default)]
pub(crate) struct UnknownSubjects(Arc<Mutex<VecDeque<(Subject, Timestamp)>>>);

impl UnknownSubjects {
    /// Remembers that this subject was logged out. As in a store, the stamp only rises: the
    /// clock may have stepped back since the logout before.
    pub(crate) fn log_out(&self, subject: &Subject, now: Timestamp) {
        let mut subjects = self.subjects();
        let known = subjects.iter().position(|(known, _)| known == subject);
        let previous = known.and_then(|place| subjects.remove(place));
        let logged_out_at = now.raised_above(previous.map(|(_, previous)| previous));
        subjects.push_back((subject.clone(), logged_out_at));
        if subjects.len() > CAPACITY {
            subjects.pop_front();
        }
    }

    /// When this subject was logged out, if it was no user then.
    pub(crate) fn logged_out_at(&self, subject: &Subject) -> Option<Timestamp> {
        let subjects = self.subjects();
        let mut known = subjects.iter();
        known
            .find(|(known, _)| known == subject)
            .map(|(_, logged_out_at)| *logged_out_at)
    }

    fn subjects(&self) -> MutexGuard<'_, VecDeque<(Subject, Timestamp)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logout_only_rises() {
        let subjects = UnknownSubjects::default();
        let alex = Subject::new("https://clef.io", "12345");
        subjects.log_out(&alex, Timestamp::from_micros(9));
        subjects.log_out(&alex, Timestamp::from_micros(2));
        let logged_out_at = subjects.logged_out_at(&alex);
        assert_eq!(logged_out_at, Some(Timestamp::from_micros(10)));
    }

    #[test]
    fn the_last_logout_counts_and_memory_is_bounded() {
        let subjects = UnknownSubjects::default();
        let subject = |id: usize| Subject::new("https://clef.io", id.to_string());
        let at = |micros| Timestamp::from_micros(micros);
        subjects.log_out(&subject(0), at(1));
        subjects.log_out(&subject(0), at(2));
        assert_eq!(subjects.logged_out_at(&subject(0)), Some(at(2)));
        assert_eq!(subjects.logged_out_at(&subject(1)), None);
        for id in 1..=CAPACITY {
            subjects.log_out(&subject(id), at(3));
        }
        assert_eq!(subjects.logged_out_at(&subject(0)), None);
        assert_eq!(subjects.subjects().len(), CAPACITY);
    }
}
