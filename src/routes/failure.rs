//! A login that did not work out.

use std::{error::Error, fmt, sync::Arc};

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::Response,
};

use super::{ClientEvent, RouteState, page, return_path::ReturnPath, way_to};
use crate::{
    BoxError,
    provider::{ProviderError, ProviderErrorKind},
};

/// Why a login or a sign-out failed. The person sees a small page, or what the application
/// renders: see [`ClefLayer::render_login_failures`](crate::ClefLayer::render_login_failures).
#[derive(Debug)]
pub struct LoginFailure {
    kind: LoginFailureKind,
    source: BoxError,
    provider: String,
    retry_url: String,
    /// Whether that is a page to choose a provider on.
    chooses: bool,
    sign_out_path: String,
}

/// The kinds of [`LoginFailure`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LoginFailureKind {
    /// The request is not what a browser sends here: 400.
    BadRequest,
    /// The login was not begun in this browser, or is over already: 403.
    StateMismatch,
    /// The provider came back with an error instead of a code, as it does where the person
    /// says no: 403.
    Declined,
    /// The provider refuses the code: it is used up, too old, or never was: 403.
    Refused,
    /// [`UserStore::log_in`](crate::UserStore::log_in) turned the person away: 403.
    TurnedAway,
    /// The person was logged out while this login was under way: 403.
    LoggedOutMeanwhile,
    /// The request came from a page of another site: 403.
    ForeignOrigin,
    /// The provider cannot be reached or answers nothing usable: 502.
    ProviderUnavailable,
    /// Too many logins are in progress, at all or from this client address: 503. Nothing has
    /// been used up: the same request may be sent again. See
    /// [`ClefLayer::login_limits`](crate::ClefLayer::login_limits).
    Overloaded,
    /// A store did not answer: 503.
    StoreUnavailable,
    /// A sign-out that ends all logins of the person
    /// ([`ClefLayer::sign_out_everywhere`](crate::ClefLayer::sign_out_everywhere)) did not do so
    /// yet: 503. The browser keeps its login, so that the person can sign out again; offer that,
    /// a form that posts to the same route.
    NotSignedOut,
    /// The provider does not accept this application's credentials or URLs: 500.
    Misconfigured,
    /// The routes are not inside a [`ClefLayer`](crate::ClefLayer): 500.
    LayerMissing,
}

/// The application's own page for failures.
pub(crate) type RenderFailure = Arc<dyn Fn(&LoginFailure) -> Response + Send + Sync>;

/// A kind and its source, on the way to becoming a [`LoginFailure`].
pub(super) struct Reason {
    kind: LoginFailureKind,
    source: BoxError,
}

