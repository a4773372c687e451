//! The exchanges of codes: one for each state, shared by the requests that bring it at once.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use tokio::{sync::watch, time::Instant};

use super::failure::LoginFailureKind;
use crate::{
    LoginId, ProviderKey, ProviderSession, Subject, Timestamp,
    provider::{Authentication, ProviderLogin},
};

/// How long the result of an exchange is shared.
const SHARED_FOR: Duration = Duration::from_secs(10);
/// How many requests share one exchange at the most: each begins a login of its own.
const MOST_SHARES: usize = 8;
/// How many states are remembered, some hundred bytes each; the oldest is evicted first.
const CAPACITY: usize = 10_000;

/// A user whose code was exchanged: what a second login needs. It has no secrets.
#[derive(Debug)]
pub(super) struct ProvenUser {
    pub(super) user_id: String,
    pub(super) logged_in_at: Timestamp,
    pub(super) authentication: Authentication,
    pub(super) subject: Subject,
    /// The session at the provider, if it names one.
    session: Option<ProviderSession>,
    /// Whether the provider names sessions at all.
    names_sessions: bool,
    /// The logins that began from it.
    logins: Mutex<Vec<LoginId>>,
}

type Outcome = Result<Arc<ProvenUser>, LoginFailureKind>;

/// The states that came back at this node, and the exchanges of their codes.
///
/// A state is remembered long after its result is forgotten, so its code is never exchanged twice
/// at this node.
#[derive(Default)]
pub(super) struct Exchanges(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    states: HashMap<[u8; 32], Entry>,
    in_order: VecDeque<[u8; 32]>,
    /// When exchanges began whose result is still there.
    shared: VecDeque<(Instant, [u8; 32])>,
}

struct Entry {
    code: [u8; 32],
    shares: usize,
    outcome: Option<watch::Receiver<Option<Outcome>>>,
    /// The stamp of its logins, once the outcome is forgotten.
    logged_in_at: Option<Timestamp>,
}

/// What to do about a code.
pub(super) enum Claim {
    /// Exchange it, and publish the outcome.
    First(Publisher),
    /// It is being exchanged or was a moment ago.
    Shared(SharedExchange),
    /// It was exchanged before, or belongs to another state: the stamp of the logins that began.
    Over(Option<Timestamp>),
}

/// The one that exchanges a code. Dropped without an outcome, the exchange has failed for all.
pub(super) struct Publisher(watch::Sender<Option<Outcome>>);

/// The exchange of another request.
pub(super) struct SharedExchange(watch::Receiver<Option<Outcome>>);

impl Exchanges {
    /// Claims the exchange of the code that came with a state.
    pub(super) fn claim(&self, state: &str, code: &SecretString) -> Claim {
        if let Some(claim) = self.join(state, code) {
            return claim;
        }
        let (sender, receiver) = watch::channel(None);
        let key = digest(state);
        let mut entries = self.entries();
        // Another request may have claimed it meanwhile.
        if entries.states.contains_key(&key) {
            drop(entries);
            return self.join(state, code).unwrap_or(Claim::Over(None));
        }
        let entry = Entry {
            code: digest(code.expose_secret()),
            shares: 1,
            outcome: Some(receiver),
            logged_in_at: None,
        };
        entries.states.insert(key, entry);
        entries.in_order.push_back(key);
        entries.shared.push_back((Instant::now(), key));
        if entries.in_order.len() > CAPACITY
            && let Some(oldest) = entries.in_order.pop_front()
        {
            entries.states.remove(&oldest);
            if entries
                .shared
                .front()
                .is_some_and(|(_, key)| *key == oldest)
            {
                entries.shared.pop_front();
            }
        }
        Claim::First(Publisher(sender))
    }

