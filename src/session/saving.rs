//! What becomes of an answer once the session layer has saved the session, or could not.
//!
//! The session layer saves last of all, when the answer is made already, and knows nothing
//! to say but an empty 500 where the store fails. So what must not be said before the session
//! is there waits here until it is.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use axum::{
    http::{HeaderMap, header},
    response::Response,
};

use crate::BoxError;

/// What waits for the session to be saved.
pub(crate) trait Ending: Send {
    /// It is: the last word on the headers of the answer.
    fn saved(self: Box<Self>, headers: &mut HeaderMap);
    /// It is not: what is answered instead.
    fn failed(self: Box<Self>, error: BoxError) -> Response;
}

/// How far a request is from the end, on its way out.
#[derive(Default)]
pub(crate) struct Saving {
    handled: AtomicBool,
    /// How many cookies the handler's answer sets.
    cookies: AtomicUsize,
    ending: Mutex<Option<Box<dyn Ending>>>,
}

/// On the answer of the handler, and on no other: the session layer lets it pass or makes
/// another.
#[derive(Clone)]
pub(crate) struct Handled;

impl Saving {
    /// Leaves something for when the session is saved.
    pub(crate) fn end_with(&self, ending: impl Ending + 'static) {
        let mut place = self.ending.lock().unwrap_or_else(PoisonError::into_inner);
        *place = Some(Box::new(ending));
    }

    /// What was left.
    pub(crate) fn take_ending(&self) -> Option<Box<dyn Ending>> {
        let mut place = self.ending.lock().unwrap_or_else(PoisonError::into_inner);
        place.take()
    }

    /// Says that the handler has answered; what is left is the session layer's. After an error
    /// of the server it saves nothing, so nothing is left then.
    pub(crate) fn handled<B>(&self, response: &mut http::Response<B>) {
        let cookies = response.headers().get_all(header::SET_COOKIE);
        self.cookies
            .store(cookies.iter().count(), Ordering::Release);
        if !response.status().is_server_error() {
            response.extensions_mut().insert(Handled);
            self.handled.store(true, Ordering::Release);
        }
    }

    /// How many cookies the handler's answer sets: those behind them are the session layer's.
    pub(crate) fn cookies_of_handler(&self) -> usize {
        self.cookies.load(Ordering::Acquire)
    }

    /// Whether the handler has answered, and the session is to be saved.
    pub(crate) fn is_handled(&self) -> bool {
        self.handled.load(Ordering::Acquire)
    }
}
