//! The guard of a handler.

use std::{
    any::{TypeId, type_name},
    ops::Deref,
    sync::Arc,
};

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    http::request::Parts,
};

use super::{Rejection, RejectionKind, Visit, rejection::Absence, visit::Visitor};
use crate::User;

/// The user who makes this request; the extractor is the guard.
///
/// A handler that takes `LoggedIn<User>` runs for logged-in users only, one that takes
/// `Option<LoggedIn<User>>` runs for everybody and sees who is there. The stores are asked
/// when the first extractor asks, and once per request. A route without it costs nothing.
///
/// Whoever is not logged in is sent to log in and back again (a browser that navigates) or
/// gets 401 with `application/problem+json` (everything else). A store that cannot answer
/// is 503, also for `Option`: never the user, and never "nobody". See [`Rejection`].
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
///         None => "Hello, stranger!".to_owned(),
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
    /// The application's own user, as [`UserStore::load`](crate::UserStore::load) gave it.
    pub U,
);

impl<U> Deref for LoggedIn<U> {
    type Target = U;

    fn deref(&self) -> &U {
        &self.0
    }
}

/// Who makes this request; `None` for nobody.
pub(super) async fn visitor(parts: &Parts) -> Result<Option<&Visitor>, Rejection> {
    let Some(visit) = parts.extensions.get::<Arc<Visit>>() else {
        return Err(Rejection::layer_missing());
    };
    let visitor = visit.visitor(parts).await;
    visitor.map_err(|absence| Rejection::of(absence, parts))
}

async fn logged_in<U: User>(parts: &Parts) -> Result<Option<LoggedIn<U>>, Rejection> {
    let Some(visit) = parts.extensions.get::<Arc<Visit>>() else {
        return Err(Rejection::layer_missing());
    };
    // Before anybody is there, so that the mistake shows at the first request.
    if visit.gate.users.user_type() != TypeId::of::<U>() {
        return Err(wrong_user_type::<U>(parts));
    }
    let Some(visitor) = visitor(parts).await? else {
        return Ok(None);
    };
    match visitor.user.user.downcast_ref::<U>() {
        Some(user) => Ok(Some(LoggedIn(user.clone()))),
        None => Err(wrong_user_type::<U>(parts)),
    }
}

fn wrong_user_type<U>(parts: &Parts) -> Rejection {
    let why = format!(
        "the handler asks for `LoggedIn<{}>`, which is not the `User` of the layer's `UserStore`",
        type_name::<U>()
    );
    Rejection::of(Absence::new(RejectionKind::WrongUserType, why), parts)
}

impl<S: Sync, U: User> FromRequestParts<S> for LoggedIn<U> {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Rejection> {
        let user = logged_in(parts).await?;
        user.ok_or_else(|| Rejection::not_logged_in(parts))
    }
}

impl<S: Sync, U: User> OptionalFromRequestParts<S> for LoggedIn<U> {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Option<Self>, Rejection> {
        logged_in(parts).await
    }
}
