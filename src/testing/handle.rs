//! A store as the checks call it: an error is a broken rule.

use std::{error::Error, future::Future, iter, ops::Deref, sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::{sync::Barrier, task::JoinSet, time::timeout};

use super::{
    rule::{Result, Rule},
    samples::profile,
};
use crate::{
    BoxError, IdentityStore, LoginCheck, LoginReference, LogoutCause, Profile, ProviderSession,
    RevocationKey, Subject, SubjectIdentifier, Timestamp, User, UserStore,
    users::{Leases, LogOutOthersMissing, Sealed},
};

/// How long one call may take.
const CALL_LIMIT: Duration = Duration::from_secs(60);
/// What was seen of a call that has not ended by then.
pub(super) const LATE: &str = "no answer in time";
/// How long the revocations of the kit are kept.
const REVOCATION_TIME: Duration = Duration::from_secs(60 * 60);
/// The cause of logouts that no check gives another: the layer calls the methods that take one.
pub(super) const KIT_CAUSE: LogoutCause = LogoutCause::Policy;

/// A user of the store, as the checks compare it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoredUser {
    pub(super) id: String,
    pub(super) logged_out_at: Option<Timestamp>,
    pub(super) logout_cause: LogoutCause,
}

impl StoredUser {
    fn new(user: impl User) -> Self {
        Self {
            id: user.id(),
            logged_out_at: user.logged_out_at(),
            logout_cause: user.logout_cause(),
        }
    }
}

/// A [`UserStore`] of any type.
#[async_trait]
pub(super) trait AnyUsers: Send + Sync {
    fn keeps_revocations(&self) -> bool;
    fn keeps_one_login(&self) -> bool;
    fn log_out_wait(&self) -> Duration;
    async fn load(&self, id: &str) -> Result<Option<StoredUser>>;
    async fn find_to_log_in(&self, id: &str) -> Result<Option<StoredUser>>;
    async fn log_out_by(&self, id: &str, cause: &LogoutCause) -> Result<bool>;
    async fn log_out_without_cause(&self, id: &str) -> Result<bool>;
    /// `None` if the store does not implement it.
    async fn log_out_others(&self, id: &str, stamp: Timestamp)
    -> Result<Option<Option<Timestamp>>>;
    async fn now(&self) -> Result<Timestamp>;
    async fn check_login(
        &self,
        login: LoginReference<'_>,
    ) -> Result<Option<LoginCheck<StoredUser>>>;
    async fn revoke(&self, keys: &[RevocationKey], keep_until: Timestamp) -> Result;
    async fn revoked_at(&self, key: &RevocationKey) -> Result<Option<Timestamp>>;
}

#[async_trait]
impl<S: UserStore> AnyUsers for S {
    fn keeps_revocations(&self) -> bool {
        UserStore::keeps_revocations(self)
    }

    fn keeps_one_login(&self) -> bool {
        UserStore::keeps_one_login(self)
    }

    fn log_out_wait(&self) -> Duration {
        self.leases(Sealed).map_or(Duration::ZERO, Leases::wait)
    }

    async fn load(&self, id: &str) -> Result<Option<StoredUser>> {
        let user = answered("load", UserStore::load(self, id)).await?;
        Ok(user.map(StoredUser::new))
    }

    async fn find_to_log_in(&self, id: &str) -> Result<Option<StoredUser>> {
        let user = answered("log_in", UserStore::log_in(self, id)).await?;
        Ok(user.map(StoredUser::new))
    }

    async fn log_out_by(&self, id: &str, cause: &LogoutCause) -> Result<bool> {
        answered("log_out", self.log_out_with_cause(id, cause)).await
    }

    async fn log_out_without_cause(&self, id: &str) -> Result<bool> {
        answered("log_out", UserStore::log_out(self, id)).await
    }

    async fn log_out_others(
        &self,
        id: &str,
        stamp: Timestamp,
    ) -> Result<Option<Option<Timestamp>>> {
        let call = async {
            match self.log_out_others_with_cause(id, stamp, &KIT_CAUSE).await {
                Err(error) if error.is::<LogOutOthersMissing>() => Ok(None),
                answer => answer.map(Some),
            }
        };
        answered("log_out_others", call).await
    }

    async fn now(&self) -> Result<Timestamp> {
        answered("now", UserStore::now(self)).await
    }

