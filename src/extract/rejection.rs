//! What whoever does not get in gets instead.

use std::{error::Error, fmt, sync::Arc};

use axum::{
    body::Body,
    http::{HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::{Gate, Visit, asked_for, navigation::navigates};
use crate::BoxError;

/// Why an extractor gave no user. As a response it does what a user would expect; to
/// render it the application's way, see
/// [`ClefLayer::render_rejections`](crate::ClefLayer::render_rejections), or take
/// `Result<LoggedIn<User>, Rejection>` in the handler.
///
/// | [kind](Self::kind) | response |
/// |---|---|
/// | `NotLoggedIn`, a browser that navigates | 303 to the start route, and back here after the login |
/// | `NotLoggedIn`, anything else | 401 `application/problem+json` |
/// | `StoreUnavailable` | 503 with `Retry-After` |
/// | `LayerMissing`, `WrongUserType` | 500: a mistake in the program; the log says which |
///
/// ```
/// use axum_clef::{LoggedIn, Rejection, RejectionKind};
/// # #[derive(Clone)]
/// # struct User;
/// # impl axum_clef::User for User {
/// #     fn id(&self) -> String { String::new() }
/// #     fn logged_out_at(&self) -> Option<axum_clef::Timestamp> { None }
/// # }
///
/// async fn badge(user: Result<LoggedIn<User>, Rejection>) -> Result<&'static str, Rejection> {
///     match user {
///         Ok(_) => Ok("a member"),
///         Err(rejection) if rejection.kind() == RejectionKind::NotLoggedIn => Ok("a guest"),
///         Err(rejection) => Err(rejection),
///     }
/// }
/// # fn assert_handler<T, H: axum::handler::Handler<T, ()>>(_: H) {}
/// # assert_handler(badge);
/// ```
pub struct Rejection {
    kind: RejectionKind,
    source: Option<Arc<BoxError>>,
    login_path: Option<String>,
    navigates: bool,
    render: Option<RenderRejection>,
}

/// The kinds of [`Rejection`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RejectionKind {
    /// Nobody is logged in, or not any more.
    NotLoggedIn,
    /// The session store or the user store did not answer: who it is cannot be said, or what
    /// the handler changed in the session is not kept.
    StoreUnavailable,
    /// The route is not inside a [`ClefLayer`](crate::ClefLayer).
    LayerMissing,
    /// The handler asks for another user type than the layer's user store has.
    WrongUserType,
}

/// The application's own rendering of rejections.
pub(crate) type RenderRejection = Arc<dyn Fn(&Rejection) -> Response + Send + Sync>;

/// The kinds of log events about stores that do not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Unanswered {
    /// Whether a login counts.
    Check,
    /// What a handler changed in the session.
    Save,
}

/// Why it cannot be said who is there, kept for all who ask during one request.
#[derive(Debug, Clone, thiserror::Error)]
#[error("it cannot be said who is there")]
pub(crate) struct Absence {
    kind: RejectionKind,
    source: Arc<BoxError>,
}

impl Absence {
    /// A mistake in the program.
    pub(super) fn new(kind: RejectionKind, source: impl Into<BoxError>) -> Self {
        let source = source.into();
        tracing::error!(error = ?source.to_string(), "a request cannot be checked and gets 500");
        Self {
            kind,
            source: Arc::new(source),
        }
    }

    /// A store that does not answer. Any client can send requests meanwhile, so the log has one
    /// line a second.
    pub(super) fn no_answer(gate: &Gate, what: Unanswered, error: BoxError) -> Self {
        if let Some(count) = gate.unanswered.count(what) {
            let error = error.to_string();
            tracing::error!(
                ?error,
                count,
                "a store did not answer; the request gets 503"
            );
        }
        Self {
            kind: RejectionKind::StoreUnavailable,
            source: Arc::new(error),
        }
    }
}

impl Rejection {
    /// Why there is no user.
    pub fn kind(&self) -> RejectionKind {
        self.kind
    }

