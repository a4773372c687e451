//! The logins that somebody listens to, found by whom a logout concerns, and when to ask.

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
use tower_sessions::session::Id;

use super::{
    checked::Checked,
    group::{Group, Question, Whose, spread},
    login::{Login, Place},
};
use crate::{ProviderSession, Subject, Timestamp, logout_scope::LogoutScope};

/// The place of a login in a session.
struct InSession {
    place: Place,
    logged_in_at: Timestamp,
}

pub(super) struct Register {
    /// Earlier than anything can be due by itself: for what comes before everybody else.
    begun: Instant,
    /// How many logouts have been heard of.
    heard: Arc<AtomicU64>,
    next: u64,
    groups: HashMap<u64, Group>,
    by_whose: HashMap<Arc<Whose>, u64>,
    by_person: HashMap<Subject, HashSet<u64>>,
    by_provider_session: HashMap<ProviderSession, HashSet<u64>>,
    by_session: HashMap<Id, Vec<InSession>>,
    /// When to ask about each group, and for some when it no longer is.
    due: BinaryHeap<Reverse<(Instant, u64)>>,
    /// Since when not a single question was answered.
    pub(super) silent_since: Option<Instant>,
    /// Whether somebody asks the questions.
    pub(super) watched: bool,
}

/// No login is dropped in here: that would come back to the register, which is locked.
impl Register {
    pub(super) fn new(heard: Arc<AtomicU64>) -> Self {
        Self {
            begun: Instant::now(),
            heard,
            next: 0,
            groups: HashMap::new(),
            by_whose: HashMap::new(),
            by_person: HashMap::new(),
            by_provider_session: HashMap::new(),
            by_session: HashMap::new(),
            due: BinaryHeap::new(),
            silent_since: None,
            watched: false,
        }
    }

