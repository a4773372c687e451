//! The passkeys of the members, in a table of their own.

use axum_clef::{BoxError, Timestamp};
use sqlx::{Row as _, SqlitePool, sqlite::SqliteRow};
use webauthn_rs::prelude::{Passkey, Uuid};

/// How many passkeys a member may have.
pub const MOST_PASSKEYS: u32 = 10;

/// `passkey` is what webauthn-rs verifies with: the public key, the counter, whether it is backed up.
const TABLE: &str = "
    create table if not exists passkeys (
        number       integer primary key autoincrement,
        id           blob not null unique,
        user_id      text not null,
        handle       blob not null,
        name         text not null,
        passkey      text not null,
        added_at     integer not null,
        last_used_at integer
    ) strict;
    create index if not exists passkeys_user_id on passkeys (user_id);
";

/// A passkey of a member.
#[derive(Debug, Clone)]
pub struct StoredPasskey {
    /// Its number in the table.
    pub number: i64,
    /// The id of the member.
    pub user_id: String,
    /// The id of the member, as authenticators know it.
    pub handle: Uuid,
    /// Its name, for the member.
    pub name: String,
    /// When it was added.
    pub added_at: Timestamp,
    /// When it last logged in.
    pub last_used_at: Option<Timestamp>,
    /// What verifies it.
    pub passkey: Passkey,
    /// The same as it was read, to see whether it has changed.
    stored: String,
}

/// The passkeys of the members.
#[derive(Debug, Clone)]
pub struct Passkeys(SqlitePool);

impl Passkeys {
    /// Creates the table if it is missing.
    ///
    /// # Errors
    ///
    /// When the database cannot be written.
    pub async fn create(pool: SqlitePool) -> Result<Self, sqlx::Error> {
        sqlx::raw_sql(TABLE).execute(&pool).await?;
        Ok(Self(pool))
    }

    /// Adds a passkey. `false` if a member has it already, or this one has [`MOST_PASSKEYS`].
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn add(
        &self,
        user_id: &str,
        handle: Uuid,
        name: &str,
        passkey: &Passkey,
        now: Timestamp,
    ) -> Result<bool, BoxError> {
        let added = sqlx::query(
            "insert into passkeys (id, user_id, handle, name, passkey, added_at)
             select ?1, ?2, ?3, ?4, ?5, ?6
             where (select count(*) from passkeys where user_id = ?2) < ?7
             on conflict (id) do nothing",
        )
        .bind(passkey.cred_id().as_slice())
        .bind(user_id)
        .bind(handle.as_bytes().as_slice())
        .bind(name)
        .bind(serde_json::to_string(passkey)?)
        .bind(now.as_micros())
        .bind(MOST_PASSKEYS)
        .execute(&self.0)
        .await?;
        Ok(added.rows_affected() > 0)
    }

    /// The passkeys of a member, the oldest first.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn of_user(&self, user_id: &str) -> Result<Vec<StoredPasskey>, BoxError> {
        let rows = sqlx::query("select * from passkeys where user_id = ? order by number")
            .bind(user_id)
            .fetch_all(&self.0)
            .await?;
        rows.iter().map(stored_passkey).collect()
    }

    /// The passkey with this id.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn find(&self, id: &[u8]) -> Result<Option<StoredPasskey>, BoxError> {
        let row = sqlx::query("select * from passkeys where id = ?")
            .bind(id)
            .fetch_optional(&self.0)
            .await?;
        row.as_ref().map(stored_passkey).transpose()
    }

    /// Notes that a passkey has logged in, with its new counter. `false` if it was removed meanwhile,
    /// or has logged in by another request: of two answers with one counter, one counts.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn note_use(&self, used: &StoredPasskey, now: Timestamp) -> Result<bool, BoxError> {
        let noted = sqlx::query(
            "update passkeys set passkey = ?, last_used_at = ? where number = ? and passkey = ?",
        )
        .bind(serde_json::to_string(&used.passkey)?)
        .bind(now.as_micros())
        .bind(used.number)
        .bind(&used.stored)
        .execute(&self.0)
        .await?;
        Ok(noted.rows_affected() > 0)
    }

    /// Removes a passkey of a member. `false` if it is their last one, or not theirs. One statement,
    /// so that two requests at once do not remove the last two.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn remove(&self, user_id: &str, number: i64) -> Result<bool, BoxError> {
        let removed = sqlx::query(
            "delete from passkeys where number = ?1 and user_id = ?2
             and (select count(*) from passkeys where user_id = ?2) > 1",
        )
        .bind(number)
        .bind(user_id)
        .execute(&self.0)
        .await?;
        Ok(removed.rows_affected() > 0)
    }
}

fn stored_passkey(row: &SqliteRow) -> Result<StoredPasskey, BoxError> {
    let stored: String = row.try_get("passkey")?;
    let last_used_at: Option<i64> = row.try_get("last_used_at")?;
    Ok(StoredPasskey {
        number: row.try_get("number")?,
        user_id: row.try_get("user_id")?,
        handle: Uuid::from_slice(row.try_get("handle")?)?,
        name: row.try_get("name")?,
        added_at: Timestamp::from_micros(row.try_get("added_at")?),
        last_used_at: last_used_at.map(Timestamp::from_micros),
        passkey: serde_json::from_str(&stored)?,
        stored,
    })
}
