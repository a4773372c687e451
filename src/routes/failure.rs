//! The failure of a login or a sign-out.

use std::{error::Error, fmt, sync::Arc};

use axum::{http::StatusCode, response::Response};

use crate::{
    BoxError,
    auth::LoginError,
    page::PageRenderer,
    provider::{ProviderError, ProviderErrorKind},
    site::Site,
    texts::PageText,
};

/// The failure of a login or a sign-out.
///
/// The user sees a small page, or the one that
/// [`render_login_failures`](crate::ClefLayerBuilder::render_login_failures) returns.
#[derive(Debug)]
pub struct LoginFailure {
    pub(super) kind: LoginFailureKind,
    pub(super) source: BoxError,
    pub(super) provider: Option<String>,
    pub(super) retry_url: String,
    /// Whether `retry_url` is a page with several providers.
    pub(super) offers_choice: bool,
    /// Whether an identity was to be linked: `retry_url` is the page that offers it.
    pub(super) links: bool,
    pub(super) sign_out_path: String,
    pub(super) pages: PageRenderer,
}

/// The kinds of [`LoginFailure`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LoginFailureKind {
    /// The request is malformed: 400.
    BadRequest,
    /// The login attempt was not started in this browser, or is used or expired: 403.
    StateMismatch,
    /// The user did not complete the login at the provider, for example cancelled it: 403.
    Declined,
    /// The provider rejected the code, which is used, expired or unknown: 403.
    Refused,
    /// The user store rejected the user: 403.
    TurnedAway,
    /// The user was logged out during this login: 403.
    LoggedOutMeanwhile,
    /// Another user than the logged-in one completed a login for a
    /// [`RecentLogin`](crate::RecentLogin): 403. The earlier login stays.
    OtherUser,
    /// The identity at the provider belongs to another user already, so it was not linked: 403.
    LinkedToOtherUser,
    /// The provider did not show that the user proved their credentials again, which a
    /// [`RecentLogin`](crate::RecentLogin) needs: 403. The earlier login stays.
    NotReauthenticated,
    /// The request came from a page of another site: 403.
    ForeignOrigin,
    /// The provider cannot be reached, returned an error of its own, or its response is invalid: 502.
    ProviderUnavailable,
    /// Too many logins are in progress, in total or from this client address: 503.
    ///
    /// The same request can be sent again. See
    /// [`login_limits`](crate::ClefLayerBuilder::login_limits).
    Overloaded,
    /// A store did not answer: 503. The login has to be started again.
    StoreUnavailable,
    /// The sign-out ended no login: 503. Too many logouts wait for the user store, or a sign-out with
    /// [`sign_out_everywhere`](crate::ClefLayerBuilder::sign_out_everywhere) could not end all
    /// logins yet.
    ///
    /// The browser keeps its login. Offer a form that posts to the same route, so that the user can
    /// sign out again.
    NotSignedOut,
    /// The browser is signed out, but a store did not answer: 503.
    ///
    /// Copies of its cookie may still be valid, and the sign-out did not continue at the provider.
    SignOutIncomplete,
    /// The provider rejects the credentials, URLs or requests of this application: 500.
    Misconfigured,
    /// The routes are not inside their [`ClefLayer`](crate::ClefLayer), or not under the base path
    /// of the site, or the browser has opened a site on this machine under another name than its own,
    /// such as `localhost` for `127.0.0.1`: 500.
    LayerMissing,
}

/// Renders the application's own page for a failure.
pub(crate) type RenderFailure = Arc<dyn Fn(&LoginFailure) -> Response + Send + Sync>;

/// The kind and the source of a [`LoginFailure`].
pub(super) struct Reason {
    pub(super) kind: LoginFailureKind,
    pub(super) source: BoxError,
}

