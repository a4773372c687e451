//! Why an extractor gave no user.

use std::{error::Error, fmt, sync::Arc};

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use maud::{Markup, html};

use super::{
    MaxAge,
    problem::{
        BEARER, COOKIE, INSUFFICIENT_SCOPE, INVALID_REQUEST, INVALID_TOKEN, challenge,
        ended_login_problem, problem, recent_login_problem,
    },
};
use crate::{
    BoxError, EndedLogin,
    page::{NO_SCRIPT, PageRenderer},
    texts::PageText,
};

/// The rejection of [`LoggedIn`](crate::LoggedIn) and the extractors beside it.
///
/// To render it the application's way, use
/// [`render_rejections`](crate::ClefLayerBuilder::render_rejections), or take
/// `Result<LoggedIn<User>, LoggedInRejection>` in the handler.
///
/// | [kind](Self::kind) | response |
/// |---|---|
/// | `Unauthenticated`, a person who opens a page | 303 to the login, and back here after it |
/// | `Unauthenticated`, a person who sends a form | 401, a page that leads to the login |
/// | `Unauthenticated`, a script | 401, with the address of the login |
/// | `ReauthenticationRequired` | as `Unauthenticated`; the login asks the user for their credentials again |
/// | `Forbidden` | 403: a page, or a problem for a script; never a redirect. For a bearer token with the challenge `insufficient_scope` |
/// | `InvalidToken` | 401, whatever sent it |
/// | `MalformedAuthorization` | 400, whatever sent it |
/// | `StoreUnavailable` | 503 with `Retry-After` |
/// | `LayerMissing`, `OutsideSite`, `ProviderMissing`, `WrongUserType` | 500: a mistake in the program, which the log names |
///
/// `Sec-Fetch-Mode` and `Sec-Fetch-Dest` distinguish a person from a script where the browser sends
/// them, otherwise `X-Requested-With`, otherwise whether `Accept` names HTML. A person gets a page,
/// and a script `application/problem+json`.
///
/// ```
/// use axum_clef::{LoggedIn, LoggedInRejection, RejectionKind};
/// # #[derive(Clone)]
/// # struct User;
/// # impl axum_clef::User for User {
/// #     fn id(&self) -> String { String::new() }
/// #     fn logged_out_at(&self) -> Option<axum_clef::Timestamp> { None }
/// # }
///
/// async fn badge(
///     user: Result<LoggedIn<User>, LoggedInRejection>,
/// ) -> Result<&'static str, LoggedInRejection> {
///     match user {
///         Ok(_) => Ok("a member"),
///         Err(rejection) if rejection.kind() == RejectionKind::Unauthenticated => Ok("a guest"),
///         Err(rejection) => Err(rejection),
///     }
/// }
/// # fn assert_handler<T, H: axum::handler::Handler<T, ()>>(_: H) {}
/// # assert_handler(badge);
/// ```
pub struct LoggedInRejection {
    pub(super) kind: RejectionKind,
    pub(super) source: Option<Arc<BoxError>>,
    pub(super) ended_login: Option<Box<EndedLogin>>,
    pub(super) login_path: Option<String>,
    /// How recent a login has to be.
    pub(super) max_age: Option<MaxAge>,
    pub(super) audience: Audience,
    /// Whether the layer accepts bearer tokens.
    pub(super) accepts_tokens: bool,
    /// Whether the request came with a valid one.
    pub(super) by_token: bool,
    pub(super) render: Option<RenderRejection>,
    pub(super) pages: PageRenderer,
}

/// Who receives a rejection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Audience {
    /// A person who opens a page.
    Reader,
    /// A person who sends a form.
    Sender,
    Script,
}

/// The kinds of [`LoggedInRejection`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RejectionKind {
    /// The request is unauthenticated, or its login has ended.
    Unauthenticated,
    /// The user is logged in, and has not proven their credentials recently enough for a
    /// [`RecentLogin`](crate::RecentLogin).
    ReauthenticationRequired,
    /// The user is logged in and does not have the [`Permission`](crate::Permission) that the
    /// handler asks for.
    Forbidden,
    /// The bearer token of the request is invalid or has ended, and no cookie counts instead.
    InvalidToken,
    /// The `Authorization` header of the request names the scheme `Bearer`, and is not one header
    /// with one token.
    MalformedAuthorization,
    /// The session store or the user store did not answer, so the user is unknown; or a
    /// [`Permission`](crate::Permission) could not be determined.
    StoreUnavailable,
    /// The route is not inside a [`ClefLayer`](crate::ClefLayer).
    LayerMissing,
    /// The request is unauthenticated and outside of the path below which the site is, so no login
    /// would lead back to it.
    OutsideSite,
    /// The layer has no provider, and the handler asks for a button of one.
    ProviderMissing,
    /// The handler asks for another user type than the layer's user store has.
    WrongUserType,
}

impl RejectionKind {
    /// Whether the request has a bearer token that is no login.
    pub(super) fn is_bad_token(self) -> bool {
        matches!(self, Self::InvalidToken | Self::MalformedAuthorization)
    }
}

