use axum_clef::{BoxError, Timestamp, User, UserStore};
use sqlx::{Sqlite, SqlitePool, Transaction};

#[derive(Clone, sqlx::FromRow)]
struct Member {
    id: i64,
    username: String,
    logged_out_at: Option<i64>,
}

impl User for Member {
    fn id(&self) -> String { self.id.to_string() }
    fn logged_out_at(&self) -> Option<Timestamp> { self.logged_out_at.map(Timestamp::from_micros) }
}

struct Members(SqlitePool);

// As `User::id` writes it: `07` is no id.
fn row_id(id: &str) -> Option<i64> { id.parse().ok().filter(|row: &i64| row.to_string() == id) }

impl UserStore for Members {
    type User = Member;

    // `AuthnBackend::get_user`
    async fn load(&self, id: &str) -> Result<Option<Member>, BoxError> {
        let member = sqlx::query_as("select id, username, logged_out_at from users where id = ?");
        Ok(member.bind(row_id(id)).fetch_optional(&self.0).await?)
    }

    async fn log_in(&self, id: &str) -> Result<Option<Member>, BoxError> {
        let mut transaction = self.write().await?;
        let member = sqlx::query_as(
            "update users set last_login_at = max(?1, coalesce(last_login_at, ?1)) where id = ?2
             returning id, username, logged_out_at",
        );
        let member = member.bind(Timestamp::now().as_micros()).bind(row_id(id)).fetch_optional(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(member)
    }

    async fn log_out(&self, id: &str) -> Result<bool, BoxError> {
        Ok(self.end_logins(id, None).await?.is_some())
    }

    // These two are for `OtherLogins`: the login with this stamp stays.
    fn keeps_one_login(&self) -> bool { true }

    async fn log_out_others(&self, id: &str, stamp: Timestamp) -> Result<Option<Timestamp>, BoxError> {
        self.end_logins(id, Some(stamp)).await
    }
}

impl Members {
    async fn end_logins(&self, id: &str, kept: Option<Timestamp>) -> Result<Option<Timestamp>, BoxError> {
        let mut transaction = self.write().await?;
        let ended = sqlx::query_scalar(
            "update users set
                logged_out_at = max(?1, coalesce(last_login_at + 1, ?1), coalesce(logged_out_at + 1, ?1)),
                last_login_at = case when ?3 is null then last_login_at else
                    max(?1, coalesce(last_login_at + 1, ?1), coalesce(logged_out_at + 1, ?1)) + 1 end
             where id = ?2 and coalesce(logged_out_at < ?3, true) returning logged_out_at",
        );
        let ended = ended.bind(Timestamp::now().as_micros()).bind(row_id(id));
        let ended = ended.bind(kept.map(Timestamp::as_micros)).fetch_optional(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(ended.map(Timestamp::from_micros))
    }

    // It has SQLite's write lock before the time is read, so a logout misses no login of that moment.
    async fn write(&self) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        let mut transaction = self.0.begin().await?;
        sqlx::query("update users set id = id where false").execute(&mut *transaction).await?;
        Ok(transaction)
    }
}
