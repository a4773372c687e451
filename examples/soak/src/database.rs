//! Where the users are, and that nothing is left of them at the end.

use std::{env, fmt::Display};

use axum_clef::{
    BoxError,
    stores::{PostgresUserStore, SqliteUserStore},
};
use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;
use url::Url;

use crate::settings::Store;

/// What is used where `POSTGRES_URL` names no other server.
const POSTGRES: &str = "postgres://postgres@127.0.0.1:5432/test";

pub enum Database {
    Memory,
    /// A file in a directory that goes when this is dropped.
    Sqlite(TempDir),
    Postgres {
        url: Url,
        /// Of this run alone.
        schema: String,
    },
}

impl Database {
    /// # Errors
    ///
    /// When a directory cannot be had, or the server does not answer.
    pub async fn open(store: Store) -> Result<Self, BoxError> {
        Ok(match store {
            Store::Memory => Self::Memory,
            Store::Sqlite => Self::Sqlite(tempfile::tempdir()?),
            Store::Postgres => {
                let url = env::var("POSTGRES_URL").unwrap_or_else(|_| POSTGRES.to_owned());
                let url: Url = url.parse().map_err(no_server)?;
                let schema = format!("clef_soak_{:016x}", rand::random::<u64>());
                let connection = PgConnection::connect(url.as_str()).await;
                let mut connection = connection.map_err(no_server)?;
                sqlx::raw_sql(&format!("create schema {schema}"))
                    .execute(&mut connection)
                    .await?;
                connection.close().await?;
                Self::Postgres { url, schema }
            }
        })
    }

    /// Deletes everything that was written.
    ///
    /// # Errors
    ///
    /// When the server does not answer any more.
    pub async fn clean_up(self) -> Result<(), BoxError> {
        let Self::Postgres { url, schema } = self else {
            return Ok(());
        };
        let mut connection = PgConnection::connect(url.as_str()).await?;
        sqlx::raw_sql(&format!("drop schema {schema} cascade"))
            .execute(&mut connection)
            .await?;
        Ok(connection.close().await?)
    }
}

/// The users in a file of this directory.
///
/// # Errors
///
/// When it cannot be written.
pub async fn sqlite(directory: &TempDir) -> Result<SqliteUserStore, BoxError> {
    let file = directory.path().join("users.db");
    Ok(SqliteUserStore::connect(&format!("sqlite://{}", file.display())).await?)
}

/// The users in this schema.
///
/// # Errors
///
/// When the server does not answer.
pub async fn postgres(url: &Url, schema: &str) -> Result<PostgresUserStore, BoxError> {
    let mut url = url.clone();
    let options = format!("-c search_path={schema}");
    url.query_pairs_mut().append_pair("options", &options);
    let users = PostgresUserStore::connect(url.as_str()).await?;
    users.migrate().await?;
    Ok(users)
}

/// The URL stays unsaid: there may be a password in it.
fn no_server(error: impl Display) -> BoxError {
    format!("no server answers at POSTGRES_URL ({error}); start one there, or set it to another")
        .into()
}
