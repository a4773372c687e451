//! The authentication state of one request.

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::extract::OriginalUri;
use http::{HeaderMap, HeaderValue, header, request::Parts};
use tokio::sync::OnceCell;

use super::{AuthState, Authenticated, CheckError, MaxAge, Reauthentication, RequestLogin};
use crate::{EndedLogin, cookies::Cookies, sessions::LoginRecord};

/// Path and query of the page that was asked for. A nested router sees only its part of it.
pub(crate) fn asked_for(parts: &Parts) -> &str {
    let original = parts.extensions.get::<OriginalUri>();
    let uri = original.map_or(&parts.uri, |OriginalUri(uri)| uri);
    uri.path_and_query().map_or("/", |path| path.as_str())
}

/// A request on its way through the layer: the one value that the layer puts into its extensions.
pub(crate) struct RequestAuth {
    state: Arc<AuthState>,
    checked: OnceCell<Result<RequestLogin, CheckError>>,
    /// For the requests that set some.
    cookies: OnceLock<Cookies>,
    no_store: AtomicBool,
    passive: AtomicBool,
    /// How many logouts this node had received when the request arrived.
    #[cfg(feature = "live")]
    pub(crate) logouts_received: u64,
}

impl RequestAuth {
    pub(crate) fn new(state: Arc<AuthState>) -> Self {
        Self {
            #[cfg(feature = "live")]
            logouts_received: state.listeners.logouts_received(),
            state,
            checked: OnceCell::new(),
            cookies: OnceLock::new(),
            no_store: AtomicBool::new(false),
            passive: AtomicBool::new(false),
        }
    }

    /// Returns the state of a request inside the layer.
    pub(crate) fn of(parts: &Parts) -> Option<&Arc<Self>> {
        parts.extensions.get()
    }

    pub(crate) fn state(&self) -> &Arc<AuthState> {
        &self.state
    }

    /// The cookies of the request, to read and to change.
    pub(crate) fn cookies(&self, headers: &HeaderMap) -> &Cookies {
        self.cookies.get_or_init(|| Cookies::of(headers))
    }

    /// Marks the response as not cacheable, whatever the handler sets: it has a one-time value, or
    /// shows what no check of the request has found.
    pub(crate) fn forbid_storing(&self) {
        self.no_store.store(true, Ordering::Release);
    }

    /// Marks the request as no activity of the user: the login goes idle all the same. To be called
    /// before the check.
    #[cfg(feature = "live")]
    pub(crate) fn set_passive(&self) {
        self.passive.store(true, Ordering::Release);
    }

    /// The user of the request; `None` if it is unauthenticated.
    ///
    /// # Errors
    ///
    /// When a store cannot answer, or the request has a bearer token that is no login.
    pub(crate) async fn authenticated(
        &self,
        headers: &HeaderMap,
    ) -> Result<Option<&Authenticated>, CheckError> {
        let checked = self.checked.get_or_init(|| async {
            let passive = self.passive.load(Ordering::Acquire);
            let check = self.state.check(headers, passive);
            let mut checked = check.await?;
            if let RequestLogin::Valid(authenticated) = &mut checked
                && let Some(cookie) = authenticated.renewal.take()
            {
                self.cookies(headers).add(*cookie);
            }
            Ok(checked)
        });
        match checked.await {
            Ok(RequestLogin::Valid(authenticated)) => Ok(Some(authenticated)),
            Ok(_) => Ok(None),
            Err(error) => Err(error.clone()),
        }
    }

    /// As [`authenticated`](Self::authenticated), where a bearer token that is no login makes no
    /// difference: the request is unauthenticated.
    ///
    /// # Errors
    ///
    /// When a store cannot answer.
    pub(crate) async fn authenticated_if_any(
        &self,
        headers: &HeaderMap,
    ) -> Result<Option<&Authenticated>, CheckError> {
        match self.authenticated(headers).await {
            Err(error) if error.is_bad_token() => Ok(None),
            authenticated => authenticated,
        }
    }

    /// A login that proves again who the user of this request is. Without a user, any user may log in.
    ///
    /// # Errors
    ///
    /// When a store cannot answer.
    pub(crate) async fn reauthentication(
        &self,
        headers: &HeaderMap,
        max_age: MaxAge,
    ) -> Result<Reauthentication, CheckError> {
        let authenticated = self.authenticated_if_any(headers).await?;
        let user_id = authenticated.map(|authenticated| authenticated.login.record().user_id);
        Ok(Reauthentication::new(max_age, user_id))
    }

    /// The login of the user, if the check of the request has found one.
    pub(super) fn authenticated_login(&self) -> Option<&LoginRecord<'_>> {
        match self.checked.get() {
            Some(Ok(RequestLogin::Valid(authenticated))) => Some(authenticated.login.record()),
            _ => None,
        }
    }

    /// The login that came with the request, if the check of the request has found that it has ended.
    pub(crate) fn ended_login(&self) -> Option<&EndedLogin> {
        match self.checked.get() {
            Some(Ok(RequestLogin::Ended(ended))) => Some(ended),
            _ => None,
        }
    }

    /// Whether the check has found a login by a bearer token.
    pub(super) fn is_by_token(&self) -> bool {
        self.authenticated_login()
            .is_some_and(LoginRecord::is_token)
    }

    /// Adds to an answer what the request leaves in it: cookies, and whether a cache may store it.
    pub(crate) fn finish(&self, headers: &mut HeaderMap) {
        let no_store = HeaderValue::from_static("no-store");
        if self.no_store.load(Ordering::Acquire) {
            headers.insert(header::CACHE_CONTROL, no_store);
        } else if self.is_for_one_user() {
            // The handler may know better.
            headers.entry(header::CACHE_CONTROL).or_insert(no_store);
        }
        // Also for a handler that lets its answer be stored.
        if self.checked.initialized() {
            headers.append(header::VARY, HeaderValue::from_static("cookie"));
            if self.state.tokens.is_some() {
                headers.append(header::VARY, HeaderValue::from_static("authorization"));
            }
        }
        if let Some(cookies) = self.cookies.get() {
            cookies.set(headers);
        }
    }

    fn is_for_one_user(&self) -> bool {
        let is_authenticated = matches!(self.checked.get(), Some(Ok(RequestLogin::Valid(_))));
        is_authenticated || self.cookies.get().is_some_and(Cookies::have_changed)
    }
}

impl fmt::Debug for RequestAuth {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RequestAuth")
            .finish_non_exhaustive()
    }
}
