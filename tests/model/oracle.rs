//! What the promise says of a run. It goes by the order in which things happen, and knows no
//! comparison of stamps; clocks it looks at only to tell where either answer is allowed.

use std::collections::{HashMap, HashSet};

use test_support::MINUTE;

use crate::steps::{BROWSERS, Scope};

/// How far ahead a stamp may lie before it is not believed.
const MOST_AHEAD: i64 = 5 * MINUTE;

const LOGGED_OUT: &str = "the person was logged out since";

/// What must come of a request or a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is unauthenticated.
    Refuse(&'static str),
    /// It is this person's.
    Accept(usize),
    /// This person's or unauthenticated.
    Either(usize),
}

impl Verdict {
    /// Whose it may be.
    pub fn person(self) -> Option<usize> {
        match self {
            Self::Refuse(_) => None,
            Self::Accept(person) | Self::Either(person) => Some(person),
        }
    }

    /// Of a request that is answered only `now`, and was sent when this was the verdict.
    pub fn late(self, now: Self) -> Self {
        match (self, now) {
            (Self::Refuse(why), _) => Self::Refuse(why),
            (Self::Accept(person), Self::Accept(_)) => Self::Accept(person),
            (Self::Accept(person) | Self::Either(person), _) => Self::Either(person),
        }
    }
}

/// The number of a login.
pub type LoginNumber = usize;

/// A login, from the callback on.
#[derive(Debug, Clone)]
struct Login {
    /// The number that it began with: it has another one each time that it is kept.
    began_as: LoginNumber,
    person: usize,
    /// By the site's own form, and not by the provider.
    by_form: bool,
    node: usize,
    /// The login whose cookie came with the callback: it ends with the success of this one.
    replaces: Option<LoginNumber>,
    /// Its stamp is no earlier than the one and no later than the other.
    earliest: i64,
    latest: i64,
    /// When the credentials were proven: no earlier than the one and no later than the other.
    proven: (i64, i64),
    /// Why it is over for good.
    ended: Option<&'static str>,
    /// Something later than its stamp is written already, because the clock has stepped back or
    /// another is ahead: it may be refused, to be sure.
    late: bool,
    /// A logout came that does not end it for sure: either answer is allowed from then on.
    in_doubt: bool,
}

impl Scope {
    /// Whether a login is among those that end, by the site's own form or by the provider.
    fn includes(self, by_form: bool) -> bool {
        self == Self::Everyone || !by_form
    }
}

#[derive(Default)]
pub struct Oracle {
    /// The login that each browser had last, until it signed out.
    browsers: [Option<LoginNumber>; BROWSERS],
    /// Those whose cookie was ever set.
    logins: HashMap<LoginNumber, Login>,
    in_flight: HashMap<LoginNumber, Login>,
    /// Who has logged in before.
    known: HashSet<usize>,
    /// Nothing that is written of a person is later than this.
    written: HashMap<usize, i64>,
    /// No login of any person was noted later.
    latest_login: Option<i64>,
    /// The same for what is written of all logins, or of the provider's.
    written_of: HashMap<Scope, i64>,
    /// Logouts that a node knows of and could not write: node and person. They name the person at the
    /// provider, so they refuse no login by the form until they are written.
    pending: Vec<(usize, usize)>,
    /// The same for the end of all logins.
    pending_scopes: Vec<(usize, Scope)>,
    /// The same for the ends of single logins.
    pending_ends: Vec<(usize, LoginNumber)>,
}

