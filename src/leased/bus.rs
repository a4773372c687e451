//! What carries news of logouts from node to node.

use std::time::Duration;

use async_trait::async_trait;

use super::listener::LogoutListener;
use crate::BoxError;

/// Carries news of logouts between the nodes of a site, so that each drops at once what it keeps of
/// a user who was logged out.
///
/// A bus that loses news, or is down, costs speed and nothing else, unless it has proven otherwise
/// by [`Reach::EveryNode`]. News may come late, twice, and in any order.
///
/// The news is text of at most [`LONGEST_NEWS`](LogoutListener::LONGEST_NEWS) bytes. It may have an
/// issuer and a subject in it: keep it out of logs, and away from those who must not read it.
///
/// Forged news costs reads of the user store and loosens nothing. A forged acknowledgement does: a
/// bus that answers [`Reach::EveryNode`] counts only those that it has authenticated.
///
/// ```
/// use async_trait::async_trait;
/// use axum_clef::{BoxError, leased::{LogoutBus, LogoutListener, Reach}};
/// use tokio::sync::broadcast;
///
/// /// Between the nodes of one process.
/// #[derive(Clone)]
/// struct Within(broadcast::Sender<String>);
///
/// #[async_trait]
/// impl LogoutBus for Within {
///     async fn listen(&self, listener: &LogoutListener) {
///         let mut news = self.0.subscribe();
///         loop {
///             match news.recv().await {
///                 Ok(news) => {
///                     listener.receive(&news);
///                 }
///                 Err(broadcast::error::RecvError::Lagged(_)) => listener.lagged(),
///                 Err(broadcast::error::RecvError::Closed) => return,
///             }
///         }
///     }
///
///     async fn publish(&self, news: &str) -> Result<Reach, BoxError> {
///         self.0.send(news.to_owned())?;
///         Ok(Reach::Unknown)
///     }
/// }
/// ```
#[async_trait]
pub trait LogoutBus: Send + Sync + 'static {
    /// Brings the news of the other nodes to the listener, for as long as it can.
    ///
    /// The store runs this in a task of its own from its first use on, and ends the task when it is
    /// dropped. Where it returns, it is called again after a pause, which grows, and after
    /// [`lagged`](LogoutListener::lagged).
    async fn listen(&self, listener: &LogoutListener);

    /// Publishes news to the other nodes.
    ///
    /// The logout is written already, and waits for this until every lease is over. After five
    /// seconds the future is dropped.
    ///
    /// # Errors
    ///
    /// When it cannot be published. The logout then waits until every lease is over. The error goes
    /// to the log.
    async fn publish(&self, news: &str) -> Result<Reach, BoxError>;

    /// Whether this node may keep anything now. It is asked at every request, so it answers from
    /// memory.
    ///
    /// For a bus that knows which nodes keep something: while it is not sure that the others count
    /// with this node, it says no, and every request asks the store.
    fn may_keep(&self) -> bool {
        true
    }

    /// The longest lease that any node may have, as far as this node knows; `None`, as it stands:
    /// all have the same. A logout waits for that one where it is longer than this node's. It is
    /// asked while a logout waits, so it answers from memory.
    fn longest_lease(&self) -> Option<Duration> {
        None
    }
}

/// How far news has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reach {
    /// It may have reached others, or not. The logout waits until every lease is over.
    Unknown,
    /// Every node that could keep something from before has [received](LogoutListener::receive) it:
    /// the logout is answered at once. Return this only where it is proven, for every node there is,
    /// those included that have just started or cannot be reached: the promise rests on it.
    EveryNode,
}
