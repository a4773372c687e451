//! The logout bus over PostgreSQL, which proves that every node has received a logout.

mod acknowledgements;
mod envelope;
mod failure_detector;
mod limits;
mod membership;
mod node;
mod outgoing;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use async_trait::async_trait;
use sqlx::PgPool;

use self::node::Node;
use super::{
    bus::{LogoutBus, Reach},
    listener::LogoutListener,
};
use crate::BoxError;

/// A logout bus with `LISTEN` and `NOTIFY` of PostgreSQL: a logout is answered as soon as every
/// node has acknowledged it.
///
/// That takes milliseconds, and is as strict as waiting for the lease.
///
/// ```no_run
/// use std::time::Duration;
///
/// use axum_clef::{
///     leased::{Leased, PostgresLogoutBus},
///     stores::PostgresUserStore,
/// };
///
/// # async fn open() -> Result<(), axum_clef::BoxError> {
/// let users = PostgresUserStore::connect("postgres://site@db.example.com/site?sslmode=verify-full").await?;
/// users.migrate().await?; // also creates the tables of the bus
/// let bus = PostgresLogoutBus::new(users.pool().clone());
/// let users = Leased::new(users, Duration::from_secs(1)).bus(bus);
/// # Ok(())
/// # }
/// ```
///
/// # How it works
///
/// Each node that caches users is a member: it has a row in the table `clef_members`. It caches
/// reads only after it has joined, and only for one lease after it last found its row. So a logout
/// that is written and then reads the members sees every node that may have entries. It waits until
/// each has acknowledged it, or until every lease is over.
///
/// A node that stops [leaves](Self::leave), so that no logout waits for it. The row of a node that has
/// crashed remains. Other nodes see no heartbeat and delete the row after three leases, when all
/// entries of the node have expired. A node that was suspended finds that its lease is over,
/// invalidates its cache and joins again. The time of day is never used.
///
/// A node finds its row by the connection that it listens with, and acknowledges by it. So a node whose
/// connection is broken stops caching within its lease. Logouts wait for the lease of a node that
/// acknowledges nothing.
///
/// All members have the lease of the first one. A node with another lease caches nothing. A node that
/// is no member does not know which lease the members have. So its logouts wait for the
/// longest possible lease, unless every member acknowledges them. A node with a lease of zero does not
/// join.
///
/// **Every node that caches users must have this bus.** A node with [`Leased`](super::Leased) but
/// without the bus is not a member, so no logout waits for it. Before you add the bus, stop all
/// nodes without it; before you remove it, stop all nodes with it. Nodes without `Leased` are not
/// affected.
///
/// # Several stores in one process
///
/// Layers with the same users share one [`Leased`](super::Leased) store in an `Arc`. Other stores of
/// the process get a clone of the bus, and the same lease. The clones are one member: they share the
/// connection that listens and its heartbeats.
///
/// # Requirements
///
/// - The tables of `migrations/postgres/0002_members.sql` and `0003_bus_secret.sql`, which
///   `PostgresUserStore::migrate` creates.
/// - Two connections besides those of the pool, with its settings. One is permanent: it runs five
///   statements per lease, and one for the logouts and acknowledgements that have gathered meanwhile.
///   The other is for joining, and is closed some seconds later. A pooler such as PgBouncer must use
///   session mode.
/// - The primary, never a replica, and `synchronous_commit` other than `off`. After a failover, the
///   new primary must have all committed transactions, as for the users.
/// - A secret in the table `clef_bus_secret` that only the role of the site can read. A role with
///   `select` on all tables can read it too.
///
/// # What other roles can do
///
/// `LISTEN` and `NOTIFY` need only the right `CONNECT`, which PostgreSQL grants to `PUBLIC`. Revoke
/// it:
///
/// ```sql
/// revoke connect on database site from public;
/// grant connect on database site to site;
/// ```
///
/// A role with no other right
///
/// - cannot read who was logged out: messages are encrypted and authenticated (AES-256-GCM-SIV) for
///   one channel, with a key that is derived from the secret, and padded. It sees when a logout
///   happens.
/// - cannot shorten a logout: an acknowledgement names the logout, by a random number, and the
///   member. So neither a forged nor a replayed one counts.
/// - cannot invalidate entries with forged messages, which are rejected and counted in a warning at
///   most once a second. A replayed message invalidates the entries of that user again, which costs
///   reads.
/// - can slow the site down with a flood of messages, or by filling the notification queue of the
///   server. While messages are not delivered, a logout waits for the lease.
pub struct PostgresLogoutBus {
    node: Arc<Node>,
    /// The lease of the store with this clone, in nanoseconds. 0 while the store receives no news.
    lease: AtomicU64,
}

