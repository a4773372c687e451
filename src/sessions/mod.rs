//! Where logins are kept: in a session store, or sealed in the browser's cookie.
//!
//! A login has a cookie and a record of its own, which only this crate writes. They are separate
//! from an application's tower-sessions `Session`.

mod backend;
mod cookie;
mod login;
mod presented;
mod record;
mod seal;
mod sealed;
mod secret;
mod stored;
#[cfg(feature = "live")]
mod stored_state;
mod tokens;

use std::{fmt, sync::Arc};

use tower_sessions::SessionStore;

#[cfg(feature = "live")]
pub(crate) use self::stored_state::{SessionHandle, StoredState};
pub(crate) use self::{
    backend::{Renewal, SessionBackend},
    cookie::{LONGEST_COOKIE, LoginCookie},
    presented::{LoginBinding, PresentedLogin},
    record::{LoginDetails, LoginRecord},
    seal::SessionKeys,
    sealed::BeginError,
    tokens::{SealTokenError, Tokens},
};
pub use self::{
    login::Login,
    seal::{InvalidSessionKey, SessionKey},
};

/// Where the logins of a site are kept.
///
/// Any [`SessionStore`] of tower-sessions converts into it, so
/// [`ClefLayer::builder`](crate::ClefLayer::builder) accepts a store directly. Use the store for
/// logins only: give the application's own sessions another table or prefix.
///
/// | | stored | sealed |
/// |---|---|---|
/// | where a login is | in the store; the cookie has its id and a secret of 258 bits | in the cookie, encrypted |
/// | a request that asks for the user | loads it from the store | opens the cookie |
/// | the user store | any | must [keep revocations](crate::UserStore::keeps_revocations) |
/// | the longest login | 400 days, after which browsers delete the cookie | 30 days by default |
///
/// ```
/// use axum_clef::{SessionKey, Sessions};
/// use tower_sessions::MemoryStore;
///
/// let stored = Sessions::from(MemoryStore::default());
/// # let (current, previous) = ([1; 32], [2; 32]);
/// let sealed = Sessions::sealed([
///     SessionKey::from_bytes(current),
///     SessionKey::from_bytes(previous),
/// ]);
/// ```
#[derive(Clone)]
pub struct Sessions(pub(crate) Kind);

#[derive(Clone)]
pub(crate) enum Kind {
    Stored(Arc<dyn SessionStore>),
    Sealed(SessionKeys),
}

impl Sessions {
    /// Keeps logins in a session store.
    pub fn stored(store: impl SessionStore) -> Self {
        Self(Kind::Stored(Arc::new(store)))
    }

    /// Keeps logins in the browser's cookie, sealed with AES-256-GCM-SIV. The first key seals,
    /// and every key opens.
    ///
    /// To rotate keys without logging users out:
    ///
    /// 1. Add the new key as the last one, on all nodes.
    /// 2. Make it the first one, on all nodes.
    /// 3. Remove the old key once the last login that it sealed has ended.
    pub fn sealed(keys: impl IntoIterator<Item = SessionKey>) -> Self {
        Self(Kind::Sealed(SessionKeys::new(keys.into_iter().collect())))
    }

    pub(crate) fn is_sealed(&self) -> bool {
        matches!(self.0, Kind::Sealed(_))
    }

    /// The keys, if logins are sealed.
    pub(crate) fn keys(&self) -> Option<&SessionKeys> {
        match &self.0 {
            Kind::Stored(_) => None,
            Kind::Sealed(keys) => Some(keys),
        }
    }

    /// Whether logins are to be sealed, but there is no key.
    pub(crate) fn has_no_key(&self) -> bool {
        matches!(&self.0, Kind::Sealed(keys) if keys.is_empty())
    }
}

impl<S: SessionStore> From<S> for Sessions {
    fn from(store: S) -> Self {
        Self::stored(store)
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.0 {
            Kind::Stored(_) => "stored",
            Kind::Sealed(_) => "sealed",
        };
        formatter.debug_tuple("Sessions").field(&kind).finish()
    }
}
