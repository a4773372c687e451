//! News of logouts over Redis.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use fred::{
    clients::{Client, SubscriberClient},
    interfaces::{ClientLike as _, EventInterface as _, PubsubInterface as _},
    types::{Builder, Message},
};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::{Instant, timeout, timeout_at},
};

use super::{
    bus::{LogoutBus, Reach},
    listener::LogoutListener,
};
use crate::BoxError;

/// How long one command may take.
const CALL_LIMIT: Duration = Duration::from_secs(5);
/// How often the bus sends itself a heartbeat, and after how long without one the connection counts
/// as broken.
const BETWEEN_HEARTBEATS: Duration = Duration::from_secs(2);
const SILENCE: Duration = Duration::from_secs(8);

/// News of logouts by `PUBLISH` and `SUBSCRIBE` of Redis, where sessions lie there: other nodes,
/// and the pages open there, see a logout in milliseconds.
///
/// **The answer to a logout still waits for the lease.** Redis does not say which nodes have received
/// a message, and may lose the list of nodes, so it cannot prove that every node has dropped what it
/// kept. `PostgresLogoutBus` can.
///
/// ```no_run
/// use std::time::Duration;
///
/// use axum_clef::{leased::{Leased, RedisLogoutBus}, stores::MemoryUserStore};
/// use tower_sessions_redis_store::fred::prelude::{ClientLike as _, Config, Pool};
///
/// # async fn open() -> Result<(), axum_clef::BoxError> {
/// let redis = Pool::new(Config::from_url("redis://cache.example.com")?, None, None, None, 4)?;
/// redis.init().await?; // for the session store too
/// let bus = RedisLogoutBus::new(redis.next().clone(), "example.com:logouts");
/// let users = Leased::new(MemoryUserStore::new(), Duration::from_secs(1)).bus(bus);
/// # Ok(())
/// # }
/// ```
///
/// # What other clients can do
///
/// The messages are neither encrypted nor authenticated.
///
/// - A client that may publish on the channel can make nodes drop what they keep and check their
///   open pages early, which costs reads of the user store. It can fill the log with one warning a
///   second. It cannot log anyone out, as each node asks the store; it cannot keep anyone logged in,
///   and it cannot shorten a logout, as the answer waits for the lease whatever is published.
/// - A client that may subscribe sees issuer and subject of each logout.
///
/// So give both rights to the user of the site alone, as for the session store in the same Redis:
///
/// ```text
/// ACL SETUSER site resetchannels &example.com:logouts &example.com:logouts:*
/// ```
pub struct RedisLogoutBus {
    client: Client,
    channel: String,
    /// Where it sends heartbeats to itself.
    own_channel: String,
}

impl RedisLogoutBus {
    /// A bus over this client, which has been connected, and a channel of that name, the same for
    /// all nodes of a site. To listen it makes a connection of its own, by the same configuration.
    pub fn new(client: Client, channel: impl Into<String>) -> Self {
        let channel = channel.into();
        let own_channel = format!("{channel}:{:032x}", rand::random::<u128>());
        Self {
            client,
            channel,
            own_channel,
        }
    }

    /// Listens until something breaks.
    async fn subscribe(&self, listener: &LogoutListener) -> Result<(), BoxError> {
        // Without a policy to connect again: a break ends this, and the caller begins anew.
        let subscriber = Builder::from_config(self.client.client_config())
            .build_subscriber_client()
            .map(Subscriber)?;
        let messages = subscriber.0.message_rx();
        let connection = timeout(CALL_LIMIT, subscriber.0.init()).await??;
        let channels = vec![self.channel.clone(), self.own_channel.clone()];
        timeout(CALL_LIMIT, subscriber.0.subscribe(channels)).await??;
        // What came before is not known.
        listener.lagged();
        tokio::select! {
            ended = connection => Ok(ended??),
            ended = self.receive(messages, listener) => ended,
            ended = self.send_heartbeats() => ended,
        }
    }

    async fn receive(
        &self,
        mut messages: Receiver<Message>,
        listener: &LogoutListener,
    ) -> Result<(), BoxError> {
        let mut last_heartbeat_at = Instant::now();
        loop {
            let silent_at = last_heartbeat_at + SILENCE;
            let Ok(message) = timeout_at(silent_at, messages.recv()).await else {
                return Err("not even its own heartbeats arrive any more".into());
            };
            match message {
                Ok(message) if *message.channel == *self.channel => {
                    // Text that is not UTF-8 is refused like any other.
                    listener.receive(&message.value.as_str().unwrap_or_default());
                }
                // These alone show that what this node publishes arrives: others publish there too.
                Ok(_) => last_heartbeat_at = Instant::now(),
                Err(RecvError::Lagged(_)) => listener.lagged(),
                Err(RecvError::Closed) => return Err("the connection was closed".into()),
            }
        }
    }

    async fn send_heartbeats(&self) -> Result<(), BoxError> {
        loop {
            tokio::time::sleep(BETWEEN_HEARTBEATS).await;
            self.send(&self.own_channel, "heartbeat").await?;
        }
    }

    async fn send(&self, channel: &str, text: &str) -> Result<(), BoxError> {
        let published = self.client.publish(channel, text);
        let _receivers: i64 = timeout(CALL_LIMIT, published).await??;
        Ok(())
    }
}

#[async_trait]
impl LogoutBus for RedisLogoutBus {
    async fn listen(&self, listener: &LogoutListener) {
        let error = match self.subscribe(listener).await {
            Ok(()) => "the connection was closed".to_owned(),
            Err(error) => error.to_string(),
        };
        tracing::warn!(?error, "the bus over Redis has stopped");
    }

    async fn publish(&self, news: &str) -> Result<Reach, BoxError> {
        self.send(&self.channel, news).await?;
        Ok(Reach::Unknown)
    }
}

impl fmt::Debug for RedisLogoutBus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RedisLogoutBus")
            .field("channel", &self.channel)
            .finish_non_exhaustive()
    }
}

/// A connection that ends with this.
struct Subscriber(SubscriberClient);

impl Drop for Subscriber {
    fn drop(&mut self) {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let client = self.0.clone();
            runtime.spawn(async move {
                let _ = timeout(CALL_LIMIT, client.quit()).await;
            });
        }
    }
}
