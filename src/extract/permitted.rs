//! The guard of what not every user may do.

use std::{any::type_name, fmt, marker::PhantomData, pin::pin};

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;

use super::logged_in::logged_in;
use crate::{
    LoggedIn, LoggedInRejection, Permission, User as _,
    auth::Unanswered,
    time_limit::{STORE_LIMIT, within},
};

/// Runs the handler for users with a permission only: the guard of what not every user may do.
///
/// `P` is a type of the application that implements [`UserPermission`](crate::UserPermission) or
/// [`Permission`], or a combination of such by [`AllOf`](crate::AllOf) and [`AnyOf`](crate::AnyOf).
///
/// | request | response |
/// |---|---|
/// | the user has the permission | the handler runs |
/// | the user does not have it | 403: a page for a person, `application/problem+json` for a script |
/// | unauthenticated | as for [`LoggedIn`]: a redirect to the login, or 401 |
/// | the permission cannot be determined | 503 |
///
/// The 403 is a [`LoggedInRejection`] of the kind
/// [`Forbidden`](crate::RejectionKind::Forbidden), which
/// [`render_rejections`](crate::ClefLayerBuilder::render_rejections) can render.
///
/// `Option<Permitted<P>>` is `None` for users without the permission and for unauthenticated
/// requests: for a page that shows more to some users.
///
/// ```
/// use axum::{Router, middleware::from_extractor, routing::{get, post}};
/// use axum_clef::{LoggedIn, Permitted, UserPermission, stores::Account};
///
/// struct Verified;
///
/// impl UserPermission for Verified {
///     type User = Account;
///
///     fn allows(user: &Account) -> bool {
///         user.profile().email_verified == Some(true)
///     }
/// }
///
/// /// The user is another extractor, which costs no further check.
/// async fn invite(_: Permitted<Verified>, LoggedIn(user): LoggedIn<Account>) -> String {
///     format!("invited by {:?}", user.profile().name())
/// }
///
/// async fn home(may_invite: Option<Permitted<Verified>>) -> &'static str {
///     match may_invite {
///         Some(_) => "Invite your friends!",
///         None => "Hello!",
///     }
/// }
///
/// let app: Router = Router::new()
///     .route("/invite", post(invite))
///     .route("/invitations", get(|| async { "the open ones" }))
///     // Guards every route above it:
///     .route_layer(from_extractor::<Permitted<Verified>>())
///     .route("/", get(home));
/// ```
///
/// A router with a state of its own takes
/// [`from_extractor_with_state`](axum::middleware::from_extractor_with_state) instead.
pub struct Permitted<P>(PhantomData<fn() -> P>);

impl<P> fmt::Debug for Permitted<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Permitted")
    }
}

/// Whether the user of the request has the permission; `None` if it is unauthenticated.
async fn is_permitted<S: Sync, P: Permission<S>>(
    parts: &mut Parts,
    state: &S,
) -> Result<Option<bool>, LoggedInRejection> {
    let Some(LoggedIn(user)) = logged_in::<P::User>(parts).await? else {
        return Ok(None);
    };
    let granted = {
        let granted = pin!(P::is_granted(&user, parts, state));
        within(STORE_LIMIT, granted).await
    };
    match granted {
        Ok(granted) => {
            if !granted {
                let permission = type_name::<P>();
                tracing::debug!(user = ?user.id(), permission, "the user lacks a permission");
            }
            Ok(Some(granted))
        }
        Err(error) => Err(LoggedInRejection::no_answer(
            Unanswered::Permission,
            error,
            parts,
        )),
    }
}

impl<S: Sync, P: Permission<S>> FromRequestParts<S> for Permitted<P> {
    type Rejection = LoggedInRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, LoggedInRejection> {
        match is_permitted::<S, P>(parts, state).await? {
            Some(true) => Ok(Self(PhantomData)),
            Some(false) => Err(LoggedInRejection::forbidden(parts)),
            None => Err(LoggedInRejection::unauthenticated(parts)),
        }
    }
}

impl<S: Sync, P: Permission<S>> OptionalFromRequestParts<S> for Permitted<P> {
    type Rejection = LoggedInRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &S,
    ) -> Result<Option<Self>, LoggedInRejection> {
        let granted = is_permitted::<S, P>(parts, state).await?;
        Ok((granted == Some(true)).then_some(Self(PhantomData)))
    }
}
