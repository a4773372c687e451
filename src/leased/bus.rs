//! The interface to a bus with news of logouts, and the task that listens to it.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::time::Instant;

use super::listener::LogoutListener;
use crate::{BoxError, time_limit::answer};

/// The first pause before listening again. It doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Carries news of logouts between the nodes of a site, so that each invalidates its cache at once.
///
/// News may be late, duplicated, lost or out of order. A bus that loses news or is down only makes
/// logouts slower, unless it returns [`Reach::EveryNode`].
///
/// News is text of at most [`LONGEST_NEWS`](LogoutListener::LONGEST_NEWS) bytes. It names users,
/// and may name subjects and sessions at a provider. Keep it confidential and out of logs.
///
/// Forged news only causes reads of the user store. A forged acknowledgement ends the wait of a
/// logout early, so a bus that returns [`Reach::EveryNode`] must authenticate acknowledgements.
///
/// ```
/// use async_trait::async_trait;
/// use axum_clef::{BoxError, leased::{LogoutBus, LogoutListener, Reach}};
/// use tokio::sync::broadcast;
///
/// /// A bus between the nodes of one process.
/// #[derive(Clone)]
/// struct ProcessBus(broadcast::Sender<String>);
///
/// #[async_trait]
/// impl LogoutBus for ProcessBus {
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
    /// Delivers the news of other nodes to the listener until the bus fails.
    ///
    /// The store calls this in its own task when the layer is built inside a runtime, or else on first
    /// use. It aborts the task when it is dropped.
    /// When this returns, the store calls [`lagged`](LogoutListener::lagged) and then this again,
    /// after a pause of 50 milliseconds that doubles up to 5 seconds.
    async fn listen(&self, listener: &LogoutListener);

    /// Publishes news to the other nodes.
    ///
    /// The logout has been written, and waits for this at most until every lease is over. The
    /// future is dropped after five seconds.
    ///
    /// # Errors
    ///
    /// Return an error if the news cannot be published. It is logged, and the logout waits until
    /// every lease is over.
    async fn publish(&self, news: &str) -> Result<Reach, BoxError>;

    /// Whether this node may use its cache now. Defaults to `true`.
    ///
    /// A bus with a membership returns `false` while logouts of other nodes may not wait for this
    /// node. Every request then reads the store. This is called on every request, so it must be
    /// fast.
    fn may_cache(&self) -> bool {
        true
    }

    /// The longest lease that any node may have. Defaults to `None`: all nodes have the same lease.
    ///
    /// A logout waits for it if it is longer than this node's lease. A lease that was read before the
    /// logout counts only if no node with a longer one can have joined since. This is called while
    /// a logout waits, so it must be fast.
    fn longest_lease(&self) -> Option<Duration> {
        None
    }
}

/// Which nodes have received news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reach {
    /// Unknown. The logout waits until every lease is over.
    Unknown,
    /// Every node with cached entries has [received](LogoutListener::receive) it. The logout is
    /// answered at once.
    ///
    /// Return this only with a proof for every node, including nodes that have just started or
    /// cannot be reached. Otherwise a node may serve a login that has ended.
    EveryNode,
}

/// Listens to a bus, again after each failure.
pub(super) async fn listen(bus: Arc<dyn LogoutBus>, listener: LogoutListener) {
    let mut pause = FIRST_PAUSE;
    loop {
        let began_at = Instant::now();
        // Without a limit, for its protection against panics.
        if answer(Duration::MAX, bus.listen(&listener)).await.is_err() {
            tracing::error!("the task of the logout bus has panicked");
        }
        // The bus worked for a while, so this is a new failure.
        if began_at.elapsed() > LONGEST_PAUSE {
            pause = FIRST_PAUSE;
        }
        tracing::warn!(
            pause_milliseconds = pause.as_millis(),
            "the logout bus has stopped listening; it is restarted after a pause"
        );
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
        listener.lagged();
    }
}
