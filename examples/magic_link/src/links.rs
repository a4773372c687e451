//! The open links, in a table of their own.

use std::time::Duration;

use axum_clef::{
    Timestamp,
    secrecy::{ExposeSecret as _, SecretString},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use sqlx::{Row as _, SqlitePool, sqlite::SqliteRow};

use crate::Address;

/// How long a link can be opened.
pub const LINK_LIFETIME: Duration = Duration::from_secs(10 * 60);

/// How many open links an address may have. Above that no mail is sent to it, so that no crowd of
/// clients fills a mailbox.
pub const MOST_OPEN_LINKS: u32 = 3;

const TABLE: &str = "
    create table if not exists links (
        digest   blob primary key,
        address  text not null,
        requested_at integer not null,
        requested_in text not null,
        requested_by text not null,
        next     text not null
    ) strict, without rowid;
    create index if not exists links_address on links (address, requested_at);
    create index if not exists links_requested_at on links (requested_at);
";

/// The secret in a link: 256 random bits. The table has its digest, so that a copy of the table logs
/// nobody in.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct LinkToken(SecretString);

impl LinkToken {
    fn random() -> Self {
        Self(
            BASE64_URL_SAFE_NO_PAD
                .encode(rand::random::<[u8; 32]>())
                .into(),
        )
    }

    /// The text for the address of the link.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    fn digest(&self) -> Vec<u8> {
        Sha256::digest(self.expose()).to_vec()
    }
}

/// What a link is for.
#[derive(Debug, Clone)]
pub struct Link {
    /// The mailbox that it is sent to.
    pub address: Address,
    /// When it was requested, by the clock of the user store.
    pub requested_at: Timestamp,
    /// The name of the browser in which it was requested.
    pub requested_in: String,
    /// The id of that browser.
    pub requested_by: String,
    /// Where the login leads. Not validated.
    pub next: String,
}

/// The open links.
#[derive(Debug, Clone)]
pub struct Links(SqlitePool);

impl Links {
    /// Creates the table if it is missing.
    ///
    /// # Errors
    ///
    /// When the database cannot be written.
    pub async fn create(pool: SqlitePool) -> Result<Self, sqlx::Error> {
        sqlx::raw_sql(TABLE).execute(&pool).await?;
        Ok(Self(pool))
    }

    /// Adds a link. `None` if the address has [`MOST_OPEN_LINKS`]. One statement, so that requests at
    /// once add no more.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn add(&self, link: &Link) -> Result<Option<LinkToken>, sqlx::Error> {
        let token = LinkToken::random();
        let added = sqlx::query(
            "insert into links (digest, address, requested_at, requested_in, requested_by, next)
             select ?1, ?2, ?3, ?4, ?5, ?6
             where (select count(*) from links where address = ?2 and requested_at > ?7) < ?8",
        )
        .bind(token.digest())
        .bind(link.address.as_str())
        .bind(link.requested_at.as_micros())
        .bind(&link.requested_in)
        .bind(&link.requested_by)
        .bind(&link.next)
        .bind(oldest(link.requested_at))
        .bind(MOST_OPEN_LINKS)
        .execute(&self.0)
        .await?;
        Ok((added.rows_affected() > 0).then_some(token))
    }

    /// The link with this token, if it is open. It stays open.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn find(
        &self,
        token: &LinkToken,
        now: Timestamp,
    ) -> Result<Option<Link>, sqlx::Error> {
        let row = sqlx::query("select * from links where digest = ? and requested_at > ?")
            .bind(token.digest())
            .bind(oldest(now))
            .fetch_optional(&self.0)
            .await?;
        row.as_ref().map(link).transpose()
    }

    /// The same, once: the link is no longer open. One statement, so that of two requests at once one
    /// gets it.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn spend(
        &self,
        token: &LinkToken,
        now: Timestamp,
    ) -> Result<Option<Link>, sqlx::Error> {
        let row =
            sqlx::query("delete from links where digest = ? and requested_at > ? returning *")
                .bind(token.digest())
                .bind(oldest(now))
                .fetch_optional(&self.0)
                .await?;
        row.as_ref().map(link).transpose()
    }

    /// Deletes the open links of an address.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn delete(&self, address: &str) -> Result<(), sqlx::Error> {
        sqlx::query("delete from links where address = ?")
            .bind(address)
            .execute(&self.0)
            .await?;
        Ok(())
    }

    /// Deletes expired links.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn delete_expired(&self, now: Timestamp) -> Result<(), sqlx::Error> {
        sqlx::query("delete from links where requested_at <= ?")
            .bind(oldest(now))
            .execute(&self.0)
            .await?;
        Ok(())
    }
}

/// A link that was requested then, or before, has expired.
fn oldest(now: Timestamp) -> i64 {
    const LIFETIME: i64 = LINK_LIFETIME.as_micros() as i64;
    now.as_micros().saturating_sub(LIFETIME)
}

fn link(row: &SqliteRow) -> Result<Link, sqlx::Error> {
    Ok(Link {
        address: Address::stored(row.try_get("address")?),
        requested_at: Timestamp::from_micros(row.try_get("requested_at")?),
        requested_in: row.try_get("requested_in")?,
        requested_by: row.try_get("requested_by")?,
        next: row.try_get("next")?,
    })
}
