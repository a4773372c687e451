use axum_clef::{BoxError, IdentityStore, Profile, Subject, Timestamp, User, UserStore};
use sqlx::{Row, Sqlite, SqlitePool, Transaction, sqlite::SqliteRow};

#[derive(Clone)]
struct Member {
    id: i64,
    logged_out_at: Option<Timestamp>,
}

impl User for Member {
    fn id(&self) -> String {
        self.id.to_string()
    }

    fn logged_out_at(&self) -> Option<Timestamp> {
        self.logged_out_at
    }
}

struct Members(SqlitePool);

impl UserStore for Members {
    type User = Member;

    async fn load(&self, id: &str) -> Result<Option<Member>, BoxError> {
        let row = sqlx::query("select id, logged_out_at from members where id = ?")
            .bind(row_id(id))
            .fetch_optional(&self.0)
            .await?;
        Ok(row.as_ref().map(member).transpose()?)
    }

    // Notes the login, so that the next logout is later, and returns the user.
    async fn log_in(&self, id: &str) -> Result<Option<Member>, BoxError> {
        let mut transaction = self.write().await?;
        let row = sqlx::query(
            "update members set last_login_at = max(?1, coalesce(last_login_at, ?1))
             where id = ?2
             returning id, logged_out_at",
        )
        .bind(Timestamp::now().as_micros())
        .bind(row_id(id))
        .fetch_optional(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(row.as_ref().map(member).transpose()?)
    }

    async fn log_out(&self, id: &str) -> Result<bool, BoxError> {
        let ended = self.end_logins(row_id(id), None).await?;
        Ok(!ended.is_empty())
    }

    // These two are for `OtherLogins`: after a change of the password one login stays.
    fn keeps_one_login(&self) -> bool {
        true
    }

    async fn log_out_others(
        &self,
        id: &str,
        stamp: Timestamp,
    ) -> Result<Option<Timestamp>, BoxError> {
        let mut transaction = self.write().await?;
        let logged_out_at: Option<i64> = sqlx::query_scalar(
            "update members set
                logged_out_at =
                    max(?1, coalesce(last_login_at + 1, ?1), coalesce(logged_out_at + 1, ?1)),
                last_login_at =
                    max(?1, coalesce(last_login_at + 1, ?1), coalesce(logged_out_at + 1, ?1)) + 1
             where id = ?2 and coalesce(logged_out_at < ?3, true)
             returning logged_out_at",
        )
        .bind(Timestamp::now().as_micros())
        .bind(row_id(id))
        .bind(stamp.as_micros())
        .fetch_optional(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(logged_out_at.map(Timestamp::from_micros))
    }

    // `now` is the system clock by default. A database that several machines share must answer
    // with its own clock here and in both writes: one clock, or no promise.
}

impl IdentityStore for Members {
    // One statement, so two first logins at once create one member. `Ok(None)` refuses the user.
    async fn find_or_create(&self, profile: &Profile) -> Result<Option<Member>, BoxError> {
        let row = sqlx::query(
            "insert into members (issuer, subject, email) values (?, ?, ?)
             on conflict (issuer, subject) do update set email = excluded.email
             returning id, logged_out_at",
        )
        .bind(profile.subject.issuer())
        .bind(profile.subject.id())
        .bind(&profile.email)
        .fetch_one(&self.0)
        .await?;
        Ok(Some(member(&row)?))
    }

    async fn log_out_subject(&self, subject: &Subject) -> Result<Vec<String>, BoxError> {
        self.end_logins(None, Some(subject)).await
    }
}

impl Members {
    // The stamp only rises, and is later than the latest login.
    async fn end_logins(
        &self,
        id: Option<i64>,
        subject: Option<&Subject>,
    ) -> Result<Vec<String>, BoxError> {
        let mut transaction = self.write().await?;
        let rows = sqlx::query(
            "update members set logged_out_at =
                max(?1, coalesce(last_login_at + 1, ?1), coalesce(logged_out_at + 1, ?1))
             where id = ?2 or (issuer = ?3 and subject = ?4)
             returning id",
        )
        .bind(Timestamp::now().as_micros())
        .bind(id)
        .bind(subject.map(Subject::issuer))
        .bind(subject.map(Subject::id))
        .fetch_all(&mut *transaction)
        .await?;
        transaction.commit().await?;
        let ids = rows.iter().map(|row| row.try_get::<i64, _>("id"));
        ids.map(|id| Ok(id?.to_string())).collect()
    }

    // A transaction that has the write lock before the time is read: a login made while it waits
    // would be later than the logout. Not `begin_with("begin immediate")`: a client that hangs up
    // could leave the lock behind.
    async fn write(&self) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        let mut transaction = self.0.begin().await?;
        sqlx::query("update members set id = id where false")
            .execute(&mut *transaction)
            .await?;
        Ok(transaction)
    }
}

// As `User::id` writes it: `07` is no id. Any other is unknown, which is no error.
fn row_id(id: &str) -> Option<i64> {
    id.parse().ok().filter(|row: &i64| row.to_string() == id)
}

fn member(row: &SqliteRow) -> Result<Member, sqlx::Error> {
    let logged_out_at: Option<i64> = row.try_get("logged_out_at")?;
    Ok(Member {
        id: row.try_get("id")?,
        logged_out_at: logged_out_at.map(Timestamp::from_micros),
    })
}