    async fn check_login(
        &self,
        login: LoginReference<'_>,
    ) -> Result<Option<LoginCheck<StoredUser>>> {
        let check = answered("check_login", UserStore::check_login(self, login)).await?;
        Ok(check.map(|check| check.map_user(StoredUser::new)))
    }

    async fn revoke(&self, keys: &[RevocationKey], keep_until: Timestamp) -> Result {
        answered("revoke", UserStore::revoke(self, keys, keep_until)).await
    }

    async fn revoked_at(&self, key: &RevocationKey) -> Result<Option<Timestamp>> {
        answered("revoked_at", UserStore::revoked_at(self, key)).await
    }
}

/// An [`IdentityStore`] of any type.
#[async_trait]
trait AnyIdentities: Send + Sync {
    async fn find_or_create(&self, profile: &Profile) -> Result<Option<StoredUser>>;
    async fn log_out_subject(&self, subject: &Subject) -> Result<Vec<String>>;
    fn notes_sessions(&self) -> bool;
    async fn note_session(
        &self,
        session: &ProviderSession,
        user_id: &str,
        keep_until: Timestamp,
    ) -> Result;
    async fn session_user(&self, session: &ProviderSession) -> Result<Option<String>>;
    fn knows_identifiers(&self) -> bool;
    async fn users_of(&self, issuer: &str, identifier: &SubjectIdentifier) -> Result<Vec<String>>;
}

#[async_trait]
impl<S: IdentityStore> AnyIdentities for S {
    async fn find_or_create(&self, profile: &Profile) -> Result<Option<StoredUser>> {
        let user = IdentityStore::find_or_create(self, profile);
        Ok(answered("find_or_create", user).await?.map(StoredUser::new))
    }

    async fn log_out_subject(&self, subject: &Subject) -> Result<Vec<String>> {
        let users = self.log_out_subject_with_cause(subject, &KIT_CAUSE);
        answered("log_out_subject", users).await
    }

    fn notes_sessions(&self) -> bool {
        IdentityStore::notes_sessions(self)
    }

    async fn note_session(
        &self,
        session: &ProviderSession,
        user_id: &str,
        keep_until: Timestamp,
    ) -> Result {
        let noted = IdentityStore::note_session(self, session, user_id, keep_until);
        answered("note_session", noted).await
    }

    async fn session_user(&self, session: &ProviderSession) -> Result<Option<String>> {
        let user = IdentityStore::session_user(self, session);
        answered("session_user", user).await
    }

    fn knows_identifiers(&self) -> bool {
        IdentityStore::knows_identifiers(self)
    }

    async fn users_of(&self, issuer: &str, identifier: &SubjectIdentifier) -> Result<Vec<String>> {
        let users = IdentityStore::users_of(self, issuer, identifier);
        answered("users_of", users).await
    }
}

