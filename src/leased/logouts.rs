//! How a logout waits until no node has an entry from before it.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::{task::JoinHandle, time::Instant};

use super::{
    Leased,
    bus::{LogoutBus, Reach},
    generations::Generations,
    message::NewsMessage,
};
use crate::{BoxError, UserStore, time_limit::within, users::LogoutKey};

/// How long a bus may take to publish a logout.
const PUBLISH_LIMIT: Duration = Duration::from_secs(5);

impl<S: UserStore> Leased<S> {
    /// Runs a logout whose keys are known before it is written.
    pub(super) async fn log_out_everywhere<T>(
        &self,
        keys: &[LogoutKey],
        write: impl Future<Output = Result<T, BoxError>> + Send,
    ) -> Result<T, BoxError> {
        self.listen();
        let generations = self.generations();
        keys.iter().for_each(|key| generations.invalidate(key));
        // A read during the write may return the user from before it.
        let invalidate_again = InvalidateOnDrop { generations, keys };
        let written = write.await;
        let written_at = Instant::now();
        drop(invalidate_again);
        let written = written?;
        // Also without a user in the store: another node may have cached one that was deleted.
        self.wait_for_all_nodes(keys, written_at).await;
        Ok(written)
    }

    /// Waits until no node has a valid entry from before `written_at`.
    pub(super) async fn wait_for_all_nodes(&self, keys: &[LogoutKey], written_at: Instant) {
        if let Some(bus) = &self.bus {
            let mut published = self.publish(bus, keys);
            let published = loop {
                let deadline = written_at + self.lease_wait();
                if let Ok(published) = tokio::time::timeout_at(deadline, &mut published).await {
                    break Some(published.unwrap_or_else(|error| Err(error.into())));
                }
                // This node may have lost its membership.
                if written_at + self.lease_wait() <= deadline {
                    break None;
                }
            };
            // Nodes do not find entries by subject.
            let by_subject = |key: &LogoutKey| matches!(key, LogoutKey::Subject(_));
            let reached = match published {
                Some(Ok(Reach::EveryNode)) if !keys.iter().any(by_subject) => return,
                Some(Ok(_)) => Ok(()),
                Some(Err(error)) => Err(error.to_string()),
                None => Err("not every node has acknowledged it in time".to_owned()),
            };
            if let Err(error) = reached
                && let Some(count) = self.unreached.count(())
            {
                tracing::warn!(
                    ?error,
                    count,
                    "the bus has not reached every node with a logout, which waits until every lease is \
                     over"
                );
            }
        }
        tokio::time::sleep_until(written_at + self.lease_wait()).await;
    }

    /// Publishes a logout in a task of its own, since open pages on other nodes need it even after
    /// the leases are over.
    fn publish(
        &self,
        bus: &Arc<dyn LogoutBus>,
        keys: &[LogoutKey],
    ) -> JoinHandle<Result<Reach, BoxError>> {
        let bus = Arc::clone(bus);
        let news = NewsMessage::write(&self.listener.name, keys);
        tokio::spawn(async move { within(PUBLISH_LIMIT, bus.publish(&news)).await })
    }
}

/// Invalidates entries when a call ends or is dropped, since it may have written.
pub(super) struct InvalidateOnDrop<'a> {
    pub(super) generations: &'a Generations,
    pub(super) keys: &'a [LogoutKey],
}

impl Drop for InvalidateOnDrop<'_> {
    fn drop(&mut self) {
        for key in self.keys {
            self.generations.invalidate(key);
        }
    }
}
