//! Where the users are. Nothing is left of them when this is dropped.

use std::{env, fmt::Display};

use axum_clef::{BoxError, stores::SqliteUserStore};
use tempfile::TempDir;

use crate::settings::Store;

/// What is used where `POSTGRES_URL` names no other server.
const POSTGRES: &str = "postgres://postgres@127.0.0.1:5432/test";

pub enum Database {
    Memory,
    /// A file in a directory of this run.
    Sqlite(TempDir),
    /// A schema of this run.
    Postgres(test_support::Database),
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
                let database = test_support::Database::create_at(&url).await;
                Self::Postgres(database.map_err(no_server)?)
            }
        })
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

/// The URL stays unsaid: there may be a password in it.
fn no_server(error: impl Display) -> BoxError {
    format!("no server answers at POSTGRES_URL ({error}); start one there, or set it to another")
        .into()
}
