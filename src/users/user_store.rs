//! The user store: users, their logouts and the clock.

use std::{future::Future, sync::Arc};

use super::{Leases, LoginCheck, LoginReference, Sealed, User};
use crate::{BoxError, LogoutCause, RevocationKey, Timestamp};

/// The error of a store that ends either all logins of a user or none.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error(
    "this user store cannot keep one login of a user; implement `UserStore::log_out_others` and \
     `UserStore::keeps_one_login`"
)]
pub(crate) struct LogOutOthersMissing;

/// Where an application keeps its users.
///
/// Three required methods; `now` has a default.
///
/// The table needs two columns beside its own, both 64-bit integers of microseconds: the latest
/// login (`last_login_at`) and the latest logout (`logged_out_at`, null at first). Implement
/// [`IdentityStore`](crate::IdentityStore) too for users who log in at a provider.
///
/// # What every store must keep
///
/// - [`log_in`](Self::log_in), [`log_out`](Self::log_out) and
///   [`log_out_others`](Self::log_out_others) each are one atomic statement.
/// - `log_out` reads the clock once nothing else can write the row, and raises `logged_out_at` to
///   `max(now, previous + 1, last login + 1)`, so that it ends every login that it finds.
/// - Once `log_out` has returned, every later `load` on any node returns the new stamp. Put no
///   cache and no lagging replica behind `load`. The feature `leased` is a cache that keeps this
///   rule.
/// - `now` never steps back, and is one clock for all nodes that share the store.
/// - An id is never reused, not even after its user was deleted: logins still contain it.
/// - A future may be dropped at any await, and then leaves nothing locked and nothing half-written.
///   A call of `log_out` is dropped after five seconds, and repeated.
///
/// `testing::check_user_store` and `check_identity_store` (feature `testing`) check a store.
///
/// ```
/// use std::{collections::HashMap, sync::Mutex};
///
/// use axum_clef::{BoxError, Timestamp, User, UserStore};
///
/// #[derive(Clone)]
/// struct Member {
///     number: u64,
///     last_login_at: Option<Timestamp>,
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
/// struct Members(Mutex<HashMap<String, Member>>);
///
/// impl UserStore for Members {
///     type User = Member;
///
///     async fn load(&self, id: &str) -> Result<Option<Member>, BoxError> {
///         let members = self.0.lock().map_err(|_| "the members are poisoned")?;
///         Ok(members.get(id).cloned())
///     }
///
///     async fn log_in(&self, id: &str) -> Result<Option<Member>, BoxError> {
///         let mut members = self.0.lock().map_err(|_| "the members are poisoned")?;
///         let Some(member) = members.get_mut(id) else {
///             return Ok(None);
///         };
///         member.last_login_at = member.last_login_at.max(Some(Timestamp::now()));
///         Ok(Some(member.clone()))
///     }
///
///     async fn log_out(&self, id: &str) -> Result<bool, BoxError> {
///         let mut members = self.0.lock().map_err(|_| "the members are poisoned")?;
///         let Some(member) = members.get_mut(id) else {
///             return Ok(false);
///         };
///         let latest = member.logged_out_at.max(member.last_login_at);
///         member.logged_out_at = Some(Timestamp::now().raised_above(latest));
///         Ok(true)
///     }
/// }
/// ```
pub trait UserStore: Send + Sync + 'static {
    /// The application's user.
    type User: User;

    /// Loads a user by their [`User::id`]. `None` if there is no such user: their logins end.
    ///
    /// # Errors
    ///
    /// When the store cannot answer. The request is answered 503.
    fn load(&self, id: &str) -> impl Future<Output = Result<Option<Self::User>, BoxError>> + Send;

    /// Records that a login of this user begins now, and returns the user. `None` if there is no
    /// such user, or they may not log in: a locked user, whom [`load`](Self::load) still returns.
    ///
    /// # Errors
    ///
    /// When the store cannot answer. The login fails with 503.
    fn log_in(&self, id: &str)
    -> impl Future<Output = Result<Option<Self::User>, BoxError>> + Send;

    /// Ends every login of this user: raises `logged_out_at` to
    /// `max(now, previous + 1, last login + 1)`. `false` if there is no such user.
    ///
    /// # Errors
    ///
    /// When the store cannot answer. The logout is queued and tried again until it is written.
    fn log_out(&self, id: &str) -> impl Future<Output = Result<bool, BoxError>> + Send;

    /// Whether [`log_out_others`](Self::log_out_others) is implemented. Defaults to `false`.
    ///
    /// By default, [`OtherLogins`](crate::OtherLogins) answers 500 before the handler runs, so that
    /// no password is changed whose other logins cannot be ended.
    fn keeps_one_login(&self) -> bool {
        false
    }

    /// Ends every login of this user but the one with this stamp, in one atomic step. Return `true`
    /// from [`keeps_one_login`](Self::keeps_one_login) too.
    ///
    /// Only where `logged_out_at` is null or earlier than `stamp`: raises `logged_out_at` to
    /// `T = max(now, previous + 1, last login + 1)`, notes a login of `T + 1`, and returns `T`. The
    /// login goes on with the stamp `T + 1`, so the next logout is later. Otherwise it changes
    /// nothing and returns `None`, also if there is no such user. [`OtherLogins`](crate::OtherLogins)
    /// calls it.
    ///
    /// # Errors
    ///
    /// When the store cannot answer. The default always fails, and says what to implement.
    fn log_out_others(
        &self,
        id: &str,
        stamp: Timestamp,
    ) -> impl Future<Output = Result<Option<Timestamp>, BoxError>> + Send {
        let _ = (id, stamp);
        async { Err(LogOutOthersMissing.into()) }
    }

    /// Ends every login of this user as [`log_out`](Self::log_out) does, and keeps the cause, in one
    /// atomic step. Every logout of a user calls it. Defaults to `log_out`, without the cause.
    ///
    /// A store that keeps causes returns them by [`User::logout_cause`]. A cause belongs to one
    /// logout: after a later one without a cause, it is [`Unknown`](LogoutCause::Unknown) again.
    ///
    /// # Errors
    ///
    /// As [`log_out`](Self::log_out).
    fn log_out_with_cause(
        &self,
        id: &str,
        cause: &LogoutCause,
    ) -> impl Future<Output = Result<bool, BoxError>> + Send {
        let _ = cause;
        self.log_out(id)
    }

    /// Ends every login of this user but one as [`log_out_others`](Self::log_out_others) does, and
    /// keeps the cause as [`log_out_with_cause`](Self::log_out_with_cause) does. Defaults to
    /// `log_out_others`, without the cause.
    ///
    /// # Errors
    ///
    /// As [`log_out_others`](Self::log_out_others).
    fn log_out_others_with_cause(
        &self,
        id: &str,
        stamp: Timestamp,
        cause: &LogoutCause,
    ) -> impl Future<Output = Result<Option<Timestamp>, BoxError>> + Send {
        let _ = cause;
        self.log_out_others(id, stamp)
    }

    /// The clock of this store, by which logins and logouts are stamped. Defaults to
    /// [`Timestamp::now`]. A store that several nodes share returns the clock of its database.
    ///
    /// # Errors
    ///
    /// When the clock cannot be read. The request is answered 503.
    fn now(&self) -> impl Future<Output = Result<Timestamp, BoxError>> + Send {
        async { Ok(Timestamp::now()) }
    }

    /// Returns everything that the check of one login needs. `None` if there is no such user.
    ///
    /// Called by every request that asks for the user. By default it calls [`load`](Self::load),
    /// [`revoked_at`](Self::revoked_at) for each key of the login, and [`now`](Self::now); a store
    /// that is a round trip away answers in one.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    fn check_login(
        &self,
        login: LoginReference<'_>,
    ) -> impl Future<Output = Result<Option<LoginCheck<Self::User>>, BoxError>> + Send {
        async move {
            let Some(user) = self.load(login.user_id).await? else {
                return Ok(None);
            };
            let mut revoked = false;
            let mut revoked_at = None;
            if self.keeps_revocations() {
                if let Some(id) = login.id {
                    let key = RevocationKey::Login(id);
                    revoked = self.revoked_at(&key).await?.is_some();
                }
                for key in login.revocation_keys() {
                    revoked_at = revoked_at.max(self.revoked_at(&key).await?);
                }
            }
            let check = LoginCheck::new(user, self.now().await?);
            Ok(Some(
                check.with_revoked(revoked).with_revoked_at(revoked_at),
            ))
        }
    }

    /// Whether [`revoke`](Self::revoke) keeps what it is given. Defaults to `false`.
    ///
    /// By default, a sign-out ends only this browser's stored login. A copy of the cookie in use at
    /// that moment may survive. Sealed logins are an error of `build`, a provider's notice about one
    /// session ends all logins of its user, and [`Logouts`](crate::Logouts) can end neither every
    /// login of the site nor those of a provider.
    fn keeps_revocations(&self) -> bool {
        false
    }

    /// Ends the logins under these keys, all in one atomic step.
    ///
    /// Records a time above the latest login of any user, as [`log_out`](Self::log_out) does, and
    /// keeps it until `keep_until` at least.
    ///
    /// # Errors
    ///
    /// When the store cannot answer, as [`log_out`](Self::log_out). The default always fails.
    fn revoke(
        &self,
        keys: &[RevocationKey],
        keep_until: Timestamp,
    ) -> impl Future<Output = Result<(), BoxError>> + Send {
        let _ = (keys, keep_until);
        async { Err("this user store keeps no revocations".into()) }
    }

    /// When the logins under this key were ended; `None` if they were not.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    fn revoked_at(
        &self,
        key: &RevocationKey,
    ) -> impl Future<Output = Result<Option<Timestamp>, BoxError>> + Send {
        let _ = key;
        async { Ok(None) }
    }

    /// The leases of this crate's `Leased`. No other store can have any.
    #[doc(hidden)]
    fn leases(&self, _: Sealed) -> Option<&dyn Leases> {
        None
    }
}

