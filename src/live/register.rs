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
    login::{Login, Place},
};
use crate::{LoginReference, ProviderSession, Subject, Timestamp, logout_scope::LogoutScope};

/// Whose logins one question is about: those of a user by one session of a provider, or by none.
#[derive(PartialEq, Eq, Hash)]
pub(super) struct Whose {
    user_id: String,
    pub(super) subject: Subject,
    pub(super) session: Option<ProviderSession>,
}

impl Whose {
    fn of(checked: &Checked<'_>) -> Self {
        Self {
            user_id: checked.user_id.to_owned(),
            subject: checked.subject.clone(),
            session: checked.provider_session.cloned(),
        }
    }

    pub(super) fn reference(&self) -> LoginReference<'_> {
        LoginReference::new(&self.user_id, &self.subject).in_session(self.session.as_ref())
    }
}

/// A question that is due.
pub(super) struct Question {
    pub(super) group: u64,
    pub(super) whose: Arc<Whose>,
    pub(super) logins: Vec<Arc<Login>>,
}

/// The logins that are asked about together.
struct Group {
    whose: Arc<Whose>,
    /// Weak: who holds a login are its listeners.
    logins: HashMap<u64, Weak<Login>>,
    /// When to ask next. The entry of `due` with another moment is an old one.
    due: Instant,
    asked_at: Instant,
    asking: bool,
    /// Something was heard while the question was under way.
    again: bool,
}

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
            self.hurry(group, self.begun);
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
        let new = Group {
            whose,
            logins: HashMap::new(),
            due,
            asked_at: now,
            asking: false,
            again: false,
        };
        self.groups.insert(group, new);
        self.due.push(Reverse((due, group)));
        self.tidy();
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
            self.hurry(group, self.begun);
        }
    }

    /// Asks about everybody within so long.
    pub(super) fn hurry_all(&mut self, within: Duration) {
        self.hear();
        let now = Instant::now();
        let groups: Vec<_> = self.groups.keys().copied().collect();
        for group in groups {
            self.hurry(group, now + spread(group, within));
        }
    }

    /// Asks again from `due` on, even if a question is under way.
    fn hurry(&mut self, group: u64, due: Instant) {
        if let Some(asked) = self.groups.get_mut(&group)
            && asked.asking
        {
            asked.again = true;
        }
        self.no_later_than(group, due);
    }

    fn no_later_than(&mut self, group: u64, due: Instant) {
        if let Some(asked) = self.groups.get_mut(&group)
            && !asked.asking
            && due < asked.due
        {
            asked.due = due;
            self.due.push(Reverse((due, group)));
            self.tidy();
        }
    }

    /// The questions that are due, so many at the most; and when the next is.
    pub(super) fn take_due(&mut self, most: usize) -> (Vec<Question>, Option<Instant>) {
        let now = Instant::now();
        let mut questions = Vec::new();
        while let Some(Reverse((due, group))) = self.due.peek().copied() {
            let asked = self.groups.get_mut(&group);
            let asked = asked.filter(|asked| asked.due == due && !asked.asking);
            let Some(asked) = asked else {
                self.due.pop();
                continue;
            };
            if due > now || questions.len() >= most {
                return (questions, Some(due));
            }
            self.due.pop();
            asked.asking = true;
            asked.asked_at = now;
            questions.push(Question {
                group,
                whose: Arc::clone(&asked.whose),
                logins: asked.logins().collect(),
            });
        }
        (questions, None)
    }

    /// A question was answered, or was not: asks again so long after it was asked.
    pub(super) fn asked(&mut self, group: u64, pause: Duration) {
        let Some(asked) = self.groups.get_mut(&group) else {
            return;
        };
        let now = Instant::now();
        asked.asking = false;
        asked.due = match std::mem::take(&mut asked.again) {
            true => self.begun,
            false => (asked.asked_at + pause).max(now),
        };
        self.due.push(Reverse((asked.due, group)));
        self.tidy();
    }

    /// Drops what is old in `due`, once it is more than half.
    fn tidy(&mut self) {
        if self.due.len() <= 2 * self.groups.len() + 64 {
            return;
        }
        let groups = self.groups.iter().filter(|(_, group)| !group.asking);
        self.due = groups
            .map(|(number, group)| Reverse((group.due, *number)))
            .collect();
    }
}

impl Group {
    fn logins(&self) -> impl Iterator<Item = Arc<Login>> {
        self.logins.values().filter_map(Weak::upgrade)
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

/// A moment within the `interval` for each number, evenly spread whichever of them come together:
/// the multiples of the golden ratio, without their whole part.
fn spread(number: u64, interval: Duration) -> Duration {
    const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
    let part = number.wrapping_mul(GOLDEN) >> 32;
    interval.mul_f64(part as f64 / f64::from(u32::MAX))
}
