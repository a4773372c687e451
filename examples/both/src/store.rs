//! Members and their identities, in two tables in SQLite.

use axum_clef::{
    BoxError, IdentityStore, LinkOutcome, Profile, RevocationKey, Subject, Timestamp, User,
    UserStore,
};
use sqlx::{
    Row as _, Sqlite, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow},
};

/// A member has a name and a password, or identities at providers, or both. An identity belongs to
/// one member, by the primary key.
const TABLES: &str = "
    create table if not exists members (
        id            integer primary key autoincrement,
        name          text unique,
        password      text,
        last_login_at integer,
        logged_out_at integer
    ) strict;
    create index if not exists members_last_login_at on members (last_login_at);
    create table if not exists identities (
        issuer  text not null,
        subject text not null,
        member  integer not null references members (id) on delete cascade,
        primary key (issuer, subject)
    ) strict, without rowid;
    create index if not exists identities_member on identities (member);
    create table if not exists revocations (
        key        text primary key,
        revoked_at integer not null,
        keep_until integer not null
    ) strict, without rowid;
";

/// The statement that logs a member out. Its parameters are the time and the member.
const LOG_OUT: &str = "
    update members set logged_out_at =
        max(?1, coalesce(last_login_at + 1, ?1), coalesce(logged_out_at + 1, ?1))
    where id = ?2";

/// A member, as the handlers see one.
#[derive(Debug, Clone)]
pub struct Member {
    id: i64,
    name: Option<String>,
    has_password: bool,
    logged_out_at: Option<Timestamp>,
}

impl Member {
    /// The name to log in with, or a number for a member who has none.
    pub fn name(&self) -> String {
        let name = self.name.clone();
        name.unwrap_or_else(|| format!("member {}", self.id))
    }

    /// Whether the member can log in by the form.
    pub fn has_password(&self) -> bool {
        self.has_password
    }
}

impl User for Member {
    fn id(&self) -> String {
        self.id.to_string()
    }

    fn logged_out_at(&self) -> Option<Timestamp> {
        self.logged_out_at
    }
}

/// The members.
#[derive(Debug, Clone)]
pub struct Members(SqlitePool);

