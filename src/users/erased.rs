//! User stores as trait objects: only handlers know the type of the user.

use std::{
    any::{Any, TypeId, type_name},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
#[cfg(feature = "live")]
use tokio::sync::broadcast::Receiver;

#[cfg(feature = "live")]
use super::LogoutNews;
use super::{
    IdentityStore, Leases, LinkOutcome, LoginCheck, LoginReference, Sealed, User, UserStore,
};
use crate::{
    BoxError, LogoutCause, Profile, ProviderSession, RevocationKey, Subject, SubjectIdentifier,
    Timestamp,
};

/// A user of any type, so that the layer, the routes and the check need no type parameter.
#[derive(Clone)]
pub(crate) struct AnyUser {
    pub(crate) logged_out_at: Option<Timestamp>,
    /// The application's own user.
    pub(crate) user: Arc<dyn Any + Send + Sync>,
    read_logout_cause: fn(&(dyn Any + Send + Sync)) -> LogoutCause,
}

impl AnyUser {
    fn new<U: User>(user: U) -> Self {
        Self {
            logged_out_at: user.logged_out_at(),
            user: Arc::new(user),
            read_logout_cause: |user| {
                let user = user.downcast_ref::<U>();
                user.map(User::logout_cause).unwrap_or_default()
            },
        }
    }

    /// Who or what caused the latest logout. Read on demand, since a valid login needs none.
    pub(crate) fn logout_cause(&self) -> LogoutCause {
        (self.read_logout_cause)(&*self.user)
    }
}

/// Any [`UserStore`].
#[async_trait]
pub(crate) trait AnyUserStore: Send + Sync + 'static {
    /// The type behind [`AnyUser::user`].
    fn user_type(&self) -> TypeId;
    /// Its name, for the log.
    fn user_type_name(&self) -> &'static str;
    async fn log_in(&self, id: &str) -> Result<Option<AnyUser>, BoxError>;
    async fn log_out(&self, id: &str, cause: &LogoutCause) -> Result<bool, BoxError>;
    fn keeps_one_login(&self) -> bool;
    async fn log_out_others(
        &self,
        id: &str,
        stamp: Timestamp,
        cause: &LogoutCause,
    ) -> Result<Option<Timestamp>, BoxError>;
    async fn now(&self) -> Result<Timestamp, BoxError>;
    async fn check_login(
        &self,
        login: LoginReference<'_>,
    ) -> Result<Option<LoginCheck<AnyUser>>, BoxError>;
    fn keeps_revocations(&self) -> bool;
    async fn revoke(&self, keys: &[RevocationKey], keep_until: Timestamp) -> Result<(), BoxError>;
    async fn revoked_at(&self, key: &RevocationKey) -> Result<Option<Timestamp>, BoxError>;
    /// How long a logout may wait once it is written.
    fn log_out_wait(&self) -> Duration;
    /// The news of logouts at other nodes, if there are any.
    #[cfg(feature = "live")]
    fn logout_news(&self) -> Option<Receiver<LogoutNews>>;
}

/// Any [`IdentityStore`].
#[async_trait]
pub(crate) trait AnyIdentityStore: Send + Sync + 'static {
    /// The id of the user.
    async fn find_or_create(&self, profile: &Profile) -> Result<Option<String>, BoxError>;
    async fn log_out_subject(
        &self,
        subject: &Subject,
        cause: &LogoutCause,
    ) -> Result<Vec<String>, BoxError>;
    async fn link(&self, user_id: &str, profile: &Profile) -> Result<LinkOutcome, BoxError>;
    fn notes_sessions(&self) -> bool;
    async fn note_session(
        &self,
        session: &ProviderSession,
        user_id: &str,
        keep_until: Timestamp,
    ) -> Result<(), BoxError>;
    async fn session_user(&self, session: &ProviderSession) -> Result<Option<String>, BoxError>;
    fn knows_identifiers(&self) -> bool;
    async fn users_of(
        &self,
        issuer: &str,
        identifier: &SubjectIdentifier,
    ) -> Result<Vec<String>, BoxError>;
}

#[async_trait]
impl<S: UserStore> AnyUserStore for S {
    fn user_type(&self) -> TypeId {
        TypeId::of::<S::User>()
    }

    fn user_type_name(&self) -> &'static str {
        type_name::<S::User>()
    }

    async fn log_in(&self, id: &str) -> Result<Option<AnyUser>, BoxError> {
        Ok(UserStore::log_in(self, id).await?.map(AnyUser::new))
    }

    async fn log_out(&self, id: &str, cause: &LogoutCause) -> Result<bool, BoxError> {
        self.log_out_with_cause(id, cause).await
    }

    fn keeps_one_login(&self) -> bool {
        UserStore::keeps_one_login(self)
    }

    async fn log_out_others(
        &self,
        id: &str,
        stamp: Timestamp,
        cause: &LogoutCause,
    ) -> Result<Option<Timestamp>, BoxError> {
        self.log_out_others_with_cause(id, stamp, cause).await
    }

    async fn now(&self) -> Result<Timestamp, BoxError> {
        UserStore::now(self).await
    }

    async fn check_login(
        &self,
        login: LoginReference<'_>,
    ) -> Result<Option<LoginCheck<AnyUser>>, BoxError> {
        let check = UserStore::check_login(self, login).await?;
        Ok(check.map(|check| check.map_user(AnyUser::new)))
    }

    fn keeps_revocations(&self) -> bool {
        UserStore::keeps_revocations(self)
    }

    async fn revoke(&self, keys: &[RevocationKey], keep_until: Timestamp) -> Result<(), BoxError> {
        UserStore::revoke(self, keys, keep_until).await
    }

    async fn revoked_at(&self, key: &RevocationKey) -> Result<Option<Timestamp>, BoxError> {
        UserStore::revoked_at(self, key).await
    }

    fn log_out_wait(&self) -> Duration {
        self.leases(Sealed).map_or(Duration::ZERO, Leases::wait)
    }

    #[cfg(feature = "live")]
    fn logout_news(&self) -> Option<Receiver<LogoutNews>> {
        self.leases(Sealed)?.news()
    }
}

#[async_trait]
impl<S: IdentityStore> AnyIdentityStore for S {
    async fn find_or_create(&self, profile: &Profile) -> Result<Option<String>, BoxError> {
        let user = IdentityStore::find_or_create(self, profile).await?;
        Ok(user.map(|user| user.id()))
    }

    async fn log_out_subject(
        &self,
        subject: &Subject,
        cause: &LogoutCause,
    ) -> Result<Vec<String>, BoxError> {
        self.log_out_subject_with_cause(subject, cause).await
    }

    async fn link(&self, user_id: &str, profile: &Profile) -> Result<LinkOutcome, BoxError> {
        IdentityStore::link(self, user_id, profile).await
    }

    fn notes_sessions(&self) -> bool {
        IdentityStore::notes_sessions(self)
    }

    async fn note_session(
        &self,
        session: &ProviderSession,
        user_id: &str,
        keep_until: Timestamp,
    ) -> Result<(), BoxError> {
        IdentityStore::note_session(self, session, user_id, keep_until).await
    }

    async fn session_user(&self, session: &ProviderSession) -> Result<Option<String>, BoxError> {
        IdentityStore::session_user(self, session).await
    }

    fn knows_identifiers(&self) -> bool {
        IdentityStore::knows_identifiers(self)
    }

    async fn users_of(
        &self,
        issuer: &str,
        identifier: &SubjectIdentifier,
    ) -> Result<Vec<String>, BoxError> {
        IdentityStore::users_of(self, issuer, identifier).await
    }
}
