//! What was fetched from a provider and is kept: asked for by one at a time, and not too often.

use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Mutex as Flight, time::Instant};

use super::OidcError;

/// How long it is kept before it is asked for again. Meanwhile, and if that fails, the old one
/// stays in use.
const LIFETIME: Duration = Duration::from_secs(60 * 60);

/// Something of a provider's.
pub(super) struct Kept<T> {
    /// From the beginning of one fetch to that of the next; from its end, if it failed.
    pause: Duration,
    state: Mutex<State<T>>,
    /// Held by the one who fetches.
    flight: Arc<Flight<()>>,
}

struct State<T> {
    value: Option<Arc<T>>,
    fetched_at: Option<Instant>,
    tried_at: Option<Instant>,
    failure: Option<OidcError>,
}

/// What there is.
pub(super) struct Found<T> {
    pub(super) value: Arc<T>,
    /// Whether it was fetched for the one who asks, and not before.
    pub(super) just_now: bool,
}

impl<T: Send + Sync + 'static> Kept<T> {
    pub(super) fn new(pause: Duration) -> Arc<Self> {
        Arc::new(Self {
            pause,
            state: Mutex::new(State {
                value: None,
                fetched_at: None,
                tried_at: None,
                failure: None,
            }),
            flight: Arc::default(),
        })
    }

    /// What there is; fetched if there is nothing, and fetched by the way if it is old.
    pub(super) async fn get<F>(self: &Arc<Self>, fetch: F) -> Result<Found<T>, OidcError>
    where
        F: Future<Output = Result<T, OidcError>> + Send + 'static,
    {
        let (value, is_due) = {
            let state = self.state();
            let is_old = state.fetched_at.is_none_or(|at| at.elapsed() >= LIFETIME);
            (state.value.clone(), is_old && !self.is_pausing(&state))
        };
        // Not while somebody is at it: with a fetch that takes longer than the pause, whoever
        // comes would leave another task that waits.
        let is_due = is_due && self.flight.try_lock().is_ok();
        let Some(value) = value else {
            return self.newer_than(None, fetch).await;
        };
        if is_due {
            let (kept, seen) = (Arc::clone(self), Arc::clone(&value));
            tokio::spawn(async move {
                if let Err(error) = kept.newer_than(Some(&seen), fetch).await {
                    tracing::warn!(%error, "what is known of the provider could not be refreshed");
                }
            });
        }
        let just_now = false;
        Ok(Found { value, just_now })
    }

    /// Something newer than what the caller has seen. Fetched unless somebody else just did, or
    /// it was tried too short a time ago.
    pub(super) async fn newer_than<F>(
        self: &Arc<Self>,
        seen: Option<&Arc<T>>,
        fetch: F,
    ) -> Result<Found<T>, OidcError>
    where
        F: Future<Output = Result<T, OidcError>> + Send + 'static,
    {
        let flight = Arc::clone(&self.flight).lock_owned().await;
        {
            let mut state = self.state();
            let newer = match (&state.value, seen) {
                (Some(value), Some(seen)) => !Arc::ptr_eq(value, seen),
                (Some(_), None) => true,
                (None, _) => false,
            };
            if let Some(value) = state.value.clone().filter(|_| newer) {
                let just_now = false;
                return Ok(Found { value, just_now });
            }
            if self.is_pausing(&state) {
                let failure = state.failure.clone();
                return Err(failure.unwrap_or(OidcError::KeyNotKnownYet));
            }
            state.tried_at = Some(Instant::now());
        }
        // A task of its own: a browser that hangs up does not take the answer along, for which
        // others wait.
        let kept = Arc::clone(self);
        let task = tokio::spawn(async move {
            let fetched = fetch.await;
            let kept = kept.keep(fetched);
            drop(flight);
            kept
        });
        let value = task.await.map_err(|_| OidcError::Stopped)??;
        let just_now = true;
        Ok(Found { value, just_now })
    }

    fn keep(&self, fetched: Result<T, OidcError>) -> Result<Arc<T>, OidcError> {
        let mut state = self.state();
        state.failure = fetched.as_ref().err().cloned();
        if state.failure.is_some() {
            // It may have taken longer than the pause. Those who waited for it hear of it, and
            // do not ask one after the other.
            state.tried_at = Some(Instant::now());
        }
        let value = Arc::new(fetched?);
        state.value = Some(Arc::clone(&value));
        state.fetched_at = Some(Instant::now());
        Ok(value)
    }

    fn is_pausing(&self, state: &State<T>) -> bool {
        state.tried_at.is_some_and(|at| at.elapsed() < self.pause)
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        // Each change is one step that cannot panic halfway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use super::*;

    /// Shorter than a fetch takes that hangs.
    const PAUSE: Duration = Duration::from_secs(3);
    const HANGS: Duration = Duration::from_secs(5);

    async fn hangs(fetches: Arc<AtomicUsize>) -> Result<u8, OidcError> {
        fetches.fetch_add(1, SeqCst);
        tokio::time::sleep(HANGS).await;
        Err(OidcError::TimedOut)
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waited_for_a_fetch_that_failed_does_not_fetch_in_turn() {
        let (kept, fetches) = (Kept::new(PAUSE), Arc::<AtomicUsize>::default());
        let begun_at = Instant::now();
        let waiting = (0..10).map(|_| kept.get(hangs(Arc::clone(&fetches))));
        let answers = futures_util::future::join_all(waiting).await;
        assert!(answers.iter().all(Result::is_err));
        assert_eq!((fetches.load(SeqCst), begun_at.elapsed()), (1, HANGS));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_old_is_refreshed_by_one_however_long_that_fails() {
        let (kept, fetches) = (Kept::new(PAUSE), Arc::<AtomicUsize>::default());
        assert!(kept.get(async { Ok(7) }).await.is_ok());
        tokio::time::advance(LIFETIME).await;
        let runtime = tokio::runtime::Handle::current();
        for _ in 0..1_000 {
            let found = kept.get(hangs(Arc::clone(&fetches))).await;
            assert_eq!(found.map(|found| *found.value).ok(), Some(7));
            tokio::time::sleep(Duration::from_millis(100)).await;
            let tasks = runtime.metrics().num_alive_tasks();
            assert!(tasks <= 2, "{tasks} wait");
        }
        assert!(fetches.load(SeqCst) > 10);
    }
}
