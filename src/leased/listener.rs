//! Where a bus brings the news to.

use std::{fmt, sync::Arc, time::Duration};

use tokio::sync::broadcast;

use super::{
    dropped::Dropped,
    lease::Lease,
    message::{self, Message},
};
use crate::LogoutNews;

/// How many news a receiver may be behind.
const ROOM: usize = 1_024;

/// What a [`LogoutBus`](super::LogoutBus) brings news to: the leased store of this node.
#[derive(Clone)]
pub struct LogoutListener {
    pub(super) dropped: Arc<Dropped>,
    pub(super) lease: Lease,
    /// The name of this store among all of the site's.
    pub(super) name: Arc<str>,
    news: broadcast::Sender<LogoutNews>,
}

impl LogoutListener {
    /// The longest news, in bytes. Longer text is none.
    pub const LONGEST_NEWS: usize = message::LONGEST;

    pub(super) fn new(lease: Lease) -> Self {
        Self {
            dropped: Arc::new(Dropped::new()),
            lease,
            name: format!("{:032x}", rand::random::<u128>()).into(),
            news: broadcast::Sender::new(ROOM),
        }
    }

    /// Takes news that a node has told. When this returns `true`, nothing that was read before is
    /// handed out any more to the logins that have ended, and so the news has arrived.
    ///
    /// `false`: it is no news that this version can read. Nothing has changed.
    pub fn hear(&self, news: &str) -> bool {
        let Some(Message { from, scope }) = Message::read(news) else {
            // Not its text: it may be anything, a person's name among it.
            tracing::warn!(
                bytes = news.len(),
                "something came over the bus that is no news of a logout; do all nodes run the \
                 same version, and does nobody else write there?"
            );
            return false;
        };
        if *from == *self.name {
            // Its own logout, which was dropped before it was told.
            return true;
        }
        match scope {
            Some(scope) => {
                self.dropped.logins(&scope);
                // Nobody may be listening.
                let _ = self.news.send(LogoutNews::LoggedOut(scope));
            }
            None => self.missed(),
        }
        true
    }

    /// Says that news may have been missed, or that nothing is known of before. Everything that is
    /// kept, and every read that is under way, is for nobody else from now on.
    pub fn missed(&self) {
        self.dropped.everything();
        let _ = self.news.send(LogoutNews::Missed);
    }

    /// How long this node keeps what it has read.
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