impl LoginFailureKind {
    /// The status that the answer to a failure of this kind should have.
    pub fn status(self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::StateMismatch
            | Self::Declined
            | Self::Refused
            | Self::TurnedAway
            | Self::LoggedOutMeanwhile
            | Self::ForeignOrigin => StatusCode::FORBIDDEN,
            Self::ProviderUnavailable => StatusCode::BAD_GATEWAY,
            Self::Overloaded | Self::StoreUnavailable | Self::NotSignedOut => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Misconfigured | Self::LayerMissing => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl Reason {
    pub(super) fn new(kind: LoginFailureKind, source: impl Into<BoxError>) -> Self {
        Self {
            kind,
            source: source.into(),
        }
    }

    pub(super) fn bad_request(why: impl Into<BoxError>) -> Self {
        Self::new(LoginFailureKind::BadRequest, why)
    }

    pub(super) fn store(error: BoxError) -> Self {
        Self::new(LoginFailureKind::StoreUnavailable, error)
    }

    /// The logins of a person are not ended yet.
    pub(super) fn not_signed_out(error: impl Into<BoxError>) -> Self {
        Self::new(LoginFailureKind::NotSignedOut, error)
    }

    pub(super) fn overloaded() -> Self {
        Self::new(
            LoginFailureKind::Overloaded,
            "too many calls to the provider are in progress",
        )
    }

    pub(super) fn layer_missing() -> Self {
        Self::new(
            LoginFailureKind::LayerMissing,
            "the routes are not inside a ClefLayer; merge `auth.routes()` before `.layer(auth)`",
        )
    }
}

impl From<ProviderError> for Reason {
    fn from(error: ProviderError) -> Self {
        let kind = match error.kind() {
            ProviderErrorKind::Refused => LoginFailureKind::Refused,
            ProviderErrorKind::Unavailable => LoginFailureKind::ProviderUnavailable,
            ProviderErrorKind::Misconfigured => LoginFailureKind::Misconfigured,
        };
        Self::new(kind, error)
    }
}

impl LoginFailure {
    /// What failed.
    pub fn kind(&self) -> LoginFailureKind {
        self.kind
    }

    /// The status that the answer should have.
    pub fn status(&self) -> StatusCode {
        self.kind.status()
    }

    /// What happened, as a headline.
    pub fn title(&self) -> String {
        page::headline(self)
    }

    /// The absolute URL at which to begin again: the start route of the same provider, or the
    /// [`login_page`](crate::ClefLayer::login_page). It begins at the site's own address, so it
    /// also helps whoever came by another name of it.
    pub fn retry_url(&self) -> &str {
        &self.retry_url
    }

    /// What people call the provider.
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// Whether it is tried again on a page that offers other providers too.
    pub(super) fn chooses(&self) -> bool {
        self.chooses
    }

    /// The path to post to, to sign out again.
    pub(super) fn sign_out_path(&self) -> &str {
        &self.sign_out_path
    }

    /// Logs a failure and renders it. `next` is where the login was to lead.
    pub(super) fn answer(
        RouteState { context, entrance }: &RouteState,
        Reason { kind, source }: Reason,
        next: Option<&ReturnPath>,
    ) -> Response {
        let next = next.cloned().unwrap_or_else(ReturnPath::front);
        // To the application's page, where it has one: the next try may be by another provider.
        let page = context.login_page();
        let retry = way_to(page.unwrap_or(entrance.paths.start()), &next);
        let retry_url = format!("{}{retry}", context.site.origin());
        let failure = Self {
            kind,
            source,
            provider: entrance.provider.name().to_owned(),
            retry_url,
            chooses: page.is_some(),
            sign_out_path: entrance.paths.sign_out().to_owned(),
        };
        if let Some(count) = context.log_limit.count(ClientEvent::LoginFailed(kind)) {
            failure.log(count);
        }
        let mut response = match &context.render_failure {
            Some(render) => render(&failure),
            None => page::failure(&failure),
        };
        if kind.status() == StatusCode::SERVICE_UNAVAILABLE {
            let headers = response.headers_mut();
            headers
                .entry(header::RETRY_AFTER)
                .or_insert(HeaderValue::from_static("5"));
        }
        response
    }

    /// Logs a failure, which stands for `count` of its kind.
    fn log(&self, count: u64) {
        let reason = Causes(&*self.source);
        if self.kind == LoginFailureKind::NotSignedOut {
            tracing::error!(%reason, count, "a sign-out did not end all logins of the person yet");
        } else if self.kind == LoginFailureKind::Overloaded {
            tracing::warn!(%reason, count, "a login was not admitted");
        } else if self.status().is_server_error() {
            tracing::error!(kind = ?self.kind, %reason, count, "a login failed");
        } else {
            tracing::info!(kind = ?self.kind, %reason, count, "a login was refused");
        }
    }
}

/// An error and what is behind it, in one line without control characters.
pub(super) struct Causes<'a>(pub(super) &'a (dyn Error + 'static));

impl fmt::Display for Causes<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut next = Some(self.0);
        let mut separator = "";
        while let Some(error) = next {
            write!(formatter, "{separator}{}", error.to_string().escape_debug())?;
            separator = ": ";
            next = error.source();
        }
        Ok(())
    }
}

impl fmt::Display for LoginFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}. {}", self.title(), page::explanation(self))
    }
}

impl Error for LoginFailure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}