    /// Joins the exchange of a state; `None` if the state is new at this node.
    pub(super) fn join(&self, state: &str, code: &SecretString) -> Option<Claim> {
        let mut entries = self.entries();
        let entry = entries.states.get_mut(&digest(state))?;
        let is_same = entry.code == digest(code.expose_secret());
        let outcome = entry.outcome.clone();
        Some(match outcome {
            Some(outcome) if is_same && entry.shares < MOST_SHARES => {
                entry.shares += 1;
                Claim::Shared(SharedExchange(outcome))
            }
            Some(outcome) if is_same => Claim::Over(stamp_in(&outcome)),
            None if is_same => Claim::Over(entry.logged_in_at),
            _ => Claim::Over(None),
        })
    }

    /// The entries, without the results that are too old.
    fn entries(&self) -> MutexGuard<'_, Entries> {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        while let Some((began_at, key)) = entries.shared.front().copied()
            && now.duration_since(began_at) >= SHARED_FOR
        {
            entries.shared.pop_front();
            let Some(entry) = entries.states.get_mut(&key) else {
                continue;
            };
            let Some(outcome) = entry.outcome.take() else {
                continue;
            };
            if outcome.borrow().is_none() && outcome.has_changed().is_ok() {
                // Still being exchanged.
                entry.outcome = Some(outcome);
                entries.shared.push_back((now, key));
            } else {
                entry.logged_in_at = stamp_in(&outcome);
            }
        }
        entries
    }
}

impl Publisher {
    pub(super) fn publish(&self, outcome: Outcome) {
        // Fails if nothing waits any more.
        let _ = self.0.send(Some(outcome));
    }
}

impl SharedExchange {
    /// Waits for the outcome. `None` if the exchange was aborted. It is bounded by the time limits
    /// of the request that exchanges.
    pub(super) async fn outcome(mut self) -> Option<Outcome> {
        let outcome = self.0.wait_for(Option::is_some).await.ok()?;
        outcome.clone()
    }
}

impl ProvenUser {
    /// The user with this id, as the provider has described them at this time.
    pub(super) fn new(
        user_id: String,
        logged_in_at: Timestamp,
        proven: ProviderLogin,
        names_sessions: bool,
    ) -> Self {
        Self {
            user_id,
            logged_in_at,
            authentication: proven.authentication,
            subject: proven.profile.subject,
            session: proven.session,
            names_sessions,
            logins: Mutex::default(),
        }
    }

