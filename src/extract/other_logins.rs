//! Ending every login of a user except the one of this browser.

use std::{
    error::Error,
    fmt,
    sync::{Arc, LazyLock},
};

use axum::{
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use http::{StatusCode, request::Parts};
use maud::html;

use super::{SameOrigin, SameOriginRejection, logged_in::authenticated};
use crate::{
    BoxError, LoggedInRejection, LogoutCause,
    auth::{
        AuthState, LogOutOthersError, RequestAuth, Unanswered, insufficient_token, navigates,
        problem, uncached,
    },
    log_limit::LogLimit,
    page::{NO_SCRIPT, PageRenderer},
    sessions::PresentedLogin,
    texts::PageText,
    time_limit::detached,
    users::LogOutOthersMissing,
};

/// Ends every login of the user except the one of this browser: after a change of the password, or for a
/// stolen phone.
///
/// The login of this browser goes on with a new cookie: a copy of the old one ends too. It keeps its
/// [id](crate::Login::id), its end and [`authenticated_at`](crate::Login::authenticated_at), so data
/// under its id stays, and the hooks are not called. Logins that are under way end, and bearer tokens
/// of the user.
///
/// Write the new password first, then call [`log_out`](Self::log_out). So no login with the old
/// password begins after the others have ended. Run both in a task of their own, so that a client
/// that hangs up does not keep the others logged in:
///
/// ```
/// use axum::{Form, response::Redirect};
/// use axum_clef::{BoxError, LoggedIn, LogoutCause, OtherLogins, User as _, stores::Account};
///
/// # #[derive(serde::Deserialize)]
/// # struct Change { new: String }
/// # async fn set_password(user_id: &str, new: &str) -> Result<(), BoxError> { Ok(()) }
/// # type AppError = axum_clef::OtherLoginsError;
/// async fn change_password(
///     others: OtherLogins,
///     LoggedIn(user): LoggedIn<Account>,
///     Form(form): Form<Change>,
/// ) -> Result<Redirect, AppError> {
///     // Verify the current password here, or ask for a recent login.
///     let change = async move {
///         set_password(&user.id(), &form.new).await?;
///         others.with_cause(LogoutCause::CredentialsChanged).log_out().await
///     };
///     tokio::spawn(change).await.map_err(BoxError::from)??;
///     Ok(Redirect::to("/account?changed=true"))
/// }
/// # fn assert_handler<T, H: axum::handler::Handler<T, ()>>(_: H) {}
/// # assert_handler(change_password);
/// ```
///
/// The user store must [keep one login](crate::UserStore::keeps_one_login), as the ready ones do.
///
/// # Rejection
///
/// [`OtherLoginsRejection`]: a request from a page of another site, as for
/// [`SameOrigin`], or one without a login, as for [`LoggedIn`](crate::LoggedIn). A bearer token is
/// refused, as it is the login of no browser. Over a user store that does not keep one login, each
/// request is refused before the handler runs, so nothing is written.
#[must_use = "no login ends until `log_out` is called"]
pub struct OtherLogins {
    auth: Arc<RequestAuth>,
    login: Arc<PresentedLogin>,
    parts: Parts,
    cause: LogoutCause,
}

impl OtherLogins {
    /// Sets what causes the logout, for the log and for what the user reads on the other devices.
    /// Defaults to [`LogoutCause::User`]. After a change of the password, set
    /// [`LogoutCause::CredentialsChanged`].
    pub fn with_cause(mut self, cause: LogoutCause) -> Self {
        self.cause = cause;
        self
    }

    /// Ends every other login of the user, on every node, before it returns. The layer adds the new
    /// cookie of this login to the response. It is done even if the future is dropped, and then this
    /// browser is logged out too.
    ///
    /// Of two browsers that call it at once, one stays. A logout of this login in the meantime wins:
    /// of the user, of the session at the provider, or by a sign-out.
    ///
    /// Open pages of the other logins close, as after any logout. Those of this browser at this node
    /// connect again, over leases also if this fails. At other nodes they receive `logged-out` first;
    /// the script `/auth/live.js` covers them, and uncovers them after two to four seconds.
    ///
    /// # Errors
    ///
    /// [`OtherLoginsError`], which is a response.
    pub async fn log_out(self) -> Result<(), OtherLoginsError> {
        let Self {
            auth,
            login,
            parts,
            cause,
        } = self;
        let (request, state) = (parts.clone(), Arc::clone(auth.state()));
        // In a task of its own, so that a client that hangs up does not abort a write.
        let work = async move { state.log_out_others(&login, &cause, &request).await };
        let kept = detached(work).await;
        let kept = kept.unwrap_or_else(|error| Err(LogOutOthersError::Store(error.into())));
        let kept = kept.map_err(|error| OtherLoginsError::new(error, auth.state(), &parts))?;
        for cookie in kept {
            auth.cookies(&parts.headers).add(cookie);
        }
        Ok(())
    }
}

impl<S: Sync> FromRequestParts<S> for OtherLogins {
    type Rejection = OtherLoginsRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        SameOrigin::from_request_parts(parts, state)
            .await
            .map_err(OtherLoginsRejection::SameOrigin)?;
        let rejected = OtherLoginsRejection::LoggedIn;
        let auth = RequestAuth::of(parts);
        let auth = auth.ok_or_else(|| rejected(LoggedInRejection::layer_missing()))?;
        // Before the check, so that the mistake shows at the first request.
        if !auth.state().users.keeps_one_login() {
            let missing = LogOutOthersError::Store(LogOutOthersMissing.into());
            let error = OtherLoginsError::new(missing, auth.state(), parts);
            return Err(OtherLoginsRejection::NotImplemented(error));
        }
        let authenticated = authenticated(parts).await.map_err(rejected)?;
        let login = authenticated.map(|authenticated| Arc::clone(&authenticated.login));
        let login = login.ok_or_else(|| rejected(LoggedInRejection::unauthenticated(parts)))?;
        if login.record().is_token() {
            return Err(OtherLoginsRejection::ByToken);
        }
        Ok(Self {
            auth: Arc::clone(auth),
            login,
            parts: parts.clone(),
            cause: LogoutCause::User,
        })
    }
}

