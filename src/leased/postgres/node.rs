//! This node of the site: what it publishes, receives and acknowledges.

use std::{
    collections::HashSet,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sqlx::{
    PgPool, Row as _,
    postgres::{PgListener, PgNotification},
};
use tokio::time::{Instant, sleep_until, timeout};

use super::{
    CALL_LIMIT,
    acknowledgements::{Acknowledgements, acknowledged_by},
    envelope::{BusMessage, Envelope},
    failure_detector::FailureDetector,
    membership::{Membership, MembershipState},
};
use crate::{BoxError, leased::listener::LogoutListener};

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

/// This node, as the stores of its process share it.
pub(super) struct Node {
    pool: PgPool,
    /// Its random name, and the channel of its acknowledgements.
    name: String,
    channel: String,
    site: Mutex<Option<Arc<Site>>>,
    pub(super) state: MembershipState,
    acknowledgements: Acknowledgements,
    /// Of each store.
    listeners: Mutex<Vec<LogoutListener>>,
    /// Held by the task that runs the connection, one of those of the stores.
    pub(super) turn: tokio::sync::Mutex<()>,
}

/// The channel and the key that the nodes of a site share.
struct Site {
    channel: String,
    envelope: Envelope,
}

impl Node {
    pub(super) fn new(pool: PgPool) -> Self {
        let name = format!("{:032x}", rand::random::<u128>());
        Self {
            pool,
            channel: node_channel(&name),
            name,
            site: Mutex::default(),
            state: MembershipState::default(),
            acknowledgements: Acknowledgements::default(),
            listeners: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// Passes news on to this listener until it is removed.
    pub(super) fn add(&self, listener: &LogoutListener) {
        let mut listeners = self.listeners();
        if listeners
            .iter()
            .any(|other| other.lease() != listener.lease())
        {
            tracing::error!(
                "stores that share a logout bus have different leases; those with another one than \
                 the first cache nothing and read the store each time"
            );
        }
        listeners.push(listener.clone());
    }

    pub(super) fn remove(&self, listener: &LogoutListener) {
        self.listeners().retain(|other| other.name != listener.name);
    }

    fn listeners(&self) -> MutexGuard<'_, Vec<LogoutListener>> {
        self.listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes news on to each store. Returns whether this version can read it.
    fn pass_on(&self, news: &str) -> bool {
        let received = |listener: &LogoutListener| listener.receive(news);
        self.listeners().iter().all(received)
    }

    /// Publishes news, and returns once each store of this node has received it and every other member
    /// has acknowledged it.
    pub(super) async fn publish(&self, news: &str) -> Result<(), BoxError> {
        self.pass_on(news);
        let site = self.site().await?;
        let (logout, acknowledged) = self.acknowledgements.expect();
        let node = &self.name;
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
        Ok(())
    }

    /// Joins and listens until the connection or the membership fails.
    pub(super) async fn run(&self, lease: Duration) -> Result<(), BoxError> {
        let site = self.read_site().await?;
        let mut connection = timeout(CALL_LIMIT, self.subscribe(&site)).await??;
        let echo_until = Instant::now() + CALL_LIMIT;
        let mut receives = false;
        let mut joining = pin!(Membership::join(&self.state, &self.pool, lease));
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
                    receives |= self.receive(&mut connection, message, &site).await?;
                }
                joined = &mut joining, if joins => {
                    let joined = joined?;
                    // Logouts do not wait for earlier reads.
                    self.listeners().iter().for_each(LogoutListener::lagged);
                    joined.begin();
                    membership = Some(joined);
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

    /// Counts a message that was rejected, in the log of one store.
    fn reject(&self) {
        if let Some(listener) = self.listeners().first() {
            listener.reject();
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
    ) -> Result<bool, BoxError> {
        let mut has_echo = false;
        let (mut channels, mut acknowledgements) = (Vec::new(), Vec::new());
        let mut next = Some(message);
        while let Some(message) = next {
            let text = site.envelope.open(message.channel(), message.payload());
            match text.as_deref().and_then(BusMessage::read) {
                None => self.reject(),
                Some(BusMessage::Echo) => has_echo = true,
                Some(BusMessage::Acknowledged { logout, member }) => {
                    self.acknowledgements.add(logout, member);
                }
                Some(BusMessage::News { node, logout, news }) => {
                    // Acknowledged only after the entries are invalidated, and by members alone.
                    if node != self.name
                        && self.pass_on(news)
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
