//! News of logouts over PostgreSQL, and proof of who has heard it.

mod absent;
mod arrivals;
mod seat;
mod statements;
mod term;
mod watch;

use std::{collections::HashSet, fmt, time::Duration};

use async_trait::async_trait;
use sqlx::{
    PgPool, Row as _,
    postgres::{PgListener, PgNotification},
};
use tokio::{task::JoinSet, time::timeout};

use self::{
    arrivals::Arrivals,
    seat::{Place, Seat},
};
use super::{
    bus::{LogoutBus, Reach},
    listener::LogoutListener,
};
use crate::BoxError;

/// How long one statement may take.
const CALL_LIMIT: Duration = Duration::from_secs(5);
/// For how many leases nothing is heard, not even the own beat, before the connection counts as
/// broken; and how long at the least.
const SILENT_LEASES: u32 = 2;
const SILENCE: Duration = Duration::from_secs(1);
/// The shortest pause between two looks at the seats.
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
/// How many answers are on their way at once.
const ANSWERS: usize = 64;

/// News of logouts by `LISTEN` and `NOTIFY` of PostgreSQL, with which a logout is answered as soon
/// as every node has said that it has forgotten what it kept: in milliseconds, and as strictly as
/// by waiting.
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
/// users.migrate().await?; // the table of the bus too
/// let bus = PostgresLogoutBus::new(users.pool().clone());
/// let users = Leased::new(users, Duration::from_secs(1)).bus(bus);
/// # Ok(())
/// # }
/// ```
///
/// # How it knows
///
/// Each node has a seat: a row of the table `clef_seats`. It keeps what it reads only after it has
/// taken the seat, and only for a lease after it has last found the row still there. So a logout
/// that is written and then looks at the seats sees every node that can keep something, and waits
/// until each of them has answered, or until every lease is over. A node that dies leaves its row;
/// the others see its beat stand still, and after three leases, in which all that it kept is over
/// by any clock, take the row away. A node that sleeps and wakes finds its time over, forgets
/// everything and takes another seat. No time of day plays a part.
///
/// Of two leases the one that sits first counts; a node with another keeps nothing, and a logout
/// there waits for the longest that sits. One that has seen no seats yet, as the table cannot be
/// read, counts with the longest there is. A lease of zero needs no seat.
///
/// **Every node that keeps users has this bus.** A node with [`Leased`](super::Leased) and without
/// it has no seat, so no logout waits for it: to begin with the bus, or to leave it, stop all nodes
/// that have it not, or have it, first. Nodes without `Leased` keep nothing and do not matter.
///
/// # What it asks
///
/// - The table of `migrations/postgres/0002_seats.sql`, which `PostgresUserStore::migrate` makes.
/// - One connection of the pool for itself, and others now and then: four statements a lease and
///   node, and at a logout one and one for each node. Beats that wait behind requests for a
///   connection cost the cache, so give a busy site a small pool of its own for the bus (three
///   connections). A pooler in between, such as PgBouncer, must work by session.
/// - The primary, never a replica, and `synchronous_commit` that is not off; as for the users, a
///   standby that takes over must have all that was committed.
/// - A role that others do not have: whoever may notify in this database can say that a node has
///   heard what it has not.
pub struct PostgresLogoutBus {
    pool: PgPool,
    /// The name of this node, by which the others answer.
    node: String,
    place: Place,
    arrivals: Arrivals,
}

impl PostgresLogoutBus {
    /// A bus over these connections. It begins with the first use of the store that it is given to.
    pub fn new(pool: PgPool) -> Self {
        Self {
            pool,
            node: format!("{:032x}", rand::random::<u128>()),
            place: Place::new(),
            arrivals: Arrivals::default(),
        }
    }

    /// Takes a seat and listens, until something breaks.
    async fn sit(&self, listener: &LogoutListener) -> Result<(), BoxError> {
        let mut ears = timeout(CALL_LIMIT, self.open_ears()).await??;
        let sit = async {
            if listener.lease().is_zero() {
                // It keeps nothing, so nobody need wait for it.
                return std::future::pending().await;
            }
            let seat = Seat::take(&self.place, &self.pool, listener).await?;
            seat.keep(&self.node).await
        };
        tokio::select! {
            ended = self.hear(&mut ears, listener) => ended,
            ended = sit => ended,
            ended = watch::watch(&self.place, &self.pool, listener.lease()) => ended,
        }
    }

