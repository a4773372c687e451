//! News of logouts over PostgreSQL, and proof of which nodes have received it.

mod absent;
mod acknowledgements;
mod envelope;
mod membership;
mod statements;
mod term;
mod watch;

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
    acknowledgements::Acknowledgements,
    envelope::{Envelope, Message},
    membership::{Membership, MembershipState},
};
use super::{
    bus::{LogoutBus, Reach},
    listener::LogoutListener,
};
use crate::BoxError;

/// How long one statement may take.
const CALL_LIMIT: Duration = Duration::from_secs(5);
/// For how many leases no message of a member arrives, not even the own heartbeat, before the
/// connection counts as broken; and how long at the least.
const SILENT_LEASES: u32 = 2;
const SILENCE: Duration = Duration::from_secs(1);
/// The shortest pause between two looks at the members.
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
/// How many acknowledgements are sent at once.
const SENT_AT_ONCE: usize = 64;

/// News of logouts by `LISTEN` and `NOTIFY` of PostgreSQL: a logout is answered as soon as every
/// node has acknowledged it, in milliseconds, and as strictly as by waiting for the lease.
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
/// users.migrate().await?; // the tables of the bus too
/// let bus = PostgresLogoutBus::new(users.pool().clone());
/// let users = Leased::new(users, Duration::from_secs(1)).bus(bus);
/// # Ok(())
/// # }
/// ```
///
/// # How it knows
///
/// Each node that keeps users is a member: it has a row in the table `clef_seats`. It keeps what it
/// reads only after it has joined, and only for a lease after it has last found its row still there.
/// So a logout that is written and then looks at the members sees every node that can keep
/// something. It waits until each of them has acknowledged it, or until every lease is over. The row
/// of a node that dies stays; the others see its heartbeat stand still and delete the row after
/// three leases, when all that the node kept is over by any clock. A node that sleeps and wakes finds
/// its time over, forgets everything and joins anew. No time of day plays a part.
///
/// The lease of the first member counts. A node with another lease keeps nothing, and a logout there
/// waits for the longest lease of a member. While the table cannot be read, a logout waits for the
/// longest lease that there is. A node with a lease of zero need not join.
///
/// **Every node that keeps users has this bus.** A node with [`Leased`](super::Leased) and without
/// it is no member, so no logout waits for it. To introduce the bus, or to remove it, first stop all
/// nodes that run without it, or with it. Nodes without `Leased` keep nothing and do not matter.
///
/// # What it asks
///
/// - The tables of `migrations/postgres/0002_seats.sql` and `0003_bus_secret.sql`, which
///   `PostgresUserStore::migrate` makes.
/// - One connection of the pool for itself, and others now and then: four statements a lease and
///   node, and at a logout one and one for each node. Heartbeats that wait behind requests for a
///   connection cost the cache, so give a busy site a small pool of its own for the bus (three
///   connections). A pooler in between, such as PgBouncer, must work by session.
/// - The primary, never a replica, and `synchronous_commit` that is not off; as for the users, a
///   standby that takes over must have all that was committed.
/// - A secret that only the role of the site can read, in the table `clef_bus_secret`. A role with
///   `select` on all tables can read it too.
///
/// # What other roles can do
///
/// `LISTEN` and `NOTIFY` need no right but `CONNECT`, which PostgreSQL grants to `PUBLIC`. Revoke it:
///
/// ```sql
/// revoke connect on database site from public;
/// grant connect on database site to site;
/// ```
///
/// A role that can connect and has no other right
///
/// - cannot read who was logged out: messages are encrypted and authenticated (AES-256-GCM-SIV)
///   with a key that is derived from the secret, for one channel, and filled up so that most have one
///   length. It sees that a logout happened, and when.
/// - cannot shorten a logout: an acknowledgement names the logout, by a random number, and the
///   member, so neither a forged nor a replayed one counts.
/// - cannot drop what nodes keep by forged messages: they are counted in a warning, once a second at
///   the most, and not acted upon. A replayed message drops that user from the caches once more,
///   which costs reads and nothing else.
/// - can slow the site down, by a flood of messages, or by filling the notification queue of the
///   server. While messages do not get through, a logout waits for the lease.
pub struct PostgresLogoutBus {
    pool: PgPool,
    /// The name of this node, and the channel on which it receives acknowledgements.
    node: String,
    channel: String,
    site: Mutex<Option<Arc<Site>>>,
    state: MembershipState,
    acknowledgements: Acknowledgements,
}

/// What the nodes of a site share.
struct Site {
    channel: String,
    envelope: Envelope,
}

impl PostgresLogoutBus {
    /// A bus over these connections. It begins with the first use of the store that it is given to.
    pub fn new(pool: PgPool) -> Self {
        let node = format!("{:032x}", rand::random::<u128>());
        Self {
            pool,
            channel: node_channel(&node),
            node,
            site: Mutex::default(),
            state: MembershipState::new(),
            acknowledgements: Acknowledgements::default(),
        }
    }

