//! Built-in user stores: in memory for tests, in SQLite (feature `sqlite`) for a site on one
//! machine, in PostgreSQL (feature `postgres`) for a site on several.
//!
//! An application with its own users table implements [`UserStore`](crate::UserStore) for it. The
//! SQLite store is a complete example.

mod memory;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::{fmt, sync::Arc};

#[cfg(any(feature = "sqlite", feature = "postgres"))]
use sqlx::{ColumnIndex, Decode, Row, Type};

pub use self::memory::MemoryUserStore;
#[cfg(feature = "postgres")]
pub use self::postgres::PostgresUserStore;
#[cfg(feature = "sqlite")]
pub use self::sqlite::SqliteUserStore;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
use crate::Subject;
use crate::{LogoutCause, Profile, Timestamp, User};

/// A clock that tests can replace.
type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A user of a built-in store: an id of this site, and the latest profile from the provider.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    id: i64,
    /// Shared, since each request clones the account.
    profile: Arc<Profile>,
    /// The latest login, by the clock of the store. A logout is written above it, so that a login
    /// never outlives a logout, even if the clock steps back.
    last_login_at: Option<Timestamp>,
    logged_out_at: Option<Timestamp>,
    /// Who or what caused that logout.
    logout_cause: LogoutCause,
}

impl Account {
    /// Ends every login that began until now.
    fn log_out(&mut self, now: Timestamp, cause: &LogoutCause) {
        let previous = self.logged_out_at.max(self.last_login_at);
        self.logged_out_at = Some(now.raised_above(previous));
        self.logout_cause = cause.clone();
    }

    /// Ends every login but the one with this stamp, which goes on a microsecond after the logout.
    fn log_out_others(
        &mut self,
        stamp: Timestamp,
        now: Timestamp,
        cause: &LogoutCause,
    ) -> Option<Timestamp> {
        if !stamp.outlives(self.logged_out_at) {
            return None;
        }
        self.log_out(now, cause);
        self.last_login_at = self.logged_out_at.map(Timestamp::next);
        self.logged_out_at
    }

    /// The latest profile from the provider. It is untrusted: escape it in HTML.
    ///
    /// The SQL stores keep no [`claims`](Profile::claims), and of
    /// [`email_verified`](Profile::email_verified) only that the address is verified. No store keeps
    /// the tokens of the provider.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }
}

impl User for Account {
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

impl fmt::Debug for Account {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Account")
            .field("id", &self.id)
            .field("profile", &self.profile)
            .field("logged_out_at", &self.logged_out_at)
            .field("logout_cause", &self.logout_cause)
            .finish()
    }
}

/// The number in the id of an account. Only as [`User::id`] writes it: a logout of `07` would end the
/// logins of `7` in the store, while what keeps or waits for logins by their user looks for `07`.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
fn read_id(id: &str) -> Option<i64> {
    let number: i64 = id.parse().ok()?;
    (number.to_string() == id).then_some(number)
}

/// Reads the columns of `clef_users`.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
fn read_account<'r, R: Row>(row: &'r R) -> Result<Account, sqlx::Error>
where
    &'static str: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    bool: Decode<'r, R::Database> + Type<R::Database>,
{
    let text = |column| row.try_get::<Option<String>, _>(column);
    let subject = Subject::new(
        row.try_get::<String, _>("issuer")?,
        row.try_get::<String, _>("subject")?,
    );
    let mut profile = Profile::new(subject);
    profile.first_name = text("first_name")?;
    profile.last_name = text("last_name")?;
    profile.email = text("email")?;
    profile.email_verified = row.try_get("email_verified")?;
    profile.phone_number = text("phone_number")?;
    let cause = text("logout_cause")?;
    Ok(Account {
        id: row.try_get("id")?,
        profile: profile.into(),
        last_login_at: read_timestamp(row, "last_login_at")?,
        logged_out_at: read_timestamp(row, "logged_out_at")?,
        logout_cause: cause.as_deref().map(LogoutCause::from).unwrap_or_default(),
    })
}

/// The text of a cause for its column; `None` if it is unknown.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
fn cause_column(cause: &LogoutCause) -> Option<String> {
    (*cause != LogoutCause::Unknown).then(|| cause.to_string())
}

#[cfg(any(feature = "sqlite", feature = "postgres"))]
fn read_timestamp<'r, R: Row>(
    row: &'r R,
    column: &'static str,
) -> Result<Option<Timestamp>, sqlx::Error>
where
    &'static str: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
{
    let micros: Option<i64> = row.try_get(column)?;
    Ok(micros.map(Timestamp::from_micros))
}
