//! What the promise says of a request. It counts the logouts of a person, and knows no stamps.
//!
//! One logout of a person follows the other, so two counts say which have begun and which have
//! been answered. Whoever overlaps one may be served or refused; everybody else may not choose.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use tokio::sync::{Mutex, MutexGuard};

/// How far the clock of the store may be from the clock of this process.
const CLOCK_MARGIN: Duration = Duration::from_secs(1);

/// The logouts of one person.
#[derive(Default)]
pub struct Logouts {
    /// How long a login lasts at most.
    lifetime: Option<Duration>,
    begun: AtomicU64,
    answered: AtomicU64,
    one_at_a_time: Mutex<()>,
}

/// What must come of a request or a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Refuse,
    /// The lifetime of the login is over, and it was not ended before.
    RefuseExpired,
    Serve,
    Either,
}

/// A login that has worked.
#[derive(Debug, Clone, Copy)]
pub struct Login {
    /// How many logouts had been answered when it began.
    answered_before: u64,
    /// How many had begun when it had ended.
    begun_after: u64,
    began_at: Instant,
    ended_at: Instant,
    /// Something was begun that ends it, and its answer is unknown.
    in_doubt: bool,
}

impl Login {
    /// The browser has hung up in the middle of what ends it, so its state is unknown.
    pub fn doubted(self) -> Self {
        Self {
            in_doubt: true,
            ..self
        }
    }
}

/// A login under way.
#[derive(Clone, Copy)]
pub struct LoginUnderWay {
    answered_before: u64,
    began_at: Instant,
}

/// A request under way.
pub struct RequestUnderWay {
    login: Option<Login>,
    answered_before: u64,
    began_at: Instant,
}

impl Logouts {
    pub fn new(lifetime: Option<Duration>) -> Self {
        Self {
            lifetime,
            ..Self::default()
        }
    }

    /// Keeps logouts from beginning, and waits for the one under way.
    pub async fn hold(&self) -> MutexGuard<'_, ()> {
        self.one_at_a_time.lock().await
    }

    /// Under [`hold`](Self::hold): a logout is about to be told.
    pub fn begins(&self) {
        self.begun.fetch_add(1, Ordering::SeqCst);
    }

    /// Under [`hold`](Self::hold): its answer has been read, and is 2xx.
    pub fn is_answered(&self) {
        let begun = self.begun.load(Ordering::SeqCst);
        self.answered.store(begun, Ordering::SeqCst);
    }

    pub fn login_begins(&self) -> LoginUnderWay {
        LoginUnderWay {
            answered_before: self.answered.load(Ordering::SeqCst),
            began_at: Instant::now(),
        }
    }

    /// What must have come of a login, and the login if it worked.
    pub fn login_ends(&self, under_way: &LoginUnderWay) -> (Verdict, Login) {
        let login = Login {
            answered_before: under_way.answered_before,
            begun_after: self.begun.load(Ordering::SeqCst),
            began_at: under_way.began_at,
            ended_at: Instant::now(),
            in_doubt: false,
        };
        let undisturbed = login.begun_after == login.answered_before;
        let verdict = if undisturbed {
            Verdict::Serve
        } else {
            Verdict::Either
        };
        (verdict, login)
    }

    /// `login` is the one of the browser; `None` if it has signed out, or was refused before:
    /// what is over never comes back.
    pub fn request_begins(&self, login: Option<Login>) -> RequestUnderWay {
        RequestUnderWay {
            login,
            answered_before: self.answered.load(Ordering::SeqCst),
            began_at: Instant::now(),
        }
    }

    pub fn request_ends(&self, request: &RequestUnderWay) -> Verdict {
        let Some(login) = request.login else {
            return Verdict::Refuse;
        };
        if request.answered_before > login.begun_after {
            Verdict::Refuse
        } else if self.has_expired(&login, request.began_at) {
            Verdict::RefuseExpired
        } else if self.may_have_expired(&login) {
            Verdict::Either
        } else if !login.in_doubt && self.begun.load(Ordering::SeqCst) == login.answered_before {
            Verdict::Serve
        } else {
            Verdict::Either
        }
    }

    fn has_expired(&self, login: &Login, at: Instant) -> bool {
        self.lifetime
            .is_some_and(|lifetime| at > login.ended_at + lifetime + CLOCK_MARGIN)
    }

    fn may_have_expired(&self, login: &Login) -> bool {
        self.lifetime
            .is_some_and(|lifetime| Instant::now() + CLOCK_MARGIN > login.began_at + lifetime)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIME: Duration = Duration::from_secs(60);

    fn login(logouts: &Logouts, age: Duration) -> Login {
        let (_, mut login) = logouts.login_ends(&logouts.login_begins());
        login.began_at -= age;
        login.ended_at -= age;
        login
    }

    #[test]
    fn a_login_is_refused_once_its_lifetime_is_over() {
        let logouts = Logouts::new(Some(LIFETIME));
        let verdict = |age| {
            let login = login(&logouts, age);
            logouts.request_ends(&logouts.request_begins(Some(login)))
        };
        assert_eq!(verdict(LIFETIME / 2), Verdict::Serve);
        assert_eq!(verdict(LIFETIME), Verdict::Either);
        assert_eq!(verdict(LIFETIME + 2 * CLOCK_MARGIN), Verdict::RefuseExpired);
    }

    #[test]
    fn a_request_may_begin_before_the_end_of_the_lifetime_and_end_after_it() {
        let logouts = Logouts::new(Some(LIFETIME));
        let login = login(&logouts, LIFETIME + 2 * CLOCK_MARGIN);
        let mut request = logouts.request_begins(Some(login));
        request.began_at -= 4 * CLOCK_MARGIN;
        assert_eq!(logouts.request_ends(&request), Verdict::Either);
    }

    #[test]
    fn a_login_without_a_lifetime_lasts() {
        let logouts = Logouts::new(None);
        let login = login(&logouts, LIFETIME);
        let request = logouts.request_begins(Some(login));
        assert_eq!(logouts.request_ends(&request), Verdict::Serve);
    }
}