impl Oracle {
    /// Of a request with the cookie of a login.
    pub fn verdict(&self, number: Option<LoginNumber>, node: usize, reading: i64) -> Verdict {
        let Some(login) = number.and_then(|number| self.logins.get(&number)) else {
            return Verdict::Refuse("no login");
        };
        if let Some(why) = login.ended {
            return Verdict::Refuse(why);
        }
        if !login.by_form && self.pending.contains(&(node, login.person)) {
            return Verdict::Refuse("a logout of the person is pending here");
        }
        let began_as = login.began_as;
        if self.pending_ends.contains(&(node, began_as)) {
            return Verdict::Refuse("the end of the login is pending here");
        }
        if let Some(why) = self.pending_scope(login, Some(node)) {
            return Verdict::Refuse(why);
        }
        let too_far_ahead = login.latest > reading + MOST_AHEAD;
        let mut pending_ends = self.pending_ends.iter();
        let elsewhere = pending_ends.any(|(_, ended)| *ended == began_as);
        let elsewhere = elsewhere || self.pending_scope(login, None).is_some();
        if login.in_doubt || too_far_ahead || elsewhere || self.is_pending(login.person) {
            return Verdict::Either(login.person);
        }
        Verdict::Accept(login.person)
    }

    /// Of a request for what only a login may whose credentials were proven at most `longest`
    /// microseconds ago, by a clock that shows something from `first` to `last`, or that a lease has
    /// `held`.
    pub fn recent_verdict(
        &self,
        number: Option<LoginNumber>,
        node: usize,
        (first, last): (i64, i64),
        longest: i64,
        held: bool,
    ) -> Verdict {
        let verdict = self.verdict(number, node, first);
        let login = number.and_then(|number| self.logins.get(&number));
        let (Some(login), Some(person)) = (login, verdict.person()) else {
            return verdict;
        };
        let (earliest, latest) = login.proven;
        if last - earliest <= longest {
            verdict
        } else if first - latest > longest && !held {
            Verdict::Refuse("the credentials were proven too long ago")
        } else {
            Verdict::Either(person)
        }
    }

    /// A token was made from a login. It ends as that one does, but for the sign-out.
    pub fn token_is_made(&mut self, number: LoginNumber, from: LoginNumber) {
        if let Some(login) = self.logins.get(&from) {
            let began_as = number;
            let token = Login {
                began_as,
                ..login.clone()
            };
            self.logins.insert(number, token);
        }
    }

    /// A token was ended by its id, and that is `written` or pending.
    pub fn token_ends(&mut self, number: LoginNumber, node: usize, written: bool) {
        self.end(number, node, "the token was ended", written);
    }

    /// The last login of a browser, until it signs out.
    pub fn login(&self, browser: usize) -> Option<LoginNumber> {
        self.browsers[browser]
    }

    /// Whether a sign-out finds that the login has ended, and writes nothing; `None` if that is in
    /// doubt. Within a minute of a logout, it ends the login itself too.
    pub fn has_ended(&self, number: LoginNumber) -> Option<bool> {
        let login = self.logins.get(&number)?;
        match login.ended {
            Some(LOGGED_OUT) => None,
            Some(_) => Some(true),
            None if login.in_doubt => None,
            None => Some(false),
        }
    }

    /// Whose login it is.
    pub fn person(&self, number: LoginNumber) -> Option<usize> {
        self.logins.get(&number).map(|login| login.person)
    }

    pub fn knows(&self, person: usize) -> bool {
        self.known.contains(&person)
    }

    fn is_pending(&self, person: usize) -> bool {
        self.pending.iter().any(|(_, pending)| *pending == person)
    }

