//! The real time that stores take, in which the time of the run stands still. So it does not pass
//! while a machine is busy, and no patience is over that the run has not let pass.

use std::{
    sync::mpsc::{Sender, channel},
    thread,
    time::Duration,
};

use test_support::settle;
use tokio::{sync::watch, task::spawn_blocking};

/// The calls of stores that have not ended.
#[derive(Clone)]
pub struct StoreCalls {
    /// Whether a call takes real time.
    take_time: bool,
    count: watch::Sender<usize>,
}

/// A call of a store, until this is dropped.
pub struct StoreCall {
    count: watch::Sender<usize>,
    _clock: Option<StoppedClock>,
}

impl StoreCalls {
    pub fn new(take_time: bool) -> Self {
        Self {
            take_time,
            count: watch::Sender::new(0),
        }
    }

    pub fn begin(&self) -> StoreCall {
        self.count.send_modify(|count| *count += 1);
        StoreCall {
            count: self.count.clone(),
            _clock: self.take_time.then(StoppedClock::new),
        }
    }

    /// Lets all tasks run until there are none, and each task waits for something else.
    pub async fn settle(&self) {
        let mut count = self.count.subscribe();
        settle().await;
        while *count.borrow() > 0 {
            // The sender is here.
            let _ = count.wait_for(|count| *count == 0).await;
            settle().await;
        }
    }
}

impl Drop for StoreCall {
    fn drop(&mut self) {
        self.count.send_modify(|count| *count -= 1);
    }
}

/// Until this is dropped, the clock does not go on by itself to the next timer when all tasks wait:
/// tokio does not move it while a blocking task runs.
pub struct StoppedClock {
    _until_dropped: Sender<()>,
}

impl StoppedClock {
    pub fn new() -> Self {
        let (until_dropped, dropped) = channel();
        spawn_blocking(move || dropped.recv());
        Self {
            _until_dropped: until_dropped,
        }
    }
}

/// Lets real time pass, for what is no call of a store.
pub async fn pass(time: Duration) {
    spawn_blocking(move || thread::sleep(time)).await.unwrap();
}
