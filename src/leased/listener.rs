//! The receiver of the news of a bus.

use std::{fmt, sync::Arc, time::Duration};

use tokio::sync::broadcast;

use super::{
    entries::Lease,
    generations::Generations,
    message::{self, EndedLogins, NewsMessage},
};
use crate::{log_limit::LogLimit, users::LogoutNews};

/// How many messages a receiver may lag behind.
const CAPACITY: usize = 1_024;

/// Receives the news of a [`LogoutBus`](super::LogoutBus) for the [`Leased`](super::Leased) store
/// of this node.
#[derive(Clone)]
pub struct LogoutListener {
    pub(super) generations: Arc<Generations>,
    pub(super) lease: Lease,
    /// The random name of this store.
    pub(super) name: Arc<str>,
    news: broadcast::Sender<LogoutNews>,
    rejected: Arc<LogLimit<()>>,
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
            self.reject();
            return false;
        };
        if *from == *self.name {
            // This node has invalidated its own logout already.
            return true;
        }
        let EndedLogins::Logins(keys) = ended else {
            self.lagged();
            return true;
        };
        for key in keys.into_owned() {
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

    /// Counts a message that was rejected. Its text is not logged, since it may name a subject.
    pub(super) fn reject(&self) {
        if let Some(messages) = self.rejected.count(()) {
            tracing::warn!(
                messages,
                "messages on the logout bus were rejected; they are from a node with another version \
                 or secret, or forged by a client with the right to publish"
            );
        }
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
