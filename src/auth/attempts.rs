//! A login attempt: its secret, from which the one-time state is made, and where it leads.
//!
//! Each attempt has a cookie of its own, so that two tabs can log in at once, and none has
//! a session: a visitor who never comes back leaves nothing here. The cookies come out of a fixed
//! set of names, so a browser holds few of them however many logins it begins.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::{Rng as _, RngExt as _};
use subtle::ConstantTimeEq as _;
use url::Url;

use super::used_states::UsedStates;
use crate::{
    Timestamp,
    cookies::Cookies,
    provider::{LoginSecret, OneTimeState},
    site::{ReturnPath, Site},
};

/// How long a login may take, from the start to the callback.
const LIFETIME: Duration = Duration::from_secs(10 * 60);
/// How far ahead of this node's clock an attempt may be stamped: the clocks of two nodes differ.
const SKEW: Duration = Duration::from_secs(60);
/// How many attempts one browser keeps. With the longest way back they take less than 3 KB.
const SLOTS: usize = 4;
/// How much of a state names its attempt, in bytes, whichever callback the state comes to.
const HANDLE: usize = 8;

/// Begins and ends attempts.
#[derive(Clone)]
pub(crate) struct Attempts {
    site: Site,
    used: Arc<UsedStates>,
    /// This node's clock.
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

/// An attempt as its cookie keeps it.
struct Attempt {
    secret: LoginSecret,
    begun_at: Timestamp,
    next: ReturnPath,
}

/// A login that has just begun.
pub(crate) struct BegunAttempt {
    pub(crate) state: OneTimeState,
    pub(crate) secret: LoginSecret,
    cookie: String,
}

/// A login that has come back.
pub(crate) struct EndedAttempt {
    pub(crate) secret: LoginSecret,
    /// Where it leads.
    pub(crate) next: ReturnPath,
}

impl Attempts {
    pub(crate) fn new(site: Site) -> Self {
        Self {
            site,
            used: Arc::default(),
            clock: Arc::new(Timestamp::now),
        }
    }

    /// Begins a login that comes back to `callback` and then leads to `next`. It counts once the
    /// browser [keeps](Self::keep) it.
    pub(crate) fn begin(&self, callback: &Url, next: &ReturnPath) -> BegunAttempt {
        let mut bytes = [0; 32];
        rand::rng().fill_bytes(&mut bytes);
        let attempt = Attempt {
            secret: LoginSecret::from_bytes(bytes),
            begun_at: (self.clock)(),
            next: next.clone(),
        };
        BegunAttempt {
            state: attempt.state(callback),
            cookie: attempt.to_cookie_value(),
            secret: attempt.secret,
        }
    }

    /// Stores an attempt in a free slot, or replaces the oldest.
    pub(crate) fn keep(&self, cookies: &Cookies, begun: &BegunAttempt) {
        let now = (self.clock)();
        // From a random one on: tabs that are opened at once rarely choose the same.
        let first = rand::rng().random_range(0..SLOTS);
        let names = (first..first + SLOTS).map(|slot| self.cookie_name(slot % SLOTS));
        // `None`, which is a free slot, is less than any time.
        let name = names.min_by_key(|name| {
            let attempt = Attempt::parse(&self.site, &cookies.get(name)?)?;
            attempt.is_good_at(now).then_some(attempt.begun_at)
        });
        if let Some(name) = name {
            let value = begun.cookie.clone();
            cookies.add(self.site.cookie(name, value, LIFETIME));
        }
    }

    /// Whether this browser began the login whose state came back. Ends nothing.
    pub(crate) fn began(&self, cookies: &Cookies, callback: &Url, returned_state: &str) -> bool {
        self.find(cookies, returned_state)
            .is_some_and(|(_, attempt)| {
                attempt.matches(callback, returned_state) && attempt.is_good_at((self.clock)())
            })
    }

    /// Ends the attempt. `None` if it is unknown, expired, used, or for another callback.
    pub(crate) fn end(
        &self,
        cookies: &Cookies,
        callback: &Url,
        returned_state: &str,
    ) -> Option<EndedAttempt> {
        let (name, attempt) = self.find(cookies, returned_state)?;
        cookies.remove(self.site.removal(name));
        let counts =
            attempt.matches(callback, returned_state) && attempt.is_good_at((self.clock)());
        (counts && self.used.insert(returned_state.to_owned())).then_some(EndedAttempt {
            secret: attempt.secret,
            next: attempt.next,
        })
    }

    /// The attempt that a state names, and its cookie.
    fn find(&self, cookies: &Cookies, returned_state: &str) -> Option<(String, Attempt)> {
        let mut names = (0..SLOTS).map(|slot| self.cookie_name(slot));
        names.find_map(|name| {
            let attempt = Attempt::parse(&self.site, &cookies.get(&name)?)?;
            let handle = returned_state.as_bytes().get(..HANDLE)?;
            let named: bool = attempt.handle().as_bytes().ct_eq(handle).into();
            named.then_some((name, attempt))
        })
    }

