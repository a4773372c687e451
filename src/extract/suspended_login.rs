//! The extractor that resumes a login over several requests.

use std::{fmt, sync::Arc, time::Duration};

use axum::{extract::FromRequestParts, response::Redirect};
use http::request::Parts;

use super::{LogInError, NewLogin};
use crate::{
    auth::{LoginError, RequestAuth},
    sessions::PresentedLogin,
    time_limit::{STORE_LIMIT, within},
};

/// A login that waits for its next step, such as a one-time code after the password.
///
/// [`NewLogin::suspend`] suspends a login, for ten minutes at the most. It keeps its first
/// timestamp, so a logout or a change of the password between the steps ends it. A user whose
/// login is suspended is not logged in.
///
/// ```
/// use axum::{Form, response::Redirect};
/// use axum_clef::{BoxError, LogInError, NewLogin, SuspendedLogin};
///
/// # #[derive(serde::Deserialize)]
/// # struct Credentials {}
/// # #[derive(serde::Deserialize)]
/// # struct Code { code: String }
/// # async fn verify(credentials: &Credentials) -> Result<Option<String>, BoxError> { Ok(None) }
/// # async fn is_code_of(user_id: &str, code: &str) -> Result<bool, BoxError> { Ok(false) }
/// async fn password(
///     login: NewLogin,
///     Form(credentials): Form<Credentials>,
/// ) -> Result<Redirect, LogInError> {
///     match verify(&credentials).await? {
///         Some(user_id) => login.suspend(&user_id, "/log-in/code").await,
///         None => Ok(login.try_again()),
///     }
/// }
///
/// async fn code(
///     login: SuspendedLogin,
///     Form(form): Form<Code>,
/// ) -> Result<Redirect, LogInError> {
///     match is_code_of(login.user_id(), &form.code).await? {
///         true => login.begin().await,
///         false => Ok(login.try_again()),
///     }
/// }
/// # fn assert_handler<T, H: axum::handler::Handler<T, ()>>(_: H) {}
/// # assert_handler(password);
/// # assert_handler(code);
/// ```
///
/// Limit the number of codes that a user may try: a suspended login can be resumed as often as its
/// time allows. It has the id of the login that begins, so signing out ends every copy of it.
///
/// # Rejection
///
/// [`LogInError`]: as for [`NewLogin`], and 403
/// ([`Expired`](crate::LogInErrorKind::Expired)) where no login is suspended in this browser.
#[must_use = "no login begins until `begin` is called"]
pub struct SuspendedLogin {
    login: NewLogin,
    suspended: Arc<PresentedLogin>,
}

impl SuspendedLogin {
    /// The user whose earlier steps are verified.
    pub fn user_id(&self) -> &str {
        self.suspended.record().user_id
    }

    /// Begins the login, as [`NewLogin::begin`] does. Call it once every step is verified.
    ///
    /// # Errors
    ///
    /// As [`NewLogin::begin`]. The login stays suspended.
    pub async fn begin(self) -> Result<Redirect, LogInError> {
        let Self { login, suspended } = self;
        let (auth, parts) = (Arc::clone(login.auth()), login.parts().clone());
        let state = auth.state();
        let record = suspended.record();
        let error = |error| LogInError::new(error, state, &parts);
        // The end of its login could not be seen, but each suspended login is completed once.
        if !state.users.keeps_revocations() {
            let found = state.suspended_login(&parts.headers).await;
            let found = found.map_err(|source| error(LoginError::Store(source)))?;
            if found.is_none() {
                return Err(LogInError::expired(state, &parts));
            }
        }
        let begun = login.begin(record.user_id).await?;
        let sessions = &state.suspended;
        let cookies = auth.cookies(&parts.headers);
        for removal in sessions.removals() {
            cookies.remove(removal);
        }
        // The login has begun whatever becomes of the record, which expires.
        if let Err(error) = within(STORE_LIMIT, sessions.delete(&suspended)).await {
            let error = error.to_string();
            tracing::warn!(
                ?error,
                "the record of a suspended login could not be deleted"
            );
        }
        Ok(begun)
    }

    /// The redirect back to the page of this step: 303, with `next` kept and `failed=true` in the
    /// query.
    pub fn try_again(self) -> Redirect {
        self.login.try_here_again()
    }

    /// As [`NewLogin::next`].
    pub fn next(mut self, path: &str) -> Self {
        self.login = self.login.next(path);
        self
    }

    /// As [`NewLogin::same_user`].
    pub fn same_user(mut self) -> Self {
        self.login = self.login.same_user();
        self
    }

    /// As [`NewLogin::remember`].
    pub fn remember(mut self, remember: bool) -> Self {
        self.login = self.login.remember(remember);
        self
    }

    /// As [`NewLogin::lifetime`].
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.login = self.login.lifetime(lifetime);
        self
    }
}

impl<S: Sync> FromRequestParts<S> for SuspendedLogin {
    type Rejection = LogInError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, LogInError> {
        let auth = RequestAuth::of(parts).ok_or_else(LogInError::layer_missing)?;
        let state = auth.state();
        NewLogin::check_origin(state, parts)?;
        let suspended = state.suspended_login(&parts.headers).await;
        let suspended =
            suspended.map_err(|error| LogInError::new(LoginError::Store(error), state, parts))?;
        let suspended = suspended.ok_or_else(|| LogInError::expired(state, parts))?;
        // A page of this step shows whose login it is.
        auth.forbid_storing();
        let record = suspended.record();
        Ok(Self {
            // The same id, so that the sign-out of the login ends every copy of the suspended one.
            login: NewLogin::since(record.id, record.logged_in_at, auth, parts),
            suspended,
        })
    }
}

impl fmt::Debug for SuspendedLogin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SuspendedLogin")
            .field("user_id", &self.user_id())
            .finish_non_exhaustive()
    }
}
