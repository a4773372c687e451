//! Keeping a session in use from expiring.

use std::{fmt, sync::Arc, time::Duration};

use time::OffsetDateTime;
use tower_cookies::Cookies;
use tower_sessions::{Session, SessionStore};

use super::{LOGIN, LoginRecord, SEEN};
use crate::{BoxError, Timestamp, site::Site};

/// A session in use is renewed once this part of its idle time has passed: seldom enough to
/// cost little, often enough to be true to a twentieth.
const RENEWALS_IN_IDLE_TIME: u32 = 20;

/// Renews sessions in the store itself and not through the request's session, which would
/// write back at the end of the request what it read at the beginning: whatever changed
/// meanwhile would be undone, a sign-out among it.
#[derive(Clone)]
pub(crate) struct Renewal {
    pub(crate) store: Arc<dyn SessionStore>,
    pub(crate) site: Site,
    /// The name of the session cookie.
    pub(crate) cookie: String,
    pub(crate) idle: Duration,
}

/// What came of a renewal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Renewed {
    /// It was not time yet.
    NotDue,
    /// It was renewed, and its cookie goes out again.
    Yes,
    /// The session has ended.
    Ended,
}

impl Renewal {
    /// Renews the session if it is time.
    ///
    /// # Errors
    ///
    /// When the session store cannot answer.
    pub(crate) async fn renew(
        &self,
        session: &Session,
        cookies: &Cookies,
        login: &LoginRecord,
        now: Timestamp,
    ) -> Result<Renewed, BoxError> {
        let seen = session.get_value(SEEN).await?;
        let seen: Option<Timestamp> = seen.and_then(|value| serde_json::from_value(value).ok());
        let unseen = seen.map(|seen| now.since(seen));
        // The store ends it too, by its own clock and as it was set when it was saved last.
        if unseen.is_some_and(|unseen| unseen >= self.idle) {
            return Ok(Renewed::Ended);
        }
        if unseen.is_some_and(|unseen| unseen < self.idle / RENEWALS_IN_IDLE_TIME) {
            return Ok(Renewed::NotDue);
        }
        let Some(id) = session.id() else {
            return Ok(Renewed::Ended);
        };
        let Some(mut record) = self.store.load(&id).await? else {
            return Ok(Renewed::Ended);
        };
        if record.data.get(LOGIN) != Some(&serde_json::to_value(login)?) {
            return Ok(Renewed::Ended);
        }
        record
            .data
            .insert(SEEN.to_owned(), serde_json::to_value(now)?);
        let idle = time::Duration::try_from(self.idle).unwrap_or(time::Duration::MAX);
        record.expiry_date = OffsetDateTime::now_utc().saturating_add(idle);
        self.store.save(&record).await?;
        let cookie = self
            .site
            .cookie(self.cookie.clone(), id.to_string(), self.idle);
        cookies.add(cookie);
        Ok(Renewed::Yes)
    }
}

impl fmt::Debug for Renewal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Renewal")
            .field("cookie", &self.cookie)
            .field("idle", &self.idle)
            .finish_non_exhaustive()
    }
}
