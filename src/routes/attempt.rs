//! A login on its way: its secret, from which the one-time state is made, and where it leads.
//!
//! Each attempt has a cookie of its own, so that two tabs can log in at once, and none has
//! a session: a visitor who never comes back leaves nothing here.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::Rng as _;
use subtle::ConstantTimeEq as _;
use url::Url;

use super::{burnt::BurntStates, return_path::ReturnPath};
use crate::{
    Timestamp,
    cookies::Cookies,
    provider::{LoginSecret, OneTimeState},
    site::Site,
};

/// How long a login may take, from the start to the callback.
const LIFETIME: Duration = Duration::from_secs(10 * 60);
/// How much of the state stands in the name of its cookie, in characters.
const HANDLE: usize = 8;
/// How many attempts one browser keeps. Older ones give way, and so they do when all of
/// them together would near the header limits of common proxies.
const MOST_ATTEMPTS: usize = 5;
/// How large the values of all attempts of a browser may be together, in bytes.
const MOST_BYTES: usize = 4_000;

/// Begins and ends attempts.
#[derive(Clone)]
pub(crate) struct Attempts {
    site: Site,
    burnt: Arc<BurntStates>,
}

/// An attempt as its cookie keeps it.
struct Attempt {
    secret: LoginSecret,
    begun_at: Timestamp,
    next: ReturnPath,
}

/// A login that has just begun.
pub(super) struct Begun {
    pub(super) state: OneTimeState,
    pub(super) secret: LoginSecret,
}

/// A login that has come back.
pub(super) struct Ended {
    pub(super) secret: LoginSecret,
    /// Where it leads.
    pub(super) next: ReturnPath,
}

/// The state of a login, made for one callback: what another provider sends here does not fit.
fn state(secret: &LoginSecret, callback: &Url) -> OneTimeState {
    OneTimeState::new(secret.derive(&format!("state for {callback}")))
}

impl Attempts {
    pub(crate) fn new(site: Site) -> Self {
        Self {
            site,
            burnt: Arc::default(),
        }
    }

    /// Begins a login that comes back to `callback` and then leads to `next`.
    pub(super) fn begin(&self, cookies: &Cookies, callback: &Url, next: &ReturnPath) -> Begun {
        let mut bytes = [0; 32];
        rand::rng().fill_bytes(&mut bytes);
        let attempt = Attempt {
            secret: LoginSecret::from_bytes(bytes),
            begun_at: Timestamp::now(),
            next: next.clone(),
        };
        let state = state(&attempt.secret, callback);
        let value = attempt.to_cookie_value();
        self.make_room(cookies, value.len());
        cookies.add(
            self.site
                .cookie(self.cookie_name(state.expose()), value, LIFETIME),
        );
        Begun {
            state,
            secret: attempt.secret,
        }
    }

    /// Whether this browser began the login whose state came back. Ends nothing.
    pub(super) fn began(&self, cookies: &Cookies, callback: &Url, came: &str) -> bool {
        let cookie = cookies.get(&self.cookie_name(came));
        let attempt = cookie.and_then(|cookie| Attempt::parse(&self.site, cookie.value()));
        attempt.is_some_and(|attempt| {
            let state = state(&attempt.secret, callback);
            state.expose().as_bytes().ct_eq(came.as_bytes()).into()
        })
    }

    /// Ends the login whose state came back, whatever becomes of it. `None`: this browser did
    /// not begin it, not with the provider that comes back here, or it was ended before.
    pub(super) fn burn(&self, cookies: &Cookies, callback: &Url, came: &str) -> Option<Ended> {
        let name = self.cookie_name(came);
        let attempt = Attempt::parse(&self.site, cookies.get(&name)?.value());
        cookies.remove(self.site.removal(name));
        let Attempt { secret, next, .. } = attempt?;
        let state = state(&secret, callback);
        let same: bool = state.expose().as_bytes().ct_eq(came.as_bytes()).into();
        (same && self.burnt.burn(state.expose().to_owned())).then_some(Ended { secret, next })
    }

    /// Forgets an attempt that was begun in this very request.
    pub(super) fn forget(&self, cookies: &Cookies, state: &OneTimeState) {
        cookies.remove(self.site.removal(self.cookie_name(state.expose())));
    }

    fn make_room(&self, cookies: &Cookies, bytes: usize) {
        let prefix = self.cookie_name("");
        let mut attempts: Vec<_> = cookies
            .list()
            .into_iter()
            .filter(|cookie| cookie.name().strip_prefix(&prefix).is_some_and(is_plain))
            .map(|cookie| {
                let begun_at = Attempt::parse(&self.site, cookie.value()).map(|a| a.begun_at);
                (begun_at, cookie)
            })
            .collect();
        // The newest last; what cannot be read counts as oldest.
        attempts.sort_by_key(|(begun_at, _)| *begun_at);
        let mut count = attempts.len() + 1;
        let mut total: usize = bytes + attempts.iter().map(|(_, c)| c.value().len()).sum::<usize>();
        for (_, cookie) in attempts {
            if count <= MOST_ATTEMPTS && total <= MOST_BYTES {
                break;
            }
            count -= 1;
            total -= cookie.value().len();
            cookies.remove(self.site.removal(cookie.name().to_owned()));
        }
    }

    fn cookie_name(&self, state: &str) -> String {
        let handle: String = state
            .chars()
            .filter(|character| is_plain(character.encode_utf8(&mut [0; 4])))
            .take(HANDLE)
            .collect();
        self.site.cookie_name("attempt", None) + "-" + &handle
    }
}

/// Whether text may stand in the name of a cookie.
fn is_plain(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

impl Attempt {
    fn to_cookie_value(&self) -> String {
        let next = URL_SAFE_NO_PAD.encode(self.next.as_str());
        let secret = URL_SAFE_NO_PAD.encode(self.secret.as_bytes());
        format!("{secret}.{}.{next}", self.begun_at.as_micros())
    }

    /// Reads a cookie, which anybody may have written: where it leads is checked again.
    fn parse(site: &Site, value: &str) -> Option<Self> {
        let mut parts = value.splitn(3, '.');
        let secret = URL_SAFE_NO_PAD.decode(parts.next()?).ok()?;
        let begun_at = parts.next()?.parse().ok()?;
        let next = URL_SAFE_NO_PAD.decode(parts.next()?).ok()?;
        Some(Self {
            secret: LoginSecret::from_bytes(secret.try_into().ok()?),
            begun_at: Timestamp::from_micros(begun_at),
            next: ReturnPath::parse(site, std::str::from_utf8(&next).ok()?)?,
        })
    }
}
