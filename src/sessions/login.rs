//! A login as handlers and hooks see it.

use std::fmt;

use super::{LoginDetails, LoginRecord};
use crate::{LoginId, Subject, Timestamp};

/// The login of a request: its id, its user, when it began, and its subject at the provider. Of a
/// request with a bearer token, the token.
///
/// As an extractor it shares the one check of the request with [`LoggedIn`](crate::LoggedIn), and
/// has the same rejection. The hook [`on_login`](crate::ClefLayerBuilder::on_login) also receives
/// it.
///
/// ```
/// use axum_clef::Login;
///
/// async fn since(login: Login) -> String {
///     format!("Login {} began at {} µs", login.id(), login.logged_in_at().as_micros())
/// }
/// # fn assert_handler<T, H: axum::handler::Handler<T, ()>>(_: H) {}
/// # assert_handler(since);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    id: LoginId,
    user_id: String,
    subject: Option<Subject>,
    logged_in_at: Timestamp,
    authenticated_at: Option<Timestamp>,
    ends_at: Option<Timestamp>,
    token_name: Option<String>,
    is_remembered: bool,
}

impl Login {
    /// The id of the login. Use it as the key of data that belongs to one login. It is no secret.
    pub fn id(&self) -> LoginId {
        self.id
    }

    /// The [`User::id`](crate::User::id) of its user.
    pub fn user_id(&self) -> &str {
        &self.user_id
    }

    /// The user's identity at the provider; `None` for a login without a provider.
    pub fn subject(&self) -> Option<&Subject> {
        self.subject.as_ref()
    }

    /// When the login began, by the clock of the user store.
    pub fn logged_in_at(&self) -> Timestamp {
        self.logged_in_at
    }

    /// When the user last proved their credentials, at the latest when the login began. `None` if a
    /// provider does not say.
    ///
    /// To ask for a recent proof, use [`RecentLogin`](crate::RecentLogin).
    pub fn authenticated_at(&self) -> Option<Timestamp> {
        self.authenticated_at
    }

    /// When the login ends at the latest, by the clock of the user store; `None` without an end.
    pub fn ends_at(&self) -> Option<Timestamp> {
        self.ends_at
    }

    /// Whether the login outlives the browser's session, as
    /// [`remember`](crate::NewLogin::remember) set it. `false` for a bearer token.
    pub fn is_remembered(&self) -> bool {
        self.is_remembered
    }

    /// The name of the bearer token that the request came with; `None` for a login by cookie.
    ///
    /// The user chose it, so it may say something of them.
    pub fn token_name(&self) -> Option<&str> {
        self.token_name.as_deref()
    }
}

/// Shows no name of a token.
impl fmt::Debug for Login {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Login")
            .field("id", &self.id)
            .field("user_id", &self.user_id)
            .field("subject", &self.subject)
            .field("logged_in_at", &self.logged_in_at)
            .field("authenticated_at", &self.authenticated_at)
            .field("ends_at", &self.ends_at)
            .field("is_token", &self.token_name.is_some())
            .finish()
    }
}

impl From<&LoginRecord<'_>> for Login {
    fn from(record: &LoginRecord<'_>) -> Self {
        Self {
            id: record.id,
            user_id: record.user_id.to_string(),
            subject: record.subject(),
            logged_in_at: record.logged_in_at,
            authenticated_at: record.authenticated_at,
            ends_at: record.ends_at,
            token_name: record.is_token().then(|| record.token_name.to_string()),
            is_remembered: record.is_remembered(),
        }
    }
}

impl From<&LoginDetails<'_>> for Login {
    fn from(login: &LoginDetails<'_>) -> Self {
        Self {
            id: login.id,
            user_id: login.user_id.to_owned(),
            subject: login.subject.cloned(),
            logged_in_at: login.logged_in_at,
            authenticated_at: login.authenticated_at,
            ends_at: login.ends_at,
            token_name: None,
            is_remembered: login.remember,
        }
    }
}
