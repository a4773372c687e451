//! Listening for the end of a request's login (feature `live`).

use std::sync::{Arc, atomic::Ordering};

use tokio::time::Instant;

use super::{Authenticated, RequestAuth};
use crate::live::{CheckedLogin, LoginChecker, LogoutSignal, instant_after};

impl RequestAuth {
    /// Marks the request as no activity of the user: the login goes idle all the same. To be called
    /// before the check.
    pub(crate) fn set_passive(&self) {
        self.passive.store(true, Ordering::Release);
    }

    /// Listens for the end of the user's login.
    pub(crate) fn listen(&self, authenticated: &Authenticated) -> LogoutSignal {
        let record = authenticated.login.record();
        let state = self.state();
        let checked = CheckedLogin {
            user_id: &record.user_id,
            id: record.id,
            subject: record.subject(),
            provider_key: record.provider_key(),
            logged_in_at: record.logged_in_at,
            ends_at: record.ends_at,
            session: authenticated.login.handle(),
            expires_at: instant_after(Instant::now(), Some(authenticated.time_left)),
            logouts_received: self.logouts_received,
        };
        state.listeners.listen(&checked, || LoginChecker {
            users: Arc::clone(&state.users),
            queue: state.queue.clone(),
            sessions: state.sessions.clone(),
            lifetime: state.lifetime,
        })
    }
}
