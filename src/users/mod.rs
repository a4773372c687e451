//! The user and user store traits.

mod comparison;
mod ended_login;
mod erased;
mod identity_store;
mod login_check;
mod user_store;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::Receiver;

pub use self::{
    ended_login::{EndedLogin, LogoutReason},
    identity_store::{IdentityStore, LinkOutcome},
    login_check::{LoginCheck, LoginReference},
    user_store::UserStore,
};
pub(crate) use self::{
    erased::{AnyIdentityStore, AnyUser, AnyUserStore},
    user_store::LogOutOthersMissing,
};

use crate::{LogoutCause, RevocationKey, Subject, Timestamp};

/// The application's user type, which [`LoggedIn`](crate::LoggedIn) extracts.
///
/// ```
/// use axum_clef::{Timestamp, User};
///
/// #[derive(Clone)]
/// struct Member {
///     number: i64,
///     logged_out_at: Option<Timestamp>,
/// }
///
/// impl User for Member {
///     fn id(&self) -> String {
///         self.number.to_string()
///     }
///
///     fn logged_out_at(&self) -> Option<Timestamp> {
///         self.logged_out_at
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a user of axum-clef",
    note = "implement `axum_clef::User` for the type that your `UserStore` loads"
)]
pub trait User: Clone + Send + Sync + 'static {
    /// The id by which [`UserStore::load`] finds this user.
    ///
    /// Logins and log lines contain it, so use a plain key and not an e-mail address.
    fn id(&self) -> String;

    /// When this user was last logged out everywhere; `None` if never.
    fn logged_out_at(&self) -> Option<Timestamp>;

    /// Who or what caused the latest logout, if the store
    /// [keeps causes](UserStore::log_out_with_cause). Defaults to [`LogoutCause::Unknown`].
    ///
    /// It is asked for once a login has ended, for the log and for what the user reads.
    fn logout_cause(&self) -> LogoutCause {
        LogoutCause::Unknown
    }
}

/// Which logins a logout ends.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LogoutKey {
    /// All logins of the user with this id.
    User(String),
    /// All logins of the users of this subject.
    Subject(Subject),
    /// The logins under this key.
    Revocation(RevocationKey),
}

/// The leases of a user store that keeps users in memory for a moment.
pub trait Leases: Send + Sync {
    /// Joins the other nodes, if this is inside a runtime. Otherwise the first call of the store does.
    fn join(&self);

    /// How long a logout may wait once it is written, until the leases of all nodes are over.
    fn wait(&self) -> Duration;

    /// Subscribes to the news of logouts that other nodes have written. News may be late or lost.
    fn news(&self) -> Option<Receiver<LogoutNews>>;
}

/// News of a logout that another node of a site with leased users has written.
///
/// A hint only: check the store to learn whether a login has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogoutNews {
    /// These logins have ended, or are about to.
    LoggedOut(LogoutKey),
    /// Some news may be lost: any login may have ended. Treat a receiver that lags in the same way.
    Lagged,
}

/// The argument of `UserStore::leases`. No other crate can name it, so none can write or call that
/// method.
#[derive(Debug, Clone, Copy)]
pub struct Sealed;
