//! Until when a node may hand out what it keeps.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use tokio::time::Instant;

/// A time that ends by itself, unless it is prolonged.
pub(super) struct Term {
    began_at: Instant,
    /// In nanoseconds since then. Zero: not at all.
    until: AtomicU64,
}

impl Term {
    pub(super) fn over() -> Self {
        Self {
            began_at: Instant::now(),
            until: AtomicU64::new(0),
        }
    }

    pub(super) fn prolong(&self, until: Instant) {
        let until = until.saturating_duration_since(self.began_at).as_nanos();
        let until = u64::try_from(until).unwrap_or(u64::MAX);
        self.until.store(until, SeqCst);
    }

    pub(super) fn end(&self) {
        self.until.store(0, SeqCst);
    }

    pub(super) fn lasts(&self) -> bool {
        self.began_at.elapsed().as_nanos() < u128::from(self.until.load(SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_term_ends_by_itself() {
        let term = Term::over();
        assert!(!term.lasts());
        term.prolong(Instant::now() + Duration::from_millis(10));
        assert!(term.lasts());
        tokio::time::advance(Duration::from_millis(10)).await;
        assert!(!term.lasts());
        term.prolong(Instant::now() + Duration::from_millis(10));
        assert!(term.lasts());
        term.end();
        assert!(!term.lasts());
    }
}
