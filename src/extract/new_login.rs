//! The extractor that logs a user in.

use std::{fmt, sync::Arc, time::Duration};

use axum::{extract::FromRequestParts, response::Redirect};
use http::request::Parts;
use url::form_urlencoded;

use super::{LogInError, is_cross_origin};
use crate::{
    LoginId, Timestamp,
    auth::{AuthState, LoginError, RequestAuth, VerifiedLogin, asked_for},
    site::ReturnPath,
    time_limit::{STORE_LIMIT, detached, within},
};

/// Logs a user in from a handler: for the application's own forms, passkeys and links.
///
/// Take it as the first argument. It reads the login's timestamp when it is extracted, so a logout
/// or a change of the password that comes while the credentials are checked ends the login. It also
/// refuses a request from a page of another site, which could log a user in as somebody else
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
/// # Rejection
///
/// [`LogInError`]: 403 for a page of another site, 503 if the clock of the user store does not
/// answer, and 500 outside of a [`ClefLayer`](crate::ClefLayer).
#[must_use = "no login begins until `begin` is called"]
pub struct NewLogin {
    auth: Arc<RequestAuth>,
    parts: Parts,
    logged_in_at: Timestamp,
    next: ReturnPath,
    remember: bool,
    lifetime: Option<Duration>,
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
            let verified = VerifiedLogin {
                id: LoginId::random(),
                user_id: &user_id,
                logged_in_at: self.logged_in_at,
                authenticated_at: None,
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

    /// The redirect back to the form after wrong credentials: 303, with `next` kept and
    /// `failed=true` in the query.
    ///
    /// It leads to the [`login_page`](crate::ClefLayerBuilder::login_page), or to the page of this
    /// request without one.
    pub fn try_again(self) -> Redirect {
        let state = self.auth.state();
        let path = match state.login_page() {
            Some(page) => page.to_owned(),
            None => {
                let path = asked_for(&self.parts).split('?').next();
                state.site.arrived(path.unwrap_or("/"))
            }
        };
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("failed", "true");
        if !self.next.is_front(&state.site) {
            query.append_pair("next", self.next.as_str());
        }
        Redirect::to(&format!("{path}?{}", query.finish()))
    }

    /// Sets where the login leads: a path of this site, such as the value of a hidden field.
    /// Defaults to `next` in the query, and otherwise to the front page.
    ///
    /// Anything else than a path of this site leads to the front page, so untrusted values are fine.
    pub fn next(mut self, path: &str) -> Self {
        self.next = return_path(self.auth.state(), Some(path));
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

/// Where a login leads: `next` if it is a page of this site that is not about logging in.
fn return_path(state: &AuthState, next: Option<&str>) -> ReturnPath {
    let next = next.and_then(|next| ReturnPath::normalize(&state.site, next));
    next.filter(|next| !state.leads_nowhere(next.path()))
        .unwrap_or_else(|| ReturnPath::front(&state.site))
}

impl<S: Sync> FromRequestParts<S> for NewLogin {
    type Rejection = LogInError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, LogInError> {
        let auth = RequestAuth::of(parts).ok_or_else(LogInError::layer_missing)?;
        let state = auth.state();
        if is_cross_origin(state.site.origin(), &parts.headers) {
            return Err(LogInError::cross_origin(state, parts));
        }
        let logged_in_at = within(STORE_LIMIT, state.users.now()).await;
        let logged_in_at = logged_in_at
            .map_err(|error| LogInError::new(LoginError::Store(error), state, parts))?;
        let query = parts.uri.query().unwrap_or_default();
        let mut fields = form_urlencoded::parse(query.as_bytes());
        let next = fields.find_map(|(name, value)| (name == "next").then_some(value));
        Ok(Self {
            next: return_path(state, next.as_deref()),
            auth: Arc::clone(auth),
            logged_in_at,
            remember: true,
            lifetime: None,
            parts: parts.clone(),
        })
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
