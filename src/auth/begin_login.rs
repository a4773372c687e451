//! Begins logins, for every way to prove credentials.

use std::{sync::Arc, time::Duration};

use cookie::Cookie;
use http::request::Parts;
use secrecy::SecretString;
use tokio::task::JoinSet;
use tracing::Instrument as _;

use super::{AuthState, Reauthentication};
use crate::{
    BoxError, Login, LoginId, LoginReference, ProviderKey, ProviderSession, RevocationKey, Subject,
    Timestamp, metrics,
    sessions::{BeginError, LoginDetails, PresentedLogin, SessionBackend},
    time_limit::{STORE_LIMIT, answer, within},
    timestamp::LoginTimes,
};

/// A login whose credentials are proven, and which is not compared with any logout yet.
pub(crate) struct VerifiedLogin<'a> {
    pub(crate) id: LoginId,
    pub(crate) user_id: &'a str,
    /// Read before the credentials were checked: a logout that came since ends this login.
    pub(crate) logged_in_at: Timestamp,
    /// When the credentials were proven, at the latest at the stamp; `None` if that is unknown.
    pub(crate) authenticated_at: Option<Timestamp>,
    /// What the login has to prove, if it is not any login.
    pub(crate) reauthentication: Option<&'a Reauthentication>,
    /// How long the login lasts at the most, within the limit of the layer.
    pub(crate) lifetime: Option<Duration>,
    /// Whether the cookie outlives the browser's session.
    pub(crate) remember: bool,
    /// The subject, for a login at a provider.
    pub(crate) subject: Option<&'a Subject>,
    /// What a logout notice of the provider can name instead of the user.
    pub(crate) provider_key: Option<ProviderKey<'a>>,
    /// The provider's callback path; empty for a login of the application's own.
    pub(crate) callback: &'a str,
    /// What the provider receives again at the sign-out.
    pub(crate) sign_out_hint: Option<&'a SecretString>,
}

impl VerifiedLogin<'_> {
    /// The login, as a user store is asked about it.
    fn reference(&self) -> LoginReference<'_> {
        LoginReference::new(self.user_id)
            .with_id(self.id)
            .with_provider_key(self.provider_key)
            .with_issuer(self.subject.map(Subject::issuer))
            .with_logged_in_at(self.logged_in_at)
    }
}

/// Why a login whose credentials are proven did not begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoginError {
    #[error("a store did not answer")]
    Store(#[source] BoxError),
    #[error("there is no such user, or they may not log in")]
    TurnedAway,
    #[error("the user was logged out while the login was under way")]
    LoggedOutMeanwhile,
    #[error("another user than the one who was logged in has proven their credentials")]
    OtherUser,
    #[error("the credentials were not proven again")]
    NotReauthenticated,
    #[error("the login cannot be kept")]
    TooLarge(#[source] BoxError),
}

impl LoginError {
    /// The kind of error, without its source.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Store(_) => "StoreUnavailable",
            Self::TurnedAway => "TurnedAway",
            Self::LoggedOutMeanwhile => "LoggedOutMeanwhile",
            Self::OtherUser => "OtherUser",
            Self::NotReauthenticated => "NotReauthenticated",
            Self::TooLarge(_) => "TooLarge",
        }
    }
}

/// Writes the record of a login, and returns its cookies.
pub(super) async fn write_record(
    sessions: &SessionBackend,
    login: &LoginDetails<'_>,
    sign_out_hint: Option<&SecretString>,
) -> Result<Vec<Cookie<'static>>, LoginError> {
    match answer(STORE_LIMIT, sessions.begin(login, sign_out_hint)).await {
        Ok(Ok(cookies)) => Ok(cookies),
        Ok(Err(BeginError::Store(error))) => Err(LoginError::Store(error)),
        Ok(Err(error)) => Err(LoginError::TooLarge(error.into())),
        Err(error) => Err(LoginError::Store(error.into())),
    }
}

