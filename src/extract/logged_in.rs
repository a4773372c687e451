//! The guard of a handler.

use std::{
    any::{TypeId, type_name},
    ops::Deref,
};

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;

use crate::{
    LoggedInRejection, RejectionKind, User,
    auth::{Authenticated, CheckError, RequestAuth},
};

/// The logged-in user of a request: the guard of a handler.
///
/// A handler that takes `LoggedIn<User>` runs for logged-in users only, one that takes
/// `Option<LoggedIn<User>>` runs for all requests. The stores are asked when the first extractor
/// asks, and once per request. A route without it costs nothing.
///
/// An unauthenticated user who opens a page is redirected to the login and back again. One who sends
/// a form receives a page with status 401, and a script 401 with `application/problem+json`. A store
/// that cannot answer is 503, also for `Option`: never the user and never `None`. See
/// [`LoggedInRejection`].
///
/// ```
/// use axum::{Json, Router, middleware::from_extractor, response::Html, routing::get};
/// use axum_clef::LoggedIn;
/// # #[derive(Clone)]
/// # struct User { name: String }
/// # impl axum_clef::User for User {
/// #     fn id(&self) -> String { self.name.clone() }
/// #     fn logged_out_at(&self) -> Option<axum_clef::Timestamp> { None }
/// # }
///
/// async fn home(user: Option<LoggedIn<User>>) -> String {
///     match user {
///         Some(LoggedIn(user)) => format!("Hello, {}!", user.name),
///         None => "Hello!".to_owned(),
///     }
/// }
///
/// async fn account(LoggedIn(user): LoggedIn<User>) -> String {
///     user.name
/// }
///
/// let app: Router = Router::new()
///     .route("/account", get(account))
///     .route("/orders", get(|| async { "Only members see this" }))
///     // Guards every route above it, whatever their handlers ask for:
///     .route_layer(from_extractor::<LoggedIn<User>>())
///     .route("/", get(home));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoggedIn<U>(
    /// The application's own user, as [`UserStore::load`](crate::UserStore::load) returned it.
    pub U,
);

impl<U> Deref for LoggedIn<U> {
    type Target = U;

    fn deref(&self) -> &U {
        &self.0
    }
}

/// The result of the request's one check; `None` if it is unauthenticated.
pub(super) async fn authenticated(
    parts: &Parts,
) -> Result<Option<&Authenticated>, LoggedInRejection> {
    let auth = RequestAuth::of(parts).ok_or_else(LoggedInRejection::layer_missing)?;
    let authenticated = auth.authenticated(&parts.headers).await;
    authenticated.map_err(|error| LoggedInRejection::of(error, parts))
}

/// The user of the request; `None` if it is unauthenticated.
pub(super) async fn logged_in<U: User>(
    parts: &Parts,
) -> Result<Option<LoggedIn<U>>, LoggedInRejection> {
    let auth = RequestAuth::of(parts).ok_or_else(LoggedInRejection::layer_missing)?;
    // Before the check, so that the mistake shows at the first request.
    if auth.state().users.user_type() != TypeId::of::<U>() {
        return Err(wrong_user_type::<U>(auth, parts));
    }
    let Some(authenticated) = authenticated(parts).await? else {
        return Ok(None);
    };
    match authenticated.user.user.downcast_ref::<U>() {
        Some(user) => Ok(Some(LoggedIn(user.clone()))),
        None => Err(wrong_user_type::<U>(auth, parts)),
    }
}

fn wrong_user_type<U>(auth: &RequestAuth, parts: &Parts) -> LoggedInRejection {
    let why = format!(
        "the handler asks for `LoggedIn<{}>`, which is not the `User` of the layer's `UserStore`: \
         write `LoggedIn<{}>`",
        type_name::<U>(),
        auth.state().users.user_type_name(),
    );
    LoggedInRejection::of(
        CheckError::mistake(RejectionKind::WrongUserType, why),
        parts,
    )
}

impl<S: Sync, U: User> FromRequestParts<S> for LoggedIn<U> {
    type Rejection = LoggedInRejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, LoggedInRejection> {
        let user = logged_in(parts).await?;
        user.ok_or_else(|| LoggedInRejection::unauthenticated(parts))
    }
}

impl<S: Sync, U: User> OptionalFromRequestParts<S> for LoggedIn<U> {
    type Rejection = LoggedInRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        _state: &S,
    ) -> Result<Option<Self>, LoggedInRejection> {
        logged_in(parts).await
    }
}
