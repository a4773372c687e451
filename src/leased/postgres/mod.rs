//! The logout bus over PostgreSQL, which proves that every node has received a logout.

mod acknowledgements;
mod envelope;
mod failure_detector;
mod membership;

use std::{
    collections::HashSet,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use sqlx::{PgPool, Row as _, postgres::PgListener};
use tokio::{
    task::JoinSet,
    time::{Instant, timeout, timeout_at},
};

use self::{
    acknowledgements::{Acknowledgements, acknowledged_by},
    envelope::{BusMessage, Envelope},
    failure_detector::evict_failed,
    membership::{Membership, MembershipState},
};
use super::{
    bus::{LogoutBus, Reach},
    listener::LogoutListener,
};
use crate::BoxError;

/// How long one statement may take.
const CALL_LIMIT: Duration = Duration::from_secs(5);
/// After this many leases without a message, including heartbeats of this node, the connection is
/// considered broken; but not before `SHORTEST_SILENCE`.
const SILENT_LEASES: u32 = 2;
const SHORTEST_SILENCE: Duration = Duration::from_secs(1);
/// The shortest pause between two queries of the members.
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
/// How many acknowledgements are sent concurrently.
const CONCURRENT_SENDS: usize = 64;

/// The channel of the site, and the secret of its messages.
///
/// The name has the oid of the table, so several sites in one database, each with its own schema, do
/// not receive each other's messages.
const SITE: &str =
    "select 'clef_logouts_' || 'clef_members'::regclass::oid, secret from clef_bus_secret";

/// Publishes a logout and returns all members after its write, or one row of nulls without members.
/// It has no limit, since a logout does not wait for a member that is missing here.
const PUBLISH: &str = "
    with published as materialized (select pg_notify($1, $2))
    select clef_members.member from published left join clef_members on true
";

/// Acknowledges a logout on the channel of its publisher.
const ACKNOWLEDGE: &str = "select pg_notify($1, $2)::text";

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
/// The row of a node that has crashed remains. Other nodes see no heartbeat and delete the row
/// after three leases, when all entries of the node have expired. A node that was suspended finds
/// that its lease is over, invalidates its cache and joins again. The time of day is never used.
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
/// # Requirements
///
/// - The tables of `migrations/postgres/0002_members.sql` and `0003_bus_secret.sql`, which
///   `PostgresUserStore::migrate` creates.
/// - One connection of the pool permanently, and others for statements: four per lease and node,
///   and for a logout one plus one per node. A heartbeat that waits for a connection stops the
///   cache. So use a separate pool of three connections for the bus of a busy site. A pooler such
///   as PgBouncer must use session mode.
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
    pool: PgPool,
    /// The random name of this node, and the channel of its acknowledgements.
    node: String,
    channel: String,
    site: Mutex<Option<Arc<Site>>>,
    state: MembershipState,
    acknowledgements: Acknowledgements,
}

/// The channel and the key that the nodes of a site share.
struct Site {
    channel: String,
    envelope: Envelope,
}

impl PostgresLogoutBus {
    /// Creates a bus with this pool. It starts with the first use of its [`Leased`](super::Leased)
    /// store.
    pub fn new(pool: PgPool) -> Self {
        let node = format!("{:032x}", rand::random::<u128>());
        Self {
            pool,
            channel: node_channel(&node),
            node,
            site: Mutex::default(),
            state: MembershipState::default(),
            acknowledgements: Acknowledgements::default(),
        }
    }

    /// Joins and listens until the connection or the membership fails.
    async fn run(&self, listener: &LogoutListener) -> Result<(), BoxError> {
        let site = self.read_site().await?;
        let mut messages = timeout(CALL_LIMIT, self.subscribe(&site)).await??;
        let membership = async {
            if listener.lease().is_zero() {
                // It caches nothing, so no logout has to wait for it.
                return std::future::pending().await;
            }
            let membership = Membership::join(&self.state, &self.pool, listener).await?;
            membership
                .send_heartbeats(&site.envelope, &self.channel)
                .await
        };
        tokio::select! {
            ended = self.receive(&mut messages, &site, listener) => ended,
            ended = membership => ended,
            ended = evict_failed(&self.pool, listener.lease()) => ended,
        }
    }

    /// Reads the site from the database.
    async fn read_site(&self) -> Result<Arc<Site>, BoxError> {
        let row = sqlx::query(SITE).fetch_optional(&self.pool);
        let row = timeout(CALL_LIMIT, row).await??;
        let row = row.ok_or("the table clef_bus_secret has no secret")?;
        let site = Arc::new(Site {
            channel: row.try_get(0)?,
            envelope: Envelope::new(row.try_get(1)?)?,
        });
        *self.known_site() = Some(Arc::clone(&site));
        Ok(site)
    }

