//! Signals the logouts of this node to listeners, and registers new listeners.

use std::{fmt, sync::Arc, time::Duration};

use super::{
    LogoutSignal,
    hub::Hub,
    login::CheckedLogin,
    login_checker::LoginChecker,
    pages::{PageLimits, Pages},
    watch::{WatchGuard, watch},
};
use crate::{EndedLogin, LoginId, LogoutCause, LogoutReason, RevocationKey, users::LogoutKey};

/// The listeners of a layer.
#[derive(Clone)]
pub(crate) struct LogoutSignals(Arc<Hub>);

impl LogoutSignals {
    pub(crate) fn new(interval: Duration, limits: PageLimits) -> Self {
        Self(Arc::new(Hub::new(interval, limits)))
    }

    pub(crate) fn pages(&self) -> &Pages {
        &self.0.pages
    }

    /// How many logouts this node has received. Read when a request arrives, so that
    /// [`listen`](Self::listen) notices a logout since its check.
    pub(crate) fn logouts_received(&self) -> u64 {
        self.0.logouts_received()
    }

    /// Listens for the end of a login. The first listener of a layer starts the task that checks.
    pub(crate) fn listen(
        &self,
        checked: &CheckedLogin<'_>,
        checker: impl FnOnce() -> LoginChecker,
    ) -> LogoutSignal {
        let (login, is_watched) = self.0.register(checked);
        if is_watched {
            self.0.notify();
        } else {
            let guard = WatchGuard::new(Arc::clone(&self.0));
            tokio::spawn(watch(guard, checker()));
        }
        LogoutSignal::new(login)
    }

    /// Ends the listeners of the logins that a logout of this node has ended.
    pub(crate) fn logged_out(&self, key: &LogoutKey, cause: &LogoutCause) {
        match key {
            LogoutKey::User(_) | LogoutKey::Subject(_) => {
                let logins = self.0.registry().ended_by(key);
                self.0.end(&logins, &EndedLogin::by(cause.clone()));
            }
            LogoutKey::Revocation(RevocationKey::Login(id)) => self.signed_out(*id),
            // Checked in the store, since a login may have started after the logout.
            LogoutKey::Revocation(_) => {
                let logins = self.0.registry().ended_by(key);
                for login in &logins {
                    login.state().revocation_cause = Some(cause.clone());
                }
                self.check(key);
            }
        }
    }

    /// Checks the logins that a logout affects in the store at once.
    pub(crate) fn check(&self, key: &LogoutKey) {
        self.0.receive(key);
    }

    /// Signals that a newer login of the same browser has replaced this one, or was made of it. Its
    /// pages reconnect.
    pub(crate) fn replaced(&self, id: LoginId) {
        let login = self.0.registry().ended_with_id(id);
        let end = EndedLogin::new(LogoutReason::SessionGone);
        self.0.end(login.as_slice(), &end);
    }

    /// Signals the sign-out of one login.
    pub(crate) fn signed_out(&self, id: LoginId) {
        let login = self.0.registry().ended_with_id(id);
        let end = EndedLogin::new(LogoutReason::SignedOut);
        self.0.end(login.as_slice(), &end);
    }
}

impl fmt::Debug for LogoutSignals {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LogoutSignals")
            .field("interval", &self.0.interval())
            .finish_non_exhaustive()
    }
}