impl fmt::Debug for OtherLogins {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("OtherLogins")
            .finish_non_exhaustive()
    }
}

/// Why [`OtherLogins`] refused a request.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OtherLoginsRejection {
    /// A page of another site sent it.
    #[error(transparent)]
    SameOrigin(SameOriginRejection),
    /// It is unauthenticated, or a store did not answer.
    #[error(transparent)]
    LoggedIn(LoggedInRejection),
    /// It came with a bearer token, which is the login of no browser: 403.
    #[error("A token keeps no login. Log in on a page.")]
    ByToken,
    /// The user store does not [keep one login](crate::UserStore::keeps_one_login): 500. The log
    /// says what to implement.
    #[error(transparent)]
    NotImplemented(OtherLoginsError),
}

impl IntoResponse for OtherLoginsRejection {
    fn into_response(self) -> Response {
        match self {
            Self::SameOrigin(rejection) => rejection.into_response(),
            Self::LoggedIn(rejection) => rejection.into_response(),
            Self::ByToken => insufficient_token(&self.to_string()),
            Self::NotImplemented(error) => error.into_response(),
        }
    }
}

/// Why the other logins of a user have not ended, or this one has too: the error of
/// [`OtherLogins::log_out`] and of an [`OtherLoginsRejection`].
///
/// The response is a small page for a person, and `application/problem+json` for a script.
///
/// A [`BoxError`] converts into it, so that `?` works on the application's own store: it is
/// [`StoreUnavailable`](OtherLoginsErrorKind::StoreUnavailable). Its response is the page in English
/// for any client, since a `?` has no access to the request.
#[derive(Debug)]
pub struct OtherLoginsError {
    kind: OtherLoginsErrorKind,
    source: Option<BoxError>,
    /// The path of the login page, for a user who is logged out.
    login_path: Option<String>,
    is_script: bool,
    pages: PageRenderer,
}

/// The kinds of [`OtherLoginsError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OtherLoginsErrorKind {
    /// This login has ended in the meantime, for example by another browser that did the same: 403.
    /// The user logs in again.
    LoggedOutMeanwhile,
    /// The user store did not answer: 503. Other logins may go on. The user tries again, or the
    /// application calls [`Logouts::log_out_user`](crate::Logouts::log_out_user), which is repeated
    /// until it is written.
    StoreUnavailable,
    /// All logins of the user have ended, and a store did not take that of this browser: 503. The
    /// user logs in again.
    NotKept,
    /// The user store does not implement
    /// [`log_out_others`](crate::UserStore::log_out_others): 500. No login was ended.
    NotImplemented,
}