    /// The site as last read.
    async fn site(&self) -> Result<Arc<Site>, BoxError> {
        let known = self.known_site().clone();
        match known {
            Some(site) => Ok(site),
            None => self.read_site().await,
        }
    }

    fn known_site(&self) -> MutexGuard<'_, Option<Arc<Site>>> {
        self.site.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn subscribe(&self, site: &Site) -> Result<PgListener, BoxError> {
        let mut messages = PgListener::connect_with(&self.pool).await?;
        let channels = [site.channel.as_str(), self.channel.as_str()];
        messages.listen_all(channels).await?;
        Ok(messages)
    }

    /// Passes news to the listener and acknowledges it.
    async fn receive(
        &self,
        messages: &mut PgListener,
        site: &Site,
        listener: &LogoutListener,
    ) -> Result<(), BoxError> {
        let silence = (listener.lease() * SILENT_LEASES).max(SHORTEST_SILENCE);
        let mut last_at = Instant::now();
        let mut sending = JoinSet::new();
        loop {
            let Ok(message) = timeout_at(last_at + silence, messages.try_recv()).await else {
                if self.state.name().is_none() {
                    // A node that is not a member sends no heartbeats.
                    last_at = Instant::now();
                    continue;
                }
                return Err("the heartbeats of this node no longer arrive".into());
            };
            let Some(message) = message? else {
                return Err("the listening connection was lost".into());
            };
            let text = site.envelope.open(message.channel(), message.payload());
            let Some(message) = text.as_deref().and_then(BusMessage::read) else {
                listener.reject();
                continue;
            };
            last_at = Instant::now();
            match message {
                BusMessage::Acknowledged { logout, member } => {
                    self.acknowledgements.add(logout, member);
                }
                BusMessage::News { node, logout, news } if node != self.node => {
                    // Acknowledged only after the entries are invalidated.
                    if listener.receive(news) {
                        self.acknowledge(site, node, logout, &mut sending).await?;
                    }
                }
                BusMessage::News { .. } | BusMessage::Heartbeat => {}
            }
        }
    }

    /// Sends the acknowledgement of a logout to its node, if this node is a member.
    async fn acknowledge(
        &self,
        site: &Site,
        node: &str,
        logout: u128,
        sending: &mut JoinSet<()>,
    ) -> Result<(), BoxError> {
        let Some(member) = self.state.name() else {
            return Ok(());
        };
        if sending.len() >= CONCURRENT_SENDS {
            sending.join_next().await;
        }
        while sending.try_join_next().is_some() {}
        let channel = node_channel(node);
        let member = &member;
        let message = BusMessage::Acknowledged { logout, member };
        let sealed = site.envelope.seal(&channel, &message)?;
        let pool = self.pool.clone();
        sending.spawn(async move {
            let send = sqlx::query(ACKNOWLEDGE).bind(channel).bind(sealed);
            // If it cannot be sent, the other node waits for the lease.
            let _ = timeout(CALL_LIMIT, send.execute(&pool)).await;
        });
        Ok(())
    }
}

/// The channel of the acknowledgements for this node.
fn node_channel(node: &str) -> String {
    format!("clef_node_{node}")
}

#[async_trait]
impl LogoutBus for PostgresLogoutBus {
    async fn listen(&self, listener: &LogoutListener) {
        if let Err(error) = self.run(listener).await {
            tracing::warn!(error = ?error.to_string(), "the logout bus over PostgreSQL has stopped");
        }
    }

    async fn publish(&self, news: &str) -> Result<Reach, BoxError> {
        let site = self.site().await?;
        let (logout, acknowledged) = self.acknowledgements.expect();
        let node = &self.node;
        let message = BusMessage::News { node, logout, news };
        let sealed = site.envelope.seal(&site.channel, &message)?;
        let rows = sqlx::query(PUBLISH);
        let rows = rows.bind(&site.channel).bind(sealed);
        let rows = timeout(CALL_LIMIT, rows.fetch_all(&self.pool)).await??;
        let own = self.state.name();
        let mut others = HashSet::new();
        for row in rows {
            // Null: there are no members.
            let Some(member) = row.try_get::<Option<String>, _>("member")? else {
                continue;
            };
            if Some(member.as_str()) != own.as_deref() {
                others.insert(member);
            }
        }
        acknowledged_by(others, acknowledged).await;
        Ok(Reach::EveryNode)
    }

    fn may_cache(&self) -> bool {
        self.state.may_cache()
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