    fn cookie_name(&self, slot: usize) -> String {
        self.site.cookie_name(&format!("-attempt-{slot}"), None)
    }
}

impl Attempt {
    /// The one-time state: for one callback, as what another provider sends here does not fit, and
    /// for one beginning and way back.
    fn state(&self, callback: &Url) -> OneTimeState {
        let begun_at = self.begun_at.as_micros();
        let purpose = format!("state for {callback} {begun_at} {}", self.next.as_str());
        OneTimeState::new(self.handle() + self.secret.derive(&purpose).as_str())
    }

    /// Whether this is the state of the attempt at this callback.
    fn matches(&self, callback: &Url, state: &str) -> bool {
        let own = self.state(callback);
        own.expose().as_bytes().ct_eq(state.as_bytes()).into()
    }

    /// What the state begins with, at every callback.
    fn handle(&self) -> String {
        let mut handle = self.secret.derive("handle of the state");
        handle.truncate(HANDLE);
        handle
    }

    /// Whether it is neither too old nor from the future. Browsers expire the cookie too, but a
    /// client can forge one.
    fn is_good_at(&self, now: Timestamp) -> bool {
        now.since(self.begun_at) < LIFETIME && self.begun_at.since(now) <= SKEW
    }

    fn to_cookie_value(&self) -> String {
        let next = URL_SAFE_NO_PAD.encode(self.next.as_str());
        let secret = URL_SAFE_NO_PAD.encode(self.secret.as_bytes());
        format!("{secret}.{}.{next}", self.begun_at.as_micros())
    }

    /// Reads a cookie, which is untrusted input: where it leads is checked again.
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering::SeqCst};

    use http::{HeaderMap, header};

    use super::*;
    use crate::site::LONGEST_RETURN_PATH;

    const SECOND: i64 = 1_000_000;
    const MINUTE: i64 = 60 * SECOND;

    /// A site in a time that is turned, and a browser.
    struct Scene {
        attempts: Attempts,
        now: Arc<AtomicI64>,
        browser: HeaderMap,
        callback: Url,
    }

    impl Scene {
        fn new() -> Self {
            let site = Site::parse("https://example.com").unwrap();
            let now = Arc::new(AtomicI64::new(Timestamp::now().as_micros()));
            let clock = Arc::clone(&now);
            Self {
                callback: site.url("/clef/callback"),
                attempts: Attempts {
                    clock: Arc::new(move || Timestamp::from_micros(clock.load(SeqCst))),
                    ..Attempts::new(site)
                },
                now,
                browser: HeaderMap::new(),
            }
        }

        fn begin(&mut self, next: &str) -> String {
            let next = ReturnPath::parse(&self.attempts.site, next).unwrap();
            let cookies = Cookies::of(&self.browser);
            let begun = self.attempts.begin(&self.callback, &next);
            self.attempts.keep(&cookies, &begun);
            self.take(&cookies);
            begun.state.expose().to_owned()
        }

        /// Where a login leads whose state comes back.
        fn come_back(&mut self, state: &str) -> Option<String> {
            let cookies = Cookies::of(&self.browser);
            let ended = self.attempts.end(&cookies, &self.callback, state);
            self.take(&cookies);
            ended.map(|ended| ended.next.as_str().to_owned())
        }

        fn advance(&self, micros: i64) {
            self.now.fetch_add(micros, SeqCst);
        }

        /// Does with the cookies of an answer what a browser does.
        fn take(&mut self, cookies: &Cookies) {
            let mut answer = HeaderMap::new();
            cookies.set(&mut answer);
            for cookie in answer.get_all(header::SET_COOKIE) {
                let cookie = cookie.to_str().unwrap().split(';').next().unwrap();
                let (name, value) = cookie.split_once('=').unwrap();
                let others = self.cookies().into_iter();
                let mut kept: Vec<_> = others
                    .filter(|other| other.split_once('=').unwrap().0 != name)
                    .collect();
                if !value.is_empty() {
                    kept.push(cookie.to_owned());
                }
                let kept = kept.join("; ").try_into().unwrap();
                self.browser.insert(header::COOKIE, kept);
            }
        }

        fn cookies(&self) -> Vec<String> {
            let header = self.browser.get(header::COOKIE);
            let cookies = header.map_or("", |header| header.to_str().unwrap());
            let cookies = cookies.split("; ").filter(|cookie| !cookie.is_empty());
            cookies.map(str::to_owned).collect()
        }
    }

