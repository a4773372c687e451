//! Finding, beginning, renewing and ending logins, wherever they are kept.

use std::{fmt, time::Duration};

use cookie::Cookie;
use http::HeaderMap;
use secrecy::{ExposeSecret as _, SecretString};

use super::{
    Kind, LoginCookie, LoginRecord, NewLogin, Sessions,
    presented::{PresentedLogin, SessionHandle, Source},
    sealed::{self, SealError},
    stored,
};
use crate::{BoxError, LoginId, Timestamp, cookies};

/// What the records of this release are for. A token has a purpose of its own.
const PURPOSE: &str = "login";
/// How many cookies of one name are tried. Without a `__Host-` prefix a neighbour of the site may
/// add some.
const MOST_COOKIES: usize = 3;
/// A login is renewed once this part of its idle time has passed, so that most requests write
/// nothing and the idle time is true to a twentieth.
const RENEWALS_IN_IDLE_TIME: u32 = 20;
/// The longest hint that is kept for the sign-out, in bytes.
const LONGEST_HINT: usize = 2_048;
/// How long a stored record is kept at the most.
const LONGEST_RECORD: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// The session backend of a layer.
#[derive(Clone)]
pub(crate) struct SessionBackend {
    kind: Kind,
    cookie: LoginCookie,
    /// What tells the logins of this site from those of another over the same store or key.
    scope: String,
    idle: Duration,
}

/// How a stored login is that no request uses at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// It ends after so long without a request.
    For(Duration),
    /// It was not used for too long.
    Idle,
    /// There is no such login any more.
    Gone,
    /// The browser alone has it.
    InTheBrowser,
}

/// A login could not be kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BeginError {
    #[error("the session store did not answer")]
    Store(#[source] BoxError),
    #[error(
        "the login takes a cookie of {0} bytes, and browsers keep {max} at the most; use shorter \
         user ids, or keep logins in a session store",
        max = sealed::LARGEST_COOKIE
    )]
    TooLarge(usize),
}

impl SessionBackend {
    pub(crate) fn new(sessions: Sessions, cookie: LoginCookie, idle: Duration) -> Self {
        Self {
            scope: cookie.scope(),
            kind: sessions.0,
            cookie,
            idle,
        }
    }

    /// How long a login lasts without a request.
    pub(crate) fn idle(&self) -> Duration {
        self.idle
    }

    /// Whether logins are sealed in cookies.
    pub(crate) fn is_sealed(&self) -> bool {
        matches!(self.kind, Kind::Sealed(_))
    }

    /// The login that the cookies of a request name. `None` also where they name two users.
    ///
    /// # Errors
    ///
    /// When the session store cannot answer.
    pub(crate) async fn find(
        &self,
        headers: &HeaderMap,
    ) -> Result<Option<PresentedLogin>, BoxError> {
        let mut found: Option<PresentedLogin> = None;
        for value in self.cookie_values(headers) {
            let Some(login) = self.open(value).await? else {
                continue;
            };
            found = match found {
                Some(other) if !other.is_of_user_of(&login) => return Ok(None),
                Some(other) if other.is_newer_than(&login) => Some(other),
                _ => Some(login),
            };
        }
        if let (Kind::Sealed(keys), Some(login)) = (&self.kind, &mut found)
            && let Some(id) = login.record().map(|record| record.id)
        {
            let values = cookies::values(headers, self.cookie.idle_name()).take(MOST_COOKIES);
            let seen = sealed::seen(keys, &self.cookie, &self.scope, values, id);
            login.source = Source::Sealed(seen);
        }
        Ok(found)
    }

    /// Each login that the cookies of a request name, also where they name two users.
    ///
    /// # Errors
    ///
    /// When the session store cannot answer.
    pub(crate) async fn find_all(
        &self,
        headers: &HeaderMap,
    ) -> Result<Vec<PresentedLogin>, BoxError> {
        let mut logins = Vec::new();
        for value in self.cookie_values(headers) {
            let login = self.open(value).await?;
            let is_new = |login: &PresentedLogin| logins.iter().all(|other| !login.is_same(other));
            logins.extend(login.filter(is_new));
        }
        Ok(logins)
    }

    fn cookie_values<'a>(&'a self, headers: &'a HeaderMap) -> impl Iterator<Item = &'a [u8]> {
        cookies::values(headers, self.cookie.name()).take(MOST_COOKIES)
    }

    /// The login that one cookie names.
    async fn open(&self, value: &[u8]) -> Result<Option<PresentedLogin>, BoxError> {
        let owns =
            |record: &LoginRecord<'_>| record.is_for(PURPOSE, &self.scope, self.cookie.name());
        Ok(match &self.kind {
            Kind::Stored(store) => stored::load(&**store, value, owns).await?,
            Kind::Sealed(keys) => sealed::open(keys, &self.cookie, &self.scope, value, owns),
        })
    }

