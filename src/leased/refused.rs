//! Messages of the bus that no node of the site can have published.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// How often they are logged at the most: who publishes them may publish many.
const BETWEEN_LOGS: Duration = Duration::from_secs(1);

/// Counts them, and logs the count once a second at the most.
#[derive(Default)]
pub(super) struct RefusedMessages(Mutex<Count>);

#[derive(Default)]
struct Count {
    unlogged: u64,
    logged_at: Option<Instant>,
}

impl RefusedMessages {
    /// Counts one. Its text is not logged: it may be anything, with a subject in it.
    pub(super) fn add(&self) {
        if let Some(messages) = self.count() {
            tracing::warn!(
                messages,
                "messages on the logout bus were refused, and nothing was done about them; they \
                 are from a node with another version or secret, or forged by a client that may \
                 publish there"
            );
        }
    }

    /// How many to log now, since the last time.
    fn count(&self) -> Option<u64> {
        let mut count = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        count.unlogged = count.unlogged.saturating_add(1);
        let is_due = count
            .logged_at
            .is_none_or(|logged_at| logged_at.elapsed() >= BETWEEN_LOGS);
        is_due.then(|| {
            count.logged_at = Some(Instant::now());
            std::mem::take(&mut count.unlogged)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_logged_once_a_second_with_its_count() {
        let refused = RefusedMessages::default();
        assert_eq!(refused.count(), Some(1));
        for _ in 0..1_000 {
            assert_eq!(refused.count(), None);
        }
        tokio::time::advance(BETWEEN_LOGS - Duration::from_millis(1)).await;
        assert_eq!(refused.count(), None);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(refused.count(), Some(1_002));
        assert_eq!(refused.count(), None);
    }
}
