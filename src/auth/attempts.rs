//! A login attempt: its secret, from which the one-time state is made, and where it leads.
//!
//! Each attempt has a cookie of its own, so that two tabs can log in at once, and none has
//! a session: a visitor who never comes back leaves nothing here. The cookies come out of a fixed
//! set of names, so a browser holds few of them however many logins it begins.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::{Rng as _, RngCore as _};
use subtle::ConstantTimeEq as _;
use url::Url;

use super::{
    Reauthentication,
    attempt::{Attempt, Stage, digest_of, state_of},
};
use crate::{
    Timestamp,
    cookies::Cookies,
    provider::{LoginSecret, OneTimeState},
    sessions::SessionKeys,
    site::{ReturnPath, Site},
};

/// How far ahead of this node's clock an attempt may be stamped: the clocks of two nodes differ.
const SKEW: Duration = Duration::from_secs(60);
/// How many attempts one browser keeps. With the longest way back they take less than 3 KB.
const SLOTS: usize = 4;

/// Begins and ends attempts.
#[derive(Clone)]
pub(crate) struct Attempts {
    site: Site,
    /// How long a login may take, from the start to the callback.
    lifetime: Duration,
    /// Without a key, an attempt can be made up by its own browser alone.
    keys: Option<SessionKeys>,
    /// This node's clock.
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

/// A login that has just begun.
pub(crate) struct BegunAttempt {
    pub(crate) state: OneTimeState,
    pub(crate) secret: LoginSecret,
    attempt: Attempt,
}

/// The attempt of a state that came back in the browser that began it.
pub(crate) struct ReturnedAttempt {
    pub(crate) stage: ReturnedStage,
    begun_at: Timestamp,
    /// What the login has to prove, if it is not any login.
    pub(crate) reauthentication: Option<Reauthentication>,
    /// Where it leads.
    pub(crate) next: ReturnPath,
    cookie: String,
}

pub(crate) enum ReturnedStage {
    /// Its code may be exchanged with this secret, once.
    Open(LoginSecret),
    /// The state was used: the stamp of the login that began; `None` if it failed.
    Used(Option<Timestamp>),
    /// It has taken too long, or is from the future.
    Expired,
}

impl ReturnedAttempt {
    /// Whether it links an identity instead of beginning a login.
    pub(crate) fn links(&self) -> bool {
        let expected = self.reauthentication.as_ref();
        expected.is_some_and(Reauthentication::links)
    }
}

impl Attempts {
    pub(crate) fn new(site: Site, lifetime: Duration, keys: Option<SessionKeys>) -> Self {
        Self {
            site,
            lifetime,
            keys,
            clock: Arc::new(Timestamp::now),
        }
    }

    /// How long a login may be under way.
    pub(crate) fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// Begins a login that comes back to `callback` and then leads to `next`. It counts once the
    /// browser [keeps](Self::keep) it.
    pub(crate) fn begin(
        &self,
        callback: &Url,
        reauthentication: Option<Reauthentication>,
        next: &ReturnPath,
    ) -> BegunAttempt {
        let mut bytes = [0; 32];
        rand::thread_rng().fill_bytes(&mut bytes);
        let secret = LoginSecret::from_bytes(bytes);
        let (begun_at, next) = ((self.clock)(), next.clone());
        BegunAttempt {
            state: state_of(
                &secret,
                callback,
                begun_at,
                reauthentication.as_ref(),
                &next,
            ),
            attempt: Attempt {
                stage: Stage::Open {
                    secret: secret.clone(),
                    by_person: true,
                },
                begun_at,
                reauthentication,
                next,
            },
            secret,
        }
    }

    /// Stores an attempt in a free slot. If there is none, it replaces the oldest that no person
    /// began, or else the oldest but one: the oldest of all may be the one that the person is
    /// completing while something in the background begins others.
    pub(crate) fn keep(&self, cookies: &Cookies, mut begun: BegunAttempt, is_by_person: bool) {
        if let Stage::Open { by_person, .. } = &mut begun.attempt.stage {
            *by_person = is_by_person;
        }
        let now = (self.clock)();
        // From a random one on: tabs that are opened at once rarely choose the same.
        let first = rand::thread_rng().gen_range(0..SLOTS);
        let slots = (first..first + SLOTS).map(|slot| {
            let name = self.cookie_name(slot % SLOTS);
            let rank = cookies.get(&name).and_then(|value| {
                let attempt = self.read(&name, &value)?;
                let Stage::Open { by_person, .. } = attempt.stage else {
                    return None;
                };
                let counts = self.is_good_at(attempt.begun_at, now);
                counts.then_some((by_person, attempt.begun_at))
            });
            (rank, name)
        });
        // `None`, which is a free slot, is less than any rank.
        let mut slots: Vec<_> = slots.collect();
        slots.sort_by_key(|(rank, _)| *rank);
        let all_by_persons = slots
            .first()
            .is_some_and(|(rank, _)| rank.is_some_and(|(by_person, _)| by_person));
        let Some((_, name)) = slots.into_iter().nth(usize::from(all_by_persons)) else {
            return;
        };
        if let Some(value) = self.write(&name, &begun.attempt) {
            cookies.add(self.site.cookie(name, value, self.lifetime));
        }
    }

