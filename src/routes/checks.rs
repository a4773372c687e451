//! How many logout notices are checked at once.
//!
//! Anybody can send a notice, and each may cost a call to the provider. So few are checked at
//! once, few wait, and whoever comes beyond that hears at once to come again. A part of the
//! room is kept for senders who have sent a good notice before, so that a flood of forged ones
//! does not stand in the way of the provider.

use std::{
    collections::VecDeque,
    mem,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{extract::ConnectInfo, http::request::Parts};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit},
    time::Instant,
};

use crate::pending;

/// How often the log hears of notices that are turned away.
const BETWEEN_EVENTS: Duration = Duration::from_secs(1);
/// How many senders of good notices are remembered. A provider has a few.
const SENDERS: usize = 64;

/// How many logout notices are dealt with at once. The defaults suit a site that logs
/// thousands of people out a second.
///
/// ```
/// use std::time::Duration;
///
/// use axum_clef::NoticeLimits;
///
/// let limits = NoticeLimits::default()
///     .at_once(16)
///     .waiting(64)
///     .longest_wait(Duration::from_millis(500))
///     .owed(4_096);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoticeLimits {
    at_once: usize,
    waiting: usize,
    longest_wait: Duration,
    owed: usize,
}

impl Default for NoticeLimits {
    fn default() -> Self {
        Self {
            at_once: 64,
            waiting: 256,
            longest_wait: Duration::from_secs(1),
            owed: pending::CAPACITY,
        }
    }
}

impl NoticeLimits {
    /// How many notices are checked at once, each by a call to the provider perhaps: 64. As many
    /// more are for senders alone who have sent a good notice before.
    #[must_use]
    pub fn at_once(mut self, at_once: usize) -> Self {
        self.at_once = at_once;
        self
    }

    /// How many notices may wait for that: 256, and as many more of known senders. The next one
    /// is answered 503 with `Retry-After` at once. A notice that comes again while it is dealt
    /// with costs no call, and waits among these until it is known what becomes of the first.
    #[must_use]
    pub fn waiting(mut self, waiting: usize) -> Self {
        self.waiting = waiting;
        self
    }

    /// How long a notice waits for its check at the most before it is answered so: one second.
    #[must_use]
    pub fn longest_wait(mut self, longest_wait: Duration) -> Self {
        self.longest_wait = longest_wait;
        self
    }

    /// How many logouts, known and not yet written, may wait for the user store: 1,024, some
    /// hundred bytes each. Beyond that no notice is checked until the store has taken some; those
    /// that are being checked then may come on top.
    #[must_use]
    pub fn owed(mut self, owed: usize) -> Self {
        self.owed = owed;
        self
    }

    pub(crate) fn most_owed(&self) -> usize {
        self.owed
    }
}

/// Tells who sends a request.
pub(crate) type Sender = Arc<dyn Fn(&Parts) -> Option<IpAddr> + Send + Sync>;

/// Lets notices in to be checked.
#[derive(Clone)]
pub(crate) struct Checks {
    anyone: Room,
    known_senders: Room,
    longest_wait: Duration,
    senders: Arc<Mutex<VecDeque<IpAddr>>>,
    sender: Sender,
    turned_away: Arc<Mutex<TurnedAway>>,
}

/// The notices that nobody has been told of yet.
#[derive(Default)]
struct TurnedAway {
    count: u64,
    told_at: Option<Instant>,
}

/// So many at once, and so many who wait.
#[derive(Clone)]
struct Room {
    places: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

/// A notice that waits for another, until this is dropped.
pub(super) struct Waiting<'a> {
    _place: SemaphorePermit<'a>,
}

/// A notice that may be checked, until this is dropped.
pub(super) struct Admitted {
    _place: OwnedSemaphorePermit,
}

impl Checks {
    pub(crate) fn new(limits: &NoticeLimits) -> Self {
        Self {
            anyone: Room::new(limits),
            known_senders: Room::new(limits),
            longest_wait: limits.longest_wait,
            senders: Arc::default(),
            sender: Arc::new(peer),
            turned_away: Arc::default(),
        }
    }

    pub(crate) fn with_limits(&self, limits: &NoticeLimits) -> Self {
        Self {
            sender: Arc::clone(&self.sender),
            ..Self::new(limits)
        }
    }

    pub(crate) fn with_sender(&self, sender: Sender) -> Self {
        Self {
            sender,
            ..self.clone()
        }
    }

