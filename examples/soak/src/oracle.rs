//! What the promise says of a request. It counts the logouts of a person, and knows no stamps.
//!
//! One logout of a person follows the other, so two counts say which have begun and which have
//! been answered. Whoever overlaps one may be served or refused; everybody else may not choose.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Mutex, MutexGuard};

/// The logouts of one person.
#[derive(Default)]
pub struct Logouts {
    begun: AtomicU64,
    answered: AtomicU64,
    one_at_a_time: Mutex<()>,
}

/// What must come of a request or a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Refuse,
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
}

/// A request under way.
pub struct RequestUnderWay {
    login: Option<Login>,
    answered_before: u64,
}

impl Logouts {
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
        }
    }

    /// What must have come of a login, and the login if it worked.
    pub fn login_ends(&self, under_way: &LoginUnderWay) -> (Verdict, Login) {
        let login = Login {
            answered_before: under_way.answered_before,
            begun_after: self.begun.load(Ordering::SeqCst),
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
        }
    }

    pub fn request_ends(&self, request: &RequestUnderWay) -> Verdict {
        let Some(login) = request.login else {
            return Verdict::Refuse;
        };
        if request.answered_before > login.begun_after {
            Verdict::Refuse
        } else if !login.in_doubt && self.begun.load(Ordering::SeqCst) == login.answered_before {
            Verdict::Serve
        } else {
            Verdict::Either
        }
    }
}
