//! What a store receives of logouts at other nodes.

use crate::{RevocationKey, Subject};

/// Which logins a logout ends.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LogoutKey {
    /// All logins of the user with this id.
    User(String),
    /// All logins of the users whom this subject stands for.
    Subject(Subject),
    /// The logins under this key.
    Revocation(RevocationKey),
}

/// News of a logout that another node has written, as
/// [`UserStore::logout_news`](crate::UserStore::logout_news) sends it.
///
/// It is a hint to look, and no proof: whether a login has ended, the store says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogoutNews {
    /// These logins have ended, or are about to.
    LoggedOut(LogoutKey),
    /// Some news may be lost: any login may have ended. A receiver that lags means the same.
    Lagged,
}
