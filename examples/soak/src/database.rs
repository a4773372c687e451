//! Where the users are. Nothing is left of them when this is dropped.

use std::{env, fmt::Display};

use axum_clef::{
    BoxError,
    stores::{MemoryUserStore, SqliteUserStore},
};
use tempfile::TempDir;

use crate::{clock::StoreClock, settings::Store, tables::Tables};

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

    /// The user store, with this clock.
    ///
    /// # Errors
    ///
    /// When the file cannot be written, or the server does not answer.
    pub async fn users(&self, clock: StoreClock) -> Result<Tables, BoxError> {
        Ok(match self {
            Self::Memory => Tables::Memory(MemoryUserStore::new().with_clock(move || clock.now())),
            Self::Sqlite(directory) => {
                let file = directory.path().join("users.db");
                let users =
                    SqliteUserStore::connect(&format!("sqlite://{}", file.display())).await?;
                Tables::Sqlite(users.with_clock(move || clock.now()))
            }
            Self::Postgres(database) => {
                let users = database.open().await;
                clock.set(&users).await?;
                Tables::Postgres(users)
            }
        })
    }
}

/// The URL stays unsaid: there may be a password in it.
fn no_server(error: impl Display) -> BoxError {
    format!("no server answers at POSTGRES_URL ({error}); start one there, or set it to another")
        .into()
}
