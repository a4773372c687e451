//! Ending logins from inside the application.

use std::{fmt, sync::Arc};

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::{
    LoggedInRejection, LoginId, LogoutCause, LogoutError, LogoutScope, RevocationKey, Subject,
    auth::{AuthState, RequestAuth},
    revocation::Logout,
};

/// Ends every login of a user, as the provider's notice does and by the same path: for an
/// administrator's button, and for "log out on all devices". After a breach it ends every login of
/// the site, or of a provider.
///
/// An extractor for handlers inside the layer; [`ClefLayer::logouts`](crate::ClefLayer::logouts)
/// returns one for everything else.
///
/// The provider is not told: at Clef, users still have to log out on the phone.
///
/// ```
/// use axum::response::Redirect;
/// use axum_clef::{Login, LogoutCause, LogoutError, Logouts, SameOrigin};
///
/// /// "Log out on all devices", this one included.
/// async fn everywhere(
///     _: SameOrigin,
///     login: Login,
///     logouts: Logouts,
/// ) -> Result<Redirect, LogoutError> {
///     logouts.with_cause(LogoutCause::User).log_out_user(login.user_id()).await?;
///     Ok(Redirect::to("/"))
/// }
/// # fn assert_handler<T, H: axum::handler::Handler<T, ()>>(_: H) {}
/// # assert_handler(everywhere);
/// ```
#[derive(Clone)]
pub struct Logouts {
    auth: Arc<AuthState>,
    cause: LogoutCause,
}

impl Logouts {
    pub(crate) fn new(state: Arc<AuthState>) -> Self {
        Self {
            auth: state,
            cause: LogoutCause::Unknown,
        }
    }

    /// Sets who or what causes the logouts, for the log and for what the user reads. Defaults to
    /// [`LogoutCause::Unknown`].
    ///
    /// A user store that [keeps causes](crate::UserStore::log_out_with_cause) keeps it beside the
    /// time of the logout of a user. With every other logout, it is only logged.
    ///
    /// ```
    /// use axum_clef::{ClefLayer, LogoutCause, LogoutError};
    ///
    /// async fn lock_out(auth: &ClefLayer, user_id: &str) -> Result<bool, LogoutError> {
    ///     let logouts = auth.logouts().with_cause(LogoutCause::Administrator);
    ///     logouts.log_out_user(user_id).await
    /// }
    /// ```
    #[must_use]
    pub fn with_cause(mut self, cause: LogoutCause) -> Self {
        self.cause = cause;
        self
    }

    /// Ends every login of the user with this [`User::id`](crate::User::id). Once it has returned
    /// `Ok`, no node serves them any more. `false` if there is no such user.
    ///
    /// It is done even if the future is dropped.
    ///
    /// # Errors
    ///
    /// [`LogoutError::Pending`] when the user store has not taken it within a second, beside what a
    /// leased store waits for its leases;
    /// [`LogoutError::QueueFull`] when too many others wait. [`LogoutError::Aborted`] after a panic.
    pub async fn log_out_user(&self, id: &str) -> Result<bool, LogoutError> {
        let logout = Logout::User(id.to_owned());
        self.auth.log_out(logout, self.cause.clone()).await
    }

    /// Ends every login of the users whom this subject of a provider stands for; otherwise as
    /// [`log_out_user`](Self::log_out_user).
    ///
    /// # Errors
    ///
    /// As [`log_out_user`](Self::log_out_user).
    pub async fn log_out_subject(&self, subject: &Subject) -> Result<bool, LogoutError> {
        let scope = LogoutScope::Person(subject.clone());
        let logout = Logout::Provider(scope);
        self.auth.log_out(logout, self.cause.clone()).await
    }