impl Members {
    /// Opens the database at a URL such as `sqlite://both.db`. Creates missing files and tables.
    ///
    /// # Errors
    ///
    /// When the URL is invalid, or the file is no database that can be written.
    pub async fn connect(url: &str) -> Result<Self, sqlx::Error> {
        let options: SqliteConnectOptions = url.parse()?;
        let options = options
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal);
        let pool = SqlitePoolOptions::new().connect_with(options).await?;
        sqlx::raw_sql(TABLES).execute(&pool).await?;
        Ok(Self(pool))
    }

    /// The connections, for other tables in the same file.
    pub fn pool(&self) -> &SqlitePool {
        &self.0
    }

    /// Adds a member with a password, and returns the id. `None` if the name is taken.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn sign_up(&self, name: &str, hash: &str) -> Result<Option<String>, sqlx::Error> {
        let row = sqlx::query(
            "insert into members (name, password) values (?, ?)
             on conflict (name) do nothing returning id",
        )
        .bind(name)
        .bind(hash)
        .fetch_optional(&self.0)
        .await?;
        let id: Option<i64> = row.map(|row| row.try_get("id")).transpose()?;
        Ok(id.map(|id| id.to_string()))
    }

    /// The id and the hash of the member with this name, if there is a password.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn password(&self, name: &str) -> Result<Option<(String, String)>, sqlx::Error> {
        let row =
            sqlx::query("select id, password from members where name = ? and password is not null")
                .bind(name)
                .fetch_optional(&self.0)
                .await?;
        let found = row.map(|row| {
            let id: i64 = row.try_get("id")?;
            Ok((id.to_string(), row.try_get("password")?))
        });
        found.transpose()
    }

    /// The identities of a member.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn identities(&self, member: &Member) -> Result<Vec<Subject>, sqlx::Error> {
        let rows = sqlx::query("select issuer, subject from identities where member = ?")
            .bind(member.id)
            .fetch_all(&self.0)
            .await?;
        let subjects = rows.iter().map(|row| {
            let (issuer, id): (String, String) = (row.try_get("issuer")?, row.try_get("subject")?);
            Ok(Subject::new(issuer, id))
        });
        subjects.collect()
    }

    /// Unlinks an identity and logs the member out everywhere, in one transaction: no login that the
    /// identity began goes on. `false` if it is not theirs, or their only way to log in.
    ///
    /// # Errors
    ///
    /// When the database does not answer. Nothing has changed.
    pub async fn unlink(&self, member: &Member, subject: &Subject) -> Result<bool, sqlx::Error> {
        let mut transaction = self.write().await?;
        let deleted = sqlx::query(
            "delete from identities where issuer = ?1 and subject = ?2 and member = ?3
             and (exists (select 1 from members where id = ?3 and password is not null)
                  or (select count(*) from identities where member = ?3) > 1)",
        )
        .bind(subject.issuer())
        .bind(subject.id())
        .bind(member.id)
        .execute(&mut *transaction)
        .await?;
        if deleted.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query(LOG_OUT)
            .bind(Timestamp::now().as_micros())
            .bind(member.id)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Deletes the revocations whose logins are over by now.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn delete_old_revocations(&self) -> Result<(), sqlx::Error> {
        sqlx::query("delete from revocations where keep_until < ?")
            .bind(Timestamp::now().as_micros())
            .execute(&self.0)
            .await?;
        Ok(())
    }

    /// A transaction that has the write lock before anything is read. SQLite locks no single row, so
    /// this is the lock of the identity: linking, unlinking and logging out wait for each other. In
    /// PostgreSQL it is `select … for update`.
    async fn write(&self) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        let mut transaction = self.0.begin().await?;
        sqlx::query("update members set id = id where false")
            .execute(&mut *transaction)
            .await?;
        Ok(transaction)
    }
}

/// The member of an identity.
async fn member_of(
    transaction: &mut Transaction<'static, Sqlite>,
    subject: &Subject,
) -> Result<Option<i64>, sqlx::Error> {
    let row = sqlx::query("select member from identities where issuer = ? and subject = ?")
        .bind(subject.issuer())
        .bind(subject.id())
        .fetch_optional(&mut **transaction)
        .await?;
    row.map(|row| row.try_get("member")).transpose()
}

