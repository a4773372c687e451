//! The registered logins: found by the logouts that affect them, ordered by when they are checked.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, HashSet},
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::{
    group::{Group, GroupCheck, GroupKey, spread},
    login::{CheckedLogin, LiveLogin},
};
use crate::{LoginId, RevocationKey, users::LogoutKey};

/// The logins of a layer that have listeners.
pub(super) struct Registry {
    /// Earlier than any due time, for checks that go first.
    created_at: Instant,
    logouts_received: Arc<AtomicU64>,
    last_number: u64,
    groups: HashMap<u64, Group>,
    by_key: HashMap<Arc<GroupKey>, u64>,
    /// The groups that a logout under a key affects.
    by_logout: HashMap<LogoutKey, HashSet<u64>>,
    by_login: HashMap<LoginId, u64>,
    /// When each group is due. Rescheduled groups also have stale entries.
    due: BinaryHeap<Reverse<(Instant, u64)>>,
    /// Since when the stores have answered no check at all.
    pub(super) unavailable_since: Option<Instant>,
    /// Whether a task runs the checks.
    pub(super) is_watched: bool,
}

/// No method drops a `LiveLogin`: its `Drop` locks the registry again.
impl Registry {
    pub(super) fn new(logouts_received: Arc<AtomicU64>) -> Self {
        Self {
            created_at: Instant::now(),
            logouts_received,
            last_number: 0,
            groups: HashMap::new(),
            by_key: HashMap::new(),
            by_logout: HashMap::new(),
            by_login: HashMap::new(),
            due: BinaryHeap::new(),
            unavailable_since: None,
            is_watched: false,
        }
    }