/// Awaits a call of the store. An error and no answer in time are broken rules.
pub(super) async fn answered<T, E: Into<BoxError>>(
    method: &str,
    call: impl Future<Output = Result<T, E>>,
) -> Result<T> {
    let Ok(answer) = timeout(CALL_LIMIT, call).await else {
        let seconds = CALL_LIMIT.as_secs();
        let expected = format!("an answer from `{method}` within {seconds} seconds");
        return Err(Rule::Answers.broken(expected, LATE));
    };
    answer.map_err(|error| {
        let error: BoxError = error.into();
        let first: &(dyn Error + 'static) = &*error;
        let errors = iter::successors(Some(first), |&error| error.source());
        let texts: Vec<_> = errors.map(ToString::to_string).collect();
        let expected = format!("an answer from `{method}`");
        Rule::Answers.broken(expected, format!("the error \"{}\"", texts.join(": ")))
    })
}

/// An opened store.
#[derive(Clone)]
pub(super) struct Handle {
    users: Arc<dyn AnyUsers>,
    identities: Option<Arc<dyn AnyIdentities>>,
}

impl Deref for Handle {
    type Target = dyn AnyUsers;

    fn deref(&self) -> &Self::Target {
        &*self.users
    }
}

impl Handle {
    pub(super) fn of_users(store: Arc<impl UserStore>) -> Self {
        Self {
            users: store,
            identities: None,
        }
    }

    pub(super) fn of_identities(store: Arc<impl IdentityStore>) -> Self {
        Self {
            users: store.clone(),
            identities: Some(store),
        }
    }

    pub(super) async fn log_out(&self, id: &str) -> Result<bool> {
        self.log_out_by(id, &KIT_CAUSE).await
    }

    /// The stamp of a user who exists.
    pub(super) async fn logged_out_at(&self, id: &str) -> Result<Option<Timestamp>> {
        let user = self.load(id).await?.ok_or_else(|| {
            let expected = format!("`load` to find the user {id:?}, who exists");
            Rule::FindsByUserId.broken(expected, "`Ok(None)`")
        })?;
        Ok(user.logged_out_at)
    }

    /// A login of a user who exists.
    pub(super) async fn log_in(&self, id: &str) -> Result<StoredUser> {
        self.find_to_log_in(id).await?.ok_or_else(|| {
            let expected = format!("`log_in` to find the user {id:?}, who exists");
            Rule::AdmitsUsers.broken(expected, "`Ok(None)`")
        })
    }

    /// A time until which to keep a revocation.
    pub(super) async fn keep_until(&self) -> Result<Timestamp> {
        Ok(self.now().await?.after(REVOCATION_TIME))
    }

    pub(super) async fn find_or_create(&self, subject: &Subject) -> Result<StoredUser> {
        self.find_or_create_with(&profile(subject)).await
    }

    pub(super) async fn find_or_create_with(&self, profile: &Profile) -> Result<StoredUser> {
        let user = self.identities()?.find_or_create(profile).await?;
        user.ok_or_else(|| {
            let expected = "a user from `find_or_create`";
            Rule::AdmitsUsers.broken(expected, "`Ok(None)`")
        })
    }

    /// `None` for a subject that is turned away.
    pub(super) async fn try_find_or_create(&self, subject: &Subject) -> Result<Option<StoredUser>> {
        self.identities()?.find_or_create(&profile(subject)).await
    }

    pub(super) async fn log_out_subject(&self, subject: &Subject) -> Result<Vec<String>> {
        self.identities()?.log_out_subject(subject).await
    }

    pub(super) fn notes_sessions(&self) -> bool {
        let identities = self.identities.as_deref();
        identities.is_some_and(|identities| identities.notes_sessions())
    }

    /// Notes the user of a session for as long as [`keep_until`](Self::keep_until) says.
    pub(super) async fn note_session(&self, session: &ProviderSession, user_id: &str) -> Result {
        let keep_until = self.keep_until().await?;
        let identities = self.identities()?;
        identities.note_session(session, user_id, keep_until).await
    }

    pub(super) async fn session_user(&self, session: &ProviderSession) -> Result<Option<String>> {
        self.identities()?.session_user(session).await
    }

    pub(super) fn knows_identifiers(&self) -> bool {
        let identities = self.identities.as_deref();
        identities.is_some_and(|identities| identities.knows_identifiers())
    }

    pub(super) async fn users_of(
        &self,
        issuer: &str,
        identifier: &SubjectIdentifier,
    ) -> Result<Vec<String>> {
        self.identities()?.users_of(issuer, identifier).await
    }

    fn identities(&self) -> Result<&dyn AnyIdentities> {
        let identities = self.identities.as_deref();
        identities.ok_or_else(|| Rule::Answers.broken("an `IdentityStore`", "a `UserStore`"))
    }
}

/// Two handles of one store, as two nodes have them.
#[derive(Clone)]
pub(super) struct Handles {
    pub(super) one: Handle,
    pub(super) other: Handle,
}

impl Handles {
    pub(super) fn keep_revocations(&self) -> bool {
        self.one.keeps_revocations()
    }

    pub(super) fn keep_one_login(&self) -> bool {
        self.one.keeps_one_login()
    }

    /// One or the other by turns.
    pub(super) fn turn(&self, turn: usize) -> Handle {
        let handles = [&self.one, &self.other];
        handles[turn % 2].clone()
    }
}

/// Runs all futures at once, each in a task of its own, and none before all are there. Returns what
/// they return, in the order of their ends.
pub(super) async fn at_once<T: Send + 'static>(
    futures: impl ExactSizeIterator<Item = impl Future<Output = Result<T>> + Send + 'static>,
) -> Result<Vec<T>> {
    let start = Arc::new(Barrier::new(futures.len()));
    let mut tasks = JoinSet::new();
    for future in futures {
        let start = Arc::clone(&start);
        tasks.spawn(async move {
            start.wait().await;
            future.await
        });
    }
    // The first broken rule drops the set, and that stops the rest.
    let mut results = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        match ended {
            Ok(result) => results.push(result?),
            Err(error) => match error.try_into_panic() {
                // The store's own panic says best what happened.
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => continue,
            },
        }
    }
    Ok(results)
}