    /// Ends every login of the site, also those that are under way: after a breach, or when a key or
    /// a database was leaked. Once it has returned `Ok`, no node serves them any more.
    ///
    /// It is one write, however many users there are. Each request compares its login with it in the
    /// same question to the user store. The user store must
    /// [keep revocations](crate::UserStore::keeps_revocations). It is done even if the future is
    /// dropped.
    ///
    /// # Errors
    ///
    /// [`LogoutError::RevocationsNotKept`] over another user store, and otherwise as
    /// [`log_out_user`](Self::log_out_user).
    ///
    /// ```
    /// use axum_clef::{ClefLayer, LogoutError};
    ///
    /// async fn after_a_breach(auth: &ClefLayer) -> Result<(), LogoutError> {
    ///     auth.logouts().log_out_everyone().await
    /// }
    /// ```
    pub async fn log_out_everyone(&self) -> Result<(), LogoutError> {
        let key = RevocationKey::Everyone;
        self.auth.log_out_key(key, self.cause.clone()).await
    }

    /// Ends every login that a provider vouched for, by the URL of its
    /// [`Subject`](Subject::issuer): when the provider was taken over, or its key was leaked.
    /// Otherwise as [`log_out_everyone`](Self::log_out_everyone). Logins of the application's own
    /// go on.
    ///
    /// The URL is compared as it is: with or without a `/` at its end, as the provider writes it. With
    /// one that no login has, this ends nothing and is `Ok`.
    ///
    /// # Errors
    ///
    /// As [`log_out_everyone`](Self::log_out_everyone).
    pub async fn log_out_issuer(&self, issuer: &str) -> Result<(), LogoutError> {
        let key = RevocationKey::Issuer(issuer.to_owned());
        self.auth.log_out_key(key, self.cause.clone()).await
    }

    /// Ends the one login or bearer token with this id: for a page that lists them. Once it has
    /// returned `Ok`, no node serves it any more.
    ///
    /// Check first that the id belongs to the user who asks for it. The user store keeps the end for
    /// 401 days: a browser keeps a cookie for 400 days, and a token lasts 365 at the most.
    ///
    /// It is done even if the future is dropped.
    ///
    /// # Errors
    ///
    /// [`LogoutError::RevocationsNotKept`] over a user store that
    /// [keeps no revocations](crate::UserStore::keeps_revocations), which cannot end one login;
    /// otherwise as [`log_out_user`](Self::log_out_user).
    ///
    /// ```
    /// use axum::{extract::Path, http::StatusCode};
    /// use axum_clef::{LoggedIn, LoginId, Logouts, SameOrigin, stores::Account};
    ///
    /// # fn is_token_of(user: &Account, id: LoginId) -> bool { true }
    /// async fn end_token(
    ///     _: SameOrigin,
    ///     LoggedIn(user): LoggedIn<Account>,
    ///     logouts: Logouts,
    ///     Path(id): Path<String>,
    /// ) -> StatusCode {
    ///     match id.parse::<LoginId>() {
    ///         Ok(id) if is_token_of(&user, id) => match logouts.end_login(id).await {
    ///             Ok(()) => StatusCode::NO_CONTENT,
    ///             Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    ///         },
    ///         _ => StatusCode::NOT_FOUND,
    ///     }
    /// }
    /// # fn assert_handler<T, H: axum::handler::Handler<T, ()>>(_: H) {}
    /// # assert_handler(end_token);
    /// ```
    pub async fn end_login(&self, id: LoginId) -> Result<(), LogoutError> {
        self.auth.log_out_login(id, self.cause.clone()).await
    }
}

impl<S: Sync> FromRequestParts<S> for Logouts {
    type Rejection = LoggedInRejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, LoggedInRejection> {
        let auth = RequestAuth::of(parts).ok_or_else(LoggedInRejection::layer_missing)?;
        Ok(Self::new(Arc::clone(auth.state())))
    }
}

impl fmt::Debug for Logouts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Logouts")
            .field("pending", &self.auth.queue.len())
            .field("cause", &self.cause)
            .finish_non_exhaustive()
    }
}
