//! Faults, and when they come.

use std::{
    future::{Future, pending},
    sync::{Arc, Mutex},
};

/// A call of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    LogIn,
    LoadUser,
    LogOut,
    Now,
    Create,
    Save,
    LoadSession,
    Delete,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is done.
    Fails,
    /// It is done, and the answer is an error.
    FailsOnceDone,
    /// Nothing is done, and there is no answer.
    Hangs,
    /// It is done, and there is no answer.
    HangsOnceDone,
    Panics,
    PanicsOnceDone,
}

impl Fault {
    pub const ALL: [Self; 6] = [
        Self::Fails,
        Self::FailsOnceDone,
        Self::Hangs,
        Self::HangsOnceDone,
        Self::Panics,
        Self::PanicsOnceDone,
    ];
}

/// How many calls a fault takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasting {
    Once,
    UntilMended,
}

/// The calls of both stores in their order, and the fault that is to come.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    calls: Vec<Call>,
    armed: Option<(usize, Fault, Lasting)>,
}

impl Faults {
    /// Forgets the calls so far.
    pub fn listen(&self) {
        self.0.lock().unwrap().calls.clear();
    }

    /// The calls since.
    pub fn calls(&self) -> Vec<Call> {
        self.0.lock().unwrap().calls.clone()
    }

    /// Breaks the call that comes after so many others.
    pub fn break_at(&self, others: usize, fault: Fault, lasting: Lasting) {
        let mut state = self.0.lock().unwrap();
        state.calls.clear();
        state.armed = Some((others, fault, lasting));
    }

    pub fn mend(&self) {
        self.0.lock().unwrap().armed = None;
    }

    fn next(&self, call: Call) -> Option<Fault> {
        let mut state = self.0.lock().unwrap();
        let index = state.calls.len();
        state.calls.push(call);
        let (at, fault, lasting) = state.armed?;
        let hit = match lasting {
            Lasting::Once => index == at,
            Lasting::UntilMended => index >= at,
        };
        hit.then_some(fault)
    }

    /// Does the work of a call, or what the fault of the moment makes of it.
    pub async fn pass<T, E>(
        &self,
        call: Call,
        failure: impl FnOnce(String) -> E,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let Some(fault) = self.next(call) else {
            return work.await;
        };
        if matches!(
            fault,
            Fault::FailsOnceDone | Fault::HangsOnceDone | Fault::PanicsOnceDone
        ) {
            work.await?;
        }
        match fault {
            Fault::Fails | Fault::FailsOnceDone => Err(failure(format!("{call:?} fails"))),
            Fault::Hangs | Fault::HangsOnceDone => pending().await,
            Fault::Panics | Fault::PanicsOnceDone => panic!("{call:?} panics"),
        }
    }
}
