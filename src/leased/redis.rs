//! The logout bus over Redis.

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
/// The interval of the heartbeats that the bus sends itself.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(2);
/// After this time without a heartbeat the connection is considered broken.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(8);

/// A logout bus with `PUBLISH` and `SUBSCRIBE` of Redis: other nodes and their open pages receive a
/// logout in milliseconds.
///
/// **The answer to a logout still waits for the lease.** Redis cannot prove that every node has
/// received a message. `PostgresLogoutBus` can.
///
/// ```no_run
/// use std::time::Duration;
///
/// use axum_clef::{leased::{Leased, RedisLogoutBus}, stores::MemoryUserStore};
/// use tower_sessions_redis_store::fred::prelude::{ClientLike as _, Config, Pool};
///
/// # async fn open() -> Result<(), axum_clef::BoxError> {
/// let redis = Pool::new(Config::from_url("redis://cache.example.com")?, None, None, None, 4)?;
/// redis.init().await?; // also used by the session store
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
/// - A client with the right to publish can make nodes invalidate their caches and check their open
///   pages early, which causes reads of the user store. It can cause one warning a second in the
///   log. It cannot log a user out or keep one logged in, since each node reads the store. It
///   cannot shorten a logout, since the answer always waits for the lease.
/// - A client with the right to subscribe sees which logins each logout ends: the ids of users, and
///   subjects and sessions at the provider.
///
/// So grant both rights to the Redis user of the site only, as for the session store:
///
/// ```text
/// ACL SETUSER site resetchannels &example.com:logouts &example.com:logouts:*
/// ```
pub struct RedisLogoutBus {
    client: Client,
    channel: String,
    /// The channel of its heartbeats to itself.
    own_channel: String,
}

impl RedisLogoutBus {
    /// Creates a bus with a connected client and the channel of the site, which is the same on all
    /// nodes.
    ///
    /// It opens another connection with the same configuration to subscribe.
    pub fn new(client: Client, channel: impl Into<String>) -> Self {
        let channel = channel.into();
        let own_channel = format!("{channel}:{:032x}", rand::random::<u128>());
        Self {
            client,
            channel,
            own_channel,
        }
    }

    /// Subscribes and receives until the connection fails.
    async fn subscribe(&self, listener: &LogoutListener) -> Result<(), BoxError> {
        // Without a reconnect policy: the caller starts over after a failure.
        let subscriber = Builder::from_config(self.client.client_config())
            .build_subscriber_client()
            .map(Subscriber)?;
        let messages = subscriber.0.message_rx();
        let connection = timeout(CALL_LIMIT, subscriber.0.init()).await??;
        let channels = vec![self.channel.clone(), self.own_channel.clone()];
        timeout(CALL_LIMIT, subscriber.0.subscribe(channels)).await??;
        // Earlier news is lost.
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
            let deadline = last_heartbeat_at + HEARTBEAT_TIMEOUT;
            let Ok(message) = timeout_at(deadline, messages.recv()).await else {
                return Err("the heartbeats of this node no longer arrive".into());
            };
            match message {
                Ok(message) if *message.channel == *self.channel => {
                    // Text that is not UTF-8 is rejected as unreadable.
                    listener.receive(&message.value.as_str().unwrap_or_default());
                }
                // A heartbeat, which only this node publishes.
                Ok(_) => last_heartbeat_at = Instant::now(),
                Err(RecvError::Lagged(_)) => listener.lagged(),
                Err(RecvError::Closed) => return Err("the connection was closed".into()),
            }
        }
    }

    async fn send_heartbeats(&self) -> Result<(), BoxError> {
        loop {
            tokio::time::sleep(HEARTBEAT_INTERVAL).await;
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
        tracing::warn!(?error, "the logout bus over Redis has stopped");
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

/// A connection that is closed on drop.
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
