//! Logout: notices from the provider and their answers, and the sign-out at the provider.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use secrecy::SecretString;
use url::Url;

use super::OneTimeState;
use crate::identity::{LogoutCause, LogoutScope};

/// A logout notice with a valid token.
#[derive(Clone)]
#[non_exhaustive]
pub struct LogoutNotice {
    /// Which logins end; empty if none do.
    pub scopes: Vec<LogoutScope>,
    /// The unique id of this notice at its provider, such as the `jti` of OpenID Connect.
    ///
    /// A replayed notice changes nothing. With `None`, replays are recognized by the token itself.
    pub id: Option<String>,
    /// Whether the id proves this notice alone: a notice with the same id that ends other logins is
    /// invalid. Defaults to `false`.
    pub is_single_use: bool,
    /// Who or what ended the logins. Defaults to [`LogoutCause::Provider`] without an event.
    pub cause: LogoutCause,
}

impl LogoutNotice {
    /// Creates a notice that ends these logins.
    pub fn new(scope: LogoutScope) -> Self {
        Self::ends_nothing().and(scope)
    }

    /// Creates a notice that ends no login, such as one that only says that notices arrive. It is
    /// acknowledged, and remembered against replays.
    pub fn ends_nothing() -> Self {
        Self {
            scopes: Vec::new(),
            id: None,
            is_single_use: false,
            cause: LogoutCause::Provider(None),
        }
    }

    /// Ends these logins too. The notice is acknowledged once all of them have ended.
    #[must_use]
    pub fn and(mut self, scope: LogoutScope) -> Self {
        self.scopes.push(scope);
        self
    }

    /// Sets the id, which recognizes a replay in another token.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Sets the id of a token that does not sign which logins end. It is good for one notice: while
    /// this node remembers it, the same id for other logins is refused.
    #[must_use]
    pub fn with_single_use_id(mut self, id: impl Into<String>) -> Self {
        self.is_single_use = true;
        self.with_id(id)
    }

    /// Sets who or what ended the logins.
    #[must_use]
    pub fn with_cause(mut self, cause: LogoutCause) -> Self {
        self.cause = cause;
        self
    }
}

impl fmt::Debug for LogoutNotice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LogoutNotice")
            .field("scopes", &self.scopes)
            .field("cause", &self.cause)
            .finish_non_exhaustive()
    }
}

/// The outcome of a logout notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogoutOutcome {
    /// The logins have ended.
    LoggedOut,
    /// The notice is valid, and ends no login.
    NothingEnded,
    /// The subject is not a user of this site.
    UnknownUser,
    /// The token is invalid.
    BadToken,
    /// The token is invalid, and the protocol has this code for the reason.
    Rejected(&'static str),
    /// The notice ends a session and names no user, and the user store does not keep revocations.
    SessionsNotKept,
    /// The notice names a person by an identifier that more than 100 users have. Nothing has ended.
    TooManyUsers,
    /// The request is not a logout notice: the status and the reason.
    NotANotice(StatusCode, &'static str),
    /// The logout cannot be processed now. The sender must try again.
    TryAgain,
}

impl LogoutOutcome {
    /// The name of the outcome, without what it holds.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::LoggedOut => "LoggedOut",
            Self::NothingEnded => "NothingEnded",
            Self::UnknownUser => "UnknownUser",
            Self::BadToken => "BadToken",
            Self::Rejected(_) => "Rejected",
            Self::SessionsNotKept => "SessionsNotKept",
            Self::TooManyUsers => "TooManyUsers",
            Self::NotANotice(..) => "NotANotice",
            Self::TryAgain => "TryAgain",
        }
    }

    /// The status that says this outcome where the protocol asks for no other: 200, 400, the status
    /// of a request that is not a notice, or 503.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::LoggedOut | Self::NothingEnded | Self::UnknownUser => StatusCode::OK,
            Self::BadToken | Self::Rejected(_) | Self::SessionsNotKept | Self::TooManyUsers => {
                StatusCode::BAD_REQUEST
            }
            Self::NotANotice(status, _) => *status,
            Self::TryAgain => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// The answer to the sender of a logout notice.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LogoutAnswer {
    /// The status.
    pub status: StatusCode,
    /// The JSON body; `None` for an empty one.
    pub body: Option<serde_json::Value>,
    /// More headers. `Cache-Control: no-store` is added to all answers.
    pub headers: HeaderMap,
}

impl LogoutAnswer {
    /// Creates an answer with a status and a JSON body.
    pub fn new(status: StatusCode, body: Option<serde_json::Value>) -> Self {
        Self {
            status,
            body,
            headers: HeaderMap::new(),
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }
}

/// The sign-out of a browser that continues at the provider.
///
/// The login here has ended already.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct SignOutRequest<'a> {
    /// The absolute URL of the site that the provider redirects to.
    pub return_url: &'a Url,
    /// The one-time state that the redirect returns.
    pub state: &'a OneTimeState,
    /// The hint of the login: [`ProviderLogin::sign_out_hint`].
    ///
    /// [`ProviderLogin::sign_out_hint`]: super::ProviderLogin::sign_out_hint
    pub hint: Option<&'a SecretString>,
}

impl<'a> SignOutRequest<'a> {
    /// Creates a sign-out that returns to `return_url` with `state`.
    pub fn new(
        return_url: &'a Url,
        state: &'a OneTimeState,
        hint: Option<&'a SecretString>,
    ) -> Self {
        Self {
            return_url,
            state,
            hint,
        }
    }
}
