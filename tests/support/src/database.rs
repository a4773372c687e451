use std::{env, thread};

use axum_clef::stores::PostgresUserStore;
use sqlx::{Connection as _, PgConnection, PgPool};
use tokio::runtime::Runtime;
use url::Url;

use crate::proxy::Proxy;

/// A schema of one test, in the database of `POSTGRES_URL`. It goes when this is dropped.
pub struct Database {
    server: String,
    /// The name of the schema.
    pub schema: String,
}

impl Database {
    /// A new schema.
    ///
    /// # Panics
    ///
    /// If `POSTGRES_URL` is not set or names no server that answers.
    pub async fn create() -> Self {
        let server = env::var("POSTGRES_URL").expect(
            "POSTGRES_URL is not set: write it like postgres://postgres@127.0.0.1:5432/test, or \
             run .ci/run",
        );
        let created = Self::create_at(&server).await;
        created.expect("the PostgreSQL server of POSTGRES_URL answers")
    }

    /// A new schema at this server.
    ///
    /// # Errors
    ///
    /// If the server does not answer, or the role may not create a schema.
    pub async fn create_at(server: &str) -> Result<Self, sqlx::Error> {
        let schema = format!("clef_test_{:016x}", rand::random::<u64>());
        let mut connection = PgConnection::connect(server).await?;
        sqlx::raw_sql(&format!("create schema {schema}"))
            .execute(&mut connection)
            .await?;
        connection.close().await?;
        let server = server.to_owned();
        Ok(Self { server, schema })
    }

    /// The URL of the schema. Its name is also that of the application.
    pub fn url(&self) -> Url {
        self.url_with(&format!("-c search_path={}", self.schema))
    }

    /// The URL with other options for the server.
    pub fn url_with(&self, options: &str) -> Url {
        let mut url: Url = self.server.parse().unwrap();
        url.query_pairs_mut()
            .append_pair("application_name", &self.schema)
            .append_pair("options", options);
        url
    }

    /// The store as a node has it: with connections of its own.
    pub async fn open(&self) -> PostgresUserStore {
        let store = PostgresUserStore::connect(self.url().as_str())
            .await
            .unwrap();
        store.migrate().await.unwrap();
        store
    }

    /// The store over a cable that can be pulled. Each connection that it may have is open.
    pub async fn open_behind_proxy(&self) -> (Proxy, PostgresUserStore) {
        let mut url = self.url();
        let host = url.host_str().unwrap_or("127.0.0.1");
        let proxy = Proxy::to(format!("{host}:{}", url.port().unwrap_or(5432)));
        let proxy = proxy.await.unwrap();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(proxy.address.port())).unwrap();
        // The proxy reads the statements.
        url.query_pairs_mut().append_pair("sslmode", "disable");
        let store = PostgresUserStore::connect(url.as_str()).await.unwrap();
        store.migrate().await.unwrap();
        open_all(store.pool()).await;
        (proxy, store)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let drop_schema = format!(
            "set lock_timeout = '10s'; drop schema if exists {} cascade",
            self.schema
        );
        let server = self.server.clone();
        // In a thread, as the runtime of the test is busy waiting for this.
        let dropping = thread::spawn(move || {
            Runtime::new()?.block_on(async {
                let mut connection = PgConnection::connect(&server).await?;
                sqlx::raw_sql(&drop_schema).execute(&mut connection).await?;
                connection.close().await
            })
        });
        let dropped = dropping.join();
        if !thread::panicking() {
            dropped.unwrap().expect("the schema of the test is dropped");
        }
    }
}

/// Opens each connection that a pool may have, and waits until they are idle.
async fn open_all(pool: &PgPool) {
    let most = pool.options().get_max_connections() as usize;
    let mut connections = Vec::with_capacity(most);
    while connections.len() < most {
        connections.push(pool.acquire().await.unwrap());
    }
    for mut connection in connections {
        connection.return_to_pool().await;
    }
    assert_eq!(pool.num_idle(), most);
}
