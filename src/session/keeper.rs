//! Keeps sessions, where the application does not do so itself.

use std::{fmt, sync::Arc, time::Duration};

use cookie::Cookie;
use http::HeaderMap;
use time::OffsetDateTime;
use tower_sessions::{Expiry, Session, SessionStore, session::Id};

use crate::{BoxError, cookies, site::Site};

/// How long a session lives without a use, unless the application says otherwise.
const DEFAULT_IDLE: Duration = Duration::from_secs(24 * 60 * 60);
/// How long the browser keeps the cookie: as long as browsers keep anything. The store decides
/// how long the session lasts, so that a use need not send the cookie again, which could then
/// take the place of a newer one.
const COOKIE_LIFETIME: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// Where sessions are kept, under which cookie, and for how long.
#[derive(Clone)]
pub(crate) struct Keeper {
    pub(super) store: Arc<dyn SessionStore>,
    site: Site,
    cookie: String,
    pub(super) idle: Duration,
}

/// The session cookie that came with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SessionCookie {
    Absent,
    /// What it holds is not the id of a session.
    Malformed,
    Id(Id),
}

impl Keeper {
    pub(crate) fn new(store: impl SessionStore, site: &Site) -> Self {
        Self {
            store: Arc::new(store),
            site: site.clone(),
            cookie: site.cookie_name("session", None),
            idle: DEFAULT_IDLE,
        }
    }

    /// Keeps sessions for so long.
    pub(crate) fn with_idle(&self, idle: Duration) -> Self {
        Self {
            idle,
            ..self.clone()
        }
    }

    pub(crate) fn store(&self) -> &dyn SessionStore {
        &*self.store
    }

    /// How long a session lives without a use.
    pub(crate) fn idle(&self) -> Duration {
        self.idle
    }

    /// The session cookie of a request.
    pub(crate) fn came(&self, headers: &HeaderMap) -> SessionCookie {
        let values = cookies::values(headers, &self.cookie);
        values.fold(
            SessionCookie::Absent,
            |before, value| match str::from_utf8(value).map(str::parse) {
                Ok(Ok(id)) => SessionCookie::Id(id),
                Err(_) if before != SessionCookie::Absent => before,
                _ => SessionCookie::Malformed,
            },
        )
    }

    /// What makes the browser forget its session.
    pub(crate) fn removal(&self) -> Cookie<'static> {
        self.site.removal(self.cookie.clone())
    }

    /// The session of a request. It is loaded when somebody asks it for something.
    pub(crate) fn session(&self, came: SessionCookie, store: Arc<impl SessionStore>) -> Session {
        let id = match came {
            SessionCookie::Id(id) => Some(id),
            SessionCookie::Absent | SessionCookie::Malformed => None,
        };
        Session::new(id, store, Some(self.expiry()))
    }

    /// Keeps what was done to the session, unless the request `failed`. Then: the cookie that
    /// the answer must carry.
    ///
    /// # Errors
    ///
    /// When the session store does not take it.
    pub(crate) async fn keep(
        &self,
        session: &Session,
        came: SessionCookie,
        failed: bool,
    ) -> Result<Option<Cookie<'static>>, BoxError> {
        if session.is_empty().await {
            let removed = came != SessionCookie::Absent;
            return Ok(removed.then(|| self.removal()));
        }
        if failed || !session.is_modified() {
            return Ok(None);
        }
        session.save().await?;
        let id = session.id().ok_or("the session has no id once saved")?;
        let expiry = session.expiry();
        if came == SessionCookie::Id(id) && expiry == Some(self.expiry()) {
            // Not again: meanwhile the browser may have got that of a newer login.
            return Ok(None);
        }
        let mut cookie = self
            .site
            .cookie(self.cookie.clone(), id.to_string(), COOKIE_LIFETIME);
        match expiry {
            expiry if expiry == Some(self.expiry()) => {}
            Some(Expiry::OnInactivity(time)) => cookie.set_max_age(time),
            Some(Expiry::AtDateTime(end)) => cookie.set_max_age(end - OffsetDateTime::now_utc()),
            Some(Expiry::OnSessionEnd) | None => cookie.set_max_age(None),
        }
        Ok(Some(cookie))
    }

    fn expiry(&self) -> Expiry {
        Expiry::OnInactivity(self.idle.try_into().unwrap_or(time::Duration::MAX))
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Keeper")
            .field("cookie", &self.cookie)
            .field("idle", &self.idle)
            .finish_non_exhaustive()
    }
}
