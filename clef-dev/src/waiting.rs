use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Person, destination::Destination};

/// The most logins that wait at a time.
const MOST: usize = 100;

/// The logins that wait for a phone.
///
/// Each has two random names: the computer that shows the wave knows its key, the phones know its
/// id. Who has only seen it on a phone cannot pick up the code.
pub(super) struct Waiting {
    lifetime: Duration,
    /// The oldest first.
    logins: Vec<WaitingLogin>,
}

pub(super) struct WaitingLogin {
    pub(super) key: String,
    pub(super) id: String,
    pub(super) destination: Destination,
    since: Instant,
    answer: Answer,
    /// How many pages listen for the answer; `None` if none ever did.
    followers: Option<usize>,
}

enum Answer {
    None,
    Approved(Arc<Person>),
    Refused,
}

/// How far a login is, as the page with the wave is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Waiting,
    Approved,
    Refused,
    /// Picked up, expired, or never there.
    Over,
}

impl Stage {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Approved => "approved",
            Self::Refused => "refused",
            Self::Over => "over",
        }
    }
}

impl Waiting {
    pub(super) fn new(lifetime: Duration) -> Self {
        Self {
            lifetime,
            logins: Vec::new(),
        }
    }

    /// Begins a login and returns its key; `None` if there is no room for it.
    ///
    /// A page that is loaded again shows the login it showed before, known by its state; without
    /// one there is no telling it from another browser's.
    pub(super) fn begin(&mut self, destination: &Destination, now: Instant) -> Option<String> {
        self.sweep(now);
        let same = self.logins.iter().find(|login| {
            let known = &login.destination;
            matches!(login.answer, Answer::None)
                && known.state.as_ref().is_some_and(|state| !state.is_empty())
                && known.state == destination.state
                && known.application.id() == destination.application.id()
                && known.redirect_text == destination.redirect_text
        });
        if let Some(login) = same {
            return Some(login.key.clone());
        }
        if !self.make_room() {
            return None;
        }
        let random = || format!("{:032x}", rand::random::<u128>());
        let key = random();
        self.logins.push(WaitingLogin {
            key: key.clone(),
            id: random(),
            destination: destination.clone(),
            since: now,
            answer: Answer::None,
            followers: None,
        });
        Some(key)
    }

    /// Makes room for one more login; `false` if all are in use.
    ///
    /// Any page on the web can begin logins by the hundred. The oldest login without an open page
    /// makes room for them, never one that a person looks at or has approved.
    fn make_room(&mut self) -> bool {
        if self.logins.len() < MOST {
            return true;
        }
        let is_unused = |login: &WaitingLogin| {
            login.followers.is_none_or(|followers| followers == 0)
                && !matches!(login.answer, Answer::Approved(_))
        };
        let unused = self.logins.iter().position(is_unused);
        if let Some(position) = unused {
            self.logins.remove(position);
        }
        unused.is_some()
    }

    pub(super) fn get(&self, key: &str, now: Instant) -> Option<&WaitingLogin> {
        let mut alive = self.logins.iter().filter(|login| self.lives(login, now));
        alive.find(|login| login.key == key)
    }

    pub(super) fn stage(&self, key: &str, now: Instant) -> Stage {
        match self.get(key, now).map(|login| &login.answer) {
            None => Stage::Over,
            Some(Answer::None) => Stage::Waiting,
            Some(Answer::Approved(_)) => Stage::Approved,
            Some(Answer::Refused) => Stage::Refused,
        }
    }

    /// A page begins to listen for the answer.
    pub(super) fn follow(&mut self, key: &str) {
        if let Some(login) = self.logins.iter_mut().find(|login| login.key == key) {
            login.followers = Some(login.followers.unwrap_or_default() + 1);
        }
    }

    /// A page listens no more: it was closed, or it lost the connection.
    pub(super) fn unfollow(&mut self, key: &str) {
        if let Some(login) = self.logins.iter_mut().find(|login| login.key == key) {
            login.followers = login.followers.map(|followers| followers.saturating_sub(1));
        }
    }

    /// The logins that somebody waits for, the newest first. One whose page was closed is not
    /// among them; one whose page runs no script is.
    pub(super) fn shown(&self, now: Instant) -> impl Iterator<Item = (&WaitingLogin, Duration)> {
        self.unanswered(now)
            .filter(|(login, _)| login.followers != Some(0))
    }

    /// The logins without an answer, the newest first.
    fn unanswered(&self, now: Instant) -> impl Iterator<Item = (&WaitingLogin, Duration)> {
        self.logins
            .iter()
            .rev()
            .filter(move |login| self.lives(login, now) && matches!(login.answer, Answer::None))
            .map(move |login| (login, now.saturating_duration_since(login.since)))
    }

