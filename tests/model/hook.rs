//! What the stores of the nodes do beside their work.

use std::sync::{Arc, Mutex, atomic::Ordering::SeqCst};

use test_support::{
    About, Call, Hold, Holds, Hook,
    hook::{Done, Flag, StoreError, Work},
};
use tower_sessions::session::{Id, Record};

use crate::real_time::StoreCalls;

/// At times the user store accepts no logouts, writes one late, or answers a read late.
#[derive(Clone)]
pub struct StoreHook {
    pub node: usize,
    pub logouts_fail: Flag,
    pub calls: StoreCalls,
    pub holds: Holds,
    /// The ids of the records that were written.
    pub records: Arc<Mutex<Vec<Id>>>,
}

impl Hook for StoreHook {
    async fn around<T: Send>(&self, call: Call, _: About<'_>, work: impl Work<T>) -> Done<T> {
        let logs_out = matches!(
            call,
            Call::LogOut | Call::LogOutSubject | Call::LogOutOthers | Call::Revoke
        );
        if logs_out {
            self.holds.pass(&write_at(self.node), String::new()).await;
        }
        if logs_out && self.logouts_fail.load(SeqCst) {
            return Err(StoreError::down("the store accepts no logouts"));
        }
        let running = self.calls.begin();
        let answer = work.await;
        drop(running);
        if call == Call::CheckLogin {
            self.holds.pass(&read_at(self.node), String::new()).await;
        }
        answer
    }

    fn stored(&self, record: &Record) {
        self.records.lock().unwrap().push(record.id);
    }
}

/// Holds back the answer of the next read of a node.
pub fn hold_read(holds: &Holds, node: usize) -> Hold {
    holds.prepare(&read_at(node))
}

/// Holds the next logout of a node before the store writes it.
pub fn hold_write(holds: &Holds, node: usize) -> Hold {
    holds.prepare(&write_at(node))
}

/// The name of the place where a read of a node is held.
fn read_at(node: usize) -> String {
    format!("read at {node}")
}

/// The name of the place where a logout of a node is held.
fn write_at(node: usize) -> String {
    format!("write at {node}")
}