    async fn open_ears(&self) -> Result<PgListener, BoxError> {
        let channels = sqlx::query(statements::CHANNELS).bind(&self.node);
        let channels = channels.fetch_one(&self.pool).await?;
        let (all, own): (String, String) = (channels.try_get(0)?, channels.try_get(1)?);
        let mut ears = PgListener::connect_with(&self.pool).await?;
        ears.listen_all([all.as_str(), own.as_str()]).await?;
        Ok(ears)
    }

    /// Brings news to the listener, and answers it.
    async fn hear(&self, ears: &mut PgListener, listener: &LogoutListener) -> Result<(), BoxError> {
        let silence = (listener.lease() * SILENT_LEASES).max(SILENCE);
        let mut answers = JoinSet::new();
        loop {
            let Ok(heard) = timeout(silence, ears.try_recv()).await else {
                if self.place.seat().is_none() {
                    continue;
                }
                return Err("not even its own beats are heard any more".into());
            };
            let Some(heard) = heard? else {
                return Err("the connection that listens was lost".into());
            };
            match Heard::from(&heard) {
                Some(Heard::Arrived { number, seat }) => self.arrivals.at(number, seat),
                Some(Heard::News { from, number, news }) if from != self.node => {
                    // In this order: first it is forgotten, then that is said.
                    if listener.hear(news)
                        && let Some(seat) = self.place.seat()
                    {
                        if answers.len() >= ANSWERS {
                            answers.join_next().await;
                        }
                        while answers.try_join_next().is_some() {}
                        let (pool, from) = (self.pool.clone(), from.to_owned());
                        answers.spawn(async move {
                            let heard = sqlx::query(statements::HEARD)
                                .bind(from)
                                .bind(format!("{number} {seat}"));
                            // If it cannot be said, the other waits for the lease.
                            let _ = timeout(CALL_LIMIT, heard.execute(&pool)).await;
                        });
                    }
                }
                // Its own news or beat, or nothing of this bus.
                _ => {}
            }
        }
    }
}

#[async_trait]
impl LogoutBus for PostgresLogoutBus {
    async fn listen(&self, listener: &LogoutListener) {
        if let Err(error) = self.sit(listener).await {
            tracing::warn!(error = ?error.to_string(), "the bus over PostgreSQL has stopped");
        }
    }

    async fn tell(&self, news: &str) -> Result<Reach, BoxError> {
        let mut arrival = self.arrivals.expect();
        let news = format!("{} {} {news}", self.node, arrival.number);
        let seats = sqlx::query(statements::TELL).bind(news);
        let rows = timeout(CALL_LIMIT, seats.fetch_all(&self.pool)).await??;
        let own = self.place.seat();
        let mut others = HashSet::new();
        let mut leases = Vec::new();
        for row in rows {
            // Null: there are none.
            let Some(seat) = row.try_get::<Option<String>, _>("seat")? else {
                continue;
            };
            leases.push(statements::lease(&row)?);
            if Some(seat.as_str()) != own.as_deref() {
                others.insert(seat);
            }
        }
        self.place.note_leases(leases.into_iter());
        arrival.everywhere(others).await;
        Ok(Reach::EveryNode)
    }

    fn may_keep(&self) -> bool {
        self.place.term.lasts()
    }

    fn longest_lease(&self) -> Option<Duration> {
        Some(self.place.longest_lease())
    }
}

/// What comes over the channels.
enum Heard<'a> {
    News {
        from: &'a str,
        number: u64,
        news: &'a str,
    },
    Arrived {
        number: u64,
        seat: &'a str,
    },
}

impl<'a> Heard<'a> {
    fn from(notification: &'a PgNotification) -> Option<Self> {
        let payload = notification.payload();
        if notification.channel().starts_with("clef_node_") {
            let (number, seat) = payload.split_once(' ')?;
            let number = number.parse().ok()?;
            return Some(Self::Arrived { number, seat });
        }
        let (from, rest) = payload.split_once(' ')?;
        let (number, news) = rest.split_once(' ')?;
        let number = number.parse().ok()?;
        // It becomes a part of the name of a channel.
        let named = from.len() == 32 && from.bytes().all(|byte| byte.is_ascii_hexdigit());
        named.then_some(Self::News { from, number, news })
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
