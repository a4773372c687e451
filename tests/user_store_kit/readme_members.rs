use async_trait::async_trait;
use axum_clef::{BoxError, Profile, Subject, Timestamp, User, UserStore};
use sqlx::{Row, SqlitePool, sqlite::SqliteRow};

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

#[async_trait]
impl UserStore for Members {
    type User = Member;

    // Find or create, in one statement. `Ok(None)` turns the person away.
    async fn log_in(&self, profile: &Profile) -> Result<Option<Member>, BoxError> {
        let row = sqlx::query(
            "insert into members (issuer, subject, email, last_login_at) values (?, ?, ?, ?)
             on conflict (issuer, subject) do update set
                email = excluded.email,
                last_login_at = max(excluded.last_login_at, last_login_at)
             returning id, logged_out_at",
        )
        .bind(profile.subject.issuer())
        .bind(profile.subject.id())
        .bind(&profile.email)
        .bind(Timestamp::now().as_micros())
        .fetch_one(&self.0)
        .await?;
        Ok(Some(member(&row)?))
    }

    async fn load(&self, id: &str) -> Result<Option<Member>, BoxError> {
        let Ok(id) = id.parse::<i64>() else {
            return Ok(None); // nobody's id, which is no error
        };
        let row = sqlx::query("select id, logged_out_at from members where id = ?")
            .bind(id)
            .fetch_optional(&self.0)
            .await?;
        Ok(row.as_ref().map(member).transpose()?)
    }

    // The stamp only rises, and is later than the last login.
    async fn log_out(&self, subject: &Subject) -> Result<bool, BoxError> {
        // Not `begin_with("begin immediate")`: a client that hangs up could leave the lock behind.
        let mut transaction = self.0.begin().await?;
        // Changes nothing, but takes the write lock. The time is read after that.
        sqlx::query("update members set id = id where false")
            .execute(&mut *transaction)
            .await?;
        let written = sqlx::query(
            "update members set logged_out_at =
                max(?1, last_login_at + 1, coalesce(logged_out_at + 1, ?1))
             where issuer = ?2 and subject = ?3",
        )
        .bind(Timestamp::now().as_micros())
        .bind(subject.issuer())
        .bind(subject.id())
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(written.rows_affected() > 0)
    }

    // `now` is the system clock unless you say otherwise. A database that several machines
    // share must answer with its own clock here and in `log_out`: one clock, or no promise.
}

fn member(row: &SqliteRow) -> Result<Member, sqlx::Error> {
    let logged_out_at: Option<i64> = row.try_get("logged_out_at")?;
    Ok(Member {
        id: row.try_get("id")?,
        logged_out_at: logged_out_at.map(Timestamp::from_micros),
    })
}