    /// Whether the end of all logins that this one is among is pending, at this node or at any.
    fn pending_scope(&self, login: &Login, node: Option<usize>) -> Option<&'static str> {
        let mut pending = self.pending_scopes.iter();
        let is_pending = pending.any(|(at, scope)| {
            scope.includes(login.by_form) && node.is_none_or(|node| *at == node)
        });
        is_pending.then_some("the end of all logins is pending here")
    }

    /// A browser has come back or sent its form, and the clock has shown something from `earliest` to `latest`.
    pub fn login_begins(
        &mut self,
        number: LoginNumber,
        (person, by_form): (usize, bool),
        node: usize,
        replaces: Option<LoginNumber>,
        (earliest, latest): (i64, i64),
    ) {
        let of_all = self.written_of.iter();
        let of_all = of_all.filter(|(scope, _)| scope.includes(by_form));
        let written = of_all.map(|(_, at)| at).chain(self.written.get(&person));
        let login = Login {
            began_as: number,
            person,
            by_form,
            node,
            replaces,
            earliest,
            latest,
            proven: (earliest, latest),
            ended: None,
            late: written.max().is_some_and(|at| *at >= earliest),
            in_doubt: false,
        };
        self.in_flight.insert(number, login);
    }

    pub fn login_verdict(&self, number: LoginNumber) -> Verdict {
        let login = &self.in_flight[&number];
        if login.ended.is_some() {
            Verdict::Refuse("the person was logged out meanwhile")
        } else if !login.by_form && self.pending.contains(&(login.node, login.person)) {
            Verdict::Refuse("a logout of the person is pending here")
        } else if let Some(why) = self.pending_scope(login, Some(login.node)) {
            Verdict::Refuse(why)
        } else if login.late
            || login.in_doubt
            || self.is_pending(login.person)
            || self.pending_scope(login, None).is_some()
        {
            Verdict::Either(login.person)
        } else {
            Verdict::Accept(login.person)
        }
    }

    /// Whether the clock, which shows `reading` at the latest, has stepped back behind the stamp
    /// of a login for sure; and whether it may have, having shown `first` at the earliest.
    pub fn stepped_back(&self, number: LoginNumber, (first, reading): (i64, i64)) -> (bool, bool) {
        let login = &self.in_flight[&number];
        (reading < login.earliest, first < login.latest)
    }

    /// A login has ended, and `browser` is in if it `succeeded`; the login that it replaces is over
    /// then, and `written` if the store has taken its end.
    pub fn login_ends(
        &mut self,
        number: LoginNumber,
        browser: usize,
        (succeeded, written): (bool, bool),
        reading: i64,
    ) {
        let login = self.in_flight.remove(&number).unwrap();
        self.known.insert(login.person);
        let latest = self.written.entry(login.person).or_insert(i64::MIN);
        *latest = reading.max(*latest);
        self.latest_login = self.latest_login.max(Some(reading));
        if succeeded {
            let (node, replaces) = (login.node, login.replaces);
            self.logins.insert(number, login);
            self.browsers[browser] = Some(number);
            if let Some(replaced) = replaces {
                self.end(replaced, node, "the browser has logged in since", written);
            }
        }
    }

    /// The provider took too long: as if the login had never been.
    pub fn login_vanishes(&mut self, number: LoginNumber) {
        self.in_flight.remove(&number);
    }

    /// A browser has signed out, and the end of its login is `written` or pending.
    pub fn signs_out(&mut self, browser: usize, node: usize, written: bool) {
        if let Some(number) = self.browsers[browser].take() {
            self.end(number, node, "it was signed out", written);
        }
    }

    fn end(&mut self, number: LoginNumber, node: usize, why: &'static str, written: bool) {
        let Some(began_as) = self.logins.get(&number).map(|login| login.began_as) else {
            return;
        };
        if !written {
            self.pending_ends.push((node, began_as));
            return;
        }
        // However often it was kept.
        let logins = self.logins.values_mut();
        for login in logins.filter(|login| login.began_as == began_as) {
            login.ended = login.ended.or(Some(why));
        }
    }

    /// Whether the login of a browser may be too far ahead, once it is kept.
    pub fn may_be_too_far_ahead(&self, browser: usize, reading: i64) -> bool {
        let login = self.browsers[browser].and_then(|number| self.logins.get(&number));
        let written = login.and_then(|login| self.written.get(&login.person));
        written.is_some_and(|written| written + 2 > reading + MOST_AHEAD)
    }

    /// Perhaps all logins of a browser's person have ended.
    pub fn ends_in_doubt(&mut self, browser: usize, latest: i64) {
        let login = self.browsers[browser].and_then(|number| self.logins.get(&number));
        let Some(person) = login.map(|login| login.person) else {
            return;
        };
        let all = self.logins.values_mut().chain(self.in_flight.values_mut());
        for login in all.filter(|login| login.person == person) {
            login.in_doubt = true;
        }
        let written = self.written.entry(person).or_insert(i64::MIN);
        *written = latest.max(written.saturating_add(1)) + 1;
        self.latest_login = self.latest_login.max(Some(*written));
    }

    /// All other logins of a browser's person have ended, by a clock that showed something from
    /// `earliest` to `latest`. Its own goes on with this number, if it was kept.
    pub fn others_have_ended(
        &mut self,
        browser: usize,
        kept_as: Option<LoginNumber>,
        (earliest, latest): (i64, i64),
    ) {
        let kept = self.browsers[browser].and_then(|number| self.logins.get(&number).cloned());
        let Some(mut kept) = kept else {
            return;
        };
        let person = kept.person;
        self.logout_is_written(person, (earliest, latest));
        // The login that is kept is noted a microsecond later.
        let written = self.written.entry(person).or_insert(i64::MIN);
        *written += 1;
        self.latest_login = self.latest_login.max(Some(*written));
        if let Some(number) = kept_as {
            kept.latest = *written;
            self.logins.insert(number, kept);
            self.browsers[browser] = Some(number);
        }
    }

    pub fn logout_is_pending(&mut self, node: usize, person: usize) {
        self.pending.push((node, person));
    }

    /// It is not pending there any more.
    pub fn logout_is_settled(&mut self, node: usize, person: usize) {
        self.pending.retain(|pending| *pending != (node, person));
    }

    pub fn end_of_all_is_pending(&mut self, node: usize, scope: Scope) {
        self.pending_scopes.push((node, scope));
    }

    /// Everything that was pending is written.
    pub fn nothing_is_pending(&mut self) {
        self.pending.clear();
        self.pending_scopes.clear();
        for (node, began_as) in std::mem::take(&mut self.pending_ends) {
            self.end(began_as, node, "its end was written later", true);
        }
    }

    /// The end of all logins is written, later than every login that was noted.
    pub fn end_of_all_is_written(&mut self, scope: Scope, (earliest, latest): (i64, i64)) {
        let is_among = |login: &Login| scope.includes(login.by_form);
        self.end_all(is_among, "all logins have ended since", earliest);
        let written = self.written_of.entry(scope).or_insert(i64::MIN);
        *written = latest.max(written.saturating_add(1));
        if let Some(login) = self.latest_login {
            *written = (*written).max(login + 1);
        }
    }

    /// Ends these logins by what is written at `earliest` or later.
    fn end_all(&mut self, is_among: impl Fn(&Login) -> bool, why: &'static str, earliest: i64) {
        for login in self.in_flight.values_mut().filter(|login| is_among(login)) {
            // A login that is under way at a node whose clock is ahead is later by its stamp.
            if earliest > login.latest {
                login.ended = Some(why);
            } else {
                login.in_doubt = true;
            }
        }
        for login in self.logins.values_mut().filter(|login| is_among(login)) {
            login.ended = login.ended.or(Some(why));
        }
    }

    /// A logout is written, by a clock that showed something from `earliest` to `latest`.
    pub fn logout_is_written(&mut self, person: usize, (earliest, latest): (i64, i64)) {
        let is_among = |login: &Login| login.person == person;
        self.end_all(is_among, LOGGED_OUT, earliest);
        let known = self.known.contains(&person);
        let written = self.written.entry(person).or_insert(i64::MIN);
        *written = latest.max(written.saturating_add(1));
        if let (false, Some(login)) = (known, self.latest_login) {
            // What is noted of an unknown subject is later than the logins of all others.
            *written = (*written).max(login + 1);
        }
    }
}
