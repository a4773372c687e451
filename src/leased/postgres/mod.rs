//! The logout bus over PostgreSQL, which proves that every node has received a logout.

mod acknowledgements;
mod envelope;
mod failure_detector;
mod membership;

use std::{
    collections::HashSet,
    fmt,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use sqlx::{
    PgPool, Row as _,
    postgres::{PgListener, PgNotification},
};
use tokio::time::{Instant, sleep_until, timeout};

use self::{
    acknowledgements::{Acknowledgements, acknowledged_by},
    envelope::{BusMessage, Envelope},
    failure_detector::FailureDetector,
    membership::{Membership, MembershipState},
};
use super::{
    bus::{LogoutBus, Reach},
    listener::LogoutListener,
};
use crate::BoxError;

/// How long one statement may take.
const CALL_LIMIT: Duration = Duration::from_secs(5);
/// The shortest pause between two heartbeats.
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
/// The shortest pause between two queries of the members.
const SHORTEST_QUERY_PAUSE: Duration = Duration::from_millis(250);

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

/// Sends messages to channels, all in one transaction: the server sends one at a time.
const NOTIFY: &str = "
    select pg_notify(channel, message)::text
    from unnest($1::text[], $2::text[]) as messages (channel, message)
";

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
/// A node finds its row by the connection that it listens with, and acknowledges by it. So a node that
/// receives nothing stops to cache within its lease.
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
/// - One connection of the pool permanently: it listens, acknowledges, and runs five statements per
///   lease. A logout needs another one to publish itself. A pooler such as PgBouncer must use
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
        let mut connection = timeout(CALL_LIMIT, self.subscribe(&site)).await??;
        let echo_until = Instant::now() + CALL_LIMIT;
        let mut receives = false;
        let lease = listener.lease();
        let mut joining = pin!(Membership::join(&self.state, &self.pool, listener));
        let mut membership: Option<Membership<'_>> = None;
        let mut heartbeat_at = Instant::now();
        let mut detector = FailureDetector::default();
        let mut query_at = Instant::now();
        loop {
            // A node that caches nothing never joins: no logout has to wait for it.
            let joins = receives && membership.is_none() && !lease.is_zero();
            tokio::select! {
                message = connection.try_recv() => {
                    let message = message?.ok_or("the listening connection was lost")?;
                    receives |= self.receive(&mut connection, message, &site, listener).await?;
                }
                joined = &mut joining, if joins => {
                    membership = Some(joined?);
                    heartbeat_at = Instant::now();
                }
                () = sleep_until(heartbeat_at), if membership.is_some() => {
                    if let Some(membership) = &membership {
                        membership.send_heartbeat(&mut connection).await?;
                        heartbeat_at = Instant::now() + membership.pause();
                    }
                }
                () = sleep_until(query_at) => {
                    detector.evict_failed(&mut connection).await?;
                    query_at = Instant::now() + lease.max(SHORTEST_QUERY_PAUSE);
                }
                () = sleep_until(echo_until), if !receives => {
                    let advice = "this node does not receive its own messages; a pooler of \
                                  connections must use session mode";
                    return Err(advice.into());
                }
            }
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

    /// Listens, and sends a message to this node, whose arrival proves that others arrive.
    async fn subscribe(&self, site: &Site) -> Result<PgListener, BoxError> {
        let mut connection = PgListener::connect_with(&self.pool).await?;
        connection.eager_reconnect(false);
        let channels = [site.channel.as_str(), self.channel.as_str()];
        connection.listen_all(channels).await?;
        let echo = site.envelope.seal(&self.channel, &BusMessage::Echo)?;
        let echo = sqlx::query(NOTIFY).bind([&self.channel]).bind([echo]);
        echo.execute(&self.pool).await?;
        Ok(connection)
    }

    /// Passes this message on, and all that have arrived with it, and acknowledges the news in one
    /// statement. Returns whether the echo is among them.
    async fn receive(
        &self,
        connection: &mut PgListener,
        message: PgNotification,
        site: &Site,
        listener: &LogoutListener,
    ) -> Result<bool, BoxError> {
        let mut has_echo = false;
        let (mut channels, mut acknowledgements) = (Vec::new(), Vec::new());
        let mut next = Some(message);
        while let Some(message) = next {
            let text = site.envelope.open(message.channel(), message.payload());
            match text.as_deref().and_then(BusMessage::read) {
                None => listener.reject(),
                Some(BusMessage::Echo) => has_echo = true,
                Some(BusMessage::Acknowledged { logout, member }) => {
                    self.acknowledgements.add(logout, member);
                }
                Some(BusMessage::News { node, logout, news }) => {
                    // Acknowledged only after the entries are invalidated, and by members alone.
                    if node != self.node
                        && listener.receive(news)
                        && let Some(member) = self.state.name()
                    {
                        let channel = node_channel(node);
                        let member = &member;
                        let message = BusMessage::Acknowledged { logout, member };
                        acknowledgements.push(site.envelope.seal(&channel, &message)?);
                        channels.push(channel);
                    }
                }
            }
            next = connection.next_buffered();
        }
        if !channels.is_empty() {
            let send = sqlx::query(NOTIFY).bind(channels).bind(acknowledgements);
            match timeout(CALL_LIMIT, send.execute(&mut *connection)).await? {
                // If they cannot be sent, the other nodes wait for the lease.
                Ok(_) | Err(sqlx::Error::Database(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(has_echo)
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
