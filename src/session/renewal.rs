//! Keeping a session in use from expiring.

use time::OffsetDateTime;
use tower_sessions::session::{Id, Record};

use super::{Keeper, LOGIN, LoginRecord, SEEN, StoredLogin};
use crate::{BoxError, Timestamp};

/// A session in use is renewed once this part of its idle time has passed: seldom enough to
/// cost little, often enough to be true to a twentieth.
const RENEWALS_IN_IDLE_TIME: u32 = 20;

/// What came of a renewal.
pub(crate) enum Renewed {
    /// It was not time yet.
    NotDue,
    /// It was renewed, and is this now.
    Yes(Record),
    /// The session has ended.
    Ended,
}

/// In the store itself and not through the request's session, which would write back at the end
/// of the request what it read at the beginning: whatever changed meanwhile would be undone, a
/// sign-out among it.
impl Keeper {
    /// Renews the session if it is time.
    ///
    /// # Errors
    ///
    /// When the session store cannot answer.
    pub(crate) async fn renew(
        &self,
        id: Option<Id>,
        login: &StoredLogin,
        now: Timestamp,
    ) -> Result<Renewed, BoxError> {
        let unseen = login.seen.map(|seen| now.since(seen));
        // The store ends it too, by its own clock and as it was set when it was saved last.
        if unseen.is_some_and(|unseen| unseen >= self.idle) {
            return Ok(Renewed::Ended);
        }
        if unseen.is_some_and(|unseen| unseen < self.idle / RENEWALS_IN_IDLE_TIME) {
            return Ok(Renewed::NotDue);
        }
        match id {
            Some(id) => self.write(id, login, now).await,
            None => Ok(Renewed::Ended),
        }
    }

    /// Writes that the session was seen, into what it is at this moment.
    async fn write(
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