    /// Who sends a request, where that can be told.
    pub(super) fn sender(&self, parts: &Parts) -> Option<IpAddr> {
        (self.sender)(parts)
    }

    /// Waits for a place, but not for long. `None`: there is none.
    pub(super) async fn admit(&self, sender: Option<IpAddr>) -> Option<Admitted> {
        if let Ok(place) = Arc::clone(&self.anyone.places).try_acquire_owned() {
            return Some(Admitted { _place: place });
        }
        let admission = self.room(sender).admit();
        let admitted = tokio::time::timeout(self.longest_wait, admission).await;
        admitted.ok().flatten()
    }

    /// Lets a notice wait for another that is the same. `None`: too many wait.
    pub(super) fn wait(&self, sender: Option<IpAddr>) -> Option<Waiting<'_>> {
        let place = self.room(sender).waiting.try_acquire().ok()?;
        Some(Waiting { _place: place })
    }

    /// Says that there was no room for a notice: once a second at the most, and how many they
    /// were, so that a flood does not fill the log too.
    pub(super) fn turn_away(&self) {
        let turned_away = &self.turned_away;
        let mut turned_away = turned_away.lock().unwrap_or_else(PoisonError::into_inner);
        let untold = turned_away.one_more();
        drop(turned_away);
        if let Some(count) = untold {
            tracing::warn!(count, "more logout notices arrive than can be checked");
        }
    }

    fn room(&self, sender: Option<IpAddr>) -> &Room {
        if sender.is_some_and(|sender| self.senders().contains(&sender)) {
            &self.known_senders
        } else {
            &self.anyone
        }
    }

    /// Remembers the sender of a good notice.
    pub(super) fn was_good(&self, sender: Option<IpAddr>) {
        let Some(sender) = sender else {
            return;
        };
        let mut senders = self.senders();
        senders.retain(|known| *known != sender);
        senders.push_back(sender);
        if senders.len() > SENDERS {
            senders.pop_front();
        }
    }

    fn senders(&self) -> MutexGuard<'_, VecDeque<IpAddr>> {
        self.senders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TurnedAway {
    /// Counts one more: how many are to be told of now.
    fn one_more(&mut self) -> Option<u64> {
        self.count += 1;
        let told_at = self.told_at;
        if told_at.is_some_and(|told_at| told_at.elapsed() < BETWEEN_EVENTS) {
            return None;
        }
        self.told_at = Some(Instant::now());
        Some(mem::take(&mut self.count))
    }
}

impl Room {
    fn new(limits: &NoticeLimits) -> Self {
        let semaphore = |size: usize| Arc::new(Semaphore::new(size.min(Semaphore::MAX_PERMITS)));
        Self {
            // Without one nobody would ever be logged out.
            places: semaphore(limits.at_once.max(1)),
            waiting: semaphore(limits.waiting),
        }
    }

    async fn admit(&self) -> Option<Admitted> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Some(Admitted { _place: place });
        }
        let _waits = self.waiting.try_acquire().ok()?;
        let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
        Some(Admitted { _place: place })
    }
}

/// The other end of the connection, where the server says so: a reverse proxy, if there is one.
fn peer(parts: &Parts) -> Option<IpAddr> {
    let ConnectInfo(peer) = parts.extensions.get::<ConnectInfo<SocketAddr>>()?;
    Some(peer.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_senders_are_remembered_and_the_latest_of_them() {
        let checks = Checks::new(&NoticeLimits::default());
        let sender = |number: u16| IpAddr::from([10, 0, (number >> 8) as u8, number as u8]);
        for number in 0..1_000 {
            checks.was_good(Some(sender(number)));
            checks.was_good(Some(sender(7)));
            checks.was_good(None);
        }
        let senders = checks.senders();
        assert_eq!(senders.len(), SENDERS);
        for kept in [7, 999, 999 - 62] {
            assert!(senders.contains(&sender(kept)), "{kept}");
        }
        assert!(!senders.contains(&sender(999 - 63)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_told_of_once_a_second_and_in_full() {
        let mut turned_away = TurnedAway::default();
        assert_eq!(turned_away.one_more(), Some(1), "the first at once");
        for _ in 0..10_000 {
            assert_eq!(turned_away.one_more(), None);
        }
        tokio::time::advance(BETWEEN_EVENTS).await;
        assert_eq!(turned_away.one_more(), Some(10_001));
        assert_eq!(turned_away.one_more(), None);
    }
}