    /// The key of the unanswered login that phones know by this id.
    pub(super) fn key_of(&self, id: &str, now: Instant) -> Option<String> {
        self.unanswered(now)
            .find(|(login, _)| login.id == id)
            .map(|(login, _)| login.key.clone())
    }

    /// Approves a login; `false` if it waits no more.
    pub(super) fn approve(&mut self, key: &str, person: &Arc<Person>, now: Instant) -> bool {
        self.answer(key, Answer::Approved(Arc::clone(person)), now)
    }

    /// Refuses a login; `false` if it waits no more.
    pub(super) fn refuse(&mut self, key: &str, now: Instant) -> bool {
        self.answer(key, Answer::Refused, now)
    }

    fn answer(&mut self, key: &str, answer: Answer, now: Instant) -> bool {
        self.sweep(now);
        let unanswered = self
            .logins
            .iter_mut()
            .find(|login| login.key == key && matches!(login.answer, Answer::None));
        let found = unanswered.is_some();
        if let Some(login) = unanswered {
            login.answer = answer;
        }
        found
    }

    /// Who approved a login. It still stands.
    pub(super) fn approved_by(&self, key: &str, now: Instant) -> Option<&Arc<Person>> {
        match &self.get(key, now)?.answer {
            Answer::Approved(person) => Some(person),
            Answer::None | Answer::Refused => None,
        }
    }

    /// Picks up a login that was approved. That ends it.
    pub(super) fn take(&mut self, key: &str, now: Instant) -> Option<(Arc<Person>, Destination)> {
        self.sweep(now);
        let approved =
            |login: &WaitingLogin| login.key == key && matches!(login.answer, Answer::Approved(_));
        let position = self.logins.iter().position(approved)?;
        let login = self.logins.remove(position);
        match login.answer {
            Answer::Approved(person) => Some((person, login.destination)),
            Answer::None | Answer::Refused => None,
        }
    }

    /// Takes back what a person approved and nobody has picked up.
    pub(super) fn withdraw(&mut self, person: &Person) {
        for login in &mut self.logins {
            if matches!(&login.answer, Answer::Approved(by) if by.id() == person.id()) {
                login.answer = Answer::Refused;
            }
        }
    }

    /// When the next login expires.
    pub(super) fn next_expiry(&self) -> Option<Instant> {
        self.logins.first()?.since.checked_add(self.lifetime)
    }

    /// Drops what has expired.
    pub(super) fn sweep(&mut self, now: Instant) {
        let lifetime = self.lifetime;
        self.logins
            .retain(|login| now.saturating_duration_since(login.since) < lifetime);
    }

    fn lives(&self, login: &WaitingLogin, now: Instant) -> bool {
        now.saturating_duration_since(login.since) < self.lifetime
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PEOPLE, TEST_APPLICATIONS, directory::Directory};

    const MINUTE: Duration = Duration::from_secs(60);

    fn destination(state: Option<&str>) -> Destination {
        let directory = Directory::new(&[], &[]).unwrap();
        let redirect = "http://localhost:3000/cb";
        Destination::new(&directory, TEST_APPLICATIONS[0].id(), redirect, state).unwrap()
    }

    /// Begins a login for which there is room.
    fn begin(waiting: &mut Waiting, destination: &Destination, now: Instant) -> String {
        waiting.begin(destination, now).unwrap()
    }

    fn alex() -> Arc<Person> {
        Arc::new(PEOPLE[0].clone())
    }

    #[test]
    fn a_login_is_approved_and_picked_up_once() {
        let now = Instant::now();
        let mut waiting = Waiting::new(MINUTE);
        let key = begin(&mut waiting, &destination(Some("s")), now);
        assert_eq!(waiting.stage(&key, now), Stage::Waiting);
        assert!(waiting.take(&key, now).is_none());
        let id = waiting.unanswered(now).next().unwrap().0.id.clone();
        assert_ne!(id, key);
        assert_eq!(waiting.key_of(&id, now).as_deref(), Some(&*key));
        assert_eq!(waiting.key_of(&key, now), None);

        assert!(waiting.approve(&key, &alex(), now));
        assert!(!waiting.refuse(&key, now), "answered once");
        assert_eq!(waiting.stage(&key, now), Stage::Approved);
        assert_eq!(waiting.unanswered(now).count(), 0);
        assert_eq!(waiting.take(&key, now).unwrap().0.id(), "12345");
        assert!(waiting.take(&key, now).is_none());
        assert_eq!(waiting.stage(&key, now), Stage::Over);
    }

