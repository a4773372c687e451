//! The user store of the site, and its size.

use axum_clef::{
    BoxError,
    stores::{MemoryUserStore, PostgresUserStore, SqliteUserStore},
};

/// The user store of the site.
pub enum Tables {
    Memory(MemoryUserStore),
    Sqlite(SqliteUserStore),
    Postgres(PostgresUserStore),
}

#[derive(Debug, Clone, Copy)]
pub struct Rows {
    pub users: u64,
    /// Ended logins, sessions and subjects.
    pub revocations: u64,
    /// Sessions at the provider.
    pub sessions: u64,
    /// The size of tables and indexes; `None` in memory.
    pub kib: Option<u64>,
}

const SQLITE: &str = "
    select
        (select count(*) from clef_users),
        (select count(*) from clef_revocations),
        (select count(*) from clef_sessions),
        (select (page_count - freelist_count) * page_size / 1024
            from pragma_page_count, pragma_freelist_count, pragma_page_size)
";

const POSTGRES: &str = "
    select
        (select count(*) from clef_users),
        (select count(*) from clef_revocations),
        (select count(*) from clef_sessions),
        (select (sum(pg_total_relation_size(oid)) / 1024)::bigint from pg_class
            where relnamespace = current_schema()::regnamespace and relkind = 'r')
";

impl Tables {
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn rows(&self) -> Result<Rows, BoxError> {
        let (users, revocations, sessions, kib): (i64, i64, i64, i64) = match self {
            Self::Memory(users) => return in_memory(users),
            Self::Sqlite(users) => sqlx::query_as(SQLITE).fetch_one(users.pool()).await?,
            Self::Postgres(users) => sqlx::query_as(POSTGRES).fetch_one(users.pool()).await?,
        };
        Ok(Rows {
            users: users.try_into()?,
            revocations: revocations.try_into()?,
            sessions: sessions.try_into()?,
            kib: Some(kib.try_into()?),
        })
    }
}

/// The numbers are shown by `Debug` only.
fn in_memory(users: &MemoryUserStore) -> Result<Rows, BoxError> {
    let text = format!("{users:?}");
    let number = |name: &str| {
        let (_, rest) = text.split_once(&format!(" {name}: ")).ok_or(name)?;
        let digits = rest.split(|letter: char| !letter.is_ascii_digit()).next();
        Ok::<_, BoxError>(digits.unwrap_or_default().parse::<u64>()?)
    };
    Ok(Rows {
        users: number("accounts")?,
        revocations: number("revocations")?,
        sessions: number("sessions")?,
        kib: None,
    })
}

#[cfg(test)]
mod tests {
    use axum_clef::{
        IdentityStore as _, Profile, RevocationKey, Subject, Timestamp, UserStore as _,
    };

    use super::*;

    #[tokio::test]
    async fn the_rows_in_memory_are_counted() -> Result<(), BoxError> {
        let users = MemoryUserStore::new();
        let alex = Subject::new("https://clef.example", "1");
        users.find_or_create(&Profile::new(alex.clone())).await?;
        let keys = [RevocationKey::UnknownSubject(alex)];
        users
            .revoke(&keys, Timestamp::from_micros(i64::MAX))
            .await?;
        let rows = Tables::Memory(users).rows().await?;
        assert_eq!((rows.users, rows.revocations, rows.sessions), (1, 1, 0));
        Ok(())
    }
}
