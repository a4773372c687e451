//! The login itself, as apart from the user.

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    http::request::Parts,
};

use super::{Rejection, logged_in::visitor};
use crate::{Subject, Timestamp};

/// The login of this request: when it began and whose it is to the provider.
///
/// It is checked just as [`LoggedIn`](crate::LoggedIn) is, by the same one look at the
/// stores. Take it beside `LoggedIn` to show or log it.
///
/// ```
/// use axum_clef::Login;
///
/// async fn since(login: Login) -> String {
///     format!("Logged in at {} µs", login.logged_in_at().as_micros())
/// }
/// # fn assert_handler<T, H: axum::handler::Handler<T, ()>>(_: H) {}
/// # assert_handler(since);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    subject: Subject,
    logged_in_at: Timestamp,
}

impl Login {
    pub(super) fn new(subject: Subject, logged_in_at: Timestamp) -> Self {
        Self {
            subject,
            logged_in_at,
        }
    }

    /// Who it is to the provider.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// When the login began, by the clock of the user store.
    pub fn logged_in_at(&self) -> Timestamp {
        self.logged_in_at
    }
}

impl<S: Sync> FromRequestParts<S> for Login {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Rejection> {
        let visitor = visitor(parts).await?;
        visitor
            .map(|visitor| visitor.login.clone())
            .ok_or_else(|| Rejection::not_logged_in(parts))
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Login {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Option<Self>, Rejection> {
        Ok(visitor(parts).await?.map(|visitor| visitor.login.clone()))
    }
}
