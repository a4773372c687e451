//! What the promise says of a login, by the order of requests and answers alone.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use axum::http::HeaderValue;

/// The logouts of one person, one after the other.
#[derive(Default)]
pub struct Logouts(Mutex<Vec<Logout>>);

/// A logout or a sign-out.
#[derive(Debug, Clone, Copy)]
struct Logout {
    sent_at: Instant,
    /// When it was acknowledged.
    answered_at: Option<Instant>,
    /// From when on it ends no newer login.
    settled_at: Option<Instant>,
}

/// A login, as the browser has it. It is kept after its end, as a thief would.
pub struct Login {
    pub person: usize,
    pub cookies: HeaderValue,
    pub began_at: Instant,
    pub answered_at: Instant,
    sign_out: Mutex<Option<Logout>>,
}

/// What a request with a login must get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    User,
    NoUser,
    /// Something ended the login that was not acknowledged, or came during its beginning.
    Either,
}

impl Logout {
    fn sent() -> Self {
        Self {
            sent_at: Instant::now(),
            answered_at: None,
            settled_at: None,
        }
    }

    fn is_answered(&mut self, acknowledged: bool) {
        let now = Instant::now();
        if acknowledged {
            self.answered_at = Some(now);
            self.settled_at = Some(now);
        }
    }

    /// Whether it was acknowledged before a request.
    fn is_before(&self, request: Instant) -> bool {
        self.answered_at.is_some_and(|at| at < request)
    }
}

impl Logouts {
    /// A logout is sent: its number.
    pub fn send(&self) -> usize {
        let mut logouts = self.logouts();
        logouts.push(Logout::sent());
        logouts.len() - 1
    }

    pub fn answer(&self, number: usize, acknowledged: bool) {
        self.logouts()[number].is_answered(acknowledged);
    }

    /// No node tries any longer to write what was not acknowledged.
    pub fn settle(&self) {
        let now = Instant::now();
        for logout in self.logouts().iter_mut() {
            logout.settled_at = logout.settled_at.or(Some(now));
        }
    }

    /// What a request with a login must get that was sent then and is answered now.
    pub fn expected(&self, login: &Login, request: Instant) -> Expected {
        let sign_out = *login.sign_out();
        let logouts = self.logouts();
        let ended =
            |logout: &Logout| logout.is_before(request) && login.answered_at < logout.sent_at;
        if logouts.iter().any(ended) || sign_out.is_some_and(|ended| ended.is_before(request)) {
            return Expected::NoUser;
        }
        let is_settled = |logout: &Logout| logout.settled_at.is_some_and(|at| at < login.began_at);
        match sign_out.is_none() && logouts.iter().all(is_settled) {
            true => Expected::User,
            false => Expected::Either,
        }
    }

    fn logouts(&self) -> MutexGuard<'_, Vec<Logout>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Login {
    pub fn new(person: usize, cookies: HeaderValue, began_at: Instant) -> Self {
        Self {
            person,
            cookies,
            began_at,
            answered_at: Instant::now(),
            sign_out: Mutex::default(),
        }
    }

    /// A sign-out is sent, maybe by another tab too.
    pub fn send_sign_out(&self) {
        self.sign_out().get_or_insert_with(Logout::sent);
    }

    pub fn answer_sign_out(&self, acknowledged: bool) {
        if let Some(sign_out) = &mut *self.sign_out() {
            sign_out.is_answered(acknowledged);
        }
    }

    fn sign_out(&self) -> MutexGuard<'_, Option<Logout>> {
        self.sign_out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login() -> Login {
        Login::new(0, HeaderValue::from_static("a=b"), Instant::now())
    }

    #[test]
    fn an_acknowledged_logout_ends_earlier_logins_alone() {
        let logouts = Logouts::default();
        let before = login();
        assert_eq!(logouts.expected(&before, Instant::now()), Expected::User);
        let number = logouts.send();
        let during = login();
        let request = Instant::now();
        assert_eq!(logouts.expected(&before, request), Expected::Either);
        logouts.answer(number, true);
        assert_eq!(logouts.expected(&before, request), Expected::Either);
        assert_eq!(logouts.expected(&before, Instant::now()), Expected::NoUser);
        assert_eq!(logouts.expected(&during, Instant::now()), Expected::Either);
        assert_eq!(logouts.expected(&login(), Instant::now()), Expected::User);
    }

    #[test]
    fn a_logout_that_was_not_acknowledged_may_come_until_it_is_settled() {
        let logouts = Logouts::default();
        let number = logouts.send();
        logouts.answer(number, false);
        let after = login();
        assert_eq!(logouts.expected(&after, Instant::now()), Expected::Either);
        logouts.settle();
        assert_eq!(logouts.expected(&after, Instant::now()), Expected::Either);
        assert_eq!(logouts.expected(&login(), Instant::now()), Expected::User);
    }

    #[test]
    fn a_sign_out_ends_one_login() {
        let logouts = Logouts::default();
        let (signed_out, other) = (login(), login());
        signed_out.send_sign_out();
        let now = Instant::now();
        assert_eq!(logouts.expected(&signed_out, now), Expected::Either);
        signed_out.answer_sign_out(true);
        let now = Instant::now();
        assert_eq!(logouts.expected(&signed_out, now), Expected::NoUser);
        assert_eq!(logouts.expected(&other, now), Expected::User);
    }
}
