//! Where a bus brings the news to.

use std::{fmt, sync::Arc, time::Duration};

use tokio::sync::broadcast;

use super::{
    dropped::Dropped,
    lease::Lease,
    message::{self, Message},
    refused::RefusedMessages,
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
    pub(super) refused: Arc<RefusedMessages>,
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
            refused: Arc::default(),
        }
    }

    /// Receives news that a node has published.
    ///
    /// When this returns `true`, nothing that was read before is handed out any more to the logins
    /// that have ended, and so the news has arrived. `false`: it is no news that this version can read. Nothing has changed, and it is counted in a
    /// warning that is logged once a second at the most.
    pub fn receive(&self, news: &str) -> bool {
        let Some(Message { from, scope }) = Message::read(news) else {
            self.refused.add();
            return false;
        };
        if *from == *self.name {
            // Its own logout, dropped here before it was published.
            return true;
        }
        match scope {
            Some(scope) => {
                self.dropped.logins(&scope);
                // Nobody may be listening.
                let _ = self.news.send(LogoutNews::LoggedOut(scope));
            }
            None => self.lagged(),
        }
        true
    }

    /// Notes that news may have been missed: everything that is kept, and every read that is under
    /// way, is given to no later request.
    pub fn lagged(&self) {
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