    /// The key of the login at the provider: the session, or the subject if a provider with sessions
    /// names none.
    pub(super) fn provider_key(&self) -> Option<ProviderKey<'_>> {
        match &self.session {
            Some(session) => Some(ProviderKey::Session {
                issuer: session.issuer(),
                id: session.id(),
            }),
            None if self.names_sessions => Some(ProviderKey::Subject {
                issuer: self.subject.issuer(),
                id: self.subject.id(),
            }),
            None => None,
        }
    }

    /// Notes a login that begins.
    pub(super) fn note(&self, id: LoginId) {
        self.logins().push(id);
    }

    /// The logins that began from the same code, without this one.
    pub(super) fn logins_except(&self, id: LoginId) -> Vec<LoginId> {
        let mut logins = self.logins().clone();
        logins.retain(|login| *login != id);
        logins
    }

    fn logins(&self) -> MutexGuard<'_, Vec<LoginId>> {
        self.logins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stamp_in(outcome: &watch::Receiver<Option<Outcome>>) -> Option<Timestamp> {
    match &*outcome.borrow() {
        Some(Ok(user)) => Some(user.logged_in_at),
        _ => None,
    }
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Profile;

    fn code(text: &str) -> SecretString {
        SecretString::from(text)
    }

    fn user() -> Arc<ProvenUser> {
        let subject = Subject::new("https://clef.test", "12345");
        let proven = ProviderLogin::new(Profile::new(subject));
        let now = Timestamp::from_micros(1);
        Arc::new(ProvenUser::new("1".to_owned(), now, proven, false))
    }

    fn first(exchanges: &Exchanges, state: &str) -> Publisher {
        match exchanges.claim(state, &code("code")) {
            Claim::First(publisher) => publisher,
            _ => panic!("{state} is not new"),
        }
    }

    fn shared(exchanges: &Exchanges, state: &str) -> Option<SharedExchange> {
        match exchanges.claim(state, &code("code")) {
            Claim::First(_) => panic!("{state} would be exchanged twice"),
            Claim::Shared(shared) => Some(shared),
            Claim::Over(_) => None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_exchange_is_shared_for_ten_seconds_and_never_repeated() {
        let exchanges = Exchanges::default();
        let publisher = first(&exchanges, "a");
        let early = shared(&exchanges, "a").unwrap();
        publisher.publish(Ok(user()));
        drop(publisher);
        assert!(early.outcome().await.unwrap().is_ok());
        tokio::time::advance(SHARED_FOR - Duration::from_millis(1)).await;
        let late = shared(&exchanges, "a").unwrap();
        assert!(late.outcome().await.unwrap().is_ok());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(shared(&exchanges, "a").is_none());
        tokio::time::advance(Duration::from_secs(600)).await;
        let over = exchanges.claim("a", &code("code"));
        assert!(matches!(over, Claim::Over(Some(_))), "with its stamp");
    }

    #[tokio::test(start_paused = true)]
    async fn an_exchange_that_takes_longer_is_shared_until_it_ends() {
        let exchanges = Exchanges::default();
        let publisher = first(&exchanges, "a");
        tokio::time::advance(2 * SHARED_FOR).await;
        let waiting = shared(&exchanges, "a").unwrap();
        publisher.publish(Ok(user()));
        assert!(waiting.outcome().await.unwrap().is_ok());
    }

    #[tokio::test]
    async fn another_code_and_too_many_requests_share_nothing() {
        let exchanges = Exchanges::default();
        let _publisher = first(&exchanges, "a");
        let other = exchanges.claim("a", &code("another"));
        assert!(matches!(other, Claim::Over(None)));
        let shares = (0..100).filter(|_| shared(&exchanges, "a").is_some());
        assert_eq!(shares.count(), MOST_SHARES - 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_shares_nothing_has_the_stamp_of_its_own_code() {
        let exchanges = Exchanges::default();
        // Not dropped: its login is still beginning.
        let publisher = first(&exchanges, "a");
        publisher.publish(Ok(user()));
        let stamp = |text: &str| match exchanges.claim("a", &code(text)) {
            Claim::Over(stamp) => stamp,
            _ => panic!("{text} is shared or new"),
        };
        assert_eq!(stamp("another"), None);
        for _ in 1..MOST_SHARES {
            assert!(shared(&exchanges, "a").is_some());
        }
        for later in [Duration::ZERO, SHARED_FOR] {
            tokio::time::advance(later).await;
            assert_eq!(stamp("code"), Some(Timestamp::from_micros(1)), "{later:?}");
            assert_eq!(stamp("another"), None, "{later:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_exchange_that_is_aborted_fails_for_all_and_is_not_repeated() {
        let exchanges = Exchanges::default();
        let publisher = first(&exchanges, "a");
        let waiting = shared(&exchanges, "a").unwrap();
        drop(publisher);
        assert!(waiting.outcome().await.is_none());
        assert!(shared(&exchanges, "a").unwrap().outcome().await.is_none());
        tokio::time::advance(SHARED_FOR).await;
        let over = exchanges.claim("a", &code("code"));
        assert!(matches!(over, Claim::Over(None)), "it has no stamp");
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_bounded() {
        let exchanges = Exchanges::default();
        for state in 0..2 * CAPACITY {
            first(&exchanges, &state.to_string()).publish(Ok(user()));
        }
        let entries = exchanges.0.lock().unwrap();
        assert_eq!(entries.states.len(), CAPACITY);
        assert_eq!(entries.in_order.len(), CAPACITY);
        assert_eq!(entries.shared.len(), CAPACITY);
    }
}