/// Limits the log of an application's own store that fails.
static FAILURES: LazyLock<LogLimit<()>> = LazyLock::new(LogLimit::default);

impl OtherLoginsError {
    /// Why the others have not ended, or this login has too.
    pub fn kind(&self) -> OtherLoginsErrorKind {
        self.kind
    }

    /// The status of the response: 403, 503 or 500.
    pub fn status(&self) -> StatusCode {
        match self.kind {
            OtherLoginsErrorKind::LoggedOutMeanwhile => StatusCode::FORBIDDEN,
            OtherLoginsErrorKind::StoreUnavailable | OtherLoginsErrorKind::NotKept => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            OtherLoginsErrorKind::NotImplemented => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn new(error: LogOutOthersError, state: &AuthState, parts: &Parts) -> Self {
        let (kind, source): (_, Option<BoxError>) = match error {
            LogOutOthersError::LoggedOutMeanwhile => {
                (OtherLoginsErrorKind::LoggedOutMeanwhile, None)
            }
            LogOutOthersError::Store(source) if source.is::<LogOutOthersMissing>() => {
                (OtherLoginsErrorKind::NotImplemented, Some(source))
            }
            LogOutOthersError::Store(source) => {
                (OtherLoginsErrorKind::StoreUnavailable, Some(source))
            }
            LogOutOthersError::NotKept(source) => {
                (OtherLoginsErrorKind::NotKept, Some(source.into()))
            }
        };
        let mut failed = Self::of(kind, source, Some(state));
        let is_out = matches!(
            kind,
            OtherLoginsErrorKind::LoggedOutMeanwhile | OtherLoginsErrorKind::NotKept
        );
        failed.login_path = is_out.then(|| state.login_path.clone());
        failed.is_script = !navigates(&parts.headers);
        failed.pages = PageRenderer::new(&state.pages, &parts.headers);
        failed
    }

    /// The error, which is logged.
    fn of(kind: OtherLoginsErrorKind, source: Option<BoxError>, state: Option<&AuthState>) -> Self {
        match (&source, state) {
            (None, _) => {
                tracing::info!(reason = ?kind, "the other logins of a user were not ended")
            }
            (Some(error), state) => {
                // Any user can send requests meanwhile.
                let count = match state {
                    Some(state) => state.unanswered.count(Unanswered::LogOutOthers),
                    None => FAILURES.count(()),
                };
                if let Some(count) = count {
                    // It says which store it is.
                    let source = error.source().map(ToString::to_string);
                    let error = error.to_string();
                    tracing::error!(?error, ?source, count, "a logout of all others failed");
                }
            }
        }
        Self {
            kind,
            source,
            login_path: None,
            is_script: false,
            pages: PageRenderer::default(),
        }
    }

    /// What the user reads.
    fn text(&self) -> PageText {
        match self.kind {
            OtherLoginsErrorKind::LoggedOutMeanwhile => PageText::FormLoggedOutMeanwhile,
            OtherLoginsErrorKind::StoreUnavailable => PageText::OtherLoginsUnavailable,
            OtherLoginsErrorKind::NotKept => PageText::OtherLoginsNotKept,
            OtherLoginsErrorKind::NotImplemented => PageText::FormMisconfigured,
        }
    }
}

/// The application's own store did not answer.
impl From<BoxError> for OtherLoginsError {
    fn from(error: BoxError) -> Self {
        Self::of(OtherLoginsErrorKind::StoreUnavailable, Some(error), None)
    }
}

impl IntoResponse for OtherLoginsError {
    fn into_response(self) -> Response {
        let (status, pages) = (self.status(), &self.pages);
        uncached(match self.is_script {
            true => problem(status, &self.to_string(), self.login_path.as_deref()),
            false => {
                let content = html! {
                    p { (pages.text(self.text())) }
                    @if let Some(path) = &self.login_path {
                        a href=(path) { (pages.text(PageText::LogIn)) }
                    }
                };
                let headline = PageText::OtherLoginsTitle;
                let page = pages.page(headline, "", &html! {}, &content, NO_SCRIPT);
                (status, page).into_response()
            }
        })
    }
}

impl fmt::Display for OtherLoginsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.text().english())
    }
}

impl Error for OtherLoginsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| &**source as _)
    }
}