    /// Finds the attempt whose state came back. `None` if it was not begun in this browser, or for
    /// another callback, which ends it.
    pub(crate) fn find(
        &self,
        cookies: &Cookies,
        callback: &Url,
        returned_state: &str,
    ) -> Option<ReturnedAttempt> {
        let mut names = (0..SLOTS).map(|slot| self.cookie_name(slot));
        let (cookie, attempt) = names.find_map(|name| {
            let attempt = self.read(&name, &cookies.get(&name)?)?;
            attempt
                .is_named_by(returned_state)
                .then_some((name, attempt))
        })?;
        let Attempt {
            stage,
            begun_at,
            reauthentication,
            next,
        } = attempt;
        let is_good = self.is_good_at(begun_at, (self.clock)());
        let stage = match stage {
            Stage::Used { logged_in_at, .. } if is_good => ReturnedStage::Used(logged_in_at),
            Stage::Used { .. } => {
                cookies.remove(self.site.removal(cookie));
                return None;
            }
            Stage::Open { secret, .. } => {
                let own = state_of(
                    &secret,
                    callback,
                    begun_at,
                    reauthentication.as_ref(),
                    &next,
                );
                let matches: bool = own
                    .expose()
                    .as_bytes()
                    .ct_eq(returned_state.as_bytes())
                    .into();
                if !matches {
                    cookies.remove(self.site.removal(cookie));
                    return None;
                }
                match is_good {
                    true => ReturnedStage::Open(secret),
                    false => ReturnedStage::Expired,
                }
            }
        };
        Some(ReturnedAttempt {
            stage,
            begun_at,
            reauthentication,
            next,
            cookie,
        })
    }

    /// Notes in the browser that the state was used, so that a second request of the same login is
    /// recognized at every node, and knows where the login leads. Without a stamp the login failed.
    pub(crate) fn mark_used(
        &self,
        cookies: &Cookies,
        returned: &ReturnedAttempt,
        returned_state: &str,
        logged_in_at: Option<Timestamp>,
    ) {
        let used = Attempt {
            stage: Stage::Used {
                digest: digest_of(returned_state),
                logged_in_at,
            },
            begun_at: returned.begun_at,
            reauthentication: returned.reauthentication.clone(),
            next: returned.next.clone(),
        };
        match self.write(&returned.cookie, &used) {
            Some(value) => {
                let name = returned.cookie.clone();
                cookies.add(self.site.cookie(name, value, self.lifetime));
            }
            None => self.forget(cookies, returned),
        }
    }

    /// Removes an attempt from the browser.
    pub(crate) fn forget(&self, cookies: &Cookies, returned: &ReturnedAttempt) {
        cookies.remove(self.site.removal(returned.cookie.clone()));
    }

    /// Removes the attempts that were used, so that a browser which has signed out is as it was.
    pub(crate) fn forget_used(&self, cookies: &Cookies) {
        for slot in 0..SLOTS {
            let name = self.cookie_name(slot);
            let attempt = cookies
                .get(&name)
                .and_then(|value| self.read(&name, &value));
            if attempt.is_some_and(|attempt| matches!(attempt.stage, Stage::Used { .. })) {
                cookies.remove(self.site.removal(name));
            }
        }
    }

    fn cookie_name(&self, slot: usize) -> String {
        self.site.cookie_name(&format!("-attempt-{slot}"), None)
    }

    /// Whether it is neither too old nor from the future. Browsers expire the cookie too, but a
    /// client can forge one.
    fn is_good_at(&self, begun_at: Timestamp, now: Timestamp) -> bool {
        now.since(begun_at) < self.lifetime && begun_at.since(now) <= SKEW
    }

    fn write(&self, name: &str, attempt: &Attempt) -> Option<String> {
        let text = attempt.to_text();
        match &self.keys {
            Some(keys) => keys.seal(text.as_bytes(), &self.context(name)),
            None => Some(URL_SAFE_NO_PAD.encode(text)),
        }
    }

    /// Reads a cookie, which is untrusted input: where it leads is checked again.
    fn read(&self, name: &str, value: &str) -> Option<Attempt> {
        let text = match &self.keys {
            Some(keys) => keys.open(value.as_bytes(), &self.context(name))?,
            None => URL_SAFE_NO_PAD.decode(value).ok()?,
        };
        Attempt::parse(&self.site, str::from_utf8(&text).ok()?)
    }

    /// The context of a sealed attempt, which opens for no other purpose, site or name.
    fn context(&self, name: &str) -> String {
        format!("axum-clef 1\nattempt\n{}\n{name}", self.site.url("/"))
    }
}

#[cfg(test)]
mod tests;
