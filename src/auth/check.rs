//! The check of the login of a request, made at most once per request.

use std::{pin::pin, sync::Arc, time::Duration};

use cookie::Cookie;
use http::HeaderMap;

use super::{AuthState, CheckError, MaxAge, RejectionKind, Unanswered};
use crate::{
    BoxError, EndedLogin, LoginReference, LogoutReason, Timestamp, metrics,
    sessions::{LoginRecord, PresentedLogin, Renewal},
    time_limit::{RENEWAL_LIMIT, RENEWAL_WRITE_LIMIT, STORE_LIMIT, detached, within},
    users::{AnyUser, LoginCheck},
};

/// A user whose login is valid.
pub(crate) struct Authenticated {
    pub(crate) login: Arc<PresentedLogin>,
    pub(crate) user: AnyUser,
    /// How long the login lasts from the check on without a further request.
    #[cfg_attr(
        not(feature = "live"),
        expect(dead_code, reason = "only open pages read it")
    )]
    pub(crate) time_left: Duration,
    /// The clock of the user store at the check.
    checked_at: Timestamp,
    /// The renewal of a sealed login, for the answer. Boxed, since few requests have one and all move it.
    pub(super) renewal: Option<Box<Cookie<'static>>>,
}

impl Authenticated {
    /// Whether the credentials were proven within this time. A bearer token proves none, even if its
    /// login did a moment ago.
    pub(crate) fn is_recent(&self, max_age: MaxAge) -> bool {
        self.is_proven_within(max_age.as_duration())
    }

    /// The same for any time.
    pub(crate) fn is_proven_within(&self, age: Duration) -> bool {
        let record = self.login.record();
        let proven_at = record.authenticated_at;
        !record.is_token() && proven_at.is_some_and(|at| self.checked_at.since(at) <= age)
    }
}

/// The login of a request.
pub(crate) enum RequestLogin {
    Valid(Authenticated),
    /// The secret of its cookie was right, so its user may know how it has ended.
    Ended(EndedLogin),
    Missing,
}

/// What the stores say of the login of a request.
enum StoredLogin {
    Valid(ValidLogin),
    Ended(EndedLogin),
    Missing,
}

/// A valid login, before its renewal.
struct ValidLogin {
    login: Arc<PresentedLogin>,
    user: AnyUser,
    /// How long it lasts however often it is used; `None` without a limit.
    left: Option<Duration>,
    /// How long it lasts without a further request.
    idle: Duration,
    is_renewal_due: bool,
    now: Timestamp,
}

impl AuthState {
    /// Checks the login of a request, and renews it unless the request is `passive`. A bearer token
    /// counts before the cookies, and is never renewed.
    pub(super) async fn check(
        &self,
        headers: &HeaderMap,
        passive: bool,
    ) -> Result<RequestLogin, CheckError> {
        let token = self.presented_token(headers)?;
        let is_token = token.is_some();
        // The renewal has a limit of its own.
        let valid = pin!(self.valid_login(token, headers));
        let valid = within(STORE_LIMIT, valid).await;
        let valid = valid
            .map_err(|error| CheckError::no_answer(&self.unanswered, Unanswered::Check, error))?;
        let valid = match valid {
            StoredLogin::Valid(valid) => valid,
            // Never the cookie instead.
            _ if is_token => return Err(CheckError::token(RejectionKind::InvalidToken)),
            StoredLogin::Ended(ended) => return Ok(RequestLogin::Ended(ended)),
            StoredLogin::Missing => return Ok(RequestLogin::Missing),
        };
        let mut idle = valid.idle;
        let mut renewal = None;
        if valid.is_renewal_due && !passive {
            match Box::pin(self.renew(&valid.login, valid.now)).await {
                Ok(renewed) => {
                    renewal = renewed.map(Box::new);
                    idle = self.sessions.idle();
                }
                // It fails no request: the next one tries again.
                Err(error) => {
                    if let Some(count) = self.unanswered.count(Unanswered::Renewal) {
                        let error = error.to_string();
                        tracing::warn!(?error, count, "a login could not be renewed");
                    }
                }
            }
        }
        Ok(RequestLogin::Valid(Authenticated {
            login: valid.login,
            user: valid.user,
            time_left: valid.left.map_or(idle, |left| left.min(idle)),
            checked_at: valid.now,
            renewal,
        }))
    }

