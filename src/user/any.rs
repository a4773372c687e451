//! A user store whose user's type only the handler knows.

use std::{
    any::{Any, TypeId},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use tokio::sync::broadcast::Receiver;

use super::{LoginReference, LogoutNews, Standing, User, UserStore};
use crate::{BoxError, Profile, ProviderSession, Subject, Timestamp};

/// A user whose type only the handler knows, so that the layer, the routes and the
/// check need no type parameter.
#[derive(Clone)]
pub(crate) struct AnyUser {
    pub(crate) logged_out_at: Option<Timestamp>,
    /// The application's own user.
    pub(crate) user: Arc<dyn Any + Send + Sync>,
}

impl AnyUser {
    fn new<U: User>(user: U) -> Self {
        Self {
            logged_out_at: user.logged_out_at(),
            user: Arc::new(user),
        }
    }
}

/// Any [`UserStore`], whatever its user.
#[async_trait]
pub(crate) trait AnyUserStore: Send + Sync + 'static {
    /// The type behind [`AnyUser::user`].
    fn user_type(&self) -> TypeId;
    /// The user of a fresh login, and the id to load them by.
    async fn log_in(&self, profile: &Profile) -> Result<Option<(String, AnyUser)>, BoxError>;
    async fn standing(
        &self,
        login: LoginReference<'_>,
    ) -> Result<Option<Standing<AnyUser>>, BoxError>;
    async fn log_out(&self, subject: &Subject) -> Result<bool, BoxError>;
    async fn log_out_session(&self, session: &ProviderSession) -> Result<bool, BoxError>;
    async fn session_logged_out_at(
        &self,
        session: &ProviderSession,
    ) -> Result<Option<Timestamp>, BoxError>;
    async fn now(&self) -> Result<Timestamp, BoxError>;
    fn log_out_wait(&self) -> Duration;
    fn logout_news(&self) -> Option<Receiver<LogoutNews>>;
}

#[async_trait]
impl<S: UserStore> AnyUserStore for S {
    fn user_type(&self) -> TypeId {
        TypeId::of::<S::User>()
    }

    async fn log_in(&self, profile: &Profile) -> Result<Option<(String, AnyUser)>, BoxError> {
        let user = UserStore::log_in(self, profile).await?;
        Ok(user.map(|user| (user.id(), AnyUser::new(user))))
    }

    async fn standing(
        &self,
        login: LoginReference<'_>,
    ) -> Result<Option<Standing<AnyUser>>, BoxError> {
        let standing = UserStore::standing(self, login).await?;
        Ok(standing.map(|standing| Standing {
            user: AnyUser::new(standing.user),
            session_logged_out_at: standing.session_logged_out_at,
            now: standing.now,
        }))
    }

    async fn log_out(&self, subject: &Subject) -> Result<bool, BoxError> {
        UserStore::log_out(self, subject).await
    }

    async fn log_out_session(&self, session: &ProviderSession) -> Result<bool, BoxError> {
        UserStore::log_out_session(self, session).await
    }

    async fn session_logged_out_at(
        &self,
        session: &ProviderSession,
    ) -> Result<Option<Timestamp>, BoxError> {
        UserStore::session_logged_out_at(self, session).await
    }

    async fn now(&self) -> Result<Timestamp, BoxError> {
        UserStore::now(self).await
    }

    fn log_out_wait(&self) -> Duration {
        UserStore::log_out_wait(self)
    }

    fn logout_news(&self) -> Option<Receiver<LogoutNews>> {
        UserStore::logout_news(self)
    }
}
