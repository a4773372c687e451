//! Keeping a session in use from expiring.

use std::time::Duration;

use time::OffsetDateTime;
use tower_sessions::session::{Id, Record};

use super::{Keeper, LOGIN, LoginRecord, SEEN, StoredLogin};
use crate::{BoxError, Timestamp};

/// A session in use is renewed once this part of its idle time has passed: seldom enough to
/// cost little, often enough to be true to a twentieth.
const RENEWALS_IN_IDLE_TIME: u32 = 20;

/// How a session is that nobody uses at the moment.
pub(crate) enum Kept {
    /// It is there, and ends in so long if nobody uses it.
    For(Duration),
    /// It was not used for too long.
    Idle,
    /// It is not there any more, or holds another login.
    Gone,
}

/// What came of a renewal.
pub(crate) enum Renewed {
    /// It was renewed, and is this now.
    Yes(Record),
    /// The session has ended.
    Ended,
}

/// In the store itself and not through the request's session, which would write back at the end
/// of the request what it read at the beginning: whatever changed meanwhile would be undone, a
/// sign-out among it.
impl Keeper {
    /// Whether it is time to renew the session of a login.
    pub(crate) fn is_due(&self, login: &StoredLogin, now: Timestamp) -> bool {
        let unseen = login.seen.map(|seen| now.since(seen));
        unseen.is_none_or(|unseen| unseen >= self.idle / RENEWALS_IN_IDLE_TIME)
    }

    /// How long the session of a login lasts if nobody uses it; `None`: it is over. The store ends
    /// it too, by its own clock and as it was set when it was saved last.
    pub(crate) fn left(&self, login: &StoredLogin, now: Timestamp) -> Option<Duration> {
        let unseen = login.seen.map_or(Duration::ZERO, |seen| now.since(seen));
        (unseen < self.idle).then(|| self.idle.saturating_sub(unseen))
    }

    /// Looks at the session of a login that began then, without using it.
    ///
    /// # Errors
    ///
    /// When the session store cannot answer.
    pub(crate) async fn kept(
        &self,
        id: Id,
        logged_in_at: Timestamp,
        now: Timestamp,
    ) -> Result<Kept, BoxError> {
        let record = match self.store.load(&id).await {
            Ok(record) => record,
            Err(error) if super::is_no_session(&error) => None,
            Err(error) => return Err(error.into()),
        };
        // The id is new at every login.
        let login = record.and_then(|record| super::find(&record.data, |_| true));
        let Some(login) = login.filter(|login| login.logged_in_at == logged_in_at) else {
            return Ok(Kept::Gone);
        };
        Ok(match self.left(&login, now) {
            Some(left) => Kept::For(left),
            None => Kept::Idle,
        })
    }

    /// Renews the session of a login of which something is [left](Self::left): writes that it was
    /// seen, into what it is at this moment.
    ///
    /// # Errors
    ///
    /// When the session store cannot answer.
    pub(crate) async fn renew(
        &self,
        id: Id,
        login: &StoredLogin,
        now: Timestamp,
    ) -> Result<Renewed, BoxError> {
        let Some(mut record) = self.store.load(&id).await? else {
            return Ok(Renewed::Ended);
        };
        let stored = record.data.get(LOGIN).and_then(LoginRecord::read);
        if !stored.is_some_and(|stored| login.is(&stored)) {
            return Ok(Renewed::Ended);
        }
        record
            .data
            .insert(SEEN.to_owned(), serde_json::to_value(now)?);
        let idle = time::Duration::try_from(self.idle).unwrap_or(time::Duration::MAX);
        record.expiry_date = OffsetDateTime::now_utc().saturating_add(idle);
        self.store.save(&record).await?;
        Ok(Renewed::Yes(record))
    }
}
