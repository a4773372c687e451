//! What a user may do: the application's permissions, and how they are combined.

use std::{
    future::{Future, ready},
    marker::PhantomData,
};

use http::request::Parts;

use crate::{BoxError, User};

/// A permission that depends on the request, on a store of the application, or on both.
///
/// Implement it for a type of your own, and take [`Permitted`](crate::Permitted) in a handler or put
/// it around a router. If the user alone decides, implement [`UserPermission`] instead, which is one
/// function. [`AllOf`] and [`AnyOf`] combine permissions.
///
/// `S` is the state of the router. An implementation for every state from which a part can be taken
/// fits all of an application's routers:
///
/// ```
/// use axum::{RequestPartsExt as _, extract::{FromRef, Path}, http::request::Parts};
/// use axum_clef::{BoxError, Permission, Permitted, User as _, stores::Account};
/// # #[derive(Clone)]
/// # struct Documents;
/// # impl Documents {
/// #     async fn has_editor(&self, _: i64, _: &str) -> Result<bool, BoxError> { Ok(true) }
/// # }
///
/// /// May edit the document that the path names: `/documents/{id}`.
/// struct MayEdit;
///
/// impl<S: Send + Sync> Permission<S> for MayEdit
/// where
///     Documents: FromRef<S>,
/// {
///     type User = Account;
///
///     async fn is_granted(user: &Account, parts: &mut Parts, state: &S) -> Result<bool, BoxError> {
///         let Ok(Path(document)) = parts.extract::<Path<i64>>().await else {
///             return Ok(false);
///         };
///         Documents::from_ref(state).has_editor(document, &user.id()).await
///     }
/// }
///
/// async fn edit(_: Permitted<MayEdit>, Path(document): Path<i64>) -> String {
///     format!("the form for document {document}")
/// }
/// # let _: axum::Router<Documents> =
/// #     axum::Router::new().route("/documents/{id}", axum::routing::get(edit));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a permission for routers with the state `{S}`",
    note = "implement `axum_clef::UserPermission` if the user alone decides, and otherwise \
            `axum_clef::Permission<{S}>`"
)]
pub trait Permission<S> {
    /// The user type of the layer's [`UserStore`](crate::UserStore).
    type User: User;

    /// Whether this user has the permission for this request.
    ///
    /// It is called for logged-in users only, each time an extractor needs it. It may use the
    /// extractors of axum, such as `Path`, through [`axum::RequestPartsExt`].
    ///
    /// # Errors
    ///
    /// When the permission cannot be determined, for example because a store does not answer. The
    /// request receives 503, as it does after a panic or after 10 seconds. A parameter that the
    /// client got wrong is no error: return `Ok(false)`.
    fn is_granted(
        user: &Self::User,
        parts: &mut Parts,
        state: &S,
    ) -> impl Future<Output = Result<bool, BoxError>> + Send;
}

/// A permission that the user alone decides: by a role, a group, or a claim in the application's own
/// user type.
///
/// It is a [`Permission`] for routers with any state.
///
/// ```
/// use axum_clef::{Permitted, UserPermission};
/// # #[derive(Clone)]
/// # struct Member { roles: Vec<String> }
/// # impl axum_clef::User for Member {
/// #     fn id(&self) -> String { String::new() }
/// #     fn logged_out_at(&self) -> Option<axum_clef::Timestamp> { None }
/// # }
///
/// struct Librarian;
///
/// impl UserPermission for Librarian {
///     type User = Member;
///
///     fn allows(member: &Member) -> bool {
///         member.roles.iter().any(|role| role == "librarian")
///     }
/// }
///
/// async fn catalogue(_: Permitted<Librarian>) -> &'static str {
///     "for librarians"
/// }
/// # fn assert_handler<T, H: axum::handler::Handler<T, ()>>(_: H) {}
/// # assert_handler(catalogue);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a permission that the user alone decides",
    note = "implement `axum_clef::UserPermission` for it"
)]
pub trait UserPermission {
    /// The user type of the layer's [`UserStore`](crate::UserStore).
    type User: User;

    /// Whether this user has the permission.
    fn allows(user: &Self::User) -> bool;
}

impl<S, P: UserPermission> Permission<S> for P {
    type User = P::User;

    fn is_granted(
        user: &P::User,
        _parts: &mut Parts,
        _state: &S,
    ) -> impl Future<Output = Result<bool, BoxError>> + Send {
        ready(Ok(P::allows(user)))
    }
}

/// Grants what every permission of a tuple grants, such as `AllOf<(Librarian, MayEdit)>`.
///
/// They are checked in their order, up to the first that does not grant. An error is an error of the
/// whole. The tuple has two to six permissions of one user type, which may be combinations too.
///
/// ```
/// use axum::{Router, middleware::from_extractor, routing::get};
/// use axum_clef::{AllOf, AnyOf, Permitted, UserPermission, stores::Account};
///
/// struct Staff;
/// struct Editor;
/// struct Admin;
/// # impl UserPermission for Staff {
/// #     type User = Account;
/// #     fn allows(_: &Account) -> bool { true }
/// # }
/// # impl UserPermission for Editor {
/// #     type User = Account;
/// #     fn allows(_: &Account) -> bool { true }
/// # }
/// # impl UserPermission for Admin {
/// #     type User = Account;
/// #     fn allows(_: &Account) -> bool { true }
/// # }
///
/// /// Admins, and editors who are on the staff.
/// type MayPublish = AnyOf<(Admin, AllOf<(Staff, Editor)>)>;
///
/// let app: Router = Router::new()
///     .route("/publish", get(|| async { "what is not published yet" }))
///     .route_layer(from_extractor::<Permitted<MayPublish>>());
/// ```
pub struct AllOf<P>(PhantomData<P>);

/// Grants what at least one permission of a tuple grants, such as `AnyOf<(Admin, MayEdit)>`.
///
/// They are checked in their order, up to the first that grants. An error before that is an error of
/// the whole, even if a later one would grant. Otherwise as [`AllOf`].
pub struct AnyOf<P>(PhantomData<P>);

/// Implements [`Permission`] for tuples of permissions, whose answers the operator joins.
macro_rules! combinations {
    ($combination:ident $operator:tt $(($first:ident $($other:ident)+))+) => {
        $(
            impl<S: Sync, $first, $($other),+> Permission<S> for $combination<($first, $($other),+)>
            where
                $first: Permission<S>,
                $($other: Permission<S, User = $first::User>),+
            {
                type User = $first::User;

                async fn is_granted(
                    user: &Self::User,
                    parts: &mut Parts,
                    state: &S,
                ) -> Result<bool, BoxError> {
                    Ok($first::is_granted(user, parts, state).await?
                        $($operator $other::is_granted(user, parts, state).await?)+)
                }
            }
        )+
    };
}

combinations! { AllOf && (A B) (A B C) (A B C D) (A B C D E) (A B C D E F) }
combinations! { AnyOf || (A B) (A B C) (A B C D) (A B C D E) (A B C D E F) }
