//! What waits for the answer of an authenticator.

use std::{fmt, time::Duration};

use axum_clef::Timestamp;
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use moka::{policy::EvictionPolicy, sync::Cache};
use webauthn_rs::prelude::{DiscoverableAuthentication, PasskeyRegistration, Uuid};

/// How long an authenticator may take.
pub const CEREMONY_LIFETIME: Duration = Duration::from_secs(10 * 60);

/// How many ceremonies are kept. Above that the oldest are dropped, and their users begin again.
const MOST_CEREMONIES: u64 = 10_000;

const COOKIE: &str = "passkey_ceremony";

/// A ceremony of WebAuthn that has begun: the challenge, and what it is for.
#[derive(Debug, Clone)]
pub enum Ceremony {
    /// A visitor makes the first passkey of a new member.
    SignUp {
        /// The name of the member, for people.
        name: String,
        /// The id of the member, for authenticators.
        handle: Uuid,
        /// The challenge.
        state: PasskeyRegistration,
    },
    /// A visitor logs in.
    LogIn(DiscoverableAuthentication),
    /// A member makes another passkey.
    Add {
        /// The id of the member.
        user_id: String,
        /// The same, for authenticators.
        handle: Uuid,
        /// The name of the passkey, for the member.
        name: String,
        /// The challenge.
        state: PasskeyRegistration,
    },
}

/// The ceremonies that are under way, in the memory of this server, by the id in a cookie. Each is
/// taken once, so an answer cannot be sent twice. In a cookie alone it could.
///
/// A site on several nodes keeps them in a table: webauthn-rs serializes them with the feature
/// `danger-allow-state-serialisation`.
#[derive(Clone)]
pub struct Ceremonies(Cache<String, (Timestamp, Ceremony)>);

impl Default for Ceremonies {
    fn default() -> Self {
        let cache = Cache::builder()
            .max_capacity(MOST_CEREMONIES)
            .eviction_policy(EvictionPolicy::lru())
            .time_to_live(CEREMONY_LIFETIME);
        Self(cache.build())
    }
}

impl Ceremonies {
    /// Begins a ceremony, and returns the cookie for it.
    pub fn begin(&self, ceremony: Ceremony, now: Timestamp, is_https: bool) -> CookieJar {
        let id = BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
        self.0.insert(id.clone(), (now, ceremony));
        let lifetime = time::Duration::try_from(CEREMONY_LIFETIME).unwrap_or_default();
        let cookie = Cookie::build((COOKIE, id))
            .path("/")
            .http_only(true)
            .secure(is_https)
            .same_site(SameSite::Strict)
            .max_age(lifetime);
        CookieJar::new().add(cookie)
    }

    /// The ceremony of this browser, once. `None` if there is none, or it took too long.
    pub fn take(&self, cookies: &CookieJar, now: Timestamp) -> Option<Ceremony> {
        let (began_at, ceremony) = self.0.remove(cookies.get(COOKIE)?.value())?;
        let lifetime = i64::try_from(CEREMONY_LIFETIME.as_micros()).ok()?;
        let age = now.as_micros().saturating_sub(began_at.as_micros());
        (age < lifetime).then_some(ceremony)
    }
}

impl fmt::Debug for Ceremonies {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Ceremonies").finish_non_exhaustive()
    }
}