    /// Counts a logout: after the check of a request can see it, and before its logins are
    /// searched.
    fn count_logout(&self) {
        self.logouts_received.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// The entry of a login, created by `new` for the first listener. Also returns the entry that it
    /// replaces or is replaced by, if the login was kept since one of them began to listen.
    pub(super) fn register(
        &mut self,
        checked: &CheckedLogin<'_>,
        interval: Duration,
        new: impl FnOnce(u64) -> Arc<LiveLogin>,
    ) -> (Arc<LiveLogin>, Option<Arc<LiveLogin>>) {
        // The stores have just answered the check of the request.
        self.unavailable_since = None;
        let group = self.group(checked, interval);
        if self.logouts_received.load(Ordering::Acquire) != checked.logouts_received {
            // A logout since the check may affect this login.
            self.check_by(group, self.created_at);
        }
        let entry = self.groups.get_mut(&group);
        let known = entry.and_then(|entry| entry.logins.get(&checked.id));
        let known = known.and_then(Weak::upgrade);
        let stamp = checked.times.latest();
        let outdated = match known {
            Some(login) if login.times.latest() == stamp => return (login, None),
            Some(login) if login.times.latest() > stamp => {
                let outdated = new(group);
                // Moved out, since nothing is dropped here.
                return (outdated, Some(login));
            }
            outdated => outdated,
        };
        let login = new(group);
        if let Some(entry) = self.groups.get_mut(&group) {
            entry.logins.insert(checked.id, Arc::downgrade(&login));
        }
        self.by_login.insert(checked.id, group);
        if let Some(expires_at) = checked.expires_at {
            self.check_by(group, expires_at);
        }
        (login, outdated)
    }

    /// The number of the login's group, which is created if it is new.
    fn group(&mut self, checked: &CheckedLogin<'_>, interval: Duration) -> u64 {
        let now = Instant::now();
        let key = GroupKey::of(checked);
        if let Some(group) = self.by_key.get(&key) {
            return *group;
        }
        self.last_number += 1;
        let group = self.last_number;
        let key = Arc::new(key);
        self.by_key.insert(Arc::clone(&key), group);
        for logout in key.logouts() {
            self.by_logout.entry(logout).or_default().insert(group);
        }
        let due = now + spread(group, interval);
        self.groups.insert(group, Group::new(key, now, due));
        self.push_due(group, due);
        group
    }

    /// Removes a login, unless another entry has replaced it.
    pub(super) fn unregister(&mut self, login: &LiveLogin) {
        let Some(group) = self.groups.get_mut(&login.group) else {
            return;
        };
        let is_this = |entry: &Weak<LiveLogin>| std::ptr::eq(entry.as_ptr(), login);
        if group.logins.get(&login.id).is_some_and(is_this) {
            group.logins.remove(&login.id);
            self.by_login.remove(&login.id);
        }
        if !group.logins.is_empty() {
            return;
        }
        let Some(group) = self.groups.remove(&login.group) else {
            return;
        };
        self.by_key.remove(&group.key);
        for logout in group.key.logouts() {
            if let Some(groups) = self.by_logout.get_mut(&logout) {
                groups.remove(&login.group);
                if groups.is_empty() {
                    self.by_logout.remove(&logout);
                }
            }
        }
    }

    /// The groups that a logout affects.
    fn affected(&self, key: &LogoutKey) -> Vec<u64> {
        self.count_logout();
        match key {
            LogoutKey::Revocation(RevocationKey::Login(id)) => {
                self.by_login.get(id).copied().into_iter().collect()
            }
            LogoutKey::Revocation(RevocationKey::Everyone) => self.groups.keys().copied().collect(),
            LogoutKey::Revocation(RevocationKey::Issuer(issuer)) => {
                let groups = self.groups.iter();
                let of_issuer = groups.filter(|(_, group)| group.key.is_of(issuer));
                of_issuer.map(|(number, _)| *number).collect()
            }
            key => {
                let groups = self.by_logout.get(key).into_iter().flatten();
                groups.copied().collect()
            }
        }
    }

    /// The logins that a logout ends.
    pub(super) fn ended_by(&self, key: &LogoutKey) -> Vec<Arc<LiveLogin>> {
        let groups = self.affected(key);
        let groups = groups.iter().filter_map(|group| self.groups.get(group));
        groups.flat_map(Group::logins).collect()
    }

    /// The login with this id, which has ended.
    pub(super) fn ended_with_id(&self, id: LoginId) -> Option<Arc<LiveLogin>> {
        self.count_logout();
        let group = self.groups.get(self.by_login.get(&id)?)?;
        group.logins.get(&id)?.upgrade()
    }

    pub(super) fn all(&self) -> Vec<Arc<LiveLogin>> {
        self.groups.values().flat_map(Group::logins).collect()
    }

    /// Schedules the logins that a logout affects before all others.
    pub(super) fn check_affected(&mut self, key: &LogoutKey) {
        for group in self.affected(key) {
            self.check_by(group, self.created_at);
        }
    }

    /// Schedules all logins, spread over the time `within`.
    pub(super) fn check_all_within(&mut self, within: Duration) {
        self.count_logout();
        let now = Instant::now();
        let groups: Vec<_> = self.groups.keys().copied().collect();
        for group in groups {
            self.check_by(group, now + spread(group, within));
        }
    }

    fn check_by(&mut self, group: u64, due: Instant) {
        let scheduled = self.groups.get_mut(&group);
        if scheduled.is_some_and(|group| group.check_by(due)) {
            self.push_due(group, due);
        }
    }

    /// Starts at most `most` checks that are due. Also returns when the next one is.
    pub(super) fn take_due(&mut self, most: usize) -> (Vec<GroupCheck>, Option<Instant>) {
        let now = Instant::now();
        let mut checks = Vec::new();
        while let Some(Reverse((due, number))) = self.due.peek().copied() {
            let group = self.groups.get_mut(&number);
            // A group that is due at another time was rescheduled: the entry is stale.
            let group = group.filter(|group| group.due() == Some(due));
            if group.is_some() && (due > now || checks.len() >= most) {
                return (checks, Some(due));
            }
            checks.extend(group.map(|group| group.start_check(number, now)));
            self.due.pop();
        }
        (checks, None)
    }

    /// Ends a check and schedules the next one, a pause after it started.
    pub(super) fn finish_check(&mut self, number: u64, pause: Duration) {
        if let Some(group) = self.groups.get_mut(&number) {
            let due = group.finish_check(pause);
            self.push_due(number, due);
        }
    }

    fn push_due(&mut self, group: u64, due: Instant) {
        self.due.push(Reverse((due, group)));
        if self.due.len() > 2 * self.groups.len() + 64 {
            self.remove_stale();
        }
    }

    fn remove_stale(&mut self) {
        let groups = self.groups.iter();
        let due = groups.filter_map(|(number, group)| Some(Reverse((group.due()?, *number))));
        self.due = due.collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Timestamp, timestamp::LoginTimes};

    fn checked(user_id: &str) -> CheckedLogin<'_> {
        CheckedLogin {
            user_id,
            id: LoginId::random(),
            subject: None,
            provider_key: None,
            times: LoginTimes {
                logged_in_at: Timestamp::now(),
                kept_at: None,
                ends_at: None,
            },
            session: None,
            expires_at: None,
            logouts_received: 0,
        }
    }

    #[test]
    fn stale_entries_are_removed_once_they_are_too_many() {
        let mut registry = Registry::new(Arc::default());
        // So long that each group is moved forward below.
        let interval = Duration::from_secs(60 * 60);
        let users = (0..200).map(|user| user.to_string());
        let groups: Vec<_> = users
            .map(|user| registry.group(&checked(&user), interval))
            .collect();
        let first = registry.created_at;
        for group in &groups {
            registry.check_by(*group, first + Duration::from_millis(1));
        }
        assert_eq!(registry.due.len(), 400);
        for group in &groups[..64] {
            registry.check_by(*group, first);
        }
        assert_eq!(registry.due.len(), 2 * 200 + 64);
        registry.check_by(groups[64], first);
        assert_eq!(registry.due.len(), 200, "one entry for each group");
    }
}
