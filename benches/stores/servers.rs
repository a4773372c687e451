//! PostgreSQL and Redis, and room of our own in both.

use std::{env, time::Duration};

use axum_clef::stores::PostgresUserStore;
use sqlx::{
    Connection as _, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::time::timeout;
use tower_sessions_redis_store::fred::prelude::{ClientLike as _, Config, Pool};

/// How long a server may take to let us in.
const LIMIT: Duration = Duration::from_secs(5);

#[derive(Clone)]
pub struct Servers {
    postgres: PgConnectOptions,
    redis: Config,
    /// The schema in the one, and how our keys begin in the other.
    pub name: String,
}

impl Servers {
    /// # Errors
    ///
    /// In words, when one does not answer.
    pub async fn find() -> Result<Self, String> {
        let (name, default) = ("POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/test");
        let url = env::var(name).unwrap_or_else(|_| default.to_owned());
        let postgres = url.parse().map_err(|error| missing(name, &error))?;
        let (name, default) = ("REDIS_URL", "redis://127.0.0.1:6379");
        let url = env::var(name).unwrap_or_else(|_| default.to_owned());
        let redis = Config::from_url(&url).map_err(|error| missing(name, &error))?;

        let servers = Self {
            postgres,
            redis,
            name: format!("clef_bench_{:016x}", rand::random::<u64>()),
        };
        let pool = servers.redis(1);
        let answered = timeout(LIMIT, pool.init()).await;
        let answered = answered.map_err(|late| missing("REDIS_URL", &late))?;
        answered.map_err(|error| missing("REDIS_URL", &error))?;
        let schema = format!("create schema {}", servers.name);
        let made = timeout(LIMIT, servers.execute(&schema)).await;
        let made = made.map_err(|late| missing("POSTGRES_URL", &late))?;
        made.map_err(|error| missing("POSTGRES_URL", &error))?;
        Ok(servers)
    }

    /// A pool that is not connected yet.
    fn redis(&self, connections: usize) -> Pool {
        Pool::new(self.redis.clone(), None, None, None, connections).unwrap()
    }

    /// Connections to Redis.
    pub async fn sessions(&self, connections: usize) -> Pool {
        let pool = self.redis(connections);
        pool.init().await.unwrap();
        pool
    }

    /// Connections to PostgreSQL, in a pool that `pings` the server before it gives a connection out.
    pub async fn pool(&self, connections: u32, pings: bool) -> PgPool {
        let options = self.postgres.clone();
        PgPoolOptions::new()
            .max_connections(connections)
            .min_connections(connections)
            .test_before_acquire(pings)
            .connect_with(options.options([("search_path", &self.name)]))
            .await
            .unwrap()
    }

    /// Users in PostgreSQL.
    pub async fn users(&self, connections: u32, pings: bool) -> PostgresUserStore {
        let users = PostgresUserStore::new(self.pool(connections, pings).await);
        users.migrate().await.unwrap();
        users
    }

    pub async fn tidy_up(&self) {
        let dropped = format!("drop schema {} cascade", self.name);
        self.execute(&dropped).await.unwrap();
    }

    async fn execute(&self, statement: &str) -> Result<(), sqlx::Error> {
        let mut connection = PgConnection::connect_with(&self.postgres).await?;
        sqlx::raw_sql(statement).execute(&mut connection).await?;
        connection.close().await
    }
}

fn missing(variable: &str, error: &dyn std::fmt::Display) -> String {
    format!(
        "the bench needs PostgreSQL and Redis, and the server of {variable} is not there ({error}): \
         start it, or set {variable} to where it is"
    )
}