impl LoginFailureKind {
    /// The status of the response to a failure of this kind.
    pub fn status(self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::StateMismatch
            | Self::Declined
            | Self::Refused
            | Self::TurnedAway
            | Self::LoggedOutMeanwhile
            | Self::OtherUser
            | Self::NotReauthenticated
            | Self::LinkedToOtherUser
            | Self::ForeignOrigin => StatusCode::FORBIDDEN,
            Self::ProviderUnavailable => StatusCode::BAD_GATEWAY,
            Self::Overloaded
            | Self::StoreUnavailable
            | Self::NotSignedOut
            | Self::SignOutIncomplete => StatusCode::SERVICE_UNAVAILABLE,
            Self::Misconfigured | Self::LayerMissing => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl LoginFailureKind {
    pub(super) fn title(self) -> PageText {
        match self {
            Self::BadRequest => PageText::BadRequestTitle,
            Self::StateMismatch => PageText::StateMismatchTitle,
            Self::Declined => PageText::DeclinedTitle,
            Self::Refused => PageText::RefusedTitle,
            Self::TurnedAway => PageText::TurnedAwayTitle,
            Self::LoggedOutMeanwhile => PageText::LoggedOutMeanwhileTitle,
            Self::OtherUser => PageText::OtherUserTitle,
            Self::LinkedToOtherUser => PageText::LinkedToOtherUserTitle,
            Self::NotReauthenticated => PageText::NotReauthenticatedTitle,
            Self::ForeignOrigin => PageText::ForeignOriginTitle,
            Self::ProviderUnavailable => PageText::ProviderUnavailableTitle,
            Self::Overloaded => PageText::OverloadedTitle,
            Self::StoreUnavailable => PageText::UnavailableTitle,
            Self::NotSignedOut => PageText::NotSignedOutTitle,
            Self::SignOutIncomplete => PageText::SignOutIncompleteTitle,
            Self::Misconfigured | Self::LayerMissing => PageText::MisconfiguredTitle,
        }
    }

    /// Whether the same request can succeed later. A callback whose state was used cannot.
    pub(super) fn can_be_repeated(self) -> bool {
        matches!(self, Self::Overloaded | Self::NotSignedOut)
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

    /// The logins of the user have not ended yet.
    pub(super) fn not_signed_out(error: impl Into<BoxError>) -> Self {
        Self::new(LoginFailureKind::NotSignedOut, error)
    }

    /// The browser is signed out, and a store did not answer.
    pub(super) fn sign_out_incomplete(error: impl Into<BoxError>) -> Self {
        Self::new(LoginFailureKind::SignOutIncomplete, error)
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
            "the routes are not inside a ClefLayer: write `.merge(auth.routes())` before \
             `.layer(auth)`",
        )
    }

    pub(super) fn other_layer() -> Self {
        Self::new(
            LoginFailureKind::LayerMissing,
            "the routes are inside another ClefLayer; give each layer its own router with its own \
             `routes()`",
        )
    }

    /// The callback would come to the site's own name, where the cookie of this one is missing.
    pub(super) fn other_name(mistake: String) -> Self {
        Self::new(LoginFailureKind::LayerMissing, mistake)
    }

    pub(super) fn outside(site: &Site) -> Self {
        let base = site.base();
        Self::new(
            LoginFailureKind::LayerMissing,
            format!(
                "the request is outside of the site's base path {base:?}; nest the router there, or \
                 set `base_path_stripped` behind a proxy that strips it"
            ),
        )
    }
}

impl From<LoginError> for Reason {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Store(error) => Self::store(error),
            LoginError::TurnedAway => Self::new(LoginFailureKind::TurnedAway, error),
            LoginError::LoggedOutMeanwhile => {
                Self::new(LoginFailureKind::LoggedOutMeanwhile, error)
            }
            LoginError::OtherUser => Self::new(LoginFailureKind::OtherUser, error),
            LoginError::NotReauthenticated => {
                Self::new(LoginFailureKind::NotReauthenticated, error)
            }
            LoginError::TooLarge(error) => Self::new(LoginFailureKind::Misconfigured, error),
        }
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
    /// The kind of the failure.
    pub fn kind(&self) -> LoginFailureKind {
        self.kind
    }

    /// The status of the response.
    pub fn status(&self) -> StatusCode {
        self.kind.status()
    }

    /// A headline for the failure, in the language of its page.
    pub fn title(&self) -> String {
        let text = self.kind.title();
        self.pages.plain(text, &self.provider_name(&self.pages))
    }

    /// The provider in a sentence.
    pub(super) fn provider_name(&self, pages: &PageRenderer) -> String {
        match &self.provider {
            Some(provider) => provider.clone(),
            None => pages.plain(PageText::LoginService, ""),
        }
    }

    /// The reason, and what the user can do.
    pub(super) fn explanation(&self) -> PageText {
        match self.kind {
            LoginFailureKind::BadRequest => PageText::BadRequest,
            LoginFailureKind::StateMismatch => PageText::StateMismatch,
            LoginFailureKind::Declined => PageText::Declined,
            LoginFailureKind::Refused => PageText::Refused,
            LoginFailureKind::TurnedAway => PageText::TurnedAway,
            LoginFailureKind::LoggedOutMeanwhile => PageText::LoggedOutMeanwhile,
            LoginFailureKind::OtherUser => PageText::OtherUser,
            LoginFailureKind::LinkedToOtherUser => PageText::LinkedToOtherUser,
            LoginFailureKind::NotReauthenticated => PageText::NotReauthenticated,
            LoginFailureKind::ForeignOrigin => PageText::ForeignOrigin,
            LoginFailureKind::ProviderUnavailable | LoginFailureKind::StoreUnavailable => {
                PageText::LogInLater
            }
            LoginFailureKind::Overloaded => PageText::Overloaded,
            LoginFailureKind::NotSignedOut => PageText::NotSignedOut,
            LoginFailureKind::SignOutIncomplete => match self.provider {
                Some(_) => PageText::SignOutIncompleteAt,
                None => PageText::SignOutIncomplete,
            },
            LoginFailureKind::Misconfigured => PageText::ProviderMisconfigured,
            LoginFailureKind::LayerMissing => PageText::Misconfigured,
        }
    }

    /// A mistake of the developer: the reason only names settings.
    pub(super) fn mistake(&self) -> Option<String> {
        (self.kind == LoginFailureKind::LayerMissing).then(|| format!("{}.", self.source))
    }

    /// The absolute URL to start again: the start route of the same provider, or the
    /// [`login_page`](crate::ClefLayerBuilder::login_page). If an identity was to be linked, it is the
    /// page to come back to.
    ///
    /// It has the origin of the site, even if the user came from another name of the host.
    pub fn retry_url(&self) -> &str {
        &self.retry_url
    }

    /// The name of the provider; `None` for a sign-out at a site with several providers or none.
    pub fn provider(&self) -> Option<&str> {
        self.provider.as_deref()
    }

    /// Whether the retry URL is a page with several providers.
    pub(super) fn offers_choice(&self) -> bool {
        self.offers_choice
    }

    /// The path of the sign-out route.
    pub(super) fn sign_out_path(&self) -> &str {
        &self.sign_out_path
    }
}

/// An error and its sources in one line, without control characters. A text that the line ends with
/// is not repeated, and of a [`ProviderError`] the provider's own error is shown.
pub(super) struct Causes<'a>(pub(super) &'a (dyn Error + 'static));

impl fmt::Display for Causes<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = self.0;
        let of_provider = error
            .downcast_ref::<ProviderError>()
            .and_then(Error::source);
        let mut next = Some(of_provider.unwrap_or(error));
        let mut line = String::new();
        while let Some(error) = next {
            let text = error.to_string();
            if !line.ends_with(&text) {
                if !line.is_empty() {
                    line.push_str(": ");
                }
                line.push_str(&text);
            }
            next = error.source();
        }
        write!(formatter, "{}", line.escape_debug())
    }
}

/// Shows the line as a text in quotes, for fields of log events.
impl fmt::Debug for Causes<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_string(), formatter)
    }
}

/// In English, whatever the language of the page.
impl fmt::Display for LoginFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let english = PageRenderer::default();
        let provider = self.provider_name(&english);
        let title = english.plain(self.kind.title(), &provider);
        let explanation = english.plain(self.explanation(), &provider);
        write!(formatter, "{title}. {explanation}")?;
        match self.mistake() {
            Some(mistake) => write!(formatter, " {mistake}"),
            None => Ok(()),
        }
    }
}

impl Error for LoginFailure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}
