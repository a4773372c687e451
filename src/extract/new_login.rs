//! The extractor that logs a user in.

use std::{fmt, sync::Arc, time::Duration};

use axum::{extract::FromRequestParts, response::Redirect};
use http::request::Parts;
use url::form_urlencoded;

use super::{LogInError, is_cross_origin};
use crate::{
    LoginId, Timestamp,
    auth::{
        AuthState, CheckError, LoginError, MAX_AGE, MaxAge, Reauthentication, RequestAuth,
        VerifiedLogin, asked_for,
    },
    site::ReturnPath,
    time_limit::{STORE_LIMIT, detached, within},
};

/// Logs a user in from a handler: for the application's own forms, passkeys and links.
///
/// Take it as the first argument. It reads the login's timestamp when it is extracted, so a logout
/// or a change of the password that comes while the credentials are checked ends the login. It also
/// refuses a request from a page of another site, which could log the user in to another account
/// (login CSRF).
///
/// ```
/// use axum::{Form, response::Redirect};
/// use axum_clef::{BoxError, LogInError, NewLogin};
///
/// #[derive(serde::Deserialize)]
/// struct Credentials {
///     name: String,
///     password: String,
/// }
///
/// # async fn verify(credentials: &Credentials) -> Result<Option<String>, BoxError> { Ok(None) }
/// async fn log_in(
///     login: NewLogin,
///     Form(credentials): Form<Credentials>,
/// ) -> Result<Redirect, LogInError> {
///     match verify(&credentials).await? {
///         Some(user_id) => login.begin(&user_id).await,
///         None => Ok(login.try_again()),
///     }
/// }
/// # fn assert_handler<T, H: axum::handler::Handler<T, ()>>(_: H) {}
/// # assert_handler(log_in);
/// ```
///
/// Set the page with the form as [`login_page`](crate::ClefLayerBuilder::login_page). The guards
/// redirect there with `?next=`, the path to come back to. A form without an `action` posts to the
/// address of its page, so `next` comes along by itself.
///
/// A handler can also extract it later, with `parts.extract::<NewLogin>()`: for example after it has
/// changed the password and logged the user out everywhere.
///
/// # Rejection
///
/// [`LogInError`]: 403 for a page of another site, 503 if the clock of the user store does not
/// answer, and 500 outside of a [`ClefLayer`](crate::ClefLayer).
#[must_use = "no login begins until `begin` is called"]
pub struct NewLogin {
    auth: Arc<RequestAuth>,
    parts: Parts,
    id: LoginId,
    logged_in_at: Timestamp,
    next: ReturnPath,
    remember: bool,
    lifetime: Option<Duration>,
    /// How recently the credentials of the logged-in user have to be proven, for this login to be
    /// theirs.
    max_age: Option<MaxAge>,
    same_user: bool,
}

impl NewLogin {
    /// Begins the login, and returns the redirect to [`next`](Self::next): 303. The layer adds the
    /// cookie to the response.
    ///
    /// Call it only once the credentials of this user are verified. The login is recorded with its
    /// user, compared with every logout, and ends the login that came with the request.
    ///
    /// # Errors
    ///
    /// [`LogInError`], which is a response. No login has begun.
    pub async fn begin(self, user_id: &str) -> Result<Redirect, LogInError> {
        let (auth, parts) = (Arc::clone(&self.auth), self.parts.clone());
        let next = Redirect::to(self.next.as_str());
        let user_id = user_id.to_owned();
        // In a task of its own, so that a client that hangs up does not abort a write.
        let work = async move {
            let reauthentication = self.reauthentication().await;
            let reauthentication =
                reauthentication.map_err(|error| LoginError::Store(error.into()))?;
            let verified = VerifiedLogin {
                id: self.id,
                user_id: &user_id,
                logged_in_at: self.logged_in_at,
                authenticated_at: Some(self.logged_in_at),
                reauthentication: reauthentication.as_ref(),
                lifetime: self.lifetime,
                remember: self.remember,
                subject: None,
                provider_key: None,
                callback: "",
                sign_out_hint: None,
            };
            let state = self.auth.state();
            state.begin_login(&verified, &self.parts).await
        };
        let begun = detached(work).await;
        let begun = begun.unwrap_or_else(|error| Err(LoginError::Store(error.into())));
        let cookies = begun.map_err(|error| LogInError::new(error, auth.state(), &parts))?;
        for cookie in cookies {
            auth.cookies(&parts.headers).add(cookie);
        }
        Ok(next)
    }

    /// Suspends the login until its next step, and returns the redirect to the page of that step:
    /// 303, with `next` kept. See [`SuspendedLogin`](crate::SuspendedLogin).
    ///
    /// # Errors
    ///
    /// [`LogInError`], which is a response. Nothing is suspended.
    pub async fn suspend(self, user_id: &str, step: &str) -> Result<Redirect, LogInError> {
        let Self { auth, parts, .. } = &self;
        let state = auth.state();
        let suspended = state.suspend_login(self.id, user_id, self.logged_in_at);
        let cookies = suspended
            .await
            .map_err(|error| LogInError::new(error, state, parts))?;
        for cookie in cookies {
            auth.cookies(&parts.headers).add(cookie);
        }
        Ok(self.redirect_to(&state.site.path(step), &[]))
    }

