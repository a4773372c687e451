//! This node of the site: what it publishes, receives and acknowledges.

use std::{
    collections::HashSet,
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sqlx::{
    PgPool, Row as _,
    postgres::{PgListener, PgNotification},
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep_until, timeout},
};

use super::{
    acknowledgements::{Acknowledgements, acknowledged_by},
    envelope::{BusMessage, Envelope},
    failure_detector::FailureDetector,
    limits::CALL_LIMIT,
    membership::{Membership, MembershipState},
    outgoing::{Outgoing, Publication},
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

const ECHO: &str = "select pg_notify($1, $2)::text";

/// How many logouts wait for the connection. Others wait for these.
const PUBLICATIONS: usize = 1_024;

/// A connection that listens, and one to join and to leave.
const CONNECTIONS: u32 = 2;
/// After this time the second connection is closed.
const LONGEST_IDLE: Duration = Duration::from_secs(10);

/// This node, as the stores of its process share it.
pub(super) struct Node {
    /// Of the store. Only [`leave`](Self::leave) takes a connection of it.
    pool: PgPool,
    /// Its random name, and the channel of its acknowledgements.
    name: String,
    channel: String,
    pub(super) state: MembershipState,
    /// Whether this node has left for good.
    left: watch::Sender<bool>,
    acknowledgements: Acknowledgements,
    /// Of each store.
    listeners: Mutex<Vec<LogoutListener>>,
    publish: mpsc::Sender<Publication>,
    /// What is to be published. Held by the task that runs the connection, one of those of the stores.
    pub(super) publications: tokio::sync::Mutex<mpsc::Receiver<Publication>>,
}

/// The channel and the key that the nodes of a site share.
struct Site {
    channel: String,
    envelope: Envelope,
}

impl Node {
    pub(super) fn new(pool: PgPool) -> Self {
        let name = format!("{:032x}", rand::random::<u128>());
        let (publish, publications) = mpsc::channel(PUBLICATIONS);
        Self {
            pool,
            channel: node_channel(&name),
            name,
            state: MembershipState::default(),
            left: watch::Sender::new(false),
            acknowledgements: Acknowledgements::default(),
            listeners: Mutex::default(),
            publish,
            publications: tokio::sync::Mutex::new(publications),
        }
    }

    /// Passes news on to this listener until it is removed.
    pub(super) fn subscribe(&self, listener: &LogoutListener) {
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

    pub(super) fn unsubscribe(&self, listener: &LogoutListener) {
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
        let (logout, acknowledged) = self.acknowledgements.expect();
        let (members, published) = oneshot::channel();
        let publication = Publication {
            logout,
            news: news.to_owned(),
            members,
        };
        self.publish.send(publication).await?;
        let members = published.await;
        let members = members.map_err(|_| "the server has not published a logout")?;
        let own = self.state.name();
        let mut others: HashSet<_> = members.into_iter().collect();
        if let Some(own) = own.as_deref() {
            others.remove(own);
        }
        acknowledged_by(others, acknowledged).await;
        Ok(())
    }

    /// Ends the membership for good. The node goes on to publish and to receive.
    pub(super) async fn leave(&self) -> Result<(), BoxError> {
        self.left.send_replace(true);
        self.state.leave(&self.pool).await
    }

    /// Joins, unless the node has left, and listens until the connection or the membership fails.
    pub(super) async fn run(
        &self,
        lease: Duration,
        publications: &mut mpsc::Receiver<Publication>,
    ) -> Result<(), BoxError> {
        let mut closed = pin!(self.pool.close_event());
        if self.pool.is_closed() {
            return Err(sqlx::Error::PoolClosed.into());
        }
        let pool = self.own_pool();
        let site = read_site(&pool).await?;
        let mut connection = timeout(CALL_LIMIT, self.listen(&pool, &site)).await??;
        let mut outgoing = Outgoing::default();
        let echo_until = Instant::now() + CALL_LIMIT;
        let mut receives = false;
        let mut joining = pin!(Membership::join(&self.state, &pool, lease));
        let mut membership: Option<Membership<'_>> = None;
        let mut left = self.left.subscribe();
        let mut heartbeat_at = Instant::now();
        let mut detector = FailureDetector::default();
        let mut query_at = Instant::now();
        loop {
            while !outgoing.is_full()
                && let Some(message) = connection.next_buffered()
            {
                receives |= self.receive(&message, &site, &mut outgoing)?;
            }
            while !outgoing.is_full()
                && let Ok(publication) = publications.try_recv()
            {
                self.add(publication, &site, &mut outgoing)?;
            }
            outgoing.send(&mut connection).await?;
            // A node that caches nothing never joins: no logout has to wait for it.
            let may_join = !lease.is_zero() && !*left.borrow();
            let joins = receives && membership.is_none() && may_join;
            tokio::select! {
                biased;
                Ok(()) = left.changed() => {
                    membership = None;
                    // Also a join that is under way.
                    joining.set(Membership::join(&self.state, &pool, lease));
                }
                () = &mut closed => return Err(sqlx::Error::PoolClosed.into()),
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
                joined = &mut joining, if joins => {
                    let joined = joined?;
                    // Logouts do not wait for earlier reads.
                    self.listeners().iter().for_each(LogoutListener::lagged);
                    joined.begin();
                    membership = Some(joined);
                    heartbeat_at = Instant::now();
                }
                message = connection.try_recv() => {
                    let message = message?.ok_or("the listening connection was lost")?;
                    receives |= self.receive(&message, &site, &mut outgoing)?;
                }
                Some(publication) = publications.recv() => {
                    self.add(publication, &site, &mut outgoing)?;
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

    /// Connections of one run, with the settings of the store's. A connection that is lost while it is
    /// used keeps its place until TCP gives up, and that place is none of the store's.
    fn own_pool(&self) -> PgPool {
        let options = self.pool.options().clone();
        let options = options.min_connections(0).max_connections(CONNECTIONS);
        let options = options.idle_timeout(LONGEST_IDLE);
        options.connect_lazy_with((*self.pool.connect_options()).clone())
    }

    /// Listens, and sends this node a message by another connection: if it arrives, others do.
    async fn listen(&self, pool: &PgPool, site: &Site) -> Result<PgListener, BoxError> {
        let mut connection = PgListener::connect_with(pool).await?;
        connection.eager_reconnect(false);
        let channels = [site.channel.as_str(), self.channel.as_str()];
        connection.listen_all(channels).await?;
        let echo = site.envelope.seal(&self.channel, &BusMessage::Echo)?;
        let echo = sqlx::query(ECHO).bind(&self.channel).bind(echo);
        echo.execute(pool).await?;
        Ok(connection)
    }

    /// Adds a logout of this node to what is sent next.
    fn add(
        &self,
        publication: Publication,
        site: &Site,
        outgoing: &mut Outgoing,
    ) -> Result<(), BoxError> {
        let Publication {
            logout,
            news,
            members,
        } = publication;
        let (node, news) = (&self.name, &news);
        let message = BusMessage::News { node, logout, news };
        let sealed = site.envelope.seal(&site.channel, &message)?;
        outgoing.publish(&site.channel, sealed, members);
        Ok(())
    }

    /// Passes a message on. Returns whether it is the echo. The acknowledgement of news is sent next.
    fn receive(
        &self,
        message: &PgNotification,
        site: &Site,
        outgoing: &mut Outgoing,
    ) -> Result<bool, BoxError> {
        let text = site.envelope.open(message.channel(), message.payload());
        match text.as_deref().and_then(BusMessage::read) {
            None => self.reject(),
            Some(BusMessage::Echo) => return Ok(true),
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
                    outgoing.add(&channel, site.envelope.seal(&channel, &message)?);
                }
            }
        }
        Ok(false)
    }
}

/// Reads the site from the database.
async fn read_site(pool: &PgPool) -> Result<Site, BoxError> {
    let row = sqlx::query(SITE).fetch_optional(pool);
    let row = timeout(CALL_LIMIT, row).await??;
    let row = row.ok_or("the table clef_bus_secret has no secret")?;
    Ok(Site {
        channel: row.try_get(0)?,
        envelope: Envelope::new(row.try_get(1)?)?,
    })
}

/// The channel of the acknowledgements for this node.
fn node_channel(node: &str) -> String {
    format!("clef_node_{node}")
}
