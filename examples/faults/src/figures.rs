//! What is counted in one scenario.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::http::StatusCode;

use crate::{load::Page, oracle::Expected};

#[derive(Default)]
pub struct Figures(Mutex<Counts>);

/// The counts of one scenario.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    pub logins: u64,
    pub pages: u64,
    pub logouts: u64,
    pub sign_outs: u64,
    /// Pages, logins, logouts and sign-outs that were answered with 503, or not at all.
    pub unavailable: u64,
    /// Of these, the ones after [`Figures::recovered`].
    pub unavailable_after: u64,
    /// The slowest answer to a page after that.
    pub slowest_after: Duration,
    /// Ended logins that got the user, while the load ran.
    pub stale: u64,
    /// Logins that got no user without a logout or a sign-out, while the load ran.
    pub refused: u64,
    /// The same of both, when every login was tried at every node at the end.
    pub stale_at_end: u64,
    pub refused_at_end: u64,
    /// How many were tried that must have ended, and that must not.
    pub tried_ended: u64,
    pub tried_valid: u64,
    recovered_at: Option<Instant>,
}

impl Figures {
    /// The fault is over, and every node works again.
    pub fn recovered(&self) {
        self.counts().recovered_at = Some(Instant::now());
    }

    pub fn login(&self, began_at: Instant, status: Option<StatusCode>) {
        let counts = &mut *self.counts();
        match status {
            Some(StatusCode::SEE_OTHER) => counts.logins += 1,
            // It was overtaken by a logout.
            Some(StatusCode::FORBIDDEN) => {}
            _ => counts.unavailable(began_at),
        }
    }

    pub fn logout(&self, began_at: Instant, acknowledged: bool) {
        let counts = &mut *self.counts();
        match acknowledged {
            true => counts.logouts += 1,
            false => counts.unavailable(began_at),
        }
    }

    pub fn sign_out(&self, began_at: Instant, acknowledged: bool) {
        let counts = &mut *self.counts();
        match acknowledged {
            true => counts.sign_outs += 1,
            false => counts.unavailable(began_at),
        }
    }

    pub fn page(&self, began_at: Instant, page: Page, expected: Expected) {
        let counts = &mut *self.counts();
        counts.pages += 1;
        if counts.recovered_at.is_some_and(|at| at < began_at) {
            counts.slowest_after = counts.slowest_after.max(began_at.elapsed());
        }
        match (page, expected) {
            (Page::User, Expected::NoUser) => counts.stale += 1,
            (Page::NoUser, Expected::User) => counts.refused += 1,
            (Page::Unavailable, _) => counts.unavailable(began_at),
            _ => {}
        }
    }

    pub fn tried(&self, began_at: Instant, page: Page, expected: Expected) {
        let counts = &mut *self.counts();
        match expected {
            Expected::NoUser => counts.tried_ended += 1,
            Expected::User => counts.tried_valid += 1,
            Expected::Either => {}
        }
        match (page, expected) {
            (Page::User, Expected::NoUser) => counts.stale_at_end += 1,
            (Page::NoUser, Expected::User) => counts.refused_at_end += 1,
            (Page::Unavailable, _) => counts.unavailable(began_at),
            _ => {}
        }
    }

    pub fn all(&self) -> Counts {
        *self.counts()
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn unavailable(&mut self, began_at: Instant) {
        self.unavailable += 1;
        if self.recovered_at.is_some_and(|at| at < began_at) {
            self.unavailable_after += 1;
        }
    }
}
