//! What the application brings: its own user, and where users are kept.

mod end_reason;
mod erased;
mod login_check;
mod news;
mod store;

use crate::Timestamp;

pub(crate) use self::{
    end_reason::EndReason,
    erased::{AnyIdentityStore, AnyUser, AnyUserStore},
};
pub use self::{
    login_check::{LoginCheck, LoginReference},
    news::{LogoutKey, LogoutNews},
    store::{IdentityStore, UserStore},
};

/// The application's own user, as [`LoggedIn`](crate::LoggedIn) hands it to handlers.
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
    /// The id by which [`UserStore::load`] finds this user again. Logins carry it
    /// and the log names it, so it must be a plain key and not an e-mail address.
    fn id(&self) -> String;

    /// When this user was last logged out everywhere, as the store has it; `None` if never.
    fn logged_out_at(&self) -> Option<Timestamp>;
}
