//! A database of a bench alone, in the PostgreSQL server of `POSTGRES_URL`.

use std::env;

use axum_clef::stores::PostgresUserStore;
use sqlx::{
    Connection as _, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

pub struct Database {
    server: PgConnectOptions,
    name: String,
}

impl Database {
    /// Creates it.
    ///
    /// # Errors
    ///
    /// If the server does not answer, or the role may not create a database.
    pub async fn create() -> Result<Self, String> {
        let default = "postgres://postgres@127.0.0.1:5432/test";
        let url = env::var("POSTGRES_URL").unwrap_or_else(|_| default.to_owned());
        let failed = |error: sqlx::Error| {
            format!("the bench needs PostgreSQL at POSTGRES_URL, which has failed: {error}")
        };
        let database = Self {
            server: url.parse().map_err(failed)?,
            name: format!("clef_bench_{:016x}", rand::random::<u64>()),
        };
        let create = format!("create database {}", database.name);
        database.execute(&create).await.map_err(failed)?;
        Ok(database)
    }

    /// Drops it, and whatever is still connected.
    pub async fn drop(self) {
        let drop = format!("drop database {} with (force)", self.name);
        self.execute(&drop).await.unwrap();
    }

    /// A connection for statements that take long.
    pub async fn connect(&self, schema: &str) -> PgConnection {
        let connection = PgConnection::connect_with(&self.options(schema)).await;
        connection.unwrap()
    }

    /// So many connections, all of them open.
    pub async fn pool(&self, schema: &str, connections: u32) -> PgPool {
        PgPoolOptions::new()
            .max_connections(connections)
            .min_connections(connections)
            .test_before_acquire(false)
            .connect_with(self.options(schema))
            .await
            .unwrap()
    }

    /// Users in a schema, which is created if it is missing.
    pub async fn users(&self, schema: &str, connections: u32) -> PostgresUserStore {
        let pool = self.pool(schema, connections).await;
        let create = format!("create schema if not exists {schema}");
        sqlx::raw_sql(&create).execute(&pool).await.unwrap();
        let users = PostgresUserStore::new(pool);
        users.migrate().await.unwrap();
        users
    }

    fn options(&self, schema: &str) -> PgConnectOptions {
        let options = self.server.clone().database(&self.name);
        options.options([("search_path", schema)])
    }

    async fn execute(&self, statement: &str) -> Result<(), sqlx::Error> {
        let mut connection = PgConnection::connect_with(&self.server).await?;
        sqlx::raw_sql(statement).execute(&mut connection).await?;
        connection.close().await
    }
}
