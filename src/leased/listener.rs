//! The receiver of the news of a bus.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::broadcast, time::Instant};

use super::{
    generations::Generations,
    lease::Lease,
    message::{self, NewsMessage},
};
use crate::LogoutNews;

/// How many messages a receiver may lag behind.
const CAPACITY: usize = 1_024;
/// The shortest time between two log events, since a client may forge many messages.
const BETWEEN_LOGS: Duration = Duration::from_secs(1);

/// Receives the news of a [`LogoutBus`](super::LogoutBus) for the [`Leased`](super::Leased) store
/// of this node.
#[derive(Clone)]
pub struct LogoutListener {
    pub(super) generations: Arc<Generations>,
    pub(super) lease: Lease,
    /// The random name of this store.
    pub(super) name: Arc<str>,
    news: broadcast::Sender<LogoutNews>,
    pub(super) rejected: Arc<RejectedMessages>,
}

impl LogoutListener {
    /// The longest news, in bytes. Longer text is rejected.
    pub const LONGEST_NEWS: usize = message::LONGEST;

    pub(super) fn new(lease: Lease) -> Self {
        Self {
            generations: Arc::new(Generations::new()),
            lease,
            name: format!("{:032x}", rand::random::<u128>()).into(),
            news: broadcast::Sender::new(CAPACITY),
            rejected: Arc::default(),
        }
    }

    /// Receives news that a node has published.
    ///
    /// Returns `true` if the news counts as received: the entries of the ended logins are
    /// invalidated. Returns `false` if this version cannot read the news. Then nothing has changed,
    /// and a warning with the count is logged at most once a second.
    pub fn receive(&self, news: &str) -> bool {
        let Some(NewsMessage { from, ended }) = NewsMessage::read(news) else {
            self.rejected.add();
            return false;
        };
        if *from == *self.name {
            // This node has invalidated its own logout already.
            return true;
        }
        let Some(keys) = ended else {
            self.lagged();
            return true;
        };
        for key in keys {
            self.generations.invalidate(&key);
            // An error means that there is no receiver.
            let _ = self.news.send(LogoutNews::LoggedOut(key));
        }
        true
    }

    /// Invalidates all entries and running reads, since news may have been lost.
    pub fn lagged(&self) {
        self.generations.invalidate_all();
        let _ = self.news.send(LogoutNews::Lagged);
    }

    /// How long this node caches a read.
    pub fn lease(&self) -> Duration {
        self.lease.length
    }

    pub(super) fn news(&self) -> broadcast::Receiver<LogoutNews> {
        self.news.subscribe()
    }
}

impl fmt::Debug for LogoutListener {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LogoutListener")
            .field("lease", &self.lease.length)
            .finish_non_exhaustive()
    }
}

/// Counts rejected messages, and logs the count at most once a second.
#[derive(Default)]
pub(super) struct RejectedMessages(Mutex<Count>);

#[derive(Default)]
struct Count {
    unlogged: u64,
    logged_at: Option<Instant>,
}

impl RejectedMessages {
    /// Counts a message. Its text is not logged, since it may name a subject.
    pub(super) fn add(&self) {
        if let Some(messages) = self.count() {
            tracing::warn!(
                messages,
                "messages on the logout bus were rejected; they are from a node with another version \
                 or secret, or forged by a client with the right to publish"
            );
        }
    }

    /// The number of messages to log now; `None` within a second of the last event.
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
        let rejected = RejectedMessages::default();
        assert_eq!(rejected.count(), Some(1));
        for _ in 0..1_000 {
            assert_eq!(rejected.count(), None);
        }
        tokio::time::advance(BETWEEN_LOGS - Duration::from_millis(1)).await;
        assert_eq!(rejected.count(), None);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(rejected.count(), Some(1_002));
        assert_eq!(rejected.count(), None);
    }
}
