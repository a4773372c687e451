//! Where users are kept.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::sync::broadcast;

use super::{LoginReference, LogoutNews, Standing, User};
use crate::{BoxError, Profile, ProviderSession, Subject, Timestamp};

/// Where the application keeps its users: three methods and a clock, over a table of your own.
///
/// The table needs, beside whatever else it holds, the [`Subject`] of the user (issuer
/// and id, unique together) and one column for the last logout: a 64-bit integer,
/// microseconds, null at first. [`stores::SqliteUserStore`] is a whole worked example.
///
/// # What every store must keep
///
/// - `log_in` finds or creates in one step: two logins of a new person at the same time
///   give one user.
/// - `log_out` raises the stamp in one atomic step by the rule of
///   [`Timestamp::raised_above`], and reads [`now`](Self::now) only once nothing else
///   can write, so that it ends every login that it finds.
/// - When `log_out` has returned, every later `load`, on any node, sees the new stamp. Do
///   not put a cache or a lagging replica behind `load`; `leased::Leased` (a feature) is the
///   cache that keeps the promise.
/// - `now` never steps back, and is one clock for all nodes that share the store. Where that
///   is not sure, note in `log_in` when it was called and raise the logout above that too, as
///   the ready stores do: then a clock that steps back may refuse a login, and revives none.
/// - An id is never given twice, not even after its user was deleted: sessions still have it.
/// - Every call may be dropped at any await: it leaves nothing locked and nothing half done.
///   `log_out` is dropped after five seconds and the [`log_out_wait`](Self::log_out_wait) of the
///   store, and called again. With sqlx and SQLite, begin a transaction by `begin` and take the
///   write lock with a first write: `begin_with` can leave the lock behind.
///
/// [`stores::SqliteUserStore`]: https://docs.rs/axum-clef/latest/axum_clef/stores/struct.SqliteUserStore.html
///
/// ```
/// use std::{collections::HashMap, sync::Mutex};
///
/// use async_trait::async_trait;
/// use axum_clef::{BoxError, Profile, Subject, Timestamp, User, UserStore};
///
/// #[derive(Clone)]
/// struct Member {
///     number: usize,
///     name: String,
///     logged_out_at: Option<Timestamp>,
/// }
///
/// impl User for Member {
///     fn id(&self) -> String {
///         self.number.to_string()
///     }
///
///     fn logged_out_at(&self) -> Option<Timestamp> {
///         self.logged_out_at
///     }
/// }
///
/// #[derive(Default)]
/// struct Members(Mutex<HashMap<Subject, Member>>);
///
/// #[async_trait]
/// impl UserStore for Members {
///     type User = Member;
///
///     async fn log_in(&self, profile: &Profile) -> Result<Option<Member>, BoxError> {
///         let mut members = self.0.lock().map_err(|_| "the members are poisoned")?;
///         let number = members.len();
///         let member = members
///             .entry(profile.subject.clone())
///             .or_insert_with(|| Member {
///                 number,
///                 name: profile.name().unwrap_or_default(),
///                 logged_out_at: None,
///             });
///         Ok(Some(member.clone()))
///     }
///
///     async fn load(&self, id: &str) -> Result<Option<Member>, BoxError> {
///         let members = self.0.lock().map_err(|_| "the members are poisoned")?;
///         Ok(members.values().find(|member| member.id() == id).cloned())
///     }
///
///     async fn log_out(&self, subject: &Subject) -> Result<bool, BoxError> {
///         let mut members = self.0.lock().map_err(|_| "the members are poisoned")?;
///         let Some(member) = members.get_mut(subject) else {
///             return Ok(false);
///         };
///         member.logged_out_at = Some(Timestamp::now().raised_above(member.logged_out_at));
///         Ok(true)
///     }
/// }
/// ```
#[async_trait]
pub trait UserStore: Send + Sync + 'static {
    /// The application's user.
    type User: User;

    /// Finds or creates the user of a fresh login. `None` turns the person away: they
    /// see a page that says so.
    ///
    /// # Errors
    ///
    /// When the store cannot answer. The login fails with 503 and leaves nothing behind.
    async fn log_in(&self, profile: &Profile) -> Result<Option<Self::User>, BoxError>;

    /// Loads a user by the [`User::id`] that the session keeps. `None`: there is no such
    /// user any more, and the login is over.
    ///
    /// # Errors
    ///
    /// When the store cannot answer. The request fails with 503 and the session is left
    /// as it is.
    async fn load(&self, id: &str) -> Result<Option<Self::User>, BoxError>;

    /// Ends every login of this person: raises their `logged_out_at` to
    /// `max(now, previous + 1)`, atomically. `false`: there is nobody here by that name.
    ///
    /// # Errors
    ///
    /// When the store cannot answer. The logout is kept and tried again until it holds.
    async fn log_out(&self, subject: &Subject) -> Result<bool, BoxError>;

    /// The clock of this store, by which logins and logouts are stamped. A store that
    /// several nodes share answers with the clock of its database.
    ///
    /// # Errors
    ///
    /// When the clock cannot be read. The request fails with 503.
    async fn now(&self) -> Result<Timestamp, BoxError> {
        Ok(Timestamp::now())
    }

    /// All that the check of one login needs: the user, when the login's session at the
    /// provider was logged out, and the time. `None`: there is no such user any more.
    ///
    /// Asked for by every request that asks who is there. A store that is a round trip away
    /// answers in one; as it stands, [`load`](Self::load),
    /// [`session_logged_out_at`](Self::session_logged_out_at) and [`now`](Self::now) are called.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    async fn standing(
        &self,
        login: LoginReference<'_>,
    ) -> Result<Option<Standing<Self::User>>, BoxError> {
        let Some(user) = self.load(login.user_id).await? else {
            return Ok(None);
        };
        let session_logged_out_at = match login.session {
            Some(session) => self.session_logged_out_at(session).await?,
            None => None,
        };
        let standing = Standing::new(user, self.now().await?);
        Ok(Some(
            standing.with_session_logged_out_at(session_logged_out_at),
        ))
    }

    /// Ends the logins that belong to this session at the provider, whosever they are: raises
    /// the moment that [`session_logged_out_at`](Self::session_logged_out_at) gives, as
    /// [`log_out`](Self::log_out) does, and keeps it for [`ProviderSession::KEPT`].
    ///
    /// Not every name comes from a provider: the logout of a person who is no user yet is kept so
    /// too, for a first login that is under way at another node.
    ///
    /// `false`, as it stands: this store keeps no such moments, and the person is logged out
    /// everywhere instead. Whose provider names no sessions (Clef is one) needs no more.
    ///
    /// # Errors
    ///
    /// As [`log_out`](Self::log_out).
    async fn log_out_session(&self, session: &ProviderSession) -> Result<bool, BoxError> {
        let _ = session;
        Ok(false)
    }

    /// When this session at the provider was last logged out; `None` if never, or longer ago
    /// than [`ProviderSession::KEPT`].
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    async fn session_logged_out_at(
        &self,
        session: &ProviderSession,
    ) -> Result<Option<Timestamp>, BoxError> {
        let _ = session;
        Ok(None)
    }

    /// How long [`log_out`](Self::log_out) and [`log_out_session`](Self::log_out_session) may wait
    /// on purpose once they have written, at the most; not at all, as it stands. Whoever asks for a
    /// logout is that much more patient with this store.
    fn log_out_wait(&self) -> Duration {
        Duration::ZERO
    }

    /// News of logouts that other nodes have written, where this store hears of them; `None`, as
    /// it stands: it does not.
    ///
    /// For whoever shows an open page or holds an open stream and would look at once. News can be
    /// late or lost, so nothing that must hold may rest on it.
    fn logout_news(&self) -> Option<broadcast::Receiver<LogoutNews>> {
        None
    }
}