impl AuthState {
    /// Begins a login: records it with its user, compares it with every logout, writes its record,
    /// and ends the login that came with the request. Nothing is written unless all of it works.
    /// Returns the cookies of the login, which counts once the browser has them.
    pub(crate) async fn begin_login(
        self: &Arc<Self>,
        verified: &VerifiedLogin<'_>,
        parts: &Parts,
    ) -> Result<Vec<Cookie<'static>>, LoginError> {
        let begun = self.begin(verified, parts).await;
        let result = begun.as_ref().map_or_else(LoginError::name, |_| "Begun");
        metrics::LOGINS.count([("result", format_args!("{result}"))]);
        begun
    }

    async fn begin(
        self: &Arc<Self>,
        verified: &VerifiedLogin<'_>,
        parts: &Parts,
    ) -> Result<Vec<Cookie<'static>>, LoginError> {
        let VerifiedLogin {
            user_id,
            logged_in_at,
            authenticated_at,
            ..
        } = *verified;
        if let Some(expected) = verified.reauthentication {
            if !expected.is_for(user_id) {
                return Err(LoginError::OtherUser);
            }
            if !expected.max_age.allows(authenticated_at, logged_in_at) {
                return Err(LoginError::NotReauthenticated);
            }
        }
        let user = within(STORE_LIMIT, self.users.log_in(user_id));
        let user = user.await.map_err(LoginError::Store)?;
        user.ok_or(LoginError::TurnedAway)?;
        // Once the login is noted: a logout that is written later is later than its stamp.
        let check = within(STORE_LIMIT, self.users.check_login(verified.reference()));
        let check = check.await.map_err(LoginError::Store)?;
        let check = check.ok_or(LoginError::TurnedAway)?;
        // A clock behind the stamp would stamp the next logouts before it too.
        if check.now < logged_in_at {
            let error = "the clock of the user store stepped back while a login was under way";
            return Err(LoginError::Store(error.into()));
        }
        let unknown_at = self.unknown_subject_logged_out_at(verified).await;
        let unknown_at = unknown_at.map_err(LoginError::Store)?;
        let times = LoginTimes {
            logged_in_at,
            kept_at: None,
            ends_at: None,
        };
        // In this order: an unknown subject's logout is remembered before it leaves the queue.
        let subject = verified.subject;
        let logged_out = check.compare_with_logouts(times).is_err()
            || !logged_in_at.outlives(unknown_at)
            || self
                .queue
                .contains(user_id, Some(verified.id), subject, verified.provider_key)
            || subject.is_some_and(|subject| {
                !logged_in_at.outlives(self.unknown_subjects.logged_out_at(subject))
            });
        if logged_out {
            return Err(LoginError::LoggedOutMeanwhile);
        }
        let login = LoginDetails {
            id: verified.id,
            user_id,
            logged_in_at,
            kept_at: None,
            written_at: check.now,
            authenticated_at,
            ends_at: self
                .longest_login(verified)
                .map(|longest| logged_in_at.after(longest)),
            remember: verified.remember,
            subject,
            provider_key: verified.provider_key,
            callback: verified.callback,
        };
        let cookies = self
            .write_login(&login, verified.sign_out_hint, parts)
            .await?;
        tracing::info!(user = ?user_id, login = %login.id, "logged in");
        Ok(cookies)
    }

    /// Writes the record of a login, and ends the logins that came with the request. Returns the
    /// cookies of the login, which counts once the browser has them.
    pub(super) async fn write_login(
        self: &Arc<Self>,
        login: &LoginDetails<'_>,
        sign_out_hint: Option<&SecretString>,
        parts: &Parts,
    ) -> Result<Vec<Cookie<'static>>, LoginError> {
        // What came with the request, while the browser still has only that. A login that cannot be
        // ended because it cannot be read would go on.
        let earlier = within(STORE_LIMIT, self.sessions.find_all(&parts.headers)).await;
        let earlier = earlier.map_err(LoginError::Store)?;
        // A login that is kept is none that begins: it has its id already.
        let hook = self.hooks.on_login.as_ref();
        if let Some(hook) = hook.filter(|_| login.kept_at.is_none()) {
            let call = hook.call(parts, Login::from(login));
            within(STORE_LIMIT, call).await.map_err(LoginError::Store)?;
        }
        let cookies = write_record(&self.sessions, login, sign_out_hint).await?;
        self.replace(earlier, login.id).await;
        Ok(cookies)
    }

    /// Ends the earlier logins of a browser, all at once. The new login stands whatever becomes of
    /// them. One that was suspended may have begun before, under the same id, and one that is kept
    /// has the id of the one before.
    async fn replace(self: &Arc<Self>, earlier: Vec<Arc<PresentedLogin>>, new: LoginId) {
        let mut ends = JoinSet::new();
        for login in earlier {
            let state = Arc::clone(self);
            let end = async move {
                match login.record().id == new {
                    true => state.retire_record(&login).await,
                    false => state.end_login(&login, None).await,
                }
            };
            ends.spawn(end.in_current_span());
        }
        while let Some(ended) = ends.join_next().await {
            let ended = ended.map_err(BoxError::from);
            if let Err(error) = ended.and_then(|ended| Ok(ended?)) {
                tracing::warn!(
                    error = ?error.to_string(),
                    "the earlier login of a browser that logged in anew could not be ended"
                );
            }
        }
    }

    /// When the subject of this login was logged out while it was no user, on any node.
    async fn unknown_subject_logged_out_at(
        &self,
        login: &VerifiedLogin<'_>,
    ) -> Result<Option<Timestamp>, BoxError> {
        let Some(subject) = login.subject.filter(|_| self.users.keeps_revocations()) else {
            return Ok(None);
        };
        let key = RevocationKey::UnknownSubject(subject.clone());
        within(STORE_LIMIT, self.users.revoked_at(&key)).await
    }

    /// How long a login lasts at the most.
    fn longest_login(&self, login: &VerifiedLogin<'_>) -> Option<Duration> {
        // Stores delete a provider's keys a day later.
        let has_key = login.provider_key.is_some();
        let of_key = has_key.then_some(ProviderSession::LONGEST_LOGIN);
        [self.lifetime, login.lifetime, of_key]
            .into_iter()
            .flatten()
            .min()
    }
}