    /// Joins and listens, until something breaks.
    async fn run(&self, listener: &LogoutListener) -> Result<(), BoxError> {
        let site = self.read_site().await?;
        let mut messages = timeout(CALL_LIMIT, self.subscribe(&site)).await??;
        let membership = async {
            if listener.lease().is_zero() {
                // It keeps nothing, so no logout has to wait for it.
                return std::future::pending().await;
            }
            let membership = Membership::join(&self.state, &self.pool, listener).await?;
            membership.keep(&site.envelope, &self.channel).await
        };
        tokio::select! {
            ended = self.receive(&mut messages, &site, listener) => ended,
            ended = membership => ended,
            ended = watch::watch(&self.state, &self.pool, listener.lease()) => ended,
        }
    }

    /// The site as the database has it now.
    async fn read_site(&self) -> Result<Arc<Site>, BoxError> {
        let row = sqlx::query(statements::SITE).fetch_optional(&self.pool);
        let row = timeout(CALL_LIMIT, row).await??;
        let row = row.ok_or("the table clef_bus_secret has no secret")?;
        let site = Arc::new(Site {
            channel: row.try_get(0)?,
            envelope: Envelope::new(row.try_get(1)?)?,
        });
        *self.known_site() = Some(Arc::clone(&site));
        Ok(site)
    }

    /// The site as it was last read.
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

    /// Brings news to the listener, and acknowledges it.
    async fn receive(
        &self,
        messages: &mut PgListener,
        site: &Site,
        listener: &LogoutListener,
    ) -> Result<(), BoxError> {
        let silence = (listener.lease() * SILENT_LEASES).max(SILENCE);
        let mut last_at = Instant::now();
        let mut sending = JoinSet::new();
        loop {
            let Ok(message) = timeout_at(last_at + silence, messages.try_recv()).await else {
                if self.state.name().is_none() {
                    // Without a membership there are no heartbeats.
                    last_at = Instant::now();
                    continue;
                }
                return Err("not even its own heartbeats arrive any more".into());
            };
            let Some(message) = message? else {
                return Err("the connection that listens was lost".into());
            };
            let text = site.envelope.open(message.channel(), message.payload());
            let Some(message) = text.as_deref().and_then(Message::read) else {
                listener.refused.add();
                continue;
            };
            last_at = Instant::now();
            match message {
                Message::Acknowledged { logout, member } => {
                    self.acknowledgements.add(logout, member);
                }
                Message::News { node, logout, news } if node != self.node => {
                    // In this order: first it is dropped, then that is said.
                    if listener.receive(news)
                        && let Some(member) = self.state.name()
                    {
                        if sending.len() >= SENT_AT_ONCE {
                            sending.join_next().await;
                        }
                        while sending.try_join_next().is_some() {}
                        let acknowledgement = Message::Acknowledged {
                            logout,
                            member: &member,
                        };
                        let channel = node_channel(node);
                        let sealed = site.envelope.seal(&channel, &acknowledgement)?;
                        let pool = self.pool.clone();
                        sending.spawn(async move {
                            let send = sqlx::query(statements::ACKNOWLEDGE);
                            let send = send.bind(channel).bind(sealed);
                            // If it cannot be sent, the other node waits for the lease.
                            let _ = timeout(CALL_LIMIT, send.execute(&pool)).await;
                        });
                    }
                }
                // Its own.
                Message::News { .. } | Message::Heartbeat => {}
            }
        }
    }
}

/// The channel on which the node with this name receives acknowledgements.
fn node_channel(node: &str) -> String {
    format!("clef_node_{node}")
}

#[async_trait]
impl LogoutBus for PostgresLogoutBus {
    async fn listen(&self, listener: &LogoutListener) {
        if let Err(error) = self.run(listener).await {
            tracing::warn!(error = ?error.to_string(), "the bus over PostgreSQL has stopped");
        }
    }

    async fn publish(&self, news: &str) -> Result<Reach, BoxError> {
        let site = self.site().await?;
        let mut logout = self.acknowledgements.expect();
        let message = Message::News {
            node: &self.node,
            logout: logout.number,
            news,
        };
        let sealed = site.envelope.seal(&site.channel, &message)?;
        let rows = sqlx::query(statements::PUBLISH);
        let rows = rows.bind(&site.channel).bind(sealed);
        let rows = timeout(CALL_LIMIT, rows.fetch_all(&self.pool)).await??;
        let own = self.state.name();
        let mut others = HashSet::new();
        let mut leases = Vec::new();
        for row in rows {
            // Null: there are none.
            let Some(member) = row.try_get::<Option<String>, _>("seat")? else {
                continue;
            };
            leases.push(statements::lease(&row)?);
            if Some(member.as_str()) != own.as_deref() {
                others.insert(member);
            }
        }
        self.state.note_leases(leases.into_iter());
        logout.acknowledged_by(others).await;
        Ok(Reach::EveryNode)
    }

    fn may_keep(&self) -> bool {
        self.state.term.lasts()
    }

    fn longest_lease(&self) -> Option<Duration> {
        Some(self.state.longest_lease())
    }
}

impl fmt::Debug for PostgresLogoutBus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PostgresLogoutBus")
            .field("may_keep", &self.may_keep())
            .finish_non_exhaustive()
    }
}