    /// A logout was heard of. Before anybody is looked for whom it concerns, and after it can be
    /// seen by whoever checks a login.
    fn hear(&self) {
        self.heard.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// The entry of a login, which others may listen to already; `new` makes one.
    pub(super) fn enter(
        &mut self,
        checked: &Checked<'_>,
        interval: Duration,
        new: impl FnOnce(Place) -> Arc<Login>,
    ) -> Arc<Login> {
        // Its check was answered.
        self.silent_since = None;
        let group = self.group(checked, interval);
        if self.heard.load(Ordering::Acquire) != checked.heard {
            // Whether that was about this login, the stores say.
            self.no_later_than(group, self.begun);
        }
        let known = checked.session.and_then(|id| self.by_session.get(&id));
        let known = known.into_iter().flatten();
        let known = known.filter(|known| {
            known.place.group == group && known.logged_in_at == checked.logged_in_at
        });
        let known: Vec<_> = known.map(|known| known.place.login).collect();
        let logins = self.groups.get(&group).map(|group| &group.logins);
        let login = logins.and_then(|logins| {
            let mut known = known.iter().filter_map(|known| logins.get(known));
            known.find_map(Weak::upgrade)
        });
        if let Some(login) = login {
            return login;
        }
        let place = Place {
            group,
            login: self.number(),
        };
        let login = new(place);
        if let Some(group) = self.groups.get_mut(&group) {
            group.logins.insert(place.login, Arc::downgrade(&login));
        }
        if let Some(id) = checked.session {
            self.by_session.entry(id).or_default().push(InSession {
                place,
                logged_in_at: checked.logged_in_at,
            });
        }
        if let Some(ends_at) = checked.ends_at {
            self.no_later_than(group, ends_at);
        }
        login
    }

    /// The group of a login, made if there is none.
    fn group(&mut self, checked: &Checked<'_>, interval: Duration) -> u64 {
        let now = Instant::now();
        let whose = Whose::of(checked);
        if let Some(group) = self.by_whose.get(&whose) {
            return *group;
        }
        let group = self.number();
        let whose = Arc::new(whose);
        self.by_whose.insert(Arc::clone(&whose), group);
        let person = self.by_person.entry(whose.subject.clone()).or_default();
        person.insert(group);
        if let Some(session) = &whose.session {
            let session = self.by_provider_session.entry(session.clone());
            session.or_default().insert(group);
        }
        let due = now + spread(group, interval);
        self.groups.insert(group, Group::new(whose, now, due));
        self.put(group, due);
        group
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Takes a login out.
    pub(super) fn forget(&mut self, place: Place, session: Option<Id>) {
        if let Some(id) = session
            && let Some(known) = self.by_session.get_mut(&id)
        {
            known.retain(|known| known.place != place);
            if known.is_empty() {
                self.by_session.remove(&id);
            }
        }
        let Some(group) = self.groups.get_mut(&place.group) else {
            return;
        };
        group.logins.remove(&place.login);
        if !group.logins.is_empty() {
            return;
        }
        let Some(group) = self.groups.remove(&place.group) else {
            return;
        };
        self.by_whose.remove(&group.whose);
        remove(&mut self.by_person, &group.whose.subject, place.group);
        if let Some(session) = &group.whose.session {
            remove(&mut self.by_provider_session, session, place.group);
        }
    }

    /// A logout was heard of: notes it, and says whom it concerns.
    fn concerned(&self, scope: &LogoutScope) -> Vec<u64> {
        self.hear();
        let person = |person: &Subject| self.by_person.get(person);
        let (persons, sessions) = match scope {
            LogoutScope::Person(subject) => (person(subject), None),
            LogoutScope::Session {
                session,
                person: whose,
            } => (
                whose.as_ref().and_then(person),
                self.by_provider_session.get(session),
            ),
        };
        let groups = persons.into_iter().chain(sessions).flatten();
        groups.copied().collect()
    }

    /// All logins of a person who is logged out.
    pub(super) fn of_person(&self, subject: &Subject) -> Vec<Arc<Login>> {
        let groups = self.concerned(&LogoutScope::Person(subject.clone()));
        let groups = groups.iter().filter_map(|group| self.groups.get(group));
        groups.flat_map(Group::logins).collect()
    }

    /// The login in a session that is over.
    pub(super) fn in_session(&self, id: Id) -> Vec<Arc<Login>> {
        self.hear();
        let known = self.by_session.get(&id).into_iter().flatten();
        let logins = known.filter_map(|known| {
            let group = self.groups.get(&known.place.group)?;
            group.logins.get(&known.place.login)?.upgrade()
        });
        logins.collect()
    }

    /// All there are.
    pub(super) fn all(&self) -> Vec<Arc<Login>> {
        self.groups.values().flat_map(Group::logins).collect()
    }

    /// Asks about those whom a logout concerns, before anybody else.
    pub(super) fn hurry_concerned(&mut self, scope: &LogoutScope) {
        for group in self.concerned(scope) {
            self.no_later_than(group, self.begun);
        }
    }

    /// Asks about everybody within so long.
    pub(super) fn hurry_all(&mut self, within: Duration) {
        self.hear();
        let now = Instant::now();
        let groups: Vec<_> = self.groups.keys().copied().collect();
        for group in groups {
            self.no_later_than(group, now + spread(group, within));
        }
    }

    /// Asks no later than then, and again if a question is under way.
    fn no_later_than(&mut self, group: u64, due: Instant) {
        let asked = self.groups.get_mut(&group);
        if asked.is_some_and(|asked| asked.no_later_than(due)) {
            self.put(group, due);
        }
    }

    /// The questions that are due, so many at the most; and when the next is.
    pub(super) fn take_due(&mut self, most: usize) -> (Vec<Question>, Option<Instant>) {
        let now = Instant::now();
        let mut questions = Vec::new();
        while let Some(Reverse((due, group))) = self.due.peek().copied() {
            let asked = self.groups.get_mut(&group);
            // Another moment, and it is an old entry.
            let asked = asked.filter(|asked| asked.due() == Some(due));
            if asked.is_some() && (due > now || questions.len() >= most) {
                return (questions, Some(due));
            }
            questions.extend(asked.map(|asked| asked.ask(group, now)));
            self.due.pop();
        }
        (questions, None)
    }

    /// A question was answered, or was not: asks again so long after it was asked.
    pub(super) fn asked(&mut self, group: u64, pause: Duration) {
        if let Some(asked) = self.groups.get_mut(&group) {
            let due = asked.asked(pause);
            self.put(group, due);
        }
    }

    fn put(&mut self, group: u64, due: Instant) {
        self.due.push(Reverse((due, group)));
        if self.due.len() > 2 * self.groups.len() + 64 {
            self.tidy();
        }
    }

    /// Drops the old entries, of which there are more than of others.
    fn tidy(&mut self) {
        let groups = self.groups.iter();
        let due = groups.filter_map(|(number, group)| Some(Reverse((group.due()?, *number))));
        self.due = due.collect();
    }
}

fn remove<K: std::hash::Hash + Eq>(index: &mut HashMap<K, HashSet<u64>>, key: &K, group: u64) {
    if let Some(groups) = index.get_mut(key) {
        groups.remove(&group);
        if groups.is_empty() {
            index.remove(key);
        }
    }
}