    /// The login of this token, or else the one that the cookies name, if it is valid.
    async fn valid_login(
        &self,
        token: Option<Arc<PresentedLogin>>,
        headers: &HeaderMap,
    ) -> Result<StoredLogin, BoxError> {
        let login = match token {
            Some(token) => Some(token),
            None => self.sessions.find(headers).await?,
        };
        let Some(login) = login else {
            return Ok(StoredLogin::Missing);
        };
        let record = login.record();
        let logged_out = || EndedLogin::new(LogoutReason::LoggedOut);
        // Before the store is asked: once a pending logout is written, the store shows it.
        if self.has_pending_logout(record) {
            let reason = ("PendingLogout", "a logout of the user is being written");
            return Ok(refused(record, reason, logged_out()));
        }
        let Some(check) = self.users.check_login(reference(record)).await? else {
            let reason = ("UnknownUser", "there is no such user");
            return Ok(refused(record, reason, logged_out()));
        };
        let idle = match record.is_token() {
            true => Some(Duration::MAX),
            false => self.sessions.idle_time_left(&login, check.now),
        };
        let expired = || EndedLogin::new(LogoutReason::Expired);
        let left = match check.compare(record.times(), self.lifetime) {
            Ok(left) => left,
            Err(end) => {
                // A browser that was left behind must not show when the user logs out elsewhere.
                let is_over = idle.is_none() || check.is_over(record.times(), self.lifetime);
                let ended = match is_over {
                    true => expired(),
                    false => check.ended_login(end, None),
                };
                return Ok(refused(record, (end.name(), end.as_str()), ended));
            }
        };
        let Some(idle) = idle else {
            let reason = ("Idle", "it was not used for too long");
            return Ok(refused(record, reason, expired()));
        };
        let LoginCheck { user, now, .. } = check;
        let is_renewal_due = !record.is_token() && self.sessions.is_renewal_due(&login, now);
        Ok(StoredLogin::Valid(ValidLogin {
            login,
            user,
            left,
            idle,
            is_renewal_due,
            now,
        }))
    }

    /// Renews a login: the cookie for the answer, if it is sealed.
    async fn renew(
        &self,
        login: &PresentedLogin,
        now: Timestamp,
    ) -> Result<Option<Cookie<'static>>, BoxError> {
        match self.sessions.renewal(login, now) {
            None => Err("the record of the login cannot be renewed".into()),
            Some(Renewal::Cookie(cookie)) => Ok(Some(cookie)),
            Some(Renewal::Save(store, record)) => {
                let permit = Arc::clone(&self.renewals).try_acquire_owned();
                let permit = permit.map_err(|_| "other renewals take long")?;
                let save = async move {
                    let _permit = permit;
                    let saved = async { store.save(&record).await.map_err(BoxError::from) };
                    within(RENEWAL_WRITE_LIMIT, saved).await
                };
                // In a task of its own: a client that hangs up aborts no write.
                within(RENEWAL_LIMIT, async { detached(save).await? }).await?;
                Ok(None)
            }
        }
    }

    /// Whether a logout that ends this login is not written yet.
    pub(crate) fn has_pending_logout(&self, record: &LoginRecord<'_>) -> bool {
        if self.queue.len() == 0 {
            return false;
        }
        let subject = record.subject();
        let key = record.provider_key();
        let (user_id, id) = (record.user_id, Some(record.id));
        self.queue.contains(user_id, id, subject.as_ref(), key)
    }
}

/// The login, as a user store is asked about it.
pub(super) fn reference<'a>(record: &'a LoginRecord<'_>) -> LoginReference<'a> {
    LoginReference::new(record.user_id)
        .with_id(record.id)
        .with_provider_key(record.provider_key())
        .with_issuer(record.issuer())
        .with_logged_in_at(record.times().latest())
}

/// Logs and counts a request with a login that has ended, for a reason by name and in words.
fn refused(
    record: &LoginRecord<'_>,
    (name, reason): (&'static str, &'static str),
    ended: EndedLogin,
) -> StoredLogin {
    let cause = ended.cause();
    metrics::REFUSED_LOGINS.count([("reason", format_args!("{name}"))]);
    tracing::debug!(user = ?record.user_id, reason, %cause, "a login is refused");
    StoredLogin::Ended(ended)
}