    /// The status of the response that is not a redirect: 401, 503 or 500.
    pub fn status(&self) -> StatusCode {
        match self.kind {
            RejectionKind::NotLoggedIn => StatusCode::UNAUTHORIZED,
            RejectionKind::StoreUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            RejectionKind::LayerMissing | RejectionKind::WrongUserType => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    }

    /// The path at which to log in and come back here, if logging in would help.
    pub fn login_path(&self) -> Option<&str> {
        self.login_path.as_deref()
    }

    /// Whether a browser asks for a page (GET or HEAD that accepts HTML), so that a
    /// redirect makes sense.
    pub fn is_navigation(&self) -> bool {
        self.navigates
    }

    pub(super) fn not_logged_in(parts: &Parts) -> Self {
        Self {
            kind: RejectionKind::NotLoggedIn,
            source: None,
            login_path: login_path(parts),
            navigates: navigates(&parts.method, &parts.headers),
            render: render(parts),
        }
    }

    pub(super) fn of(absence: Absence, parts: &Parts) -> Self {
        Self {
            kind: absence.kind,
            source: Some(absence.source),
            login_path: None,
            navigates: navigates(&parts.method, &parts.headers),
            render: render(parts),
        }
    }

    pub(crate) fn layer_missing() -> Self {
        let absence = Absence::new(
            RejectionKind::LayerMissing,
            "this route is not inside a ClefLayer; add `.layer(auth)` to the router after all of \
             its routes",
        );
        Self {
            kind: absence.kind,
            source: Some(absence.source),
            login_path: None,
            navigates: false,
            render: None,
        }
    }

    /// What a handler changed in the session is not kept.
    pub(crate) fn not_saved(gate: &Gate, navigates: bool, error: BoxError) -> Self {
        let absence = Absence::no_answer(gate, Unanswered::Save, error);
        Self {
            kind: absence.kind,
            source: Some(absence.source),
            login_path: None,
            navigates,
            render: gate.render_rejection.clone(),
        }
    }

    /// What is answered unless the application renders rejections itself: for a renderer that
    /// has its own way for some of them only.
    pub fn default_response(&self) -> Response {
        if let (RejectionKind::NotLoggedIn, true, Some(path)) =
            (self.kind, self.navigates, self.login_path())
            && let Ok(location) = HeaderValue::try_from(path)
        {
            return (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response();
        }
        let status = self.status();
        let mut problem = json!({
            "type": "about:blank",
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "detail": self.to_string(),
        });
        if let Some(path) = self.login_path() {
            problem["login"] = path.into();
        }
        let mut response = (
            status,
            [(header::CONTENT_TYPE, "application/problem+json")],
            Body::from(problem.to_string()),
        )
            .into_response();
        if status == StatusCode::UNAUTHORIZED {
            // RFC 9110, section 11.6.1: a 401 names a scheme. No registered one says
            // "log in on a page"; this one is what browsers ignore and people understand.
            response.headers_mut().insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Cookie realm=\"axum-clef\""),
            );
        }
        response
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        let mut response = match &self.render {
            Some(render) => render(&self),
            None => self.default_response(),
        };
        let headers = response.headers_mut();
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

impl fmt::Display for Rejection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.kind, &self.login_path) {
            (RejectionKind::NotLoggedIn, Some(path)) => {
                write!(formatter, "Nobody is logged in. Log in at {path}")
            }
            (RejectionKind::NotLoggedIn, None) => formatter.write_str("Nobody is logged in."),
            (RejectionKind::StoreUnavailable, _) => {
                formatter.write_str("This is not possible right now. Try again later.")
            }
            (RejectionKind::LayerMissing, _) => formatter.write_str(
                "This route is not inside a ClefLayer: add `.layer(auth)` to the router, after \
                 all of its routes.",
            ),
            (RejectionKind::WrongUserType, _) => formatter.write_str(
                "The handler asks for another user type than the layer's user store has.",
            ),
        }
    }
}

impl fmt::Debug for Rejection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Rejection")
            .field("kind", &self.kind)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

impl Error for Rejection {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| &**source as &(dyn Error + 'static))
    }
}

fn render(parts: &Parts) -> Option<RenderRejection> {
    let visit = parts.extensions.get::<Arc<Visit>>()?;
    visit.gate.render_rejection.clone()
}

/// The start route, with the way back to what was asked for: a page, that is. There is no
/// way back into the middle of a form that was sent.
fn login_path(parts: &Parts) -> Option<String> {
    let visit = parts.extensions.get::<Arc<Visit>>()?;
    if parts.method != Method::GET && parts.method != Method::HEAD {
        return Some(visit.gate.login_path.clone());
    }
    Some(visit.gate.login_for(asked_for(parts)))
}
