//! Why a login of the application's own did not begin.

use std::{error::Error, fmt, sync::LazyLock};

use axum::response::{IntoResponse, Response};
use http::{StatusCode, request::Parts};
use maud::html;

use crate::{
    BoxError,
    auth::{
        AuthState, LAYER_MISSING, LoginError, MaxAge, Unanswered, login_url, navigates, problem,
        uncached,
    },
    log_limit::{LogLimit, log_mistake},
    page::{NO_SCRIPT, PageRenderer},
    texts::PageText,
};

/// Why a login did not begin: the rejection of [`NewLogin`](crate::NewLogin) and the error of
/// [`NewLogin::begin`](crate::NewLogin::begin).
///
/// The response is a small page for a person, and `application/problem+json` for a script.
///
/// A [`BoxError`] converts into it, so that `?` works on the application's own store: it is
/// [`StoreUnavailable`](LogInErrorKind::StoreUnavailable). Its response is the page in English for
/// any client, since a `?` has no access to the request. For a script, return a response of your own.
#[derive(Debug)]
pub struct LogInError {
    kind: LogInErrorKind,
    source: Option<BoxError>,
    /// The path of the login page, for a person.
    login_path: Option<String>,
    is_script: bool,
    pages: PageRenderer,
}

/// The kinds of [`LogInError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LogInErrorKind {
    /// A page of another site sent the request: 403.
    CrossOrigin,
    /// The user store knows no such user, or the user may not log in: 403.
    TurnedAway,
    /// The user was logged out while the login was under way: 403. The user logs in again.
    LoggedOutMeanwhile,
    /// Another user is logged in, who was to prove their credentials again for a
    /// [`RecentLogin`](crate::RecentLogin): 403. Their login stays.
    OtherUser,
    /// No login waits for this step in this browser, or it has taken more than ten minutes: 403. The
    /// user logs in again, from the first step.
    Expired,
    /// A store did not answer: 503. No login has begun, and the user tries again later.
    StoreUnavailable,
    /// The login does not fit into a cookie: 500. Use shorter user ids, or keep logins in a session
    /// store.
    TooLarge,
    /// The route is not inside a [`ClefLayer`](crate::ClefLayer), a mistake in the program: 500.
    LayerMissing,
}

/// Limits the log of an application's own store that fails: any client can send requests meanwhile.
static FAILURES: LazyLock<LogLimit<()>> = LazyLock::new(LogLimit::default);

impl LogInError {
    /// Why no login began.
    pub fn kind(&self) -> LogInErrorKind {
        self.kind
    }

