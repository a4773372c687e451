//! The guard that asks for a recent proof of credentials.

use std::ops::Deref;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;

use super::logged_in::authenticated;
use crate::{LoggedInRejection, Login, auth::MaxAge};

/// A login whose user has proven their credentials within so many minutes: the guard of what is
/// dangerous, such as deleting an account or adding a passkey.
///
/// It shares the one check of the request with [`LoggedIn`](crate::LoggedIn). What counts is
/// [`Login::authenticated_at`] by the clock of the user store, not when the login began: a provider
/// that still has a session completes a login without asking for anything. A login whose time is
/// unknown is never recent, and a bearer token neither. `MINUTES` is from 1 to 1,440; anything else
/// does not compile.
///
/// ```
/// use axum::{Form, response::Redirect};
/// use axum_clef::{LoggedIn, RecentLogin, SameOrigin, stores::Account};
///
/// # #[derive(serde::Deserialize)]
/// # struct Deletion {}
/// async fn delete_page(_: RecentLogin<10>) -> &'static str {
///     "a form that posts here"
/// }
///
/// async fn delete(
///     _: SameOrigin,
///     _: RecentLogin<10>,
///     LoggedIn(user): LoggedIn<Account>,
///     Form(form): Form<Deletion>,
/// ) -> Redirect {
///     Redirect::to("/")
/// }
/// # fn assert_handler<T, H: axum::handler::Handler<T, ()>>(_: H) {}
/// # assert_handler(delete_page);
/// # assert_handler(delete);
/// ```
///
/// Guard the page with the form too, so that the user logs in again before they fill it in.
///
/// # Rejection
///
/// As of [`LoggedIn`](crate::LoggedIn) for unauthenticated requests. A logged-in user logs in again,
/// as the same user, and comes back: see
/// [`ReauthenticationRequired`](crate::RejectionKind::ReauthenticationRequired) and the [guide].
/// `Option<RecentLogin<10>>` is `None` for both.
///
/// [guide]: crate::guide::recent_logins
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecentLogin<const MINUTES: u32>(
    /// The login of the request.
    pub Login,
);

impl<const MINUTES: u32> RecentLogin<MINUTES> {
    const MAX_AGE: MaxAge = match MaxAge::from_minutes(MINUTES) {
        Some(max_age) => max_age,
        None => panic!("a recent login is one within 1 to 1,440 minutes"),
    };
}

impl<const MINUTES: u32> Deref for RecentLogin<MINUTES> {
    type Target = Login;

    fn deref(&self) -> &Login {
        &self.0
    }
}

impl<S: Sync, const MINUTES: u32> FromRequestParts<S> for RecentLogin<MINUTES> {
    type Rejection = LoggedInRejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, LoggedInRejection> {
        let authenticated = authenticated(parts).await?;
        let authenticated =
            authenticated.ok_or_else(|| LoggedInRejection::unauthenticated(parts))?;
        let record = authenticated.login.record();
        match authenticated.is_recent(Self::MAX_AGE) {
            true => Ok(Self(Login::from(record))),
            false => Err(LoggedInRejection::reauthentication_required(
                record,
                Self::MAX_AGE,
                parts,
            )),
        }
    }
}

impl<S: Sync, const MINUTES: u32> OptionalFromRequestParts<S> for RecentLogin<MINUTES> {
    type Rejection = LoggedInRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        _state: &S,
    ) -> Result<Option<Self>, LoggedInRejection> {
        let Some(authenticated) = authenticated(parts).await? else {
            return Ok(None);
        };
        let is_recent = authenticated.is_recent(Self::MAX_AGE);
        Ok(is_recent.then(|| Self(Login::from(authenticated.login.record()))))
    }
}