/// A shared store is a store: keep one handle and give the other to the layer.
#[async_trait]
impl<S: UserStore> UserStore for Arc<S> {
    type User = S::User;

    async fn log_in(&self, profile: &Profile) -> Result<Option<Self::User>, BoxError> {
        UserStore::log_in(&**self, profile).await
    }

    async fn load(&self, id: &str) -> Result<Option<Self::User>, BoxError> {
        UserStore::load(&**self, id).await
    }

    async fn log_out(&self, subject: &Subject) -> Result<bool, BoxError> {
        UserStore::log_out(&**self, subject).await
    }

    async fn now(&self) -> Result<Timestamp, BoxError> {
        UserStore::now(&**self).await
    }

    async fn standing(
        &self,
        login: LoginReference<'_>,
    ) -> Result<Option<Standing<Self::User>>, BoxError> {
        UserStore::standing(&**self, login).await
    }

    async fn log_out_session(&self, session: &ProviderSession) -> Result<bool, BoxError> {
        UserStore::log_out_session(&**self, session).await
    }

    async fn session_logged_out_at(
        &self,
        session: &ProviderSession,
    ) -> Result<Option<Timestamp>, BoxError> {
        UserStore::session_logged_out_at(&**self, session).await
    }

    fn log_out_wait(&self) -> Duration {
        UserStore::log_out_wait(&**self)
    }

    fn logout_news(&self) -> Option<broadcast::Receiver<LogoutNews>> {
        UserStore::logout_news(&**self)
    }
}
