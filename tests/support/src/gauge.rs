use std::sync::atomic::Ordering::SeqCst;

use crate::hook::Count;

/// Counts calls: all of them, those under way, and the most at once.
#[derive(Clone, Debug, Default)]
pub struct Gauge {
    all: Count,
    now: Count,
    most: Count,
}

/// A call under way, until this is dropped.
pub struct Entered(Gauge);

impl Gauge {
    /// Begins a call.
    pub fn enter(&self) -> Entered {
        self.all.fetch_add(1, SeqCst);
        let now = self.now.fetch_add(1, SeqCst) + 1;
        self.most.fetch_max(now, SeqCst);
        Entered(self.clone())
    }

    /// How many calls there were.
    pub fn all(&self) -> usize {
        self.all.load(SeqCst)
    }

    /// How many calls are under way.
    pub fn now(&self) -> usize {
        self.now.load(SeqCst)
    }

    /// How many calls were under way at once at the most.
    pub fn most(&self) -> usize {
        self.most.load(SeqCst)
    }

    /// Forgets the most at once.
    pub fn forget_most(&self) {
        self.most.store(0, SeqCst);
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, SeqCst);
    }
}
