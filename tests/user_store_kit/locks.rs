//! A store with a fault: the locks that it holds across an await.

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    task::yield_now,
};

use crate::{fault::Fault, members::Members};

/// The lock of a whole table, and a pool of connections.
pub struct Locks {
    table: Semaphore,
    pool: Semaphore,
}

impl Default for Locks {
    fn default() -> Self {
        Self {
            table: Semaphore::new(1),
            pool: Semaphore::new(10),
        }
    }
}

impl Members {
    /// Waits for the lock or a connection, in a store that has either. `leaks` is the fault by
    /// which this method does not give it back when it is dropped.
    pub async fn lock(&self, leaks: &[Fault]) -> Option<SemaphorePermit<'_>> {
        let permits = match self.fault {
            Fault::LogOutLosesAConnection => &self.shared.locks.pool,
            fault if fault.locks_the_table() => &self.shared.locks.table,
            _ => return None,
        };
        let permit = permits.acquire().await.unwrap();
        if !leaks.contains(&self.fault) {
            yield_now().await;
            return Some(permit);
        }
        permit.forget();
        // Dropped here, it is not given back.
        yield_now().await;
        permits.add_permits(1);
        None
    }
}
