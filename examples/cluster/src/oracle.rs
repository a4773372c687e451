//! What the promise says of one person's logins, by the order of things alone.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// The logouts of one person, one after the other.
#[derive(Default)]
pub struct Logouts {
    pub one_at_a_time: tokio::sync::Mutex<()>,
    all: Mutex<Vec<Logout>>,
}

struct Logout {
    answered_at: Option<Instant>,
    /// When the last request began that got in by an older login.
    last_accept: Option<Instant>,
}

/// A login that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Login {
    /// The number of the next logout, which ends it for sure.
    ended_by: usize,
    /// Whether no logout was on its way while it was made.
    undisturbed: bool,
}

/// A login on its way: how many logouts there were, if all of them were answered.
pub struct LoginUnderWay(Option<usize>);

impl Logouts {
    pub fn begins(&self) -> usize {
        let mut all = self.all();
        all.push(Logout {
            answered_at: None,
            last_accept: None,
        });
        all.len() - 1
    }

    pub fn is_answered(&self, number: usize) {
        self.all()[number].answered_at = Some(Instant::now());
    }

    /// How long after its answer the last request began that still got in, in milliseconds; below
    /// zero if that was before.
    pub fn last_old_login(&self, number: usize) -> Option<f64> {
        let all = self.all();
        let Logout {
            answered_at,
            last_accept,
        } = &all[number];
        Some(milliseconds(answered_at.as_ref()?, last_accept.as_ref()?))
    }

    pub fn login_begins(&self) -> LoginUnderWay {
        let all = self.all();
        let answered = all.iter().all(|logout| logout.answered_at.is_some());
        LoginUnderWay(answered.then_some(all.len()))
    }

    pub fn login_ends(&self, LoginUnderWay(before): LoginUnderWay) -> Login {
        let ended_by = self.all().len();
        Login {
            ended_by,
            undisturbed: before == Some(ended_by),
        }
    }

    /// A request that began then has got in. If it must not have: how long after the answer that
    /// was, in milliseconds.
    pub fn got_in(&self, Login { ended_by, .. }: Login, began_at: Instant) -> Option<f64> {
        let mut all = self.all();
        let logout = all.get_mut(ended_by)?;
        logout.last_accept = logout.last_accept.max(Some(began_at));
        let late = milliseconds(logout.answered_at.as_ref()?, &began_at);
        (late > 0.0).then_some(late)
    }

    /// Whether somebody who is refused had to get in: no logout was on its way since the login began.
    pub fn must_get_in(&self, login: Login) -> bool {
        login.undisturbed && self.all().len() == login.ended_by
    }

    fn all(&self) -> MutexGuard<'_, Vec<Logout>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn milliseconds(from: &Instant, to: &Instant) -> f64 {
    let after = to.saturating_duration_since(*from).as_secs_f64();
    let before = from.saturating_duration_since(*to).as_secs_f64();
    (after - before) * 1_000.0
}
