//! Where users and sessions are, and what is left of them at the end: nothing.

use std::{env, fmt::Display};

use axum_clef::BoxError;
use test_support::{Calls, Database, HookedSessions};
use tower_sessions_redis_store::{
    RedisStore,
    fred::prelude::{ClientLike as _, Config, Pool, ReconnectPolicy},
};
use url::Url;

/// Connections to Redis of each node.
const REDIS_CONNECTIONS: usize = 4;

pub struct Databases {
    redis: String,
    /// A schema of this run. It goes when this is dropped.
    users: Database,
    /// Of all nodes.
    pub calls: Calls,
}

impl Databases {
    /// # Errors
    ///
    /// When a server does not answer.
    pub async fn open() -> Result<Self, BoxError> {
        let or_else = |name, default: &str| env::var(name).unwrap_or_else(|_| default.to_owned());
        let postgres = or_else("POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/test");
        let redis = or_else("REDIS_URL", "redis://127.0.0.1:6379");
        connect(&redis).await.map_err(no_server("REDIS_URL"))?;
        // Last, so that nothing is left behind where a server is missing.
        let users = Database::create_at(&postgres).await;
        Ok(Self {
            redis,
            users: users.map_err(no_server("POSTGRES_URL"))?,
            calls: Calls::default(),
        })
    }

    /// The URL of the users' schema.
    pub fn users(&self) -> Url {
        self.users.url()
    }

    /// The sessions, by connections of one node's own.
    ///
    /// # Errors
    ///
    /// When Redis does not answer.
    pub async fn sessions(&self) -> Result<HookedSessions<Calls>, BoxError> {
        let sessions = connect(&self.redis).await?;
        Ok(HookedSessions::with(sessions, self.calls.clone()))
    }

    /// Deletes the sessions.
    ///
    /// # Errors
    ///
    /// When one could not be deleted.
    pub async fn clean_up(&self) -> Result<(), BoxError> {
        let sessions = self.sessions().await?;
        let ids: Vec<_> = self.calls.records().iter().copied().collect();
        for id in ids {
            sessions.inner.delete(&id).await?;
        }
        Ok(())
    }
}

/// Which server it is. Its URL stays unsaid: there may be a password in it.
fn no_server<E: Display>(variable: &str) -> impl FnOnce(E) -> BoxError {
    move |error| {
        format!(
            "no server answers at {variable} ({error}); start one there, or set {variable} to \
             another, as the top of examples/cluster/src/main.rs says"
        )
        .into()
    }
}

async fn connect(redis: &str) -> Result<RedisStore<Pool>, BoxError> {
    let again = ReconnectPolicy::new_exponential(0, 100, 2_000, 2);
    let config = Config::from_url(redis)?;
    let pool = Pool::new(config, None, None, Some(again), REDIS_CONNECTIONS)?;
    pool.init().await?;
    Ok(RedisStore::new(pool))
}
