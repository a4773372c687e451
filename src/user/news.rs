//! What a store tells of logouts that it hears of.

use crate::logout_scope::LogoutScope;

/// News of a logout that another node has written, as
/// [`UserStore::logout_news`](crate::UserStore::logout_news) gives it.
///
/// It is a hint to look, and no proof: whether a login still counts, the store says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogoutNews {
    /// These logins have ended, or are about to.
    LoggedOut(LogoutScope),
    /// Some news may have been missed: any login may have ended. A receiver that lags means the
    /// same.
    Missed,
}