    /// Keeps a new login: the cookies for the browser.
    ///
    /// # Errors
    ///
    /// When the session store cannot answer, or the login does not fit into a cookie.
    pub(crate) async fn begin(
        &self,
        login: &NewLogin<'_>,
        hint: Option<&SecretString>,
    ) -> Result<Vec<Cookie<'static>>, BeginError> {
        let record = LoginRecord::new(login, PURPOSE, &self.scope, self.cookie.name());
        let hint = hint.map(|hint| hint.expose_secret());
        let hint = hint.filter(|hint| hint.len() <= LONGEST_HINT);
        let ends_in = login.ends_at.map(|end| end.since(login.logged_in_at));
        match &self.kind {
            Kind::Stored(store) => {
                let kept_for = ends_in.map_or(self.idle, |ends_in| ends_in.min(self.idle));
                let value = stored::create(store, record, hint, kept_for.min(LONGEST_RECORD)).await;
                let value = value.map_err(BeginError::Store)?;
                Ok(vec![self.cookie.login(value, ends_in)])
            }
            Kind::Sealed(keys) => {
                let value = sealed::seal(keys, &self.cookie, &self.scope, record, hint);
                let value = value.map_err(|error| match error {
                    SealError::TooLarge(size) => BeginError::TooLarge(size),
                    SealError::Failed => BeginError::Store("the login could not be sealed".into()),
                })?;
                let idle = self.activity_cookie(login.id, login.logged_in_at);
                let login = self.cookie.login(value, ends_in);
                Ok([login].into_iter().chain(idle).collect())
            }
        }
    }

    /// How long a login lasts without a further request; `None`: it has gone idle.
    pub(crate) fn idle_time_left(
        &self,
        login: &PresentedLogin,
        record: &LoginRecord<'_>,
        now: Timestamp,
    ) -> Option<Duration> {
        let unused = now.since(login.seen(record)?);
        (unused < self.idle).then(|| self.idle - unused)
    }

    /// Whether enough of the idle time of a login has passed to note that a request uses it.
    pub(crate) fn is_renewal_due(
        &self,
        login: &PresentedLogin,
        record: &LoginRecord<'_>,
        now: Timestamp,
    ) -> bool {
        // Of a sealed login in whose place another one's idle time came: it is due too.
        let replaced = matches!(login.source, Source::Sealed(None));
        let seen = login.seen(record);
        let unused = seen.map_or(Duration::MAX, |seen| now.since(seen));
        replaced || unused >= self.idle / RENEWALS_IN_IDLE_TIME
    }

    /// Notes that a request has used the login: the cookie that the answer carries, if it is sealed.
    ///
    /// # Errors
    ///
    /// When the session store cannot answer: the login is as it was.
    pub(crate) async fn renew(
        &self,
        login: &PresentedLogin,
        now: Timestamp,
    ) -> Result<Option<Cookie<'static>>, BoxError> {
        let Some(record) = login.record() else {
            return Ok(None);
        };
        match (&self.kind, &login.source) {
            (Kind::Stored(store), Source::Stored(stored)) => {
                let ends_in = record.ends_at.map(|end| end.since(now));
                let kept_for = ends_in.map_or(self.idle, |ends_in| ends_in.min(self.idle));
                let kept_for = kept_for.min(LONGEST_RECORD);
                stored::renew(&**store, &login.text, stored.clone(), now, kept_for).await?;
                Ok(None)
            }
            _ => Ok(self.activity_cookie(record.id, now)),
        }
    }

    /// Deletes the record of a login. A sealed one has none.
    ///
    /// # Errors
    ///
    /// When the session store cannot answer.
    pub(crate) async fn delete(&self, login: &PresentedLogin) -> Result<(), BoxError> {
        if let (Kind::Stored(store), Source::Stored(record)) = (&self.kind, &login.source) {
            store.delete(&record.id).await?;
        }
        Ok(())
    }

    /// What removes the login from the browser.
    pub(crate) fn removals(&self) -> Vec<Cookie<'static>> {
        self.cookie.removals(self.is_sealed())
    }

    /// Looks at a stored login without using it.
    ///
    /// # Errors
    ///
    /// When the session store cannot answer.
    pub(crate) async fn look(
        &self,
        handle: SessionHandle,
        id: LoginId,
        now: Timestamp,
    ) -> Result<Look, BoxError> {
        let Kind::Stored(store) = &self.kind else {
            return Ok(Look::InTheBrowser);
        };
        let Some(record) = stored::load_record(&**store, &handle.0).await? else {
            return Ok(Look::Gone);
        };
        let login = stored::text(&record).and_then(LoginRecord::read);
        let Some(login) = login.filter(|login| login.id == id) else {
            return Ok(Look::Gone);
        };
        let unused = login.seen.map_or(Duration::ZERO, |seen| now.since(seen));
        Ok(match self.idle.checked_sub(unused) {
            Some(left) if !left.is_zero() => Look::For(left),
            _ => Look::Idle,
        })
    }

    fn activity_cookie(&self, id: LoginId, seen: Timestamp) -> Option<Cookie<'static>> {
        let Kind::Sealed(keys) = &self.kind else {
            return None;
        };
        sealed::activity(keys, &self.cookie, &self.scope, id, seen, self.idle)
    }
}

impl fmt::Debug for SessionBackend {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SessionBackend")
            .field("cookie", &self.cookie.name())
            .field("idle", &self.idle)
            .finish_non_exhaustive()
    }
}
