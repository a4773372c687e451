//! News of logouts at other nodes.

use super::LogoutKey;

/// News of a logout that another node has written, as
/// [`UserStore::logout_news`](crate::UserStore::logout_news) sends it.
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
