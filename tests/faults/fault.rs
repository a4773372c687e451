//! Faults, and when they come.

use std::{
    future::pending,
    sync::{Arc, Mutex, atomic::Ordering::SeqCst},
};

use axum_clef::stores::Account;
pub use test_support::Call;
use test_support::{
    About, Gauge, Hook,
    hook::{Done, Flag, StoreError, Work},
};
use tokio::sync::Notify;
use tower_sessions::session::{Id, Record};

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
pub struct Faults {
    state: Arc<Mutex<State>>,
    gate: Arc<Gate>,
    under_way: Gauge,
    /// The ids of the users that `log_in` has returned.
    pub returned: Arc<Mutex<Vec<String>>>,
    pub turning_away: Flag,
    /// The id of every record that was ever written.
    pub records: Arc<Mutex<Vec<Id>>>,
}

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
    armed: Option<(usize, Fault, Lasting)>,
    /// The call that waits.
    held: Option<usize>,
}

impl Faults {
    /// Forgets the calls so far.
    pub fn listen(&self) {
        let mut state = self.state.lock().unwrap();
        state.calls.clear();
        state.done.clear();
    }

    /// The calls since.
    pub fn calls(&self) -> Vec<Call> {
        self.state.lock().unwrap().calls.clone()
    }

    /// Those of them that were done.
    pub fn done(&self) -> Vec<Call> {
        self.state.lock().unwrap().done.clone()
    }

    /// How many calls are under way.
    pub fn under_way(&self) -> usize {
        self.under_way.now()
    }

    /// Holds the call that comes after so many others, until it may [go](Self::go) on.
    pub fn hold_at(&self, others: usize) {
        self.listen();
        self.state.lock().unwrap().held = Some(others);
    }

    /// Waits until a call is held.
    pub async fn reached(&self) {
        self.gate.reached.notified().await;
    }

    /// Lets it go on.
    pub fn go(&self) {
        self.gate.go.notify_one();
    }

    /// Breaks the call that comes after so many others.
    pub fn break_at(&self, others: usize, fault: Fault, lasting: Lasting) {
        let mut state = self.state.lock().unwrap();
        state.calls.clear();
        state.armed = Some((others, fault, lasting));
    }

    pub fn mend(&self) {
        self.state.lock().unwrap().armed = None;
    }

    fn next(&self, call: Call) -> Option<Fault> {
        let mut state = self.state.lock().unwrap();
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
        let mut state = self.state.lock().unwrap();
        let index = state.calls.len() - 1;
        state.held.take_if(|held| *held == index).is_some()
    }
}

impl Hook for Faults {
    async fn around<T: Send>(&self, call: Call, _: About<'_>, work: impl Work<T>) -> Done<T> {
        let fault = self.next(call);
        let _under_way = self.under_way.enter();
        if self.is_held() {
            self.gate.reached.notify_one();
            self.gate.go.notified().await;
        }
        let work = async {
            let answer = work.await?;
            self.state.lock().unwrap().done.push(call);
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
            Fault::Fails | Fault::FailsOnceDone => Err(StoreError::down(format!("{call:?} fails"))),
            Fault::Hangs | Fault::HangsOnceDone => pending().await,
            Fault::Panics | Fault::PanicsOnceDone => panic!("{call:?} panics"),
        }
    }

    fn denies(&self, call: Call) -> bool {
        call == Call::FindOrCreate && self.turning_away.load(SeqCst)
    }

    fn returned(&self, call: Call, user: &Account) {
        if call == Call::LogIn {
            self.returned
                .lock()
                .unwrap()
                .push(axum_clef::User::id(user));
        }
    }

    fn stored(&self, record: &Record) {
        self.records.lock().unwrap().push(record.id);
    }
}
