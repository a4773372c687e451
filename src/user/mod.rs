//! What the application brings: its own user, and where users are kept.

mod any;
mod news;
mod standing;
mod store;
mod verdict;

use crate::Timestamp;

pub(crate) use self::{
    any::{AnyUser, AnyUserStore},
    verdict::Over,
};
pub use self::{
    news::LogoutNews,
    standing::{LoginReference, Standing},
    store::UserStore,
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
    /// The id by which [`UserStore::load`] finds this user again. The session keeps it
    /// and the log names it, so let it be a plain key, not an e-mail address.
    fn id(&self) -> String;

    /// When this person was last logged out everywhere, as the store has it; `None` if
    /// never.
    fn logged_out_at(&self) -> Option<Timestamp>;
}
