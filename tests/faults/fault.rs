//! Faults, and when they come.

use std::{
    future::{Future, pending},
    sync::{Arc, Mutex},
};

use tokio::sync::Notify;

/// A call of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    FindOrCreate,
    LogIn,
    LoadUser,
    CheckLogin,
    LogOut,
    LogOutSubject,
    Revoke,
    RevokedAt,
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
pub struct Faults(Arc<Mutex<State>>, Arc<Gate>);

/// Where a call waits.
#[derive(Debug, Default)]
struct Gate {
    reached: Notify,
    go: Notify,
}

#[derive(Debug, Default)]
struct State {
    calls: Vec<Call>,
    /// Those that were done.
    done: Vec<Call>,
    under_way: usize,
    armed: Option<(usize, Fault, Lasting)>,
    /// The call that waits.
    held: Option<usize>,
}

impl Faults {
    /// Forgets the calls so far.
    pub fn listen(&self) {
        let mut state = self.0.lock().unwrap();
        state.calls.clear();
        state.done.clear();
    }

    /// The calls since.
    pub fn calls(&self) -> Vec<Call> {
        self.0.lock().unwrap().calls.clone()
    }

    /// Those of them that were done.
    pub fn done(&self) -> Vec<Call> {
        self.0.lock().unwrap().done.clone()
    }

    /// How many calls are under way.
    pub fn under_way(&self) -> usize {
        self.0.lock().unwrap().under_way
    }

    /// Holds the call that comes after so many others, until it may [go](Self::go) on.
    pub fn hold_at(&self, others: usize) {
        self.listen();
        self.0.lock().unwrap().held = Some(others);
    }

    /// Waits until a call is held.
    pub async fn reached(&self) {
        self.1.reached.notified().await;
    }

    /// Lets it go on.
    pub fn go(&self) {
        self.1.go.notify_one();
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

    /// Whether the call that came just now is to be held.
    fn is_held(&self) -> bool {
        let mut state = self.0.lock().unwrap();
        let index = state.calls.len() - 1;
        state.held.take_if(|held| *held == index).is_some()
    }

    /// Does the work of a call, or what the fault of the moment makes of it.
    pub async fn pass<T, E>(
        &self,
        call: Call,
        failure: impl FnOnce(String) -> E,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let fault = self.next(call);
        let _under_way = UnderWay::begin(self);
        if self.is_held() {
            self.1.reached.notify_one();
            self.1.go.notified().await;
        }
        let work = async {
            let answer = work.await?;
            self.0.lock().unwrap().done.push(call);
            Ok(answer)
        };
        let Some(fault) = fault else {
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

/// A call, until it has an answer or is dropped.
struct UnderWay<'a>(&'a Faults);

impl<'a> UnderWay<'a> {
    fn begin(faults: &'a Faults) -> Self {
        faults.0.lock().unwrap().under_way += 1;
        Self(faults)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.0.lock().unwrap().under_way -= 1;
    }
}