/// An application can keep one handle of a shared store and pass the other to the layer.
impl<S: UserStore> UserStore for Arc<S> {
    type User = S::User;

    async fn load(&self, id: &str) -> Result<Option<Self::User>, BoxError> {
        UserStore::load(&**self, id).await
    }

    async fn log_in(&self, id: &str) -> Result<Option<Self::User>, BoxError> {
        UserStore::log_in(&**self, id).await
    }

    async fn log_out(&self, id: &str) -> Result<bool, BoxError> {
        UserStore::log_out(&**self, id).await
    }

    fn keeps_one_login(&self) -> bool {
        UserStore::keeps_one_login(&**self)
    }

    async fn log_out_others(
        &self,
        id: &str,
        stamp: Timestamp,
    ) -> Result<Option<Timestamp>, BoxError> {
        UserStore::log_out_others(&**self, id, stamp).await
    }

    async fn log_out_with_cause(&self, id: &str, cause: &LogoutCause) -> Result<bool, BoxError> {
        UserStore::log_out_with_cause(&**self, id, cause).await
    }

    async fn log_out_others_with_cause(
        &self,
        id: &str,
        stamp: Timestamp,
        cause: &LogoutCause,
    ) -> Result<Option<Timestamp>, BoxError> {
        UserStore::log_out_others_with_cause(&**self, id, stamp, cause).await
    }

    async fn now(&self) -> Result<Timestamp, BoxError> {
        UserStore::now(&**self).await
    }

    async fn check_login(
        &self,
        login: LoginReference<'_>,
    ) -> Result<Option<LoginCheck<Self::User>>, BoxError> {
        UserStore::check_login(&**self, login).await
    }

    fn keeps_revocations(&self) -> bool {
        UserStore::keeps_revocations(&**self)
    }

    async fn revoke(&self, keys: &[RevocationKey], keep_until: Timestamp) -> Result<(), BoxError> {
        UserStore::revoke(&**self, keys, keep_until).await
    }

    async fn revoked_at(&self, key: &RevocationKey) -> Result<Option<Timestamp>, BoxError> {
        UserStore::revoked_at(&**self, key).await
    }

    fn leases(&self, seal: Sealed) -> Option<&dyn Leases> {
        UserStore::leases(&**self, seal)
    }
}
