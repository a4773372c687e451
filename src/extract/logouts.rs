//! Ending logins from inside the application.

use std::{fmt, sync::Arc};

use axum::{extract::FromRequestParts, http::request::Parts};

use super::{Gate, Rejection, Visit};
use crate::{
    ProviderSession, Subject,
    logout_scope::LogoutScope,
    pending::{Outcome, patience},
};

/// Ends every login of a person, as the provider's notice does and by the same path: for an
/// administrator's button, and for "sign out on all devices".
///
/// An extractor for handlers inside the layer; [`ClefLayer::logouts`](crate::ClefLayer::logouts)
/// gives one to everything else.
///
/// The provider is not told: at Clef, people still have to log out on the phone.
///
/// ```
/// use axum::{http::StatusCode, response::Redirect};
/// use axum_clef::{Login, Logouts};
///
/// /// "Sign out on all devices", this one included.
/// async fn everywhere(login: Login, logouts: Logouts) -> Result<Redirect, StatusCode> {
///     match logouts.log_out(login.subject()).await {
///         Ok(_) => Ok(Redirect::to("/")),
///         Err(_) => Err(StatusCode::SERVICE_UNAVAILABLE),
///     }
/// }
/// # fn assert_handler<T, H: axum::handler::Handler<T, ()>>(_: H) {}
/// # assert_handler(everywhere);
/// ```
#[derive(Clone)]
pub struct Logouts(Arc<Gate>);

/// Why a logout is not written yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogoutError {
    /// The user store does not take it. This node refuses the person, and tries until it holds:
    /// tell whoever asked that other nodes follow later.
    #[error("the user store does not take the logout; this node goes on trying")]
    Owed,
    /// So many logouts wait for the user store that there is no place for another. Nothing was
    /// done: try again later.
    #[error("too many logouts wait for the user store; try again later")]
    NoPlace,
}

impl Logouts {
    pub(crate) fn new(gate: Arc<Gate>) -> Self {
        Self(gate)
    }

    /// Ends every login of this person. When it has returned `Ok`, no node serves them any more.
    /// `false`: there is nobody here by that name.
    ///
    /// It is done even if the future is dropped.
    ///
    /// # Errors
    ///
    /// When the user store has not taken it within a second (beside what it waits on purpose: see
    /// [`UserStore::log_out_wait`](crate::UserStore::log_out_wait)), or too many others wait.
    pub async fn log_out(&self, subject: &Subject) -> Result<bool, LogoutError> {
        let place = self.0.pending.place().ok_or(LogoutError::NoPlace)?;
        let patience = patience(&*self.0.users);
        let (gate, subject) = (Arc::clone(&self.0), subject.clone());
        let logout = tokio::spawn(async move {
            let scope = LogoutScope::Person(subject.clone());
            let outcome = gate.write(place, &scope).await;
            let known = outcome == Outcome::LoggedOut;
            if known {
                tracing::info!(?subject, "logged out everywhere, by the application");
            } else {
                tracing::info!(?subject, "a logout by the application is for nobody here");
            }
            known
        });
        match tokio::time::timeout(patience, logout).await {
            Ok(Ok(known)) => Ok(known),
            Ok(Err(_)) | Err(_) => Err(LogoutError::Owed),
        }
    }

    /// Waits for the logouts that are owed of this person or session already, as long as for one
    /// of one's own.
    ///
    /// # Errors
    ///
    /// When the user store has not taken them by then.
    pub(crate) async fn until_written(
        &self,
        subject: &Subject,
        session: Option<&ProviderSession>,
    ) -> Result<(), LogoutError> {
        let written = self.0.pending.until_written(subject, session);
        let written = tokio::time::timeout(patience(&*self.0.users), written).await;
        written.map_err(|_| LogoutError::Owed)
    }
}

impl<S: Sync> FromRequestParts<S> for Logouts {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Rejection> {
        let visit = parts.extensions.get::<Arc<Visit>>();
        let visit = visit.ok_or_else(Rejection::layer_missing)?;
        Ok(Self(Arc::clone(&visit.gate)))
    }
}

impl fmt::Debug for Logouts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Logouts")
            .field("pending", &self.0.pending.len())
            .finish_non_exhaustive()
    }
}
