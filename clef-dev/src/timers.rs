use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::Person;

/// How long a login lasts if nobody says otherwise.
const DEFAULT: Duration = Duration::from_secs(60 * 60);

/// The timer of each person's phone: it runs from the moment that they enter a site, and logs them
/// out when it has run out.
#[derive(Default)]
pub(super) struct Timers(HashMap<String, Timer>);

#[derive(Clone, Copy)]
pub(super) struct Timer {
    /// `None` is ∞.
    pub(super) length: Option<Duration>,
    /// Since when it runs; `None` while the person is logged out.
    since: Option<Instant>,
}

impl Timer {
    pub(super) fn is_running(&self) -> bool {
        self.since.is_some()
    }

    /// How much is left; `None` if it does not run or never ends.
    pub(super) fn left(&self, now: Instant) -> Option<Duration> {
        Some(self.end()?.saturating_duration_since(now))
    }

    fn end(&self) -> Option<Instant> {
        self.since?.checked_add(self.length?)
    }
}

impl Timers {
    pub(super) fn of(&self, person: &Person) -> Timer {
        self.0.get(person.id()).copied().unwrap_or(Timer {
            length: Some(DEFAULT),
            since: None,
        })
    }

    /// Starts it, or starts it anew.
    pub(super) fn start(&mut self, person: &Person, now: Instant) {
        let mut timer = self.of(person);
        timer.since = Some(now);
        self.0.insert(person.id().to_owned(), timer);
    }

    pub(super) fn stop(&mut self, person: &Person) {
        let mut timer = self.of(person);
        timer.since = None;
        self.0.insert(person.id().to_owned(), timer);
    }

    /// Sets it to another length. If it runs, it starts anew.
    pub(super) fn set(&mut self, person: &Person, length: Option<Duration>, now: Instant) {
        let timer = Timer {
            length,
            since: self.of(person).since.map(|_| now),
        };
        self.0.insert(person.id().to_owned(), timer);
    }

    /// Whose has run out.
    pub(super) fn run_out(&self, now: Instant) -> Vec<String> {
        self.0
            .iter()
            .filter(|(_, timer)| timer.end().is_some_and(|end| end <= now))
            .map(|(person, _)| person.clone())
            .collect()
    }

    /// When the next one runs out.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.values().filter_map(Timer::end).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PEOPLE;

    const ALEX: &Person = &PEOPLE[0];
    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn it_runs_an_hour_from_the_last_entry() {
        let now = Instant::now();
        let mut timers = Timers::default();
        assert!(timers.next().is_none() && !timers.of(ALEX).is_running());
        timers.start(ALEX, now);
        timers.start(ALEX, now + MINUTE);
        let end = now + MINUTE + DEFAULT;
        assert_eq!(timers.next(), Some(end));
        assert_eq!(timers.of(ALEX).left(now + DEFAULT), Some(MINUTE));
        assert!(timers.run_out(end - Duration::from_nanos(1)).is_empty());
        assert_eq!(timers.run_out(end), ["12345"]);
        timers.stop(ALEX);
        assert!(timers.run_out(end).is_empty());
    }

    #[test]
    fn another_length_counts_from_now() {
        let now = Instant::now();
        let mut timers = Timers::default();
        timers.set(ALEX, Some(MINUTE), now);
        assert_eq!(timers.next(), None, "nobody is logged in");
        timers.start(ALEX, now);
        timers.set(ALEX, Some(MINUTE), now + DEFAULT);
        assert_eq!(timers.next(), Some(now + DEFAULT + MINUTE));
        timers.stop(ALEX);
        timers.start(ALEX, now);
        assert_eq!(timers.next(), Some(now + MINUTE), "the length stays");
    }

    #[test]
    fn it_may_never_run_out() {
        let now = Instant::now();
        let mut timers = Timers::default();
        timers.start(ALEX, now);
        for endless in [None, Some(Duration::MAX)] {
            timers.set(ALEX, endless, now);
            assert!(timers.of(ALEX).is_running());
            assert_eq!(timers.next(), None);
        }
    }
}
