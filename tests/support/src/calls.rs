use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use tower_sessions::session::{Id, Record};

use crate::{
    About, Call, Hook,
    hook::{Done, Work},
};

/// Counts calls of stores, and knows which records there are.
#[derive(Debug, Clone, Default)]
pub struct Calls {
    counts: Arc<[AtomicU64; Call::ALL.len()]>,
    records: Arc<Mutex<HashSet<Id>>>,
}

impl Calls {
    /// How many calls of this kind there were since they were last taken.
    pub fn of(&self, call: Call) -> u64 {
        self.counts[call as usize].load(Relaxed)
    }

    /// Takes the number of calls of user stores.
    pub fn take_users(&self) -> u64 {
        self.take(|call| !call.is_of_sessions())
    }

    /// Takes the number of calls of session stores.
    pub fn take_sessions(&self) -> u64 {
        self.take(Call::is_of_sessions)
    }

    fn take(&self, which: impl Fn(Call) -> bool) -> u64 {
        let calls = Call::ALL.into_iter().filter(|call| which(*call));
        calls
            .map(|call| self.counts[call as usize].swap(0, Relaxed))
            .sum()
    }

    /// The ids of the records that were written and not deleted.
    pub fn records(&self) -> MutexGuard<'_, HashSet<Id>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hook for Calls {
    async fn around<T: Send>(&self, call: Call, about: About<'_>, work: impl Work<T>) -> Done<T> {
        self.counts[call as usize].fetch_add(1, Relaxed);
        let answer = work.await?;
        if let (Call::Delete, About::Record(id)) = (call, about) {
            self.records().remove(&id);
        }
        Ok(answer)
    }

    fn stored(&self, record: &Record) {
        self.records().insert(record.id);
    }
}