    #[test]
    fn a_login_may_take_ten_minutes_by_the_clock_of_the_site() {
        for (takes, counts) in [
            (0, true),
            (10 * MINUTE - 1, true),
            (10 * MINUTE, false),
            (365 * 24 * 60 * MINUTE, false),
            // A node whose clock is behind that of the other.
            (-MINUTE, true),
            (-MINUTE - 1, false),
            (-365 * 24 * 60 * MINUTE, false),
        ] {
            let mut scene = Scene::new();
            let state = scene.begin("/account");
            scene.advance(takes);
            assert_eq!(scene.come_back(&state).is_some(), counts, "{takes}");
            assert!(scene.cookies().is_empty(), "it is over: {takes}");
        }
    }

    #[test]
    fn a_stamp_at_the_ends_of_time_is_no_login() {
        for stamp in [i64::MIN, -1, 0, i64::MAX] {
            let mut scene = Scene::new();
            let now = scene.now.swap(stamp, SeqCst);
            let state = scene.begin("/");
            scene.now.store(now, SeqCst);
            assert_eq!(scene.come_back(&state), None, "{stamp}");
        }
    }

    #[test]
    fn a_browser_holds_few_attempts_and_the_oldest_gives_way() {
        let mut scene = Scene::new();
        let longest = format!("/{}", "x".repeat(LONGEST_RETURN_PATH - 1));
        let mut states = Vec::new();
        for _ in 0..3 * SLOTS {
            scene.advance(SECOND);
            states.push(scene.begin(&longest));
            let cookies = scene.cookies();
            assert_eq!(cookies.len(), states.len().min(SLOTS));
            assert!(cookies.join("; ").len() < 3_000);
        }
        for (age, state) in states.iter().rev().enumerate() {
            let came_back = scene.come_back(state);
            let expected = (age < SLOTS).then(|| longest.clone());
            assert_eq!(came_back, expected, "{age}");
        }
        assert_eq!(scene.cookies().len(), 0);
    }

    #[test]
    fn a_slot_that_holds_no_login_is_free() {
        let mut scene = Scene::new();
        let ahead = scene.now.fetch_add(5 * MINUTE, SeqCst);
        scene.begin("/of-the-future");
        scene.now.store(ahead, SeqCst);
        let name = scene.attempts.cookie_name(0);
        let mut cookies = scene.cookies();
        cookies.retain(|cookie| !cookie.starts_with(&name));
        cookies.push(format!("{name}=garbage"));
        let cookies = cookies.join("; ").try_into().unwrap();
        scene.browser.insert(header::COOKIE, cookies);
        // Whatever stands in the other slots, and though it was begun before what is there.
        let states = [(); SLOTS].map(|()| scene.begin("/"));
        assert_eq!(scene.cookies().len(), SLOTS);
        for state in states {
            assert!(scene.come_back(&state).is_some());
        }
    }

    #[test]
    fn two_logins_of_one_page_are_two() {
        let mut scene = Scene::new();
        let cookies = Cookies::of(&scene.browser);
        let states = ["/a", "/b"].map(|next| {
            let next = ReturnPath::parse(&scene.attempts.site, next).unwrap();
            let begun = scene.attempts.begin(&scene.callback, &next);
            scene.attempts.keep(&cookies, &begun);
            begun.state.expose().to_owned()
        });
        scene.take(&cookies);
        assert_eq!(scene.come_back(&states[0]).as_deref(), Some("/a"));
        assert_eq!(scene.come_back(&states[1]).as_deref(), Some("/b"));
    }

    #[test]
    fn a_state_is_for_one_way_back_and_one_beginning() {
        let mut scene = Scene::new();
        let state = scene.begin("/account");
        let good = scene.browser.clone();
        let [cookie] = &scene.cookies()[..] else {
            panic!("one attempt")
        };
        let mut parts = cookie.splitn(3, '.');
        let (secret, begun_at) = (parts.next().unwrap(), parts.next().unwrap());
        let next = parts.next().unwrap();
        let elsewhere = URL_SAFE_NO_PAD.encode("/elsewhere");
        let later = begun_at.parse::<i64>().unwrap() + 1;
        for changed in [
            format!("{secret}.{begun_at}.{elsewhere}"),
            format!("{secret}.{later}.{next}"),
        ] {
            let changed = changed.try_into().unwrap();
            scene.browser.insert(header::COOKIE, changed);
            assert_eq!(scene.come_back(&state), None);
        }
        scene.browser.clone_from(&good);
        let callback = scene.attempts.site.url("/other/callback");
        let callback = std::mem::replace(&mut scene.callback, callback);
        assert_eq!(scene.come_back(&state), None);
        assert!(scene.cookies().is_empty(), "burnt at the wrong callback");
        scene.browser = good;
        scene.callback = callback;
        assert_eq!(scene.come_back(&state).as_deref(), Some("/account"));
    }
}
