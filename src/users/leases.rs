//! What this crate's leased store adds to a user store.

use std::time::Duration;

use tokio::sync::broadcast::Receiver;

use super::LogoutKey;

/// The leases of a user store that keeps users in memory for a moment.
pub trait Leases: Send + Sync {
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