    /// The status of the response: 403, 503 or 500.
    pub fn status(&self) -> StatusCode {
        match self.kind {
            LogInErrorKind::CrossOrigin
            | LogInErrorKind::TurnedAway
            | LogInErrorKind::LoggedOutMeanwhile
            | LogInErrorKind::OtherUser
            | LogInErrorKind::Expired => StatusCode::FORBIDDEN,
            LogInErrorKind::StoreUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            LogInErrorKind::TooLarge | LogInErrorKind::LayerMissing => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    }

    pub(super) fn layer_missing() -> Self {
        log_mistake(LAYER_MISSING);
        Self::from(LogInErrorKind::LayerMissing)
    }

    pub(super) fn cross_origin(state: &AuthState, parts: &Parts) -> Self {
        tracing::debug!("a login from a page of another site is refused");
        Self::from(LogInErrorKind::CrossOrigin).answering(state, parts)
    }

    pub(super) fn expired(state: &AuthState, parts: &Parts) -> Self {
        tracing::debug!("no login is suspended in this browser");
        Self::from(LogInErrorKind::Expired).answering(state, parts)
    }

    /// The error of a login that did not begin, which is logged.
    pub(super) fn new(error: LoginError, state: &AuthState, parts: &Parts) -> Self {
        let (kind, source) = match error {
            LoginError::Store(source) => (LogInErrorKind::StoreUnavailable, Some(source)),
            LoginError::TurnedAway => (LogInErrorKind::TurnedAway, None),
            LoginError::LoggedOutMeanwhile => (LogInErrorKind::LoggedOutMeanwhile, None),
            LoginError::OtherUser => (LogInErrorKind::OtherUser, None),
            // A form proves the credentials for its login.
            LoginError::NotReauthenticated => (LogInErrorKind::Expired, None),
            LoginError::TooLarge(source) => (LogInErrorKind::TooLarge, Some(source)),
        };
        match &source {
            Some(error) => {
                // Any client can send requests meanwhile.
                if let Some(count) = state.unanswered.count(Unanswered::Login) {
                    let error = error.to_string();
                    tracing::error!(?error, count, "a login failed");
                }
            }
            None => tracing::info!(reason = ?kind, "a login is refused"),
        }
        Self {
            source,
            ..Self::from(kind).answering(state, parts)
        }
    }

    fn answering(mut self, state: &AuthState, parts: &Parts) -> Self {
        self.is_script = !navigates(&parts.headers);
        self.pages = PageRenderer::new(&state.pages, &parts.headers);
        let path = match (self.kind, MaxAge::in_query(parts.uri.query())) {
            (LogInErrorKind::OtherUser, max_age @ Some(_)) => {
                let next = state.next_in(parts.uri.query());
                let next = (!next.is_front(&state.site)).then(|| next.as_str());
                login_url(&state.login_path, max_age, next)
            }
            _ => state.login_path.clone(),
        };
        self.login_path = Some(path);
        self
    }

    fn page(&self) -> Response {
        let pages = &self.pages;
        let content = html! {
            p {
                @match self.text() {
                    Some(text) => (pages.text(text)),
                    // For the developer alone.
                    None => (self),
                }
            }
            @if let Some(path) = &self.login_path {
                a href=(path) { (pages.text(PageText::LogIn)) }
            }
        };
        pages.page(PageText::FormTitle, "", &html! {}, &content, NO_SCRIPT)
    }

    /// What the user reads.
    fn text(&self) -> Option<PageText> {
        Some(match self.kind {
            LogInErrorKind::CrossOrigin => PageText::FormCrossOrigin,
            LogInErrorKind::TurnedAway => PageText::FormTurnedAway,
            LogInErrorKind::LoggedOutMeanwhile => PageText::FormLoggedOutMeanwhile,
            LogInErrorKind::OtherUser => PageText::FormOtherUser,
            LogInErrorKind::Expired => PageText::FormExpired,
            LogInErrorKind::StoreUnavailable => PageText::FormUnavailable,
            LogInErrorKind::TooLarge => PageText::FormMisconfigured,
            LogInErrorKind::LayerMissing => return None,
        })
    }
}

impl From<LogInErrorKind> for LogInError {
    fn from(kind: LogInErrorKind) -> Self {
        Self {
            kind,
            source: None,
            login_path: None,
            is_script: false,
            pages: PageRenderer::default(),
        }
    }
}

/// The application's own store did not answer.
impl From<BoxError> for LogInError {
    fn from(error: BoxError) -> Self {
        if let Some(count) = FAILURES.count(()) {
            let error = error.to_string();
            tracing::error!(?error, count, "a login failed");
        }
        Self {
            source: Some(error),
            ..Self::from(LogInErrorKind::StoreUnavailable)
        }
    }
}

impl IntoResponse for LogInError {
    fn into_response(self) -> Response {
        let status = self.status();
        uncached(match self.is_script {
            true => problem(status, &self.to_string(), self.login_path.as_deref()),
            false => (status, self.page()).into_response(),
        })
    }
}

impl fmt::Display for LogInError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.text().map_or(LAYER_MISSING, PageText::english))
    }
}

impl Error for LogInError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| &**source as _)
    }
}
