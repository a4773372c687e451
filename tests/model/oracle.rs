//! What the promise says of a run. It goes by the order in which things happen, and knows no
//! comparison of stamps; clocks it looks at only to tell where either answer is allowed.

use std::collections::{HashMap, HashSet};

use crate::{steps::BROWSERS, world::SECOND};

/// How far ahead a stamp may lie before it is not believed.
const MOST_AHEAD: i64 = 5 * 60 * SECOND;

/// What must come of a request or a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nobody gets in.
    Refuse(&'static str),
    /// This person gets in.
    Accept(usize),
    /// This person or nobody.
    Either(usize),
}

/// A login, from the callback on.
#[derive(Debug, Clone)]
pub struct Login {
    person: usize,
    node: usize,
    /// Its stamp is no earlier than the one and no later than the other.
    earliest: i64,
    latest: i64,
    /// The logout of the person was written, or the like: over for good.
    ended: bool,
    /// Something later than its stamp is written already, because the clock has stepped back or
    /// another is ahead: it may be refused, to be sure.
    late: bool,
    /// A logout came that does not end it for sure: either answer is allowed from then on.
    in_doubt: bool,
}

#[derive(Default)]
pub struct Oracle {
    /// The login that each browser had last, until it signed out.
    browsers: [Option<Login>; BROWSERS],
    /// An answer to a request from before the last login came after it. It may have brought
    /// the session of then back, which is nobody's.
    muddled: [bool; BROWSERS],
    in_flight: HashMap<usize, Login>,
    /// Who has logged in before.
    known: HashSet<usize>,
    /// Nothing that is written of a person is later than this.
    written: HashMap<usize, i64>,
    /// Logouts that a node knows of and could not write: node and person.
    owed: Vec<(usize, usize)>,
}

impl Oracle {
    pub fn verdict(&self, browser: usize, node: usize, reading: i64) -> Verdict {
        let Some(login) = &self.browsers[browser] else {
            return Verdict::Refuse("nobody is logged in");
        };
        if login.ended {
            return Verdict::Refuse("the person was logged out since");
        }
        if self.owed.contains(&(node, login.person)) {
            return Verdict::Refuse("a logout of the person is owed here");
        }
        let too_far_ahead = login.latest > reading + MOST_AHEAD;
        if login.in_doubt || too_far_ahead || self.muddled[browser] || self.owes(login.person) {
            return Verdict::Either(login.person);
        }
        Verdict::Accept(login.person)
    }

    /// Who was logged in last by this browser.
    pub fn person(&self, browser: usize) -> Option<usize> {
        self.browsers[browser].as_ref().map(|login| login.person)
    }

    pub fn knows(&self, person: usize) -> bool {
        self.known.contains(&person)
    }

    fn owes(&self, person: usize) -> bool {
        self.owed.iter().any(|(_, owed)| *owed == person)
    }

    /// A browser has come back, and the clock has shown something from `earliest` to `latest`.
    pub fn login_begins(
        &mut self,
        id: usize,
        person: usize,
        node: usize,
        (earliest, latest): (i64, i64),
    ) {
        let login = Login {
            person,
            node,
            earliest,
            latest,
            ended: false,
            late: self.written.get(&person).is_some_and(|at| *at >= earliest),
            in_doubt: false,
        };
        self.in_flight.insert(id, login);
    }

    pub fn login_verdict(&self, id: usize) -> Verdict {
        let login = &self.in_flight[&id];
        if login.ended {
            Verdict::Refuse("the person was logged out meanwhile")
        } else if self.owed.contains(&(login.node, login.person)) {
            Verdict::Refuse("a logout of the person is owed here")
        } else if login.late || login.in_doubt || self.owes(login.person) {
            Verdict::Either(login.person)
        } else {
            Verdict::Accept(login.person)
        }
    }

    /// Whether the clock, which shows `reading` at the latest, has stepped back behind the stamp
    /// of a login for sure; and whether it may have, having shown `first` at the earliest.
    pub fn stepped_back(&self, id: usize, (first, reading): (i64, i64)) -> (bool, bool) {
        let login = &self.in_flight[&id];
        (reading < login.earliest, first < login.latest)
    }

    /// A login has ended, and `browser` is in if it `succeeded`.
    pub fn login_ends(&mut self, id: usize, browser: usize, succeeded: bool, reading: i64) {
        let login = self.in_flight.remove(&id).unwrap();
        self.known.insert(login.person);
        let written = self.written.entry(login.person).or_insert(i64::MIN);
        *written = reading.max(*written);
        if succeeded {
            self.browsers[browser] = Some(login);
            self.muddled[browser] = false;
        }
    }

    /// The provider took too long: as if the login had never been.
    pub fn login_vanishes(&mut self, id: usize) {
        self.in_flight.remove(&id);
    }

    pub fn signs_out(&mut self, browser: usize) {
        self.browsers[browser] = None;
    }

    pub fn old_answer_arrives(&mut self, browser: usize) {
        self.muddled[browser] = true;
    }

    pub fn logout_is_owed(&mut self, node: usize, person: usize) {
        self.owed.push((node, person));
    }

    /// Every logout that was owed is written.
    pub fn nothing_is_owed(&mut self) {
        self.owed.clear();
    }

    /// A logout is written, by a clock that showed something from `earliest` to `latest`.
    pub fn logout_is_written(
        &mut self,
        person: usize,
        node: usize,
        (earliest, latest): (i64, i64),
    ) {
        let known = self.known.contains(&person);
        for login in self.in_flight.values_mut() {
            if login.person != person {
                continue;
            }
            // A stranger's logout is known to the node that was told; a login that is under
            // way at a node whose clock is ahead is later by its stamp.
            if earliest > login.latest && (known || login.node == node) {
                login.ended = true;
            } else {
                login.in_doubt = true;
            }
        }
        for login in self.browsers.iter_mut().flatten() {
            if login.person != person {
                continue;
            }
            login.ended = true;
        }
        let written = self.written.entry(person).or_insert(i64::MIN);
        *written = latest.max(written.saturating_add(1));
    }
}