    #[test]
    fn a_log_out_takes_back_what_that_person_approved() {
        let now = Instant::now();
        let mut waiting = Waiting::new(MINUTE);
        let [mine, other] = ["a", "b"].map(|s| begin(&mut waiting, &destination(Some(s)), now));
        waiting.approve(&mine, &alex(), now);
        waiting.approve(&other, &Arc::new(PEOPLE[1].clone()), now);
        waiting.withdraw(&PEOPLE[0]);
        assert_eq!(waiting.stage(&mine, now), Stage::Refused);
        assert!(waiting.take(&mine, now).is_none());
        assert!(waiting.take(&other, now).is_some());
    }

    #[test]
    fn a_login_expires_on_the_stroke() {
        let now = Instant::now();
        let mut waiting = Waiting::new(MINUTE);
        let key = begin(&mut waiting, &destination(None), now);
        assert_eq!(waiting.next_expiry(), Some(now + MINUTE));
        let last = now + MINUTE - Duration::from_nanos(1);
        assert_eq!(waiting.stage(&key, last), Stage::Waiting);
        assert_eq!(waiting.stage(&key, now + MINUTE), Stage::Over);
        assert_eq!(waiting.unanswered(now + MINUTE).count(), 0);
        assert!(!waiting.approve(&key, &alex(), now + MINUTE));
    }

    #[test]
    fn a_page_loaded_again_is_the_same_login() {
        let now = Instant::now();
        let mut waiting = Waiting::new(MINUTE);
        let first = begin(&mut waiting, &destination(Some("s")), now);
        assert_eq!(begin(&mut waiting, &destination(Some("s")), now), first);
        assert_ne!(begin(&mut waiting, &destination(Some("t")), now), first);
        waiting.refuse(&first, now);
        assert_ne!(begin(&mut waiting, &destination(Some("s")), now), first);
        for state in [None, Some("")] {
            let one = begin(&mut waiting, &destination(state), now);
            assert_ne!(begin(&mut waiting, &destination(state), now), one);
        }
    }

    #[test]
    fn a_login_whose_page_was_closed_is_not_shown() {
        let now = Instant::now();
        let mut waiting = Waiting::new(MINUTE);
        let key = begin(&mut waiting, &destination(None), now);
        let shown = |waiting: &Waiting| waiting.shown(now).count();
        assert_eq!(shown(&waiting), 1, "its page may run no script");
        waiting.follow(&key);
        waiting.follow(&key);
        waiting.unfollow(&key);
        assert_eq!(shown(&waiting), 1);
        waiting.unfollow(&key);
        assert_eq!(shown(&waiting), 0);
        waiting.follow(&key);
        assert_eq!(shown(&waiting), 1, "the connection is back");
    }

    #[test]
    fn only_so_many_wait() {
        let now = Instant::now();
        let mut waiting = Waiting::new(MINUTE);
        let oldest = begin(&mut waiting, &destination(None), now);
        for _ in 0..MOST {
            begin(&mut waiting, &destination(None), now);
        }
        assert_eq!(waiting.unanswered(now).count(), MOST);
        assert_eq!(waiting.stage(&oldest, now), Stage::Over);
    }

    #[test]
    fn a_flood_pushes_out_no_open_page_and_no_approved_login() {
        let now = Instant::now();
        let mut waiting = Waiting::new(MINUTE);
        let open = begin(&mut waiting, &destination(Some("open")), now);
        waiting.follow(&open);
        let approved = begin(&mut waiting, &destination(Some("approved")), now);
        waiting.approve(&approved, &alex(), now);
        for _ in 0..2 * MOST {
            begin(&mut waiting, &destination(None), now);
        }
        assert_eq!(waiting.logins.len(), MOST);
        assert_eq!(waiting.stage(&open, now), Stage::Waiting);
        assert_eq!(waiting.stage(&approved, now), Stage::Approved);

        waiting.unfollow(&open);
        begin(&mut waiting, &destination(None), now);
        assert_eq!(waiting.stage(&open, now), Stage::Over, "its page is closed");
    }

    #[test]
    fn there_is_no_room_where_every_page_is_open() {
        let now = Instant::now();
        let mut waiting = Waiting::new(MINUTE);
        let keys: Vec<String> = (0..MOST)
            .map(|_| begin(&mut waiting, &destination(None), now))
            .collect();
        for key in &keys {
            waiting.follow(key);
        }
        assert_eq!(waiting.begin(&destination(None), now), None);
        waiting.refuse(&keys[3], now);
        waiting.unfollow(&keys[3]);
        assert!(waiting.begin(&destination(None), now).is_some());
        assert_eq!(waiting.stage(&keys[3], now), Stage::Over);
        assert_eq!(waiting.logins.len(), MOST);
    }
}
