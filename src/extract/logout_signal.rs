//! The extractor for the end of the login.

use std::sync::Arc;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;
use tokio::time::Instant;

use super::logged_in::authenticated;
use crate::{
    LoggedInRejection,
    auth::{Authenticated, RequestAuth},
    live::{CheckedLogin, LoginChecker, LogoutSignal, instant_after},
};

impl RequestAuth {
    /// Listens for the end of the user's login.
    pub(crate) fn listen(&self, authenticated: &Authenticated) -> LogoutSignal {
        let record = authenticated.login.record();
        let state = self.state();
        let checked = CheckedLogin {
            user_id: record.user_id,
            id: record.id,
            subject: record.subject(),
            provider_key: record.provider_key(),
            times: record.times(),
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

async fn logout_signal(parts: &Parts) -> Result<Option<LogoutSignal>, LoggedInRejection> {
    let auth = RequestAuth::of(parts).ok_or_else(LoggedInRejection::layer_missing)?;
    let authenticated = authenticated(parts).await?;
    Ok(authenticated.map(|authenticated| auth.listen(authenticated)))
}

impl<S: Sync> FromRequestParts<S> for LogoutSignal {
    type Rejection = LoggedInRejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, LoggedInRejection> {
        let signal = logout_signal(parts).await?;
        signal.ok_or_else(|| LoggedInRejection::unauthenticated(parts))
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for LogoutSignal {
    type Rejection = LoggedInRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        _state: &S,
    ) -> Result<Option<Self>, LoggedInRejection> {
        logout_signal(parts).await
    }
}