    /// The redirect back to the form after wrong credentials: 303, with `next` kept and
    /// `failed=true` in the query.
    ///
    /// It leads to the [`login_page`](crate::ClefLayerBuilder::login_page), or to the page of this
    /// request without one.
    pub fn try_again(self) -> Redirect {
        match self.auth.state().login_page() {
            Some(page) => self.redirect_to(page, FAILED),
            None => self.try_here_again(),
        }
    }

    /// The redirect back to the page of this request.
    pub(super) fn try_here_again(&self) -> Redirect {
        let path = asked_for(&self.parts).split('?').next();
        let site = &self.auth.state().site;
        let path = site.arrived(path.unwrap_or("/"));
        // A browser reads a path such as `//host` as another site.
        let path = ReturnPath::parse(site, &path).unwrap_or_else(|| ReturnPath::front(site));
        self.redirect_to(path.path(), FAILED)
    }

    /// A redirect to a page of the login, with `next` and more in its query.
    fn redirect_to(&self, path: &str, query: &[(&str, &str)]) -> Redirect {
        let next = (!self.next.is_front(&self.auth.state().site)).then(|| self.next.as_str());
        let next = next.map(|next| ("next", next));
        let mut fields = form_urlencoded::Serializer::new(String::new());
        fields.extend_pairs(query);
        if let Some(max_age) = self.max_age {
            fields.append_pair(MAX_AGE, &max_age.as_secs().to_string());
        }
        fields.extend_pairs(next);
        match fields.finish() {
            query if query.is_empty() => Redirect::to(path),
            query if path.contains('?') => Redirect::to(&format!("{path}&{query}")),
            query => Redirect::to(&format!("{path}?{query}")),
        }
    }

    /// Sets where the login leads: a path of this site, such as the value of a hidden field.
    /// Defaults to `next` in the query, and otherwise to the front page.
    ///
    /// Anything else than a path of this site leads to the front page, so untrusted values are fine.
    pub fn next(mut self, path: &str) -> Self {
        self.next = self.auth.state().return_path(path);
        self
    }

    /// Refuses another user than the one who is logged in, if a user is.
    ///
    /// This is the default where the query of the request has `max_age`, which the guard
    /// [`RecentLogin`](crate::RecentLogin) adds to the login page. Call it for a form with an
    /// `action`, which drops the query.
    pub fn same_user(mut self) -> Self {
        self.same_user = true;
        self
    }

    /// Sets whether the login outlives the browser's session. Defaults to `true`; with `false` the
    /// browser drops the cookie when it is closed.
    pub fn remember(mut self, remember: bool) -> Self {
        self.remember = remember;
        self
    }

    /// Sets how long this login lasts at the most. Defaults to the
    /// [`lifetime`](crate::ClefLayerBuilder::lifetime) of the layer, which it never exceeds.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }
}

/// The query of the page to which wrong credentials lead back.
const FAILED: &[(&str, &str)] = &[("failed", "true")];

impl NewLogin {
    /// A login with this id and stamp that begins in this request.
    pub(super) fn since(
        id: LoginId,
        logged_in_at: Timestamp,
        auth: &Arc<RequestAuth>,
        parts: &Parts,
    ) -> Self {
        Self {
            next: auth.state().next_in(parts.uri.query()),
            auth: Arc::clone(auth),
            id,
            logged_in_at,
            remember: true,
            lifetime: None,
            max_age: MaxAge::in_query(parts.uri.query()),
            same_user: false,
            parts: parts.clone(),
        }
    }

    /// What the login has to prove, if the logged-in user was sent to the form.
    async fn reauthentication(&self) -> Result<Option<Reauthentication>, CheckError> {
        let max_age = match (self.max_age, self.same_user) {
            (None, false) => return Ok(None),
            (max_age, _) => max_age.unwrap_or(MaxAge::LONGEST),
        };
        let found = self.auth.reauthentication(&self.parts.headers, max_age);
        found.await.map(Some)
    }

    pub(super) fn check_origin(state: &AuthState, parts: &Parts) -> Result<(), LogInError> {
        match is_cross_origin(&state.site, &parts.headers) {
            true => Err(LogInError::cross_origin(state, parts)),
            false => Ok(()),
        }
    }

    pub(super) fn auth(&self) -> &Arc<RequestAuth> {
        &self.auth
    }

    pub(super) fn parts(&self) -> &Parts {
        &self.parts
    }
}

impl<S: Sync> FromRequestParts<S> for NewLogin {
    type Rejection = LogInError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, LogInError> {
        let auth = RequestAuth::of(parts).ok_or_else(LogInError::layer_missing)?;
        let state = auth.state();
        Self::check_origin(state, parts)?;
        let logged_in_at = within(STORE_LIMIT, state.users.now()).await;
        let logged_in_at = logged_in_at
            .map_err(|error| LogInError::new(LoginError::Store(error), state, parts))?;
        Ok(Self::since(LoginId::random(), logged_in_at, auth, parts))
    }
}

impl fmt::Debug for NewLogin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("NewLogin")
            .field("logged_in_at", &self.logged_in_at)
            .finish_non_exhaustive()
    }
}
