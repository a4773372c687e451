//! Where users and sessions are, and what is left of them at the end: nothing.

use std::{env, fmt::Display};

use axum_clef::BoxError;
use sqlx::{Connection as _, PgConnection};
use tower_sessions::SessionStore as _;
use tower_sessions_redis_store::{
    RedisStore,
    fred::prelude::{ClientLike as _, Config, Pool, ReconnectPolicy},
};
use url::Url;

use crate::counted::{Calls, CountedSessions};

/// Connections to Redis of each node.
const REDIS_CONNECTIONS: usize = 4;

pub struct Databases {
    postgres: Url,
    redis: String,
    schema: String,
    /// Of all nodes.
    pub calls: Calls,
    sessions: CountedSessions,
}

impl Databases {
    /// # Errors
    ///
    /// When a server does not answer.
    pub async fn open() -> Result<Self, BoxError> {
        let or_else = |name, default: &str| env::var(name).unwrap_or_else(|_| default.to_owned());
        let postgres = or_else("POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/test");
        let redis = or_else("REDIS_URL", "redis://127.0.0.1:6379");
        let schema = format!("clef_cluster_{:016x}", rand::random::<u64>());
        let calls = Calls::default();
        let sessions = connect(&redis).await.map_err(no_server("REDIS_URL"))?;
        let sessions = CountedSessions::new(sessions, calls.clone());
        let connection = PgConnection::connect(&postgres).await;
        let mut connection = connection.map_err(no_server("POSTGRES_URL"))?;
        // Last, so that nothing is left behind where a server is missing.
        sqlx::raw_sql(&format!("create schema {schema}"))
            .execute(&mut connection)
            .await?;
        connection.close().await?;
        Ok(Self {
            postgres: postgres.parse()?,
            redis,
            schema,
            calls,
            sessions,
        })
    }

    /// The URL of the users' schema.
    pub fn users(&self) -> Url {
        let mut url = self.postgres.clone();
        let options = format!("-c search_path={}", self.schema);
        url.query_pairs_mut().append_pair("options", &options);
        url
    }

    /// The address of the PostgreSQL server.
    pub fn postgres_address(&self) -> String {
        let host = self.postgres.host_str().unwrap_or("127.0.0.1");
        format!("{host}:{}", self.postgres.port().unwrap_or(5432))
    }

    /// The sessions, by connections of one node's own.
    ///
    /// # Errors
    ///
    /// When Redis does not answer.
    pub async fn sessions(&self) -> Result<CountedSessions, BoxError> {
        Ok(self.sessions.by_way_of(connect(&self.redis).await?))
    }

    /// # Errors
    ///
    /// When something could not be deleted.
    pub async fn clean_up(&self) -> Result<(), BoxError> {
        for id in self.sessions.ids() {
            self.sessions.delete(&id).await?;
        }
        let mut connection = PgConnection::connect(self.postgres.as_str()).await?;
        sqlx::raw_sql(&format!("drop schema {} cascade", self.schema))
            .execute(&mut connection)
            .await?;
        Ok(connection.close().await?)
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