async fn insert_identity(
    transaction: &mut Transaction<'static, Sqlite>,
    subject: &Subject,
    member: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query("insert into identities (issuer, subject, member) values (?, ?, ?)")
        .bind(subject.issuer())
        .bind(subject.id())
        .bind(member)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// The columns of a [`Member`].
const MEMBER: &str = "id, name, password is not null as has_password, logged_out_at";

impl IdentityStore for Members {
    /// Finds by the subject alone: an e-mail address says nothing about whose account it is.
    async fn find_or_create(&self, profile: &Profile) -> Result<Option<Member>, BoxError> {
        let mut transaction = self.write().await?;
        let id = match member_of(&mut transaction, &profile.subject).await? {
            Some(id) => id,
            None => {
                let row = sqlx::query("insert into members default values returning id");
                let row = row.fetch_one(&mut *transaction).await?;
                let id: i64 = row.try_get("id")?;
                insert_identity(&mut transaction, &profile.subject, id).await?;
                id
            }
        };
        let row = sqlx::query(&format!("select {MEMBER} from members where id = ?"))
            .bind(id)
            .fetch_one(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(Some(member(&row)?))
    }

    async fn log_out_subject(&self, subject: &Subject) -> Result<Vec<String>, BoxError> {
        let mut transaction = self.write().await?;
        let Some(id) = member_of(&mut transaction, subject).await? else {
            return Ok(Vec::new());
        };
        sqlx::query(LOG_OUT)
            .bind(Timestamp::now().as_micros())
            .bind(id)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(vec![id.to_string()])
    }

    async fn link(&self, user_id: &str, profile: &Profile) -> Result<LinkOutcome, BoxError> {
        let mut transaction = self.write().await?;
        let row = sqlx::query("select id from members where id = ?")
            .bind(row_id(user_id))
            .fetch_optional(&mut *transaction)
            .await?;
        let Some(row) = row else {
            return Ok(LinkOutcome::TurnedAway);
        };
        let id: i64 = row.try_get("id")?;
        match member_of(&mut transaction, &profile.subject).await? {
            Some(member) if member == id => return Ok(LinkOutcome::Linked),
            Some(_) => return Ok(LinkOutcome::OtherUser),
            None => insert_identity(&mut transaction, &profile.subject, id).await?,
        }
        transaction.commit().await?;
        Ok(LinkOutcome::Linked)
    }
}

impl UserStore for Members {
    type User = Member;

    async fn load(&self, id: &str) -> Result<Option<Member>, BoxError> {
        let row = sqlx::query(&format!("select {MEMBER} from members where id = ?"))
            .bind(row_id(id))
            .fetch_optional(&self.0)
            .await?;
        Ok(row.as_ref().map(member).transpose()?)
    }

    async fn log_in(&self, id: &str) -> Result<Option<Member>, BoxError> {
        let mut transaction = self.write().await?;
        let row = sqlx::query(&format!(
            "update members set last_login_at = max(?1, coalesce(last_login_at, ?1))
             where id = ?2 returning {MEMBER}"
        ))
        .bind(Timestamp::now().as_micros())
        .bind(row_id(id))
        .fetch_optional(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(row.as_ref().map(member).transpose()?)
    }

    async fn log_out(&self, id: &str) -> Result<bool, BoxError> {
        let mut transaction = self.write().await?;
        let ended = sqlx::query(LOG_OUT)
            .bind(Timestamp::now().as_micros())
            .bind(row_id(id))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(ended.rows_affected() > 0)
    }

    fn keeps_revocations(&self) -> bool {
        true
    }

    async fn revoke(&self, keys: &[RevocationKey], keep_until: Timestamp) -> Result<(), BoxError> {
        let mut transaction = self.write().await?;
        let now = Timestamp::now().as_micros();
        for key in keys {
            sqlx::query(
                "insert into revocations (key, revoked_at, keep_until) values (
                    ?1,
                    max(?2, coalesce((select max(last_login_at) + 1 from members), ?2)),
                    ?3
                 )
                 on conflict (key) do update set
                    revoked_at = max(excluded.revoked_at, revoked_at + 1),
                    keep_until = max(excluded.keep_until, keep_until)",
            )
            .bind(serde_json::to_string(key)?)
            .bind(now)
            .bind(keep_until.as_micros())
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    async fn revoked_at(&self, key: &RevocationKey) -> Result<Option<Timestamp>, BoxError> {
        let row = sqlx::query("select revoked_at from revocations where key = ?")
            .bind(serde_json::to_string(key)?)
            .fetch_optional(&self.0)
            .await?;
        let revoked_at: Option<i64> = row.map(|row| row.try_get("revoked_at")).transpose()?;
        Ok(revoked_at.map(Timestamp::from_micros))
    }
}

/// The row with this id, as `User::id` writes it: `07` is no id. Any other is unknown, which is no error.
fn row_id(id: &str) -> Option<i64> {
    id.parse().ok().filter(|row: &i64| row.to_string() == id)
}

fn member(row: &SqliteRow) -> Result<Member, sqlx::Error> {
    let logged_out_at: Option<i64> = row.try_get("logged_out_at")?;
    Ok(Member {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        has_password: row.try_get("has_password")?,
        logged_out_at: logged_out_at.map(Timestamp::from_micros),
    })
}
