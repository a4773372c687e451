//! The user and user store traits.

mod comparison;
mod erased;
mod leases;
mod login_check;
mod store;

use serde::{Deserialize, Serialize};

#[cfg(any(feature = "leased", feature = "live"))]
pub use self::leases::LogoutNews;
#[cfg(any(feature = "leased", feature = "testing"))]
pub(crate) use self::leases::{Leases, Sealed};
pub(crate) use self::{
    comparison::EndReason,
    erased::{AnyIdentityStore, AnyUser, AnyUserStore},
};
pub use self::{
    login_check::{LoginCheck, LoginReference},
    store::{IdentityStore, UserStore},
};

use crate::{RevocationKey, Subject, Timestamp};

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
