//! The members of the site, in a table of its own in SQLite.

use axum_clef::{BoxError, LogoutCause, RevocationKey, Timestamp, User, UserStore};
use sqlx::{
    Row as _, Sqlite, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow},
};

/// What a name may be, for the user.
pub const NAME_RULE: &str = "A name has 2 to 32 letters from a to z, digits, dots and dashes.";

/// `autoincrement`: an id is never given twice, so no login of a deleted member is one of a new
/// member. A revocation ends one login for good, every copy of its cookie. `logout_cause` says to the
/// member who or what caused the latest logout.
const TABLES: &str = "
    create table if not exists members (
        id            integer primary key autoincrement,
        name          text not null unique,
        password      text not null,
        last_login_at integer,
        logged_out_at integer,
        logout_cause  text
    ) strict;
    create index if not exists members_last_login_at on members (last_login_at);
    create table if not exists revocations (
        key        text primary key,
        revoked_at integer not null,
        keep_until integer not null
    ) strict, without rowid;
    create index if not exists revocations_keep_until on revocations (keep_until);
";

/// A member, as the handlers see one: without the password.
#[derive(Debug, Clone)]
pub struct Member {
    id: i64,
    name: String,
    logged_out_at: Option<Timestamp>,
    logout_cause: LogoutCause,
}

impl Member {
    /// The name to log in with.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl User for Member {
    fn id(&self) -> String {
        self.id.to_string()
    }

    fn logged_out_at(&self) -> Option<Timestamp> {
        self.logged_out_at
    }

    fn logout_cause(&self) -> LogoutCause {
        self.logout_cause.clone()
    }
}

/// The hash of a member's password, as it was read.
pub struct StoredPassword {
    member: i64,
    hash: String,
}

impl StoredPassword {
    /// The [`User::id`] of the member.
    pub fn member_id(&self) -> String {
        self.member.to_string()
    }

    /// The hash, in the PHC string format.
    pub fn hash(&self) -> &str {
        &self.hash
    }
}

/// The members.
#[derive(Debug, Clone)]
pub struct Members(SqlitePool);

impl Members {
    /// Opens the database at a URL such as `sqlite://password.db`. Creates missing files and tables.
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

    /// Adds a member, and returns the [`User::id`]. `None` if the name is taken.
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

    /// The password of the member with this name.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn password(&self, name: &str) -> Result<Option<StoredPassword>, sqlx::Error> {
        let row = sqlx::query("select id, password from members where name = ?")
            .bind(name)
            .fetch_optional(&self.0)
            .await?;
        let stored = row.map(|row| {
            Ok(StoredPassword {
                member: row.try_get("id")?,
                hash: row.try_get("password")?,
            })
        });
        stored.transpose()
    }

    /// Replaces the password that was verified. `false` if it is no longer the member's: of two
    /// changes at once, one takes place.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn change_password(
        &self,
        verified: &StoredPassword,
        hash: &str,
    ) -> Result<bool, sqlx::Error> {
        let changed = sqlx::query("update members set password = ? where id = ? and password = ?")
            .bind(hash)
            .bind(verified.member)
            .bind(&verified.hash)
            .execute(&self.0)
            .await?;
        Ok(changed.rows_affected() > 0)
    }

    /// Deletes a member, which ends all of their logins.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn delete(&self, member: &Member) -> Result<(), sqlx::Error> {
        sqlx::query("delete from members where id = ?")
            .bind(member.id)
            .execute(&self.0)
            .await?;
        Ok(())
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

    /// A transaction that has the write lock before the time is read: a login made while it waits
    /// would be later than the logout. A transaction that is dropped is rolled back.
    async fn write(&self) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        let mut transaction = self.0.begin().await?;
        sqlx::query("update members set id = id where false")
            .execute(&mut *transaction)
            .await?;
        Ok(transaction)
    }
}

impl UserStore for Members {
    type User = Member;

    async fn load(&self, id: &str) -> Result<Option<Member>, BoxError> {
        let row =
            sqlx::query("select id, name, logged_out_at, logout_cause from members where id = ?")
                .bind(row_id(id))
                .fetch_optional(&self.0)
                .await?;
        Ok(row.as_ref().map(member).transpose()?)
    }

    async fn log_in(&self, id: &str) -> Result<Option<Member>, BoxError> {
        let mut transaction = self.write().await?;
        let row = sqlx::query(
            "update members set last_login_at = max(?1, coalesce(last_login_at, ?1))
             where id = ?2
             returning id, name, logged_out_at, logout_cause",
        )
        .bind(Timestamp::now().as_micros())
        .bind(row_id(id))
        .fetch_optional(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(row.as_ref().map(member).transpose()?)
    }

    async fn log_out(&self, id: &str) -> Result<bool, BoxError> {
        self.log_out_with_cause(id, &LogoutCause::Unknown).await
    }

    async fn log_out_with_cause(&self, id: &str, cause: &LogoutCause) -> Result<bool, BoxError> {
        let mut transaction = self.write().await?;
        let ended = sqlx::query(
            "update members set logged_out_at =
                max(?1, coalesce(last_login_at + 1, ?1), coalesce(logged_out_at + 1, ?1)),
                logout_cause = ?3
             where id = ?2",
        )
        .bind(Timestamp::now().as_micros())
        .bind(row_id(id))
        .bind(cause.to_string())
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(ended.rows_affected() > 0)
    }

    fn keeps_one_login(&self) -> bool {
        true
    }

    async fn log_out_others(
        &self,
        id: &str,
        stamp: Timestamp,
    ) -> Result<Option<Timestamp>, BoxError> {
        self.log_out_others_with_cause(id, stamp, &LogoutCause::Unknown)
            .await
    }

    async fn log_out_others_with_cause(
        &self,
        id: &str,
        stamp: Timestamp,
        cause: &LogoutCause,
    ) -> Result<Option<Timestamp>, BoxError> {
        let mut transaction = self.write().await?;
        let logged_out_at: Option<i64> = sqlx::query_scalar(
            "update members set
                logged_out_at =
                    max(?1, coalesce(last_login_at + 1, ?1), coalesce(logged_out_at + 1, ?1)),
                last_login_at =
                    max(?1, coalesce(last_login_at + 1, ?1), coalesce(logged_out_at + 1, ?1)) + 1,
                logout_cause = ?4
             where id = ?2 and coalesce(logged_out_at < ?3, true)
             returning logged_out_at",
        )
        .bind(Timestamp::now().as_micros())
        .bind(row_id(id))
        .bind(stamp.as_micros())
        .bind(cause.to_string())
        .fetch_optional(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(logged_out_at.map(Timestamp::from_micros))
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

/// A name as it is stored, in small letters. `None` if it cannot be one.
pub fn member_name(text: &str) -> Option<String> {
    let name = text.trim().to_ascii_lowercase();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    let is_name = matches!(name.len(), 2..=32) && name.bytes().all(plain);
    is_name.then_some(name)
}

/// The row with this id, as `User::id` writes it: `07` is no id. Any other is unknown, which is no error.
fn row_id(id: &str) -> Option<i64> {
    id.parse().ok().filter(|row: &i64| row.to_string() == id)
}

fn member(row: &SqliteRow) -> Result<Member, sqlx::Error> {
    let logged_out_at: Option<i64> = row.try_get("logged_out_at")?;
    let logout_cause: Option<&str> = row.try_get("logout_cause")?;
    Ok(Member {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        logged_out_at: logged_out_at.map(Timestamp::from_micros),
        logout_cause: logout_cause.map(LogoutCause::from).unwrap_or_default(),
    })
}
