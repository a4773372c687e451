//! Finds, begins, renews and deletes logins, stored or sealed.

use std::{fmt, sync::Arc, time::Duration};

use cookie::Cookie;
use http::HeaderMap;
use secrecy::{ExposeSecret as _, SecretString};
use tower_sessions::{SessionStore, session::Record};

use super::{
    BeginError, Kind, LoginCookie, LoginDetails, LoginRecord, Sessions,
    cookie::LONGEST_COOKIE,
    presented::{PresentedLogin, Source},
    sealed, stored,
};
use crate::{BoxError, LoginId, Timestamp, cookies};

/// How many cookies of one name are tried. Without a `__Host-` prefix, another host of the domain
/// can add some.
const MOST_COOKIES: usize = 3;
/// A login is renewed once this fraction of its idle time has passed, so most requests write
/// nothing.
const RENEWALS_IN_IDLE_TIME: u32 = 20;
/// The longest sign-out hint that is kept, in bytes.
const LONGEST_HINT: usize = 2_048;

/// The session backend of a layer.
#[derive(Clone)]
pub(crate) struct SessionBackend {
    pub(super) kind: Kind,
    cookie: LoginCookie,
    idle: Duration,
}

/// Records that a request has used a login.
pub(crate) enum Renewal {
    /// The record to save in the session store.
    Save(Arc<dyn SessionStore>, Record),
    /// The activity cookie of a sealed login.
    Cookie(Cookie<'static>),
}

impl SessionBackend {
    pub(crate) fn new(sessions: Sessions, cookie: LoginCookie, idle: Duration) -> Self {
        Self {
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

    /// Finds the login that the cookies of a request name. `None` also if they name two users.
    ///
    /// # Errors
    ///
    /// When the session store cannot answer.
    pub(crate) async fn find(
        &self,
        headers: &HeaderMap,
    ) -> Result<Option<Arc<PresentedLogin>>, BoxError> {
        let mut found: Option<Arc<PresentedLogin>> = None;
        for value in self.cookie_values(headers) {
            let Some(login) = self.open(value, headers).await? else {
                continue;
            };
            found = match found {
                Some(other) if !other.is_of_user_of(&login) => return Ok(None),
                Some(other) if other.is_newer_than(&login) => Some(other),
                _ => Some(login),
            };
        }
        Ok(found)
    }

    /// Finds each login that the cookies of a request name, also if they name two users.
    ///
    /// # Errors
    ///
    /// When the session store cannot answer.
    pub(crate) async fn find_all(
        &self,
        headers: &HeaderMap,
    ) -> Result<Vec<Arc<PresentedLogin>>, BoxError> {
        let mut logins: Vec<Arc<PresentedLogin>> = Vec::new();
        for value in self.cookie_values(headers) {
            let login = self.open(value, headers).await?;
            let is_new =
                |login: &Arc<PresentedLogin>| logins.iter().all(|other| !login.is_same(other));
            logins.extend(login.filter(is_new));
        }
        Ok(logins)
    }

    /// Whether a cookie of a login came, whatever it is worth.
    pub(crate) fn has_cookie(&self, headers: &HeaderMap) -> bool {
        self.cookie_values(headers).any(|value| !value.is_empty())
    }

    fn cookie_values<'a>(&'a self, headers: &'a HeaderMap) -> impl Iterator<Item = &'a [u8]> {
        cookies::values(headers, self.cookie.name()).take(MOST_COOKIES)
    }

    /// Reads the login that one cookie names.
    async fn open(
        &self,
        value: &[u8],
        headers: &HeaderMap,
    ) -> Result<Option<Arc<PresentedLogin>>, BoxError> {
        let owns = |record: &LoginRecord<'_>| record.is_for(self.cookie.login_context());
        Ok(match &self.kind {
            Kind::Stored(store) => stored::load(&**store, value, owns).await?,
            Kind::Sealed(keys) => {
                let activity = cookies::values(headers, self.cookie.activity_name());
                let activity = activity.take(MOST_COOKIES);
                sealed::open(keys, &self.cookie, value, activity, owns)
            }
        })
    }

    /// Writes a new login, and returns the cookies for the browser.
    ///
    /// # Errors
    ///
    /// When the session store cannot answer, or the login does not fit into a cookie.
    pub(crate) async fn begin(
        &self,
        login: &LoginDetails<'_>,
        hint: Option<&SecretString>,
    ) -> Result<Vec<Cookie<'static>>, BeginError> {
        let record = LoginRecord::new(login, self.cookie.login_context());
        let hint = hint.map(|hint| hint.expose_secret());
        let hint = hint.filter(|hint| hint.len() <= LONGEST_HINT);
        // A cookie may outlive its login by a moment.
        let since = login.kept_at.unwrap_or(login.logged_in_at);
        let ends_in = login.ends_at.map(|end| end.since(since));
        match &self.kind {
            Kind::Stored(store) => {
                let kept_for = self.record_kept_for(ends_in);
                let value = stored::create(store, record, login.written_at, hint, kept_for).await;
                let value = value.map_err(BeginError::Store)?;
                Ok(vec![self.cookie.login(value, ends_in, login.remember)])
            }
            Kind::Sealed(keys) => {
                let value = sealed::seal(keys, &self.cookie, record, hint)?;
                let activity = self.activity_cookie(login.id, login.written_at);
                let login = self.cookie.login(value, ends_in, login.remember);
                Ok([login].into_iter().chain(activity).collect())
            }
        }
    }

    /// The time a login has left without a further request. `None` if its idle time is over.
    pub(crate) fn idle_time_left(
        &self,
        login: &PresentedLogin,
        now: Timestamp,
    ) -> Option<Duration> {
        // A sealed login without its activity cookie counts as used when it began.
        let began_at = self.is_sealed().then(|| login.record().times().latest());
        self.idle_left(login.last_seen_at.or(began_at), now)
    }

    /// `None` also for a record without a last use: a login in doubt has ended.
    pub(super) fn idle_left(
        &self,
        last_seen_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Option<Duration> {
        let left = self.idle.checked_sub(now.since(last_seen_at?));
        left.filter(|left| !left.is_zero())
    }

    /// How long the session store keeps a record that a request has just used.
    fn record_kept_for(&self, ends_in: Option<Duration>) -> Duration {
        let longest = ends_in.unwrap_or(LONGEST_COOKIE).min(LONGEST_COOKIE);
        self.idle.min(longest)
    }

    /// Whether enough of the idle time has passed to record the activity.
    pub(crate) fn is_renewal_due(&self, login: &PresentedLogin, now: Timestamp) -> bool {
        // `None`: the activity cookie belongs to another login, so this one is renewed.
        login
            .last_seen_at
            .is_none_or(|last_seen_at| now.since(last_seen_at) >= self.idle / RENEWALS_IN_IDLE_TIME)
    }

    /// What records that a request has used the login. `None` if the login cannot be renewed.
    pub(crate) fn renewal(&self, login: &PresentedLogin, now: Timestamp) -> Option<Renewal> {
        let record = login.record();
        match (&self.kind, &login.source) {
            (Kind::Stored(store), Source::Stored(stored)) => {
                let ends_in = record.ends_at.map(|end| end.since(now));
                let kept_for = self.record_kept_for(ends_in);
                let renewed = stored::renewed(stored, now, kept_for)?;
                Some(Renewal::Save(Arc::clone(store), renewed))
            }
            _ => self.activity_cookie(record.id, now).map(Renewal::Cookie),
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

    /// Lets the record of a login expire in `kept_for` at the latest. A sealed one has none.
    ///
    /// # Errors
    ///
    /// When the session store cannot answer.
    pub(crate) async fn retire(
        &self,
        login: &PresentedLogin,
        kept_for: Duration,
    ) -> Result<(), BoxError> {
        if let (Kind::Stored(store), Source::Stored(record)) = (&self.kind, &login.source) {
            store.save(&stored::retired(record, kept_for)).await?;
        }
        Ok(())
    }

    /// The cookies that remove the login from the browser.
    pub(crate) fn removals(&self) -> Vec<Cookie<'static>> {
        self.cookie.removals(self.is_sealed())
    }

    fn activity_cookie(&self, id: LoginId, last_seen_at: Timestamp) -> Option<Cookie<'static>> {
        let Kind::Sealed(keys) = &self.kind else {
            return None;
        };
        sealed::activity(keys, &self.cookie, id, last_seen_at, self.idle)
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