impl PostgresLogoutBus {
    /// Creates a bus with this pool. It starts when the layer of its [`Leased`](super::Leased) store is
    /// built inside a runtime, or else with the first use of the store.
    pub fn new(pool: PgPool) -> Self {
        Self::of(Arc::new(Node::new(pool)))
    }

    /// Ends the membership of this node, for the end of its process: no logout of another node waits
    /// for it from then on.
    ///
    /// Call it once the server has stopped. Requests that still come read the user store each time. The
    /// node does not join again, with any clone of the bus.
    ///
    /// ```no_run
    /// # async fn serve(app: axum::Router, bus: axum_clef::leased::PostgresLogoutBus)
    /// # -> Result<(), axum_clef::BoxError> {
    /// let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    /// let stop = async {
    ///     tokio::signal::ctrl_c().await.ok();
    /// };
    /// axum::serve(listener, app).with_graceful_shutdown(stop).await?;
    /// bus.leave().await?; // a clone of the bus of `Leased`
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The database did not answer within five seconds. Go on stopping: after three leases the other
    /// nodes remove this one, and until then their logouts wait for the lease.
    pub async fn leave(&self) -> Result<(), BoxError> {
        self.node.leave().await
    }

    fn of(node: Arc<Node>) -> Self {
        Self {
            node,
            lease: AtomicU64::new(0),
        }
    }
}

/// The bus of another store of this process. All clones are one member.
impl Clone for PostgresLogoutBus {
    fn clone(&self) -> Self {
        Self::of(Arc::clone(&self.node))
    }
}

/// A store that receives the news of its bus, until this is dropped.
struct Subscription<'a> {
    bus: &'a PostgresLogoutBus,
    listener: &'a LogoutListener,
}

impl<'a> Subscription<'a> {
    fn new(bus: &'a PostgresLogoutBus, listener: &'a LogoutListener) -> Self {
        let subscription = Self { bus, listener };
        bus.node.subscribe(listener);
        // No logout has waited for reads from before.
        listener.generations.invalidate_all();
        let lease = u64::try_from(listener.lease().as_nanos());
        bus.lease.store(lease.unwrap_or_default(), SeqCst);
        subscription
    }
}

impl Drop for Subscription<'_> {
    fn drop(&mut self) {
        self.bus.lease.store(0, SeqCst);
        self.bus.node.unsubscribe(self.listener);
    }
}

#[async_trait]
impl LogoutBus for PostgresLogoutBus {
    async fn listen(&self, listener: &LogoutListener) {
        let _subscription = Subscription::new(self, listener);
        // One store at a time runs the connection.
        let mut publications = self.node.publications.lock().await;
        if let Err(error) = self.node.run(listener.lease(), &mut publications).await {
            tracing::warn!(error = ?error.to_string(), "the logout bus over PostgreSQL has stopped");
        }
    }

    async fn publish(&self, news: &str) -> Result<Reach, BoxError> {
        self.node.publish(news).await?;
        Ok(Reach::EveryNode)
    }

    fn may_cache(&self) -> bool {
        let lease = self.lease.load(SeqCst);
        lease > 0 && self.node.state.may_cache(Duration::from_nanos(lease))
    }

    fn longest_lease(&self) -> Option<Duration> {
        // As last read, it would be too short once this node is evicted and another lease has joined.
        (!self.may_cache()).then_some(Duration::MAX)
    }
}

impl fmt::Debug for PostgresLogoutBus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PostgresLogoutBus")
            .field("may_cache", &self.may_cache())
            .finish_non_exhaustive()
    }
}