/// What a developer reads who uses an extractor outside of the layer.
pub(crate) const LAYER_MISSING: &str = "This route is not inside a ClefLayer: add `.layer(auth)` to \
                                        the router, after all of its routes and guards.";

/// The application's own rendering of rejections.
pub(crate) type RenderRejection = Arc<dyn Fn(&LoggedInRejection) -> Response + Send + Sync>;

impl LoggedInRejection {
    /// Why the handler did not run.
    pub fn kind(&self) -> RejectionKind {
        self.kind
    }

    /// The status of the response that is not a redirect: 401, 403, 400, 503 or 500.
    pub fn status(&self) -> StatusCode {
        match self.kind {
            RejectionKind::Unauthenticated
            | RejectionKind::ReauthenticationRequired
            | RejectionKind::InvalidToken => StatusCode::UNAUTHORIZED,
            RejectionKind::MalformedAuthorization => StatusCode::BAD_REQUEST,
            RejectionKind::Forbidden => StatusCode::FORBIDDEN,
            RejectionKind::StoreUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            RejectionKind::LayerMissing
            | RejectionKind::OutsideSite
            | RejectionKind::ProviderMissing
            | RejectionKind::WrongUserType => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The path at which to log in and come back, if logging in would help. It leads back to the page
    /// that a person asked for, and otherwise to the page of this site that sent the request.
    pub fn login_path(&self) -> Option<&str> {
        self.login_path.as_deref()
    }

    /// The login that came with an unauthenticated request, if it has ended: to tell the user why.
    ///
    /// `None` unless the cookie of the request proves that the login was its own: the secret was
    /// right. Once the login would be over anyway, the reason is
    /// [`Expired`](crate::LogoutReason::Expired), so a browser that was left behind does not show when
    /// its user logs out elsewhere. Of a stored login that was signed out or has gone idle, nothing is
    /// left, and so `None`.
    ///
    /// A login page takes `Result<LoggedIn<User>, LoggedInRejection>` and shows the sentence:
    ///
    /// ```
    /// use axum_clef::{LoggedIn, LoggedInRejection, stores::Account};
    ///
    /// async fn log_in_page(user: Result<LoggedIn<Account>, LoggedInRejection>) -> String {
    ///     let ended = user.as_ref().err().and_then(LoggedInRejection::ended_login);
    ///     let sentence = ended.map(ToString::to_string).unwrap_or_default();
    ///     format!("{sentence} Please log in.") // and the form
    /// }
    /// # fn assert_handler<T, H: axum::handler::Handler<T, ()>>(_: H) {}
    /// # assert_handler(log_in_page);
    /// ```
    pub fn ended_login(&self) -> Option<&EndedLogin> {
        self.ended_login.as_deref()
    }

    /// Whether a person opens a page or sends a form, and not a script. A request with a bearer token
    /// is by a script.
    pub fn is_navigation(&self) -> bool {
        self.audience != Audience::Script
    }

    /// The response by default: for a renderer that changes some rejections only.
    pub fn default_response(&self) -> Response {
        let status = self.status();
        if let (StatusCode::UNAUTHORIZED, Audience::Reader, Some(path)) =
            (status, self.audience, self.login_path())
            && let Ok(location) = HeaderValue::try_from(path)
        {
            return (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response();
        }
        let mut response = match self.audience {
            Audience::Script => match self.max_age {
                Some(max_age) => {
                    recent_login_problem(&self.to_string(), self.login_path(), max_age)
                }
                None => self.problem(),
            },
            Audience::Reader | Audience::Sender => (status, self.page()).into_response(),
        };
        self.challenge(response.headers_mut());
        response
    }

    fn problem(&self) -> Response {
        let (text, path) = (self.to_string(), self.login_path());
        match self.ended_login() {
            Some(ended) => ended_login_problem(&text, path, ended),
            None => problem(self.status(), &text, path),
        }
    }

    /// Names the schemes to log in with, unless the application has.
    fn challenge(&self, headers: &mut HeaderMap) {
        if headers.contains_key(header::WWW_AUTHENTICATE) {
            return;
        }
        let (cookie, bearer) = match self.kind {
            RejectionKind::Unauthenticated | RejectionKind::ReauthenticationRequired => {
                let of_token = self.max_age.filter(|_| self.by_token);
                let bearer = self.accepts_tokens.then(|| challenge(BEARER, of_token));
                (Some(challenge(COOKIE, self.max_age)), bearer)
            }
            RejectionKind::InvalidToken => (None, Some(INVALID_TOKEN.to_owned())),
            RejectionKind::MalformedAuthorization => (None, Some(INVALID_REQUEST.to_owned())),
            RejectionKind::Forbidden if self.by_token => {
                (None, Some(INSUFFICIENT_SCOPE.to_owned()))
            }
            _ => (None, None),
        };
        for challenge in cookie.into_iter().chain(bearer) {
            if let Ok(challenge) = HeaderValue::try_from(challenge) {
                headers.append(header::WWW_AUTHENTICATE, challenge);
            }
        }
    }

    /// The page for a person.
    fn page(&self) -> Response {
        let pages = &self.pages;
        let (headline, text) = match self.kind {
            RejectionKind::Unauthenticated => (PageText::NotSavedTitle, PageText::NotSaved),
            RejectionKind::Forbidden => (PageText::ForbiddenTitle, PageText::Forbidden),
            RejectionKind::ReauthenticationRequired => {
                (PageText::NotRecentTitle, PageText::NotRecent)
            }
            RejectionKind::StoreUnavailable => (PageText::UnavailableTitle, PageText::Unavailable),
            _ => (PageText::MisconfiguredTitle, PageText::Misconfigured),
        };
        let content = html! {
            @if let Some(ended) = self.ended_login() {
                (ended_paragraph(pages, ended))
            }
            p {
                (pages.text(text))
                @if text == PageText::Misconfigured {
                    " " span lang="en" dir="ltr" { (self) }
                }
            }
            @if let Some(path) = self.login_path() {
                a href=(path) { (pages.text(PageText::LogIn)) }
            }
            @match (self.kind, self.audience) {
                (RejectionKind::StoreUnavailable, Audience::Reader) => {
                    // The same URL.
                    a href="" { (pages.text(PageText::TryAgain)) }
                    (pages.to_front(true))
                }
                (RejectionKind::StoreUnavailable | RejectionKind::Forbidden, _) => {
                    (pages.to_front(false))
                }
                _ => {}
            }
        };
        pages.page(headline, "", &html! {}, &content, NO_SCRIPT)
    }
}

/// One sentence on the end of a login, for its user.
fn ended_paragraph(pages: &PageRenderer, ended: &EndedLogin) -> Markup {
    let when = html! {
        @if let Some((english, time)) = ended.time() {
            (pages.html(PageText::AtTime, &html! {
                time datetime=(time) {
                    @match pages.is_english() {
                        true => (english),
                        // The months have no names in other languages here.
                        false => (time.replace('T', " ").replace('Z', " UTC")),
                    }
                }
            }))
        }
    };
    html! {
        @if let Some(text) = ended.text() {
            p { (pages.html(text, &when)) }
        }
    }
}

impl IntoResponse for LoggedInRejection {
    fn into_response(self) -> Response {
        let mut response = match &self.render {
            Some(render) => render(&self),
            None => self.default_response(),
        };
        let is_insufficient = self.by_token && response.status() == self.status();
        let headers = response.headers_mut();
        // RFC 6750, section 3: also where the application renders it, unless its status hides why.
        if self.kind.is_bad_token() || is_insufficient {
            self.challenge(headers);
        }
        headers
            .entry(header::CACHE_CONTROL)
            .or_insert(HeaderValue::from_static("no-store"));
        if response.status() == StatusCode::SERVICE_UNAVAILABLE {
            let headers = response.headers_mut();
            headers
                .entry(header::RETRY_AFTER)
                .or_insert(HeaderValue::from_static("5"));
        }
        response
    }
}

impl fmt::Display for LoggedInRejection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.kind, &self.login_path) {
            (RejectionKind::Unauthenticated, path) => {
                match self.ended_login() {
                    Some(ended) => write!(formatter, "{ended}")?,
                    None => formatter.write_str("You are not logged in.")?,
                }
                match path {
                    Some(path) => write!(formatter, " Log in at {path}"),
                    None => Ok(()),
                }
            }
            (RejectionKind::Forbidden, _) => formatter.write_str(PageText::Forbidden.english()),
            (RejectionKind::ReauthenticationRequired, path) => {
                formatter.write_str("This needs a recent login.")?;
                match path {
                    Some(path) => write!(formatter, " Log in again at {path}"),
                    None => Ok(()),
                }
            }
            (RejectionKind::InvalidToken, _) => {
                formatter.write_str("The token is invalid or has ended. Use a new one.")
            }
            (RejectionKind::MalformedAuthorization, _) => formatter
                .write_str("Send one `Authorization` header: `Bearer`, a space and the token."),
            (RejectionKind::StoreUnavailable, _) => {
                formatter.write_str("This is not possible right now. Try again later.")
            }
            (RejectionKind::LayerMissing, _) => formatter.write_str(LAYER_MISSING),
            (RejectionKind::OutsideSite, _) => formatter.write_str(
                "This route is outside of the site's base path: nest the router there, or set \
                 `base_path_stripped` behind a proxy that strips it.",
            ),
            (RejectionKind::ProviderMissing, _) => formatter.write_str(
                "The layer has no provider, and the page asks for its button: add \
                     `.provider(…)` to the builder of the layer.",
            ),
            (RejectionKind::WrongUserType, _) => formatter.write_str(
                "The handler asks for another user type than the layer's user store has; the log \
                 names both.",
            ),
        }
    }
}

impl fmt::Debug for LoggedInRejection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LoggedInRejection")
            .field("kind", &self.kind)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

impl Error for LoggedInRejection {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| &**source as &(dyn Error + 'static))
    }
}
