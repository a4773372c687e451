//! A logout notice, from the token to what its sender hears.

use std::fmt;

use http::StatusCode;

use crate::logout_scope::LogoutScope;

/// A logout notice whose token is good.
#[derive(Clone)]
#[non_exhaustive]
pub struct LogoutNotice {
    /// Whose logins end.
    pub scope: LogoutScope,
    /// What tells this notice from every other of its provider: the issuer and the `jti` of
    /// OpenID Connect. One that was applied changes nothing when it comes again. `None` where
    /// the token itself is all there is to tell by.
    pub id: Option<String>,
}

impl LogoutNotice {
    /// A notice that ends these logins.
    pub fn new(scope: LogoutScope) -> Self {
        Self { scope, id: None }
    }

    /// By this name, so that it is known when it comes again in another token.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }
}

impl fmt::Debug for LogoutNotice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LogoutNotice")
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

/// How a logout notice ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogoutOutcome {
    /// The logins have ended.
    LoggedOut,
    /// There is nobody here by that name.
    NobodyHere,
    /// The provider says that the token is not good.
    BadToken,
    /// It ends one session at the provider and does not say whose, and the user store does not
    /// keep sessions of providers.
    SessionsNotKept,
    /// The request is not a logout notice at all: its status, and why in a few words.
    NotANotice(StatusCode, &'static str),
    /// It could not be done now: the sender is to come back.
    ComeBack,
}

/// What a sender of a logout notice hears.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LogoutAnswer {
    /// The status.
    pub status: StatusCode,
    /// The JSON body; `None` for an empty one.
    pub body: Option<serde_json::Value>,
}

impl LogoutAnswer {
    /// An answer with a status and a JSON body.
    pub fn new(status: StatusCode, body: Option<serde_json::Value>) -> Self {
        Self { status, body }
    }
}
