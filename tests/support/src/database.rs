use std::{env, thread};

use axum_clef::stores::PostgresUserStore;
use sqlx::{Connection as _, PgConnection};
use tokio::runtime::Runtime;
use url::Url;

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
